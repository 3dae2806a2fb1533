"""Pictures as the bytes of a file: opened by what they are, and upright.

Names never reach a library: one that is no UTF-8 would crash OpenCV, and FFmpeg, left to guess,
would take a play list for a picture and open what it lists.
"""

from __future__ import annotations

import io
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av
import cv2
import numpy as np

from vhmae.arrays import Array, Codes, Picture, Plane
from vhmae.errors import InputError
from vhmae.memory import check_memory
from vhmae.video.still_sizes import breaks_off, stored_size

_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "png_pipe",
    b"\xff\xd8\xff": "jpeg_pipe",
    b"II*\x00": "tiff_pipe",
    b"MM\x00*": "tiff_pipe",
    b"BM": "bmp_pipe",
}
"""The first bytes of each kind of picture, and FFmpeg's name of what reads it and nothing else."""
_UNREAD = (".dpx", ".cin", ".psd", ".tga", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".gif")
"""Pictures that a user may bring and that nothing here reads."""
_ORIENTATION = 0x0112
_SHORT = 3


BYTES_PER_PIXEL = 16
"""What a picture takes at the least while it is decoded and looked at: four channels of 16 bit,
twice."""
SMALL_BYTES = 64 << 20
"""What takes no more is read without asking how much memory there is: the answer can take half as
long as a small picture takes to be decoded, and a sequence has many."""


class Turn(NamedTuple):
    """How pixels are brought upright: mirrored first, left to right, then turned."""

    quarters: int = 0
    """Counterclockwise."""
    mirrored: bool = False

    def plane(self, plane: Picture) -> Picture:
        """A plane (H, W) or picture (H, W, C) upright."""
        shown = plane[:, ::-1] if self.mirrored else plane
        return np.ascontiguousarray(np.rot90(shown, self.quarters)) if self else plane

    def __bool__(self) -> bool:
        return bool(self.quarters % 4) or self.mirrored


_HEAD_BYTES = 1 << 16
"""Of a file, in which most kinds of pictures say their size."""
UPRIGHT = Turn()
_TURNS = {
    2: Turn(0, True),
    3: Turn(2),
    4: Turn(2, True),
    5: Turn(1, True),
    6: Turn(3),
    7: Turn(3, True),
    8: Turn(1),
}
"""What brings a picture upright, by its EXIF orientation."""


def picture_bytes(path: Path, what: str) -> bytes:
    """The bytes of a picture.

    Args:
        what: its part in the work, for messages.
    Raises:
        InputError: for what is missing, cannot be read, or is no file: a pipe would be waited for,
            and a device has no end.
    """
    check_is_picture_file(path, what)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check the path and the permissions"
        ) from None


def check_is_picture_file(path: Path, what: str) -> None:
    """Refuse what is missing or is no file, before it is opened; see :func:`picture_bytes`."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path}: is a folder; expected a picture as the {what}")
        if not stat.S_ISREG(mode):
            raise InputError(
                f"{path}: is a pipe or a device; expected a picture file as the {what}"
            )
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path of the {what}") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check the path and the permissions"
        ) from None


def picture_kind(data: bytes) -> str | None:
    """FFmpeg's name of what reads a picture, by its first bytes; None where it is no picture."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp_pipe"
    return next((kind for begins, kind in _BEGINNINGS.items() if data.startswith(begins)), None)


