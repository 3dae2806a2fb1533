"""The drawings of the node graphs are those of the files that set the nodes up."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "draw_node_graphs.py"


@pytest.mark.parametrize("name", ["comfyui-graph.svg", "nuke-graph.svg", "browser-graph.svg"])
def test_a_drawing_is_of_what_there_is_now(name: str) -> None:
    spec = importlib.util.spec_from_file_location("draw_node_graphs", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    drawn = tool.DRAWINGS[name]()
    assert drawn == (ROOT / "docs" / "pictures" / name).read_text(encoding="utf-8")
    assert "Drawn from" in drawn
