"""A damaged manifest: an error with the number of its line, and no line is ever dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vhmae.cli import main
from vhmae.errors import InputError
from vhmae.rcvh.catalogue import _read_facts, _read_outcome
from vhmae.rcvh.manifest import MANIFEST, read_manifest, rewrite


def line(number: int, **changes: object) -> str:
    return json.dumps({"name": f"{number:05d}", "foreground_ratio": 0.5, **changes})


def manifest(folder: Path, *lines: str, end: str = "\n") -> Path:
    (folder / MANIFEST).write_text("\n".join(lines) + end, errors="surrogateescape")
    return folder


DAMAGES = {
    "half a line": '{"name": "000',
    "no JSON": "rubbish",
    "nests": "[" * 100_000,
    "nested keys": '{"a":' * 50_000,
    "a long number": "1" * 5000,
    "bytes": "\udcff\udcfe",
    "a list": "[1]",
    "null": "null",
    "no name": '{"foreground_ratio": 0.5}',
    "a name that leads elsewhere": line(2, name="../../secret"),
    "a hidden name": line(2, name=".."),
    "an empty name": line(2, name=""),
    "a name that is a number": line(2, name=2),
    "a ratio that is none": line(2, foreground_ratio="much"),
    "a ratio without end": line(2, foreground_ratio=float("inf")),
    "a ratio of nothing": line(2, foreground_ratio=float("nan")),
    "a verdict that is none": line(2, review="keep"),
    "a part without a source": line(2, foreground={}),
    "the name of another line": line(1, foreground_ratio=0.4),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("place", [0, 2])
def test_a_damaged_line_is_an_error_with_its_number(
    tmp_path: Path, damage: str, place: int, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line(1), line(3), line(4)]
    lines.insert(place, damage)
    manifest(tmp_path, *lines)
    before = (tmp_path / MANIFEST).read_bytes()
    at = 2 if damage == DAMAGES["the name of another line"] and place == 0 else place + 1
    for read in (read_manifest, rewrite):
        with pytest.raises(InputError, match=rf"manifest\.jsonl: line {at} is damaged"):
            read(tmp_path)
    assert (tmp_path / MANIFEST).read_bytes() == before
    assert main(["rcvh", "review", str(tmp_path), "--export"]) == 2
    told = capsys.readouterr().err
    assert f"line {at} is damaged" in told
    assert len(told.strip().splitlines()) == 1


def test_a_last_line_that_breaks_off_is_left_to_the_build(tmp_path: Path) -> None:
    manifest(tmp_path, line(1), '{"name": "000', end="")
    with pytest.raises(InputError, match=r"line 2 is damaged .* run vhmae rcvh build again"):
        read_manifest(tmp_path)
    assert [one["name"] for one in rewrite(tmp_path, unfinished=True)] == ["00001"]
    assert (tmp_path / MANIFEST).read_text() == line(1) + "\n"


def test_a_line_that_is_there_twice_is_one_and_empty_lines_are_none(tmp_path: Path) -> None:
    manifest(tmp_path, line(2), "", line(1), line(2), "  ")
    assert [one["name"] for one in read_manifest(tmp_path)] == ["00002", "00001"]
    assert [one["name"] for one in rewrite(tmp_path)] == ["00001", "00002"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "7",
        '{"segments": 3}',
        '{"segments": [[1]]}',
        '{"clip": {}}',
        '{"clip": null}',
    ],
)
def test_notes_of_earlier_work_that_are_damaged_are_as_if_not_there(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "note.json").write_text(text)
    assert _read_facts(tmp_path / "note.json") is None
    assert _read_outcome(tmp_path / "note.json") is None