def open_picture(path: Path, what: str) -> tuple[av.container.InputContainer, av.VideoFrame, Turn]:
    """Open one picture and decode it, as it is stored.

    Returns:
        The container, its frame, and what brings it upright.
    Raises:
        InputError: where it cannot be read as a picture.
    """
    data = picture_bytes(path, what)
    kind = picture_kind(data)
    if kind is None:
        raise _unreadable(path, "no picture in it", what)
    _check_size(path, data, kind)
    if breaks_off(data, kind):
        raise _unreadable(path, "damaged", what)
    try:
        container = av.open(io.BytesIO(data), "r", format=kind)
        return container, next(iter(container.decode(video=0))), turn_of(data)
    except (av.error.FFmpegError, StopIteration, IndexError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no picture in it"
        raise _unreadable(path, reason, what) from None


def read_stored(path: Path, what: str) -> Picture:
    """A picture as OpenCV has it, all its channels and its depth, upright: (H, W), or (H, W, 3 or
    4) in the order blue, green, red, alpha; the entries of a palette as their colors.

    Raises:
        InputError: where it cannot be read as a picture.
    """
    data = picture_bytes(path, what)
    return turn_of(data).plane(_decoded(path, data, what, cv2.IMREAD_UNCHANGED))


def read_levels(path: Path, what: str, color: bool = True) -> Picture | Plane:
    """A picture in 8 bits, upright: red, green, blue (H, W, 3), or grey (H, W), uint8.

    Raises:
        InputError: where it cannot be read as a picture.
    """
    data = picture_bytes(path, what)
    if not color:
        return _decoded(path, data, what, cv2.IMREAD_GRAYSCALE)
    return cv2.cvtColor(_decoded(path, data, what, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _decoded(path: Path, data: bytes, what: str, how: int) -> Array:
    kind = picture_kind(data)
    picture: Array | None = None
    if kind is not None:
        _check_size(path, data, kind)
    if kind is not None and not breaks_off(data, kind):
        try:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), how)
        except cv2.error:
            picture = None
    if picture is None and kind == "tiff_pipe" and _is_float(data):
        raise InputError(
            f"{path}: holds floating point; expected 8 or 16 bits a channel: export the {what} so"
        )
    if picture is None:
        raise _unreadable(path, "no picture in it" if kind is None else "damaged", what)
    return picture


def _is_float(data: bytes) -> bool:
    """Whether OpenCV reads a picture, and as floating point, which it brings to no 8 bits."""
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return False
    return picture is not None and picture.dtype.kind == "f"


def write_levels(
    path: Path, picture: Picture | Plane, flags: Sequence[int] = (), named: Path | None = None
) -> None:
    """Write red, green, blue (H, W, 3) or grey (H, W), uint8, as the kind that a name's suffix
    says.

    Args:
        flags: OpenCV's, pairs of a name and a value.
        named: what errors call the file, where it grows under another name.
    Raises:
        InputError: where that is no kind of picture, or the file cannot be written.
    """
    stored = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    try:
        done, data = cv2.imencode(path.suffix, stored, flags)
    except cv2.error:
        done, data = False, np.empty(0, np.uint8)
    if not done:
        raise InputError(
            f"{named or path}: cannot be written as a picture; give a .png or .jpg in a folder "
            "that can be written"
        )
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise InputError(
            f"{named or path}: cannot be written ({error.strerror}); check the folder and the "
            "space on the disk"
        ) from None


def upright_size(path: Path, what: str, whole: bool = False) -> tuple[int, int]:
    """Width and height of a picture once it is upright, by its head and without decoding any of it.

    Args:
        what: its part in the work, for messages.
        whole: read all of the file, where EXIF may lie behind the pixels (PNG).
    Raises:
        InputError: where it is no picture, or its head is cut short.
    """
    data = _head(path, what)
    kind = picture_kind(data)
    if kind is None:
        raise _unreadable(path, "no picture in it", what)
    size = stored_size(data, kind)
    if whole or size is None or kind == "webp_pipe":  # WebP may end in what is said of it
        data = picture_bytes(path, what)
        size = stored_size(data, kind)
    if size is None:
        raise _unreadable(path, "damaged", what)
    return size[::-1] if turn_of(data).quarters % 2 else size


def _head(path: Path, what: str) -> bytes:
    """The first bytes of a picture; of TIFF its first directory, wherever it lies."""
    check_is_picture_file(path, what)
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD_BYTES)
            return _directory_first(file, data) if picture_kind(data) == "tiff_pipe" else data
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check the path and the permissions"
        ) from None


def _directory_first(file: BinaryIO, head: bytes) -> bytes:
    """A TIFF file's first directory alone, as a TIFF file, wherever the file has it: what writes
    while it packs puts it last. Width, height and orientation stand in the directory itself (TIFF
    6.0, section 2)."""
    order = "<" if head[:2] == b"II" else ">"
    try:
        file.seek(struct.unpack_from(order + "I", head, 4)[0])
        count = file.read(2)
        entries = file.read(12 * struct.unpack(order + "H", count)[0])
    except struct.error:  # cut short
        return head
    return head[:4] + struct.pack(order + "I", 8) + count + entries


def says_alpha(path: Path, what: str) -> bool:
    """Whether the head of a picture says that it has an alpha channel: of PNG alone, others are to
    be decoded."""
    head = _head(path, what)
    return picture_kind(head) == "png_pipe" and head[25:26] in (b"\x04", b"\x06")


