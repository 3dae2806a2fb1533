"""OpenEXR pictures (extra ``vhmae[exr]``): linear light, half or float, values above 1 kept.

The rest of the package sees them as 16-bit sRGB of what lies in [0, 1] of BT.709's primaries, in
the display window: pixels lie where the data window says, and nothing is where it has none. What is
changed there is carried back into the light that the file holds (:func:`carried_back`); pixels that
are not changed, other channels and other parts stay as they were, bit for bit.

Source: OpenEXR's Technical Introduction ("Windows", "Chromaticities").
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vhmae.arrays import Array, Matrix, Picture, Plane, UnitMatte
from vhmae.color.light import LIGHT, LightSpace
from vhmae.color.primaries import BT709, between
from vhmae.color.srgb import encoded, linear
from vhmae.color.yuv import ColorEncoding
from vhmae.errors import InputError
from vhmae.video.probe import DEFAULT_RATE, VideoInfo
from vhmae.video.stills import check_is_picture_file, check_picture_memory

TOP = 65535
_COLORS = "GBR"
"""In the order of FFmpeg's planes."""
_MAGIC = b"\x76\x2f\x31\x01"
LARGEST_HALF = 65504.0
_SAME_PRIMARY = 0.006
"""Of a space's values: BT.2020 and ACEScg, the nearest of those in use, are .012 apart."""
_SAME_CHROMATICITY = 5e-4
"""Chromaticities that differ by less are the same: they are written with three or four digits."""
_MARKS = (
    *("chromaticities", "pixelAspectRatio", "framesPerSecond", "timeCode", "reelName"),
    "whiteLuminance",
)
LOSSY = (
    "PXR24_COMPRESSION",
    "B44_COMPRESSION",
    "B44A_COMPRESSION",
    "DWAA_COMPRESSION",
    "DWAB_COMPRESSION",
)


def is_exr(path: Path) -> bool:
    return path.suffix.lower() == ".exr"


def exr_size(path: Path, what: str) -> tuple[int, int]:
    """Width and height of a file's frame, by its header alone.

    Raises:
        InputError: if it cannot be read.
    """
    library = open_library(path)
    check_is_picture_file(path, what)
    try:
        file = library.File(os.fsencode(path), header_only=True)
        shown = _Window.of(file.parts[0].header, "displayWindow")
    except (OSError, RuntimeError, ValueError, IndexError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read as OpenEXR ({str(error).splitlines()[0]}); export the "
            f"{what} again"
        ) from None
    return shown.right - shown.left, shown.bottom - shown.top


