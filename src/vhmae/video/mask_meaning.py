"""What the pictures of a mask mean: levels of grey, an alpha channel, labels of objects, or levels
of video."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from vhmae.arrays import Array, Matte, Picture
from vhmae.errors import InputError
from vhmae.video.exr import ExrPicture, is_exr
from vhmae.video.pairing import Pairing
from vhmae.video.stills import grey_of, palette_of, read_stored

Scale = Literal["levels", "ones", "labels", "studio"]
"""What whole numbers stand for: levels up to the type's largest, 1 for white, numbers of objects,
or levels between 16 and 235."""
LARGEST_LABEL = 15
"""A mask that holds no larger number anywhere would be all but black: its numbers are labels."""
FLAT_SHARE = 0.002
"""Of all pixels, at each end, where a mask's ends are called flat."""
MOST_COLORS = 32
"""A picture of fewer colours is a map of labels, one of more a photograph."""
GREY_TOLERANCE = 8
"""JPEG leaves so many levels between the channels of a grey."""
_STUDIO = {255: ((16, 235),), 65535: ((16 * 257, 235 * 257), (16 * 256, 235 * 256))}


@dataclasses.dataclass(frozen=True)
class MaskReading:
    """How the user wants a mask to be read."""

    label: int | None = None
    """The number of the object that is the foreground; None: everything that is not background."""
    rate: Fraction | None = None
    """Frames a second of a mask that does not say."""
    pair: Pairing = "number"


class Meaning(NamedTuple):
    """How a mask's pictures are read."""

    read: Callable[[Path], Picture]
    """A picture as a matte: uint8 or uint16, white = foreground."""
    warnings: list[str]


def meaning_of(name: Path, files: Sequence[Path], label: int | None) -> Meaning:
    """Find out what a mask's pictures mean, all of them together.

    Args:
        name: what the user calls them.
    Raises:
        InputError: for what cannot be read, and a label that is in none of them.
    """
    if is_exr(files[0]):
        return Meaning(lambda file: ExrPicture(file, "mask").matte(), [])
    if label is not None:
        return _of_label(name, files, label)
    if any(_has_color(file) for file in files if palette_of(file, "mask") is not None):
        return _of_palette(name, files)
    first = read_stored(files[0], "mask")
    if first.ndim == 3 and first.shape[2] == 4:
        return _with_alpha(name, files)
    colored = next((file for file in files if _is_colored(file)), None)
    if colored is not None:
        return _of_colors(name, files, colored)
    return _of_levels(name, files, _grey, [])


def scale_of(pictures: Iterable[Picture], slack: int = 0) -> tuple[Scale, tuple[int, int]]:
    """What the numbers of a mask stand for: looked through until it is known.

    Args:
        pictures: uint8 or uint16.
        slack: levels by which a lossy codec may have gone beyond the ends.
    Returns:
        The scale, and the levels of black and white.
    """
    total, top = 0, 255
    highest, lowest = 0, 1 << 16
    flat: dict[int, int] = {}
    for picture in pictures:
        if picture.dtype not in (np.uint8, np.uint16):
            return "levels", (0, 1)
        top = int(np.iinfo(picture.dtype).max)
        highest, lowest = max(highest, int(picture.max())), min(lowest, int(picture.min()))
        total += picture.size
        possible = [
            ends
            for ends in _STUDIO[top]
            if lowest >= ends[0] - slack and highest <= ends[1] + slack
        ]
        if highest > LARGEST_LABEL and not possible:
            return "levels", (0, top)
        for end in {end for ends in possible for end in ends}:
            flat[end] = flat.get(end, 0) + int(np.count_nonzero(picture == end))
    if highest <= 1:
        return "ones", (0, 1)
    if highest <= LARGEST_LABEL:
        return "labels", (0, highest)
    for ends in _STUDIO[top]:
        if all(flat.get(end, 0) >= FLAT_SHARE * total for end in ends):
            return "studio", ends
    return "levels", (0, top)


def scaled(picture: Picture, scale: Scale, ends: tuple[int, int]) -> Picture:
    """A stored picture as uint8 or uint16, white = foreground; float32 with 1 for white as
    uint16."""
    if picture.dtype == np.float32:
        return np.rint(np.clip(picture, 0.0, 1.0) * np.float32(65535.0)).astype(np.uint16)
    top = np.iinfo(picture.dtype).max
    if scale in ("ones", "labels"):
        return _white(np.asarray(picture > 0), picture.dtype)
    if scale == "studio":
        low, high = ends
        stretched = (picture.astype(np.float32) - low) * np.float32(top / (high - low))
        return np.rint(np.clip(stretched, 0.0, float(top))).astype(picture.dtype)
    return picture


def told_scale(name: Path, scale: Scale, ends: tuple[int, int]) -> list[str]:
    """What the user is told of a scale that could have been meant otherwise."""
    if scale == "studio":
        return [
            f"{name}: its black is {ends[0]} and its white {ends[1]}, the levels of video: it was "
            "stretched"
        ]
    if scale == "labels":
        return [
            f"{name}: holds the numbers 0 to {ends[1]} alone: all but 0 are taken as foreground, "
            "`mask_label` takes one of them"
        ]
    return []


def alpha_varies(alphas: Iterable[Matte]) -> bool:
    """Whether alpha channels say anything: one that is the same everywhere does not."""
    value: int | None = None
    for alpha in alphas:
        low, high = int(alpha.min()), int(alpha.max())
        if low != high or (value is not None and value != low):
            return True
        value = low
    return False


def told_alpha(name: Path, varies: bool) -> str:
    """What the user is told of a mask with an alpha channel."""
    if varies:
        return f"{name}: has an alpha channel, which was taken as the mask"
    return f"{name}: its alpha channel is the same everywhere: its brightness was taken as the mask"


