"""Imports run one way: a room may import from the rooms above it, never from its own row or below."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "vhmae"
ROWS = {
    "errors": 0, "config": 0, "assets": 0, "cluster": 1, "kernels": 1, "guide": 1, "color": 1, "model": 2, "video": 2, "metrics": 2,
    "data": 3, "rendering": 3, "smoothing": 4, "survey": 4, "pointing": 4, "harmonizer": 5,
    "analysis": 6, "pipeline": 7, "streaming": 7, "grade": 7, "preview": 7,
    "batch": 8, "evaluation": 8, "training": 9, "web": 9, "matting": 9, "demo": 10, "study": 10, "rcvh": 10,
    "cli": 11, "__main__": 12, "__init__": 12,
}  # fmt: skip
# The row 0 has an order of its own, and so has the little that a reader of clips needs of video files.
ALLOWED = {("config", "errors")}


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
                rooms.add(parts[1] if len(parts) > 1 else "")
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: imports are absolute"
    return rooms - {""}


def test_every_room_has_a_row() -> None:
    rooms = {p.stem if p.is_file() else p.name for p in SOURCE.iterdir() if p.name != "__pycache__"}
    assert rooms <= ROWS.keys()


def test_imports_run_one_way() -> None:
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for other in imports_of(path) - {room}:
            assert (room, other) in ALLOWED or ROWS[other] < ROWS[room], f"{path.relative_to(SOURCE)} may not import vhmae.{other}"


def test_files_are_read_in_one_sitting() -> None:
    for path in [*SOURCE.rglob("*.py"), *Path(__file__).parent.rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 400, f"{path} is too long: split it"


def test_no_room_is_a_drawer_for_everything() -> None:
    for path in SOURCE.rglob("*"):
        assert path.stem not in ("utils", "util", "misc", "common", "helpers"), f"{path} needs a name of its own"
