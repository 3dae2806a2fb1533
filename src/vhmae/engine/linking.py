"""Kept machine code made ready to run without LLVM, on Linux and processors of x86-64.

LLVM's library takes 50 MiB of memory, and all that is left to do is to copy some kilobytes and to
fill in addresses. What asks for more is refused, and left to LLVM.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_OBJECT, _X86_64 = 1, 62
"""ELF's numbers of a file that is still to be linked, and of the processor."""
_CONTENTS, _SYMBOLS, _ADDRESSES = 1, 2, 4
"""ELF's numbers of sections: code and constants, names with their places, addresses to fill in."""
_WRITTEN, _IN_MEMORY = 1, 2
"""ELF's marks of sections that code writes to, and that are there while it runs."""
_WHOLE = 1
"""ELF's number of an address in 64 bits: that of a symbol, and what is added to it."""
_ENTRY_BYTES = 24
"""Of a symbol, and of an address."""


class Linked(NamedTuple):
    """Machine code that can be run."""

    address: int
    """Of the function that was asked for."""
    room: mmap.mmap
    """Where it lies: it is to be kept as long as the code."""


class _Section(NamedTuple):
    kind: int
    flags: int
    start: int
    size: int
    partner: int
    """Number of the section that holds its names, or its symbols."""
    about: int
    """Number of the section that its addresses belong in."""
    align: int


class _Symbol(NamedTuple):
    name: str
    section: int
    """Number of the section that it is in; 0 where another library has it."""
    value: int


def linked(code: bytes, name: str, known: Sequence[str]) -> Linked:
    """Link an object file of LLVM.

    Args:
        name: the function that is wanted.
        known: functions of the C library that it may call.
    Raises:
        ValueError: for what needs more than that.
        OSError: where the system lets no such memory be run.
    """
    if code[:6] != b"\x7fELF\2\1" or struct.unpack_from("<HH", code, 16) != (_OBJECT, _X86_64):
        raise ValueError("no object file of this processor")
    sections = list(_sections(code))
    offsets, size = {}, 0
    for number, one in enumerate(sections):
        if one.flags & _WRITTEN and one.size:
            raise ValueError("keeps values of its own")
        if one.flags & _IN_MEMORY and one.kind == _CONTENTS:
            offsets[number] = size + -size % max(1, one.align)
            size = offsets[number] + one.size
    room = mmap.mmap(-1, max(1, size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    base = ctypes.addressof(ctypes.c_char.from_buffer(room))
    library = ctypes.CDLL(None, use_errno=True)

    def address_of(symbol: _Symbol) -> int:
        if symbol.section in offsets:
            return base + offsets[symbol.section] + symbol.value
        if symbol.section or symbol.name not in known:
            raise ValueError(f"needs {symbol.name}")
        return ctypes.cast(getattr(library, symbol.name), ctypes.c_void_p).value or 0

    found = None
    for number, offset in offsets.items():
        one = sections[number]
        room[offset : offset + one.size] = code[one.start : one.start + one.size]
    for one in sections:
        if one.kind == _SYMBOLS:
            named = [symbol for symbol in _symbols(code, sections, one) if symbol.name == name]
            found = address_of(named[0]) if named else None
        if one.kind == _ADDRESSES and one.about in offsets:
            symbols = list(_symbols(code, sections, sections[one.partner]))
            for at in range(one.start, one.start + one.size, _ENTRY_BYTES):
                place, told, added = struct.unpack_from("<QQq", code, at)
                if told & 0xFFFFFFFF != _WHOLE:
                    raise ValueError("has addresses of another kind")
                address = address_of(symbols[told >> 32]) + added
                struct.pack_into("<Q", room, offsets[one.about] + place, address)
    if found is None:
        raise ValueError(f"has no {name}")
    protect = library.mprotect
    protect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    if protect(base, size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "this memory may not be run")
    return Linked(found, room)


def _sections(code: bytes) -> Iterator[_Section]:
    (start,) = struct.unpack_from("<Q", code, 40)
    size, count = struct.unpack_from("<HH", code, 58)
    for number in range(count):
        facts = struct.unpack_from("<IIQQQQIIQQ", code, start + size * number)
        _, kind, flags, _, *rest, _ = facts
        yield _Section(kind, flags, *rest)


def _symbols(code: bytes, sections: Sequence[_Section], table: _Section) -> Iterator[_Symbol]:
    names = sections[table.partner].start
    for at in range(table.start, table.start + table.size, _ENTRY_BYTES):
        name, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", code, at)
        end = code.index(b"\0", names + name)
        yield _Symbol(code[names + name : end].decode(), section, value)
