"""What travels beside a frame's pixels, and how it tells players to turn and to mirror them."""

from __future__ import annotations

import math
import struct
from typing import Any

import av

from vhmae.video.filters import filtered

_OF_PICTURES = ("png", "apng", "mjpeg", "tiff", "webp", "jpegxl")
"""Codecs whose frames bring a color profile with its name."""
_ANOTHER = av.VideoFrame(16, 16, "gray")


def beside(frame: Any) -> dict[str, bytes]:
    """What travels beside a frame, by FFmpeg's names, but for color profiles: PyAV frees the names
    of those twice, which ends the process later on. Nothing where there is a kind that it does not
    know (EXIF data of cameras' MJPEG): it fails over the whole then."""
    try:
        return dict(_told_of(filtered(frame, "sidedata", "delete:ICC_PROFILE")))
    except ValueError:
        return {}


def _told_of(frame: Any) -> list[tuple[str, bytes]]:
    """Kinds and bytes of a frame's side data. PyAV's list of them and the frame hold one another,
    so that frames would fill the memory until Python's collector comes by; here the list is given
    another frame to hold.

    Raises:
        ValueError: for a kind that PyAV does not know.
    """
    held = frame.side_data
    told = [(one.type.name, bytes(one)) for one in held]
    held.__init__(_ANOTHER)
    return told


def is_marked(frame: Any, codec: str) -> bool:
    """Whether a video's frame is one of two fields, or holds more than its pixels that encoders
    write.

    Args:
        codec: FFmpeg's name. Those of pictures hold profiles and cameras' notes alone, at which
            PyAV must not look (:func:`beside`).
    """
    if frame.interlaced_frame or codec in _OF_PICTURES:
        return bool(frame.interlaced_frame)
    try:
        return len(_told_of(frame)) > 0
    except ValueError:
        return True


def display_matrix(frame: av.VideoFrame) -> bytes | None:
    """A frame's display matrix, nine 32-bit integers as FFmpeg keeps them; None where it has
    none."""
    told = beside(frame).get("DISPLAYMATRIX")
    if told is not None:
        return told[:36]
    quarters = round(frame.rotation / 90) % 4
    if not quarters:
        return None
    across, down = ((1, 0), (0, -1), (-1, 0), (0, 1))[quarters]
    one = 1 << 16
    numbers = (across * one, down * one, 0, -down * one, across * one, 0, 0, 0, 1 << 30)
    return struct.pack("<9i", *numbers)


def shown_by(matrix: bytes | None) -> tuple[bool, int]:
    """How players show a picture: whether they mirror it left to right, and by how many degrees
    counterclockwise they turn it then, in quarters."""
    if matrix is None:
        return False, 0
    a, b, _, c, d = struct.unpack("<5i", matrix[:20])  # x and y by a matrix of two rows
    mirrored = a * d - b * c < 0
    sign = -1 if mirrored else 1
    return mirrored, 90 * (round(-math.degrees(math.atan2(sign * b, sign * a)) / 90) % 4)
