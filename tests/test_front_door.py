"""What a stranger types first, run as it stands: every command and program of README, tutorial and
the pages that go on from it, in order, in a fresh shell over a fresh installation."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.wheel import build_wheel, install

ROOT = Path(__file__).parents[1]
INSTALLING = ("make ", "source ")
"""What makes the installation that the commands run over, and opens it."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the package alone."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("installed")
    return install(build_wheel(folder), folder / "environment")


def script_of(page: Path) -> str:
    """A page's commands and programs in their order; of `make demo`, what follows the
    installation."""
    parts = []
    for kind, block in re.findall(
        r"^```(sh|python)\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE
    ):
        if kind == "python":
            parts.append(f"python - <<'END'\n{block}END\n")
        else:
            lines = block.splitlines(keepends=True)
            lines = [
                re.sub("^make demo$", "vhmae demo", line, flags=re.MULTILINE) for line in lines
            ]
            parts.append("".join(one for one in lines if not one.startswith(INSTALLING)))
    return "\n".join(parts)


@pytest.mark.timeout(3600)  # some twenty runs of the program, on whatever the machine has left
@pytest.mark.long  # minutes a page
@pytest.mark.parametrize(
    ("page", "after"),
    [
        ("README.md", ""),
        ("docs/index.md", ""),
        ("docs/tutorial.md", ""),
        ("docs/research.md", ""),
        ("docs/how-to/looks-wrong.md", "vhmae demo\n"),
    ],
)
def test_the_page_runs_as_it_stands(page: str, after: str, programs: Path, tmp_path: Path) -> None:
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    script = after + script_of(ROOT / page)
    assert script.count("vhmae ") >= 2
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    run = subprocess.run(
        ["bash", "--noprofile", "--norc", "-euxo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    words = shlex.split(script.replace("\n", " ; "), comments=False)
    written = {name for word, name in itertools.pairwise(words) if word == "-o"}
    missing = {name for name in written if not [*folder.glob(f"{Path(name).with_suffix('')}*")]}
    assert missing == set()


def test_every_command_is_marked_to_be_run() -> None:
    """A block without a language would be shown and not run."""
    for page in ("README.md", "docs/index.md", "docs/tutorial.md"):
        blocks = re.findall(r"^```(\w*)\n", (ROOT / page).read_text(), flags=re.MULTILINE)
        opening = blocks[::2]
        assert opening
        assert {*opening} <= {"sh", "python"}, page