def _white(marked: Array, kind: Any = np.uint8) -> Array:
    white: Array = marked.astype(kind) * np.array(np.iinfo(kind).max, kind)
    return white


def _of_label(name: Path, files: Sequence[Path], label: int) -> Meaning:
    seen: set[int] = set()
    for file in files:
        seen |= {int(one) for one in np.unique(_labels(file))}
        if label in seen:
            return Meaning(lambda file: _white(np.asarray(_labels(file) == label)), [])
    some = ", ".join(map(str, sorted(seen)[:8]))
    raise InputError(f"is not in {name}, which has {some}", field="mask_label", value=label)


def _labels(file: Path) -> Array:
    """The numbers of objects in a picture (H, W): its palette's entries, its levels, or the entries
    of PASCAL VOC's palette, which DAVIS takes, for its colours (-1 for another colour)."""
    entries = palette_of(file, "mask")
    if entries is not None:
        return entries[0]
    picture = read_stored(file, "mask")
    if picture.ndim == 2:
        return picture
    if not _is_colored(file):
        return grey_of(picture)
    codes = _codes_of(picture)
    known = {int(_code(color)): number for number, color in enumerate(_voc_palette())}
    found, places = np.unique(codes, return_inverse=True)
    numbers = np.array([known.get(int(code), -1) for code in found])
    labels: Array = numbers[places].reshape(codes.shape)
    return labels


def _of_palette(name: Path, files: Sequence[Path]) -> Meaning:
    def read(file: Path) -> Array:
        entries = palette_of(file, "mask")
        if entries is None:
            raise InputError(f"{file}: has no palette, the first masks have; export them alike")
        return _white(np.asarray(entries[0] != 0))

    shown = next(file for file in files if palette_of(file, "mask") and _has_color(file))
    count = len(np.unique(_labels(shown)[_labels(shown) != 0]))
    told = f"{name}: has {count} labels, which were taken together; `mask_label` takes one of them"
    return Meaning(read, [told] if count > 1 else [])


def _has_color(file: Path) -> bool:
    entries = palette_of(file, "mask")
    if entries is None:
        return False
    colors = entries[1][np.unique(entries[0])]
    return bool((np.ptp(colors.astype(int), axis=1) > 0).any())


def _with_alpha(name: Path, files: Sequence[Path]) -> Meaning:
    def alpha(file: Path) -> Array:
        picture = read_stored(file, "mask")
        if picture.ndim != 3 or picture.shape[2] != 4:
            raise InputError(f"{file}: has no alpha channel, the first mask has; export them alike")
        return np.ascontiguousarray(picture[..., 3])

    varies = alpha_varies(alpha(file) for file in files)
    return _of_levels(name, files, alpha if varies else _grey, [told_alpha(name, varies)])


def _of_colors(name: Path, files: Sequence[Path], colored: Path) -> Meaning:
    colors = np.unique(_codes_of(read_stored(colored, "mask")))
    if len(colors) > MOST_COLORS or colors[0] != 0:
        told = f"{name}: is coloured; its brightness was taken as the mask"
        return _of_levels(name, files, _grey, [told])
    told = f"{name}: is a map of coloured labels: all but black were taken as foreground"

    def read(file: Path) -> Array:
        picture = read_stored(file, "mask")
        marked = picture[..., :3].any(axis=2) if picture.ndim == 3 else picture > 0
        return _white(np.asarray(marked))

    return Meaning(read, [told + ", `mask_label` takes one of them" * (len(colors) > 2)])


def _of_levels(
    name: Path, files: Sequence[Path], read: Callable[[Path], Array], told: list[str]
) -> Meaning:
    scale, ends = scale_of(read(file) for file in files)
    return Meaning(
        lambda file: scaled(read(file), scale, ends), told + told_scale(name, scale, ends)
    )


def _grey(path: Path) -> Array:
    """A picture's levels as they are stored: whole numbers, or float32 with 1 for white."""
    picture = read_stored(path, "mask")
    if picture.dtype not in (np.uint8, np.uint16):
        if not np.isfinite(picture).all():
            raise InputError(f"{path}: holds values that are no numbers; export the mask again")
        picture = picture.astype(np.float32)
    return picture if picture.ndim == 2 else grey_of(picture)


def _is_colored(file: Path) -> bool:
    picture = read_stored(file, "mask")
    if picture.ndim == 2 or picture.dtype not in (np.uint8, np.uint16):
        return False
    spread = np.ptp(picture[..., :3].astype(np.int32), axis=2)
    return bool(spread.max() > GREY_TOLERANCE * (257 if picture.dtype == np.uint16 else 1))


def _codes_of(picture: Array) -> Array:
    """The colours of a picture (H, W, 3 or 4) of blue, green, red as whole numbers (H, W)."""
    blue, green, red = (picture[..., place].astype(np.int64) for place in range(3))
    return _code((red, green, blue))


def _code(color: Sequence[Array] | Sequence[int]) -> Array:
    red, green, blue = color
    code: Array = np.asarray(red, np.int64) << 32
    return code + (np.asarray(green, np.int64) << 16) + np.asarray(blue, np.int64)


def _voc_palette() -> list[tuple[int, int, int]]:
    """The 256 colours that PASCAL VOC and DAVIS paint their labels with: the bits of the label,
    dealt to red, green and blue from the highest down."""
    colors = []
    for label in range(256):
        channels = [0, 0, 0]
        for place in range(8):
            for channel in range(3):
                channels[channel] |= (label >> (3 * place + channel) & 1) << (7 - place)
        colors.append((channels[0], channels[1], channels[2]))
    return colors
