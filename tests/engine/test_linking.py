"""Machine code is linked as LLVM would link it, or refused."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from vhmae.engine.linking import linked
from vhmae.engine.machine_code import links_here

pytestmark = pytest.mark.skipif(not links_here(), reason="for Linux on x86-64")

KNOWN = ("memset",)
MODULE = """
@table = internal constant [4 x double] [double 1.5, double 2.5, double 3.5, double 4.5]
declare ptr @memset(ptr, i32, i64)
define internal double @scaled(double %value) noinline {
  %product = fmul double %value, 0.1
  ret double %product
}
define void @run(ptr %out, i64 %which) {
  call ptr @memset(ptr %out, i32 0, i64 16)
  %place = getelementptr [4 x double], ptr @table, i64 0, i64 %which
  %read = load double, ptr %place
  %found = call double @scaled(double %read)
  store double %found, ptr %out
  ret void
}
"""
COUNTING = """
@count = internal global i64 0
define void @run() {
  %before = load i64, ptr @count
  %after = add i64 %before, 1
  store i64 %after, ptr @count
  ret void
}
"""


def object_file(module: str = MODULE, model: str = "jitdefault") -> bytes:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    code: bytes = target.create_target_machine(
        codemodel=model, jit=model == "jitdefault"
    ).emit_object(llvm.parse_assembly(module))
    return code


def test_code_reads_its_constants_and_calls_what_it_may() -> None:
    ours = linked(object_file(), "run", KNOWN)
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(ours.address)
    found = np.full(3, 7.0)
    for which, value in enumerate((1.5, 2.5, 3.5, 4.5)):
        run(found.ctypes.data, which)
        assert found.tolist() == [value * 0.1, 0.0, 7.0]


@pytest.mark.parametrize(
    ("code", "name", "told"),
    [
        (b"\x7fELF\2\1" + bytes(58), "run", "no object file"),
        (b"MZ" + bytes(62), "run", "no object file"),
        (object_file(), "walk", "has no walk"),
        (object_file().replace(b"memset", b"system"), "run", "needs system"),
        (object_file(model="small"), "run", "addresses of another kind"),
        (object_file(COUNTING), "run", "keeps values"),
    ],
    ids=["processor", "system", "no function", "stranger", "near addresses", "values"],
)
def test_what_needs_more_is_refused(code: bytes, name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        linked(code, name, KNOWN)


def test_code_cannot_be_written_once_it_runs() -> None:
    ours = linked(object_file(), "run", KNOWN)
    maps = Path("/proc/self/maps").read_text(encoding="ascii").splitlines()
    (line,) = [one for one in maps if holds(one, ours.address)]
    assert line.split()[1].startswith("r-x")


def holds(line: str, address: int) -> bool:
    first, last = (int(end, 16) for end in line.split()[0].split("-"))
    return first <= address < last
