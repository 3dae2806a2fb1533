"""Frames that are to be played, several in one answer: asking for each by itself takes longer than
decoding it.

The layout (little endian): a head of ``VREL``, version, number of frames and pictures of each; for
each frame its number and the bytes of each picture, which follow in their order.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

MAGIC = b"VREL"
VERSION = 1
MOST_FRAMES = 16
"""In one answer."""


def told_frames(rows: Sequence[tuple[int, Sequence[bytes]]], pictures: int) -> bytes:
    """What ``GET frames`` answers.

    Args:
        rows: number of each frame, and its pictures, encoded: itself, and the mattes of its parts.
        pictures: of each frame.
    """
    parts = [MAGIC, struct.pack("<3I", VERSION, len(rows), pictures)]
    for number, encoded in rows:
        parts.append(struct.pack(f"<{1 + pictures}I", number, *map(len, encoded)))
        parts += encoded
    return b"".join(parts)