class ExrPicture:
    """One file, with its part that holds the picture."""

    def __init__(self, path: Path, what: str = "picture") -> None:
        """Read a file whole.

        Raises:
            InputError: if it cannot be read, or needs more memory than there is.
        """
        self.path = path
        library = open_library(path)
        check_is_picture_file(path, what)
        name = os.fsencode(path)  # names need not be UTF-8
        try:
            with path.open("rb") as file:
                begins = file.read(4)
            if begins != _MAGIC:
                raise InputError(f"{path}: is no OpenEXR file; export the {what} again")
            check_picture_memory(path, _needed(library.File(name, header_only=True)))
            self.file = library.File(name, separate_channels=True)
            self.parts = self.file.parts
            if not self.parts or any(
                channel.pixels is None for part in self.parts for channel in part.channels.values()
            ):
                raise ValueError("its pixels are damaged")
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}); check the path of the {what}"
            ) from None
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"{path}: cannot be read as OpenEXR ({str(error).splitlines()[0]}); export the "
                f"{what} again"
            ) from None

    @functools.cached_property
    def _part(self) -> Any:
        """The part that holds the picture."""
        for part in self.parts:
            if all(name in part.channels and _is_whole(part.channels[name]) for name in _COLORS):
                return part
        known = ", ".join(name for part in self.parts for name in part.channels)
        raise InputError(
            f"{self.path}: has the channels {known}; expected R, G and B; export its picture under "
            "these names"
        )

    @property
    def has_alpha(self) -> bool:
        """Whether the picture has a cover at its full size.

        Raises:
            InputError: if there is no picture: no part has R, G and B at full size.
        """
        return "A" in self._part.channels and _is_whole(self._part.channels["A"])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frame, which is the display window."""
        shown = _Window.of(self._part.header, "displayWindow")
        return shown.right - shown.left, shown.bottom - shown.top

    @property
    def pixel_aspect(self) -> Fraction:
        """How many times as wide a pixel is as it is high."""
        told = float(self._part.header.get("pixelAspectRatio", 1.0))
        return Fraction(told).limit_denominator(1000) if 0.0 < told < 1000.0 else Fraction(1)

    @property
    def rate(self) -> Fraction | None:
        """Frames a second; None where the file does not say."""
        told = self._part.header.get("framesPerSecond")
        return Fraction(told) if told is not None and 0 < told < 10_000 else None

    @property
    def time_code(self) -> tuple[int, int, int, int, bool] | None:
        """Hours, minutes, seconds, frames, and whether numbers are dropped; None where the file
        does not say."""
        told = self._part.header.get("timeCode")
        if told is None:
            return None
        return told.hours, told.minutes, told.seconds, told.frame, bool(told.dropFrame)

    @property
    def reel(self) -> str | None:
        """The reel that the picture was scanned or recorded on; None where the file does not
        say."""
        told = self._part.header.get("reelName")
        return told.strip() or None if isinstance(told, str) else None

    @property
    def reaches_beyond(self) -> bool:
        """Whether there are pixels outside the display window."""
        held, shown = (
            _Window.of(self._part.header, name) for name in ("dataWindow", "displayWindow")
        )
        return held.shared(shown) != held

    def light(self) -> list[Plane]:
        """The light of the frame as the file has it, in its own primaries: red, green, blue, each
        (H, W), half or float; nothing where the file holds no pixels."""
        return [_laid(self._part, name) for name in "RGB"]

    def brought_to_709(self, values: Sequence[Plane], space: LightSpace | None) -> list[Plane]:
        """Values (:meth:`light`) as light of BT.709's primaries: red, green, blue.

        Args:
            space: what they stand for; None is linear light of the file's own primaries.
        """
        if space is not None:
            return list(space.to_light(np.stack([one.astype(np.float32) for one in values])))
        return list(values) if self.primaries is None else mixed(self.primaries, values)

    def display(
        self,
        associated: bool = False,
        space: LightSpace | None = None,
        coded: LightSpace | None = None,
    ) -> tuple[list[Plane], bool]:
        """The frame as 16-bit sRGB: planes green, blue, red, and alpha where there is one; and
        whether light above 1 was cut off.

        Args:
            associated: the colors were multiplied by alpha, and are divided by it first.
            space: what the file's values stand for; None is linear light of its primaries.
            coded: the space of the planes, in the place of sRGB, that they hold more light in.
        """
        alpha = _laid(self._part, "A") if self.has_alpha else None
        values = self.light()
        if associated and alpha is not None:
            cover = alpha.astype(np.float32)
            values = [
                np.divide(one, cover, out=np.zeros(one.shape, np.float32), where=cover > 0.0)
                for one in values
            ]
        red, green, blue = self.brought_to_709(values, space)
        if coded is not None:
            planes = _codes_in(coded, (red, green, blue))
            return [*planes, _cover(alpha)] if alpha is not None else planes, False
        cut = any(bool((light > 1.0).any()) for light in (green, blue, red))
        planes = [codes_of(light) for light in (green, blue, red)]
        if alpha is not None:
            planes.append(_cover(alpha))
        return planes, cut

    @functools.cached_property
    def primaries(self) -> Matrix | None:
        """The matrix (3, 3) from the file's primaries to BT.709's; None where it has those, or
        names none, which means them.

        Raises:
            InputError: for chromaticities that are none.
        """
        told = self._part.header.get("chromaticities")
        if told is None or np.allclose(told, BT709, atol=_SAME_CHROMATICITY):
            return None
        try:
            return between(told, BT709)
        except ValueError as error:
            raise InputError(
                f"{self.path}: its chromaticities are damaged ({error}); export it again"
            ) from None

    def has_primaries_of(self, space: LightSpace) -> bool:
        """Whether the file's chromaticities, where it says any, are those of a space: light of one
        of its primaries leaves the space's two other values at those of black."""
        if self._part.header.get("chromaticities") is None:
            return True
        own = np.eye(3) if self.primaries is None else self.primaries
        values = space.from_light(0.5 * own.astype(np.float32))
        black = space.from_light(np.zeros((3, 1), np.float32))
        beside = np.abs(values - black)[~np.eye(3, dtype=bool)]
        return bool(beside.max() <= _SAME_PRIMARY)

    def change(self, light: Sequence[Plane]) -> None:
        """Put other light (:meth:`light`) in the place of the frame's; pixels outside the display
        window stay."""
        held, shown = (
            _Window.of(self._part.header, name) for name in ("dataWindow", "displayWindow")
        )
        both = held.shared(shown)
        for name, changed in zip("RGB", light, strict=True):
            channel = self._part.channels[name]
            pixels = np.array(channel.pixels)
            pixels[both.within(held)] = changed[both.within(shown)]
            channel.pixels = pixels

    def marks(self) -> dict[str, Any]:
        """What the header says of the frame's light and place, for another file of it."""
        shown = self._part.header["displayWindow"]
        kept = {name: self._part.header[name] for name in _MARKS if name in self._part.header}
        return {**kept, "displayWindow": shown, "dataWindow": shown}

    def levels(self) -> Picture:
        """The frame as a mask's pictures are read: blue, green, red and, where there is one, alpha
        (H, W, 3 or 4), or one channel alone (H, W); float32, as the file has them, nothing where it
        holds no pixels.

        Its colors are R, G and B, or Y; where it has neither, its alpha alone, G alone, or its
        first channel.

        Raises:
            InputError: where no channel has its full size, or one holds what is no number.
        """
        places = {
            name: part
            for part in self.parts
            for name, channel in part.channels.items()
            if _is_whole(channel)
        }
        if not places:
            raise InputError(f"{self.path}: has no channel at full size; export the mask again")
        names = ["B", "G", "R"] if {*"RGB"} <= {*places} else ["Y"] * ("Y" in places)
        if "A" in places:
            names = [*names * (3 // len(names)), "A"] if names else ["A"]
        names = names or ["G" if "G" in places else next(iter(places))]
        planes = {name: _laid(places[name], name).astype(np.float32) for name in {*names}}
        if not all(np.isfinite(plane).all() for plane in planes.values()):
            raise InputError(
                f"{self.path}: holds values that are no numbers; export the mask again"
            )
        return planes[names[0]] if len(names) == 1 else np.dstack([planes[one] for one in names])


class _Window(NamedTuple):
    """A rectangle of pixels, ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, header: dict[str, Any], name: str) -> _Window:
        """A window of a header, which includes its ends."""
        (left, top), (right, bottom) = header[name]
        return cls(int(left), int(top), int(right) + 1, int(bottom) + 1)

    def shared(self, other: _Window) -> _Window:
        """What two have in common; empty where that is nothing."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return _Window(left, top, max(left, right), max(top, bottom))

    def within(self, other: _Window) -> tuple[slice, slice]:
        """Rows and columns of another one's pixels."""
        return (
            slice(self.top - other.top, self.bottom - other.top),
            slice(self.left - other.left, self.right - other.left),
        )

    @property
    def pixels(self) -> int:
        return max(0, self.right - self.left) * max(0, self.bottom - self.top)


def _laid(part: Any, name: str) -> Array:
    """A channel's pixels where the display window has them; nothing where the file has none."""
    held, shown = (_Window.of(part.header, window) for window in ("dataWindow", "displayWindow"))
    pixels = np.asarray(part.channels[name].pixels)
    if held == shown:
        return pixels
    both = held.shared(shown)
    laid = np.zeros((shown.bottom - shown.top, shown.right - shown.left), pixels.dtype)
    if both.pixels:
        laid[both.within(shown)] = pixels[both.within(held)]
    return laid


def _is_whole(channel: Any) -> bool:
    """Whether a channel has a value for each pixel."""
    return bool(channel.xSampling == channel.ySampling == 1)


def _needed(file: Any) -> int:
    """The memory in bytes that a file's pixels and their planes take, by its headers."""
    needed = 0
    for part in file.parts:
        windows = [_Window.of(part.header, name) for name in ("dataWindow", "displayWindow")]
        needed += sum(4 * window.pixels for window in windows) * len(part.header["channels"])
    return needed


def mixed(matrix: Matrix, light: Sequence[Plane]) -> list[Plane]:
    """Light (three of (H, W)) through a matrix (3, 3), float32."""
    first, second, third = (one.astype(np.float32, copy=False) for one in light)
    return [
        first * np.float32(row[0]) + second * np.float32(row[1]) + third * np.float32(row[2])
        for row in matrix
    ]


def open_library(path: Path) -> Any:
    try:
        import OpenEXR
    except ImportError:
        raise InputError(
            f"{path}: needs OpenEXR; install it with: pip install 'vhmae[exr]'"
        ) from None
    return OpenEXR


def _cover(alpha: Array) -> Array:
    return np.rint(
        np.clip(np.nan_to_num(alpha.astype(np.float32)), 0.0, 1.0) * np.float32(TOP)
    ).astype(np.uint16)


@functools.cache
def _code_of_half() -> Array:
    """The code of each of the 65,536 half floats."""
    return _codes(np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32))


@functools.cache
def _light_of_code() -> Array:
    return linear(np.arange(TOP + 1, dtype=np.float32) / np.float32(TOP))


def _codes(light: Array) -> Array:
    inside = np.clip(np.nan_to_num(light, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    return np.rint(encoded(inside) * np.float32(TOP)).astype(np.uint16)


def codes_of(light: Plane) -> Plane:
    """Light (H, W), half or float -> 16-bit sRGB; what is no number is black, what is above 1
    white."""
    if light.dtype == np.float16:
        table: Array = _code_of_half()[np.ascontiguousarray(light).view(np.uint16)]
        return table
    return _codes(light.astype(np.float32, copy=False))


def light_of(codes: Plane) -> Plane:
    """16-bit sRGB -> light in [0, 1], float32."""
    table: Array = _light_of_code()[codes]
    return table


def _codes_in(space: LightSpace, lights: Sequence[Array]) -> list[Array]:
    """Light red, green, blue (H, W) -> 16-bit codes of a space: green, blue, red."""
    values = space.from_light(np.stack([np.nan_to_num(one.astype(np.float32)) for one in lights]))
    codes = np.rint(np.clip(values, 0.0, 1.0) * np.float32(TOP)).astype(np.uint16)
    return [codes[1], codes[2], codes[0]]


def probe_exr(path: Path, shown: Path, space: LightSpace | None = None) -> VideoInfo:
    """Look at a file as at a video of one frame; ``shown`` is what the user named, ``space`` what
    its values stand for."""
    picture = ExrPicture(path)
    width, height = picture.size
    beyond = (
        f"{path}: its pixels beyond the display window are no part of the frame: they are neither "
        "looked at nor changed"
    )
    other = space is not None and not picture.has_primaries_of(space)
    overruled = (
        f"{path}: says chromaticities that are not those of {space.name if space else LIGHT}: the "
        "space that is named overrules them"
    )
    return VideoInfo(
        path=shown,
        width=width,
        height=height,
        fps=picture.rate or DEFAULT_RATE,
        frames=1,
        duration_seconds=0.0,
        start_seconds=0.0,
        codec="exr",
        pixel_format="gbrap16le" if picture.has_alpha else "gbrp16le",
        encoding=ColorEncoding("rgb", True, 16),
        guessed_matrix=False,
        held=space,
        pixel_aspect=picture.pixel_aspect,
        warnings=tuple(
            told for told, holds in ((beyond, picture.reaches_beyond), (overruled, other)) if holds
        ),
    )


def write_new(
    part: Path, light: Picture, alpha: UnitMatte | None, marks: Mapping[str, Any] | None = None
) -> None:
    """Write light (H, W, 3) as half floats, multiplied by alpha (H, W) in [0, 1] where there is
    one, as the format has it; ``marks`` say what its primaries and its window are."""
    library = open_library(part)
    shown = light if alpha is None else np.zeros_like(light)
    if alpha is not None:  # what is not shown counts for nothing, however bright it is
        np.multiply(light, alpha[..., None], out=shown, where=alpha[..., None] > 0.0)
    held = np.clip(np.nan_to_num(shown), -LARGEST_HALF, LARGEST_HALF).astype(np.float16)
    pixels = {name: held[..., place].copy() for place, name in enumerate("RGB")}
    if alpha is not None:
        pixels["A"] = alpha.astype(np.float16)
    header = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage}
    library.File({**(marks or {}), **header}, pixels).write(os.fsencode(part))
