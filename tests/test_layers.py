"""Imports run one way: rooms are numbered from the bottom, and a room imports lower numbers only,
with no exception."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "vhmae"
ROOMS = (
    "version",
    "arrays",
    "errors",
    "memory",
    "options",
    "config",
    "progress",
    "overlap",
    "digest",
    "outside",
    "onnx_runtime",
    "partial_output",
    "assets",
    "guide",
    "color",
    "model",
    "video",
    "engine",
    "matting",
    "work",
    "grade",
    "nuke",
    "data",
    "evaluation",
    "training",
    "comparators",
    "web",
    "rcvh",
    "study",
    "app",
    "cli",
    "__main__",
    "__init__",
)
"""From the bottom to the top."""
NUMBERS = {room: number for number, room in enumerate(ROOMS)}


def imports_of(path: Path) -> set[str]:
    """Rooms of this package that a file imports, wherever in the file it does."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        for name in names:
            parts = name.split(".")
            if parts[0] == "vhmae":
                rooms |= (
                    {parts[1]}
                    if len(parts) > 1
                    else {alias.name for alias in getattr(node, "names", [])}
                )
        assert not (isinstance(node, ast.ImportFrom) and node.level), (
            f"{path}: imports are absolute"
        )
    return rooms


def test_every_room_has_a_number() -> None:
    rooms = {
        p.stem if p.is_file() else p.name
        for p in SOURCE.iterdir()
        if p.name not in ("__pycache__", "py.typed")
    }
    assert rooms <= NUMBERS.keys()


def test_a_room_imports_from_lower_rooms_only() -> None:
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for other in imports_of(path) - {room}:
            assert other in NUMBERS, (
                f"{path.relative_to(SOURCE)} imports {other} from the package itself: import it "
                "from its room"
            )
            assert NUMBERS[other] < NUMBERS[room], (
                f"{path.relative_to(SOURCE)} may not import vhmae.{other}"
            )


def test_the_engine_opens_no_files_but_the_network_and_its_compiled_code() -> None:
    opens = re.compile(r"\bopen\(|\bsafe_open\(|\.(read|write)_(text|bytes)\(|whole_file|\.mkdir\(")
    threads = re.compile(r"threading\.Thread|import concurrent|from concurrent|vhmae\.overlap")
    files = {path.stem: path.read_text() for path in (SOURCE / "engine").glob("*.py")}
    found = {name for name, text in files.items() if opens.search(text)}
    assert found == {"machine_code", "onnx_network"}
    assert [name for name, text in files.items() if threads.search(text)] == []


def test_files_have_their_digest_of_one_place() -> None:
    def digests_a_file(node: ast.AST) -> bool:
        called = (
            node.func.attr
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            else ""
        )
        parts = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
        return called == "file_digest" or (called.startswith("sha") and "read_bytes" in parts)

    trees = {path.name: ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")}
    found = {name for name, tree in trees.items() if any(map(digests_a_file, ast.walk(tree)))}
    assert found == {"digest.py"}


def test_files_are_locked_in_one_place() -> None:
    own = re.compile(r"^\s*(import|from) (fcntl|msvcrt|filelock|portalocker)\b", flags=re.MULTILINE)
    found = {path.name for path in SOURCE.rglob("*.py") if own.search(path.read_text())}
    assert found == {"partial_output.py"}


def test_tests_share_support_and_not_one_another() -> None:
    """A room's own modules serve that room; what another needs, too, lies in support."""
    taken = re.compile(r"^\s*(?:from|import) tests(?:\.(\w+))?(\.\w+)*", flags=re.MULTILINE)
    named = re.compile(r"^\s*(?:from|import) tests\.(\w+\.)*test_\w+", flags=re.MULTILINE)
    root = Path(__file__).parent
    for path in root.rglob("*.py"):
        text, room = path.read_text(), path.relative_to(root).parts[0]
        assert not named.search(text), path
        for found in taken.finditer(text):
            assert found[1] in ("support", room), f"{path}: {found[0].strip()}"


def test_files_are_read_in_one_sitting() -> None:
    root = Path(__file__).parents[1]
    pages = [*(root / "docs").rglob("*.md"), root / "README.md", root / "CONTRIBUTING.md"]
    for path in [*SOURCE.rglob("*.py"), *(root / "tests").rglob("*.py"), *pages]:
        assert len(path.read_text().splitlines()) <= 500, f"{path} is too long: split it"


def test_no_room_is_a_drawer_for_everything() -> None:
    for path in SOURCE.rglob("*"):
        assert path.stem not in ("utils", "util", "misc", "common", "helpers"), (
            f"{path} needs a name of its own"
        )


def test_what_types_do_not_check_says_why() -> None:
    root = Path(__file__).parents[1]
    for path in [*SOURCE.rglob("*.py"), *(root / "benchmarks").glob("*.py")]:
        for line in path.read_text().splitlines():
            assert not re.search(r"# type: ignore(\[[\w, -]+\])?$", line), f"{path}: {line}"
