"""Machine code that numba made once: kept on the disk, and loaded by itself, or by LLVM alone.

Importing numba takes as long as all else that harmonizing imports, and more memory. What it makes
of a function of pointers and numbers needs nothing of it any more.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib.metadata
import os
import platform
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import llvmlite

from vhmae.engine.linking import linked
from vhmae.errors import InputError
from vhmae.partial_output import whole_file

_LIBRARY = ("memset", "memcpy", "memmove")
"""What machine code may call that is not in its module."""
_PROCESSORS = Path("/proc/cpuinfo")
_PROCESSOR = ("vendor_id", "cpu family", "model", "stepping", "flags")
"""What Linux says of a processor that code is made for."""
_loading = threading.RLock()
_loaded: list[object] = []
"""Code lives as long as what loaded it."""


def load_function(
    name: str,
    sources: Sequence[Path],
    arguments: Sequence[Any],
    module_of: Callable[[], tuple[str, str]],
) -> Callable[..., None]:
    """A compiled function, which holds no lock while it runs.

    Args:
        name: the name that its code is kept by.
        sources: the files that it is written in: kept code is of them as they are.
        arguments: types of ``ctypes``.
        module_of: makes its module, where no code is kept: LLVM's language, and the function's name
            there. It must neither raise nor allocate.
    """
    with _loading:
        file = _kept(name, sources)
        code = _read(file)
        if code is None:
            code = _compiled(name, *module_of())
            _keep(file, code)
        return ctypes.CFUNCTYPE(None, *arguments)(_address_of(name, code))


def _address_of(name: str, code: bytes) -> int:
    """Where a function of an object file runs."""
    if links_here():
        with contextlib.suppress(ValueError, OSError):  # LLVM knows more
            ours = linked(code, name, _LIBRARY)
            _loaded.append(ours)
            return ours.address
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _loaded.append(engine)
    found: int = engine.get_function_address(name)
    return found


def links_here() -> bool:
    """Whether code is made ready without LLVM on this system."""
    return sys.platform.startswith("linux") and platform.machine() == "x86_64"


@functools.cache
def _prepared() -> Any:
    """LLVM's target: this machine."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(llvm.get_process_triple())


def _target_machine() -> Any:
    import llvmlite.binding as llvm

    return _prepared().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


def _compiled(name: str, module: str, entry: str) -> bytes:
    """A module as an object file with one function to be called."""
    import llvmlite.binding as llvm

    target = _target_machine()
    parsed = llvm.parse_assembly(module)
    for function in parsed.functions:
        if function.name == entry:
            function.name = name
        elif not function.is_declaration:
            function.linkage = "internal"
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(target, tuning)
    # With all but one function internal, what handles errors that cannot come is known to be dead.
    passes.getModulePassManager().run(parsed, passes)
    foreign = [
        one.name
        for one in parsed.functions
        if one.is_declaration and not one.name.startswith("llvm.") and one.name not in _LIBRARY
    ]
    assert not foreign, f"{name} needs {', '.join(foreign)}"
    code: bytes = target.emit_object(parsed)
    return code


def _kept(name: str, sources: Sequence[Path]) -> Path:
    """Where the code lies, or is to lie; deleting it has it made anew."""
    facts = hashlib.sha256()
    for path in sources:
        facts.update(path.read_bytes())
    made_by = importlib.metadata.version("numba"), llvmlite.__version__
    facts.update(repr((*_machine(), *made_by)).encode())
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "vhmae" / "machine-code" / f"{name}-{facts.hexdigest()[:16]}.o"


def _machine() -> list[str]:
    """What tells machines apart that need code of their own."""
    if links_here():
        with contextlib.suppress(OSError):
            told = _PROCESSORS.read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
            return [line for line in told if line.startswith(_PROCESSOR)]
    import llvmlite.binding as llvm

    cpu = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return [llvm.get_process_triple(), *cpu]


def _read(file: Path) -> bytes | None:
    """The code that is kept, if it is whole: LLVM ends the process over code that is not."""
    try:
        digest, _, code = file.read_bytes().partition(b"\n")
    except OSError:
        return None
    return code if hashlib.sha256(code).hexdigest().encode() == digest else None


def _keep(file: Path, code: bytes) -> None:
    """Keep code where there is a place for it."""
    with contextlib.suppress(OSError, InputError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as part:
            part.write_bytes(hashlib.sha256(code).hexdigest().encode() + b"\n" + code)