def _check_size(path: Path, data: bytes, kind: str) -> None:
    """Refuse a picture that would not fit the memory: few bytes can stand for any number of
    pixels."""
    width, height = stored_size(data, kind) or (0, 0)
    check_picture_memory(path, BYTES_PER_PIXEL * width * height)


def check_picture_memory(path: Path, needed_bytes: int) -> None:
    """Refuse a picture that would not fit the memory; see :data:`SMALL_BYTES`."""
    if needed_bytes > SMALL_BYTES:
        check_memory(path, needed_bytes, "make it smaller")


def grey_of(picture: Picture) -> Plane:
    """Levels of grey (H, W) of blue, green, red (H, W, 3 or 4); greys stay exactly as they are."""
    if picture.shape[2] == 2:
        return np.ascontiguousarray(picture[..., 0])
    if is_grey(picture):
        return np.ascontiguousarray(picture[..., 1])
    grey: Array = cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_BGR2GRAY)
    return grey


def is_grey(picture: Picture) -> bool:
    """Whether the first three channels of a picture (H, W, 3 or 4) are the same everywhere."""
    first, second, third = (picture[..., place] for place in range(3))
    return np.array_equal(first, second) and np.array_equal(second, third)


def palette_of(path: Path, what: str) -> tuple[Plane, Codes] | None:
    """A PNG picture's entries (H, W) uint8, upright, and their colors (256, 3) uint8 red, green,
    blue; None where it has no palette, or one that is transparent in places."""
    data = picture_bytes(path, what)
    if picture_kind(data) != "png_pipe" or data[25:26] != b"\x03":
        return None
    container, frame, turn = open_picture(path, what)
    container.close()
    if frame.format.name != "pal8":
        return None
    entries, colors = (np.frombuffer(memoryview(plane), np.uint8) for plane in frame.planes[:2])
    rows = entries.reshape(frame.height, frame.planes[0].line_size)[:, : frame.width]
    bgra = colors[: 4 * 256].reshape(256, 4)
    used = np.unique(rows)
    if (bgra[used, 3] != 255).any():
        return None
    return turn.plane(rows.copy()), bgra[:, 2::-1].copy()


def turn_of(data: bytes) -> Turn:
    """What brings a picture upright, as its EXIF tag says; nothing where it says nothing."""
    orientation = 1
    for tiff in _exif(data):
        try:
            orientation = _orientation(tiff)
        except struct.error:  # cut short: it says nothing
            continue
    return _TURNS.get(orientation, Turn())


def _exif(data: bytes) -> Sequence[bytes]:
    """The EXIF blocks of a picture: each is a TIFF file by itself."""
    kind = picture_kind(data)
    if kind == "tiff_pipe":
        return [data]
    found = []
    at = {"png_pipe": 8, "jpeg_pipe": 2, "webp_pipe": 12}.get(kind or "", len(data))
    while at + 8 <= len(data):
        if kind == "jpeg_pipe":
            if data[at] != 0xFF or data[at + 1] in (0xDA, 0xD9):
                break
            size = struct.unpack_from(">H", data, at + 2)[0]
            body = data[at + 4 : at + 2 + size]
            if data[at + 1] == 0xE1 and body.startswith(b"Exif\0\0"):
                found.append(body[6:])
            at += 2 + max(2, size)
            continue
        is_png = kind == "png_pipe"
        name = data[at + 4 : at + 8] if is_png else data[at : at + 4]
        size = struct.unpack_from(">I" if is_png else "<I", data, at if is_png else at + 4)[0]
        if name in (b"eXIf", b"EXIF"):
            found.append(data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0"))
        at += 12 + size if is_png else 8 + size + size % 2
    return found


def _orientation(tiff: bytes) -> int:
    order = "<" if tiff[:2] == b"II" else ">"
    first = struct.unpack_from(order + "I", tiff, 4)[0]
    for place in range(struct.unpack_from(order + "H", tiff, first)[0]):
        tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, first + 2 + 12 * place)
        if tag == _ORIENTATION and kind == _SHORT:
            return int(value)
    return 1


def _unreadable(path: Path, reason: str, what: str) -> InputError:
    if path.suffix.lower() in _UNREAD:
        told = f"{path.suffix} pictures are not read; export the {what} as .png, .tif or .exr"
        return InputError(f"{path}: {told}")
    return InputError(f"{path}: cannot be read as a picture ({reason}); export the {what} again")
