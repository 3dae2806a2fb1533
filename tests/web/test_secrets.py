"""The secrets of a site: made once, for their owner's eyes, and read in the forms of before."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vhmae.errors import InputError
from vhmae.web.secrets import Secrets, keep_secrets, new_secrets, open_secrets, read_secrets


def test_secrets_are_made_once_whoever_is_first(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: open_secrets(tmp_path / "s.json"), range(40)))
    assert len(found) == 1
    keep_secrets(tmp_path / "s.json", new_secrets())
    assert {read_secrets(tmp_path / "s.json")} == found
    assert (tmp_path / "s.json").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


@pytest.mark.parametrize(
    ("tree", "meant"),
    [
        ({"session_key": "a", "admin_token": "b"}, Secrets("a", "b")),
        ({"set_id": "c", "session_key": "a", "token": "b"}, Secrets("a", "b", "c")),
        ({"session_key": "a", "token": "b", "site": "c"}, Secrets("a", "b", "c")),
    ],
)
def test_the_forms_of_before_are_read(tmp_path: Path, tree: dict[str, str], meant: Secrets) -> None:
    (tmp_path / "s.json").write_text(json.dumps(tree))
    assert read_secrets(tmp_path / "s.json") == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"token": "a"}',
        '{"session_key": "", "token": "a"}',
        '{"session_key": 3, "token": "a"}',
        "[" * 99_999,
    ],
)
def test_damaged_secrets_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError, match="restore it from a copy"):
        read_secrets(tmp_path / "s.json")


def test_links_that_lead_to_themselves_are_told(tmp_path: Path) -> None:
    (tmp_path / "s.json").symlink_to(tmp_path / "s.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_secrets(tmp_path / "s.json")


def test_secrets_that_cannot_be_written_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError, match="No space left"):
        keep_secrets(tmp_path / "s.json", new_secrets())
    assert list(tmp_path.iterdir()) == []
