"""How a file tells players to turn and to mirror its picture."""

from __future__ import annotations

import math
import struct
from typing import Any

import av


def display_matrix(frame: av.VideoFrame) -> bytes | None:
    """A frame's display matrix, nine 32-bit integers as FFmpeg keeps them; None where it has
    none."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    return bytes(data)[:36] if data is not None else None


def shown_by(matrix: bytes | None) -> tuple[bool, int]:
    """How players show a picture: whether they mirror it left to right, and by how many degrees
    counterclockwise they turn it then, in quarters."""
    if matrix is None:
        return False, 0
    a, b, _, c, d = struct.unpack("<5i", matrix[:20])  # x and y by a matrix of two rows
    mirrored = a * d - b * c < 0
    sign = -1 if mirrored else 1
    return mirrored, 90 * (round(-math.degrees(math.atan2(sign * b, sign * a)) / 90) % 4)
