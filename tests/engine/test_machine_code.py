"""Compiled code is kept, and made anew where it is damaged or of something else."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vhmae.engine import machine_code
from vhmae.engine.machine_code import load_function

MODULE = """
define void @"made by numba"(ptr %out, double %value) {
  %twice = call double @"inner"(double %value)
  store double %twice, ptr %out
  ret void
}
define double @"inner"(double %value) {
  %twice = fadd double %value, %value
  ret double %twice
}
"""
STRANGER = """
declare void @nobody_has_this()
define void @"made by numba"(ptr %out, double %value) {
  call void @nobody_has_this()
  ret void
}
"""


class Doubling:
    """Loads a function that doubles a number, and counts how often it is made."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source.py"
        self.source.write_text("one")
        self.made = 0

    def load(self, module: str = MODULE) -> Callable[..., None]:
        def module_of() -> tuple[str, str]:
            self.made += 1
            return module, "made by numba"

        arguments = [ctypes.c_void_p, ctypes.c_double]
        return load_function("double", [self.source], arguments, module_of)

    def works(self) -> bool:
        found = np.zeros(1)
        self.load()(found.ctypes.data, 21.0)
        return bool(found[0] == 42.0)


@pytest.fixture
def doubling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doubling:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Doubling(tmp_path)


def kept(doubling: Doubling) -> list[Path]:
    return sorted((doubling.source.parent / "cache").rglob("*.o"))


def test_code_is_made_once(doubling: Doubling) -> None:
    assert doubling.works()
    assert doubling.works()
    assert doubling.made == 1
    assert len(kept(doubling)) == 1


def test_code_of_another_source_is_made_anew(doubling: Doubling) -> None:
    assert doubling.works()
    doubling.source.write_text("two")
    assert doubling.works()
    assert doubling.made == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_damaged_code_is_made_anew(damage: str, doubling: Doubling) -> None:
    assert doubling.works()
    (file,) = kept(doubling)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes({"cut": bytes(data[:-9]), "changed": bytes(data), "empty": b""}[damage])
    assert doubling.works()
    assert doubling.works()
    assert doubling.made == 2


def test_where_there_is_no_place_for_it_code_is_made_each_time(doubling: Doubling) -> None:
    (doubling.source.parent / "cache").write_text("a file where the folder would be")
    assert doubling.works()
    assert doubling.works()
    assert doubling.made == 2


def test_code_that_calls_what_is_not_there_is_not_kept(doubling: Doubling) -> None:
    with pytest.raises(AssertionError, match="needs nobody_has_this"):
        doubling.load(STRANGER)
    assert not kept(doubling)


def test_where_code_is_not_linked_by_ourselves_llvm_loads_it(
    doubling: Doubling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_code, "links_here", lambda: False)
    assert doubling.works()
    assert doubling.works()
    assert doubling.made == 1


def test_what_cannot_be_linked_llvm_loads(
    doubling: Doubling, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise ValueError("has addresses of another kind")

    monkeypatch.setattr(machine_code, "linked", refuse)
    assert doubling.works()
