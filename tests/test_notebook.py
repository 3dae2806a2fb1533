"""The example notebook is text, and runs from top to bottom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import vhmae

NOTEBOOK = Path(__file__).parents[1] / "examples" / "guided_points.py"


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what runs it
def test_the_notebook_runs(tmp_path: Path) -> None:
    import jupytext
    from nbclient import NotebookClient

    book = jupytext.read(NOTEBOOK)
    kinds = [cell.cell_type for cell in book.cells]
    assert kinds.count("markdown") >= 6
    client = NotebookClient(
        book,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    package = str(Path(vhmae.__file__).parents[1])
    # An assertion that fails in a cell is raised here.
    client.execute(env=os.environ | {"PYTHONPATH": package})
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    shown = [output for output in outputs if "image/png" in output.get("data", {})]
    told = "".join(output.get("text", "") for output in outputs)
    assert len(shown) == 4
    assert "levels without the point" in told
    assert not [output for output in outputs if output.get("name") == "stderr"], told
