"""What the pictures of a mask mean: levels of grey, an alpha channel, labels of objects, or levels
of video."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np

from vhmae.arrays import Array, Codes, Mask, Matte, Picture, Plane
from vhmae.errors import InputError
from vhmae.video.exr import ExrPicture, is_exr
from vhmae.video.pairing import Pairing
from vhmae.video.stills import grey_of, palette_of, read_stored, says_alpha

Scale = Literal["levels", "dim", "ones", "labels", "studio"]
"""What whole numbers stand for: levels up to the type's largest, which are low everywhere where
they are dim, 1 for white, numbers of objects, or levels between 16 and 235."""
LARGEST_LABEL = 15
"""A mask that holds no larger number anywhere would be all but black: its numbers are labels."""
LARGEST_DIM = 95
"""Levels of 255: a mask that is nowhere brighter is told, since data sets number their objects so
(COCO up to 90)."""
FLAT_SHARE = 0.002
"""Of all pixels, at each end, where a mask's ends are called flat."""
MOST_COLORS = 32
"""A picture of fewer colors is a map of labels, one of more a photograph."""
LOOKED_FILES = 10
"""About so many pictures of a mask are looked at for colors before the work."""
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
    if label is not None:
        return _of_label(name, files, label)
    if any(_has_color(file) for file in files if _palette(file) is not None):
        return _of_palette(name, files)
    first = _stored(files[0])
    told = []
    if _has_alpha(first):
        varies = alpha_varies(_alpha(file) for file in files)
        told.append(told_alpha(name, varies))
        if varies:
            return _of_levels(name, files, _alpha, told)
    return _of_colors(name, files, told, 3 if first.ndim == 2 else first.shape[2])


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
        if highest > LARGEST_DIM * (top // 255) and not possible:
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
    return ("dim", (0, highest)) if highest <= LARGEST_DIM * (top // 255) else ("levels", (0, top))


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
    if scale == "dim":
        return [
            f"{name}: is nowhere brighter than {ends[1]}, and was taken as levels of grey; where "
            "these are numbers of objects, `mask_label` takes one of them"
        ]
    return []


def alpha_varies(alphas: Iterable[Matte]) -> bool:
    """Whether alpha channels say anything: one that is the same everywhere does not."""
    value: float | None = None
    for alpha in alphas:
        low, high = float(alpha.min()), float(alpha.max())
        if low != high or (value is not None and value != low):
            return True
        value = low
    return False


def told_alpha(name: Path, varies: bool) -> str:
    """What the user is told of a mask with an alpha channel."""
    if varies:
        return f"{name}: has an alpha channel, which was taken as the mask"
    return f"{name}: its alpha channel is the same everywhere, and was not taken as the mask"


def _stored(file: Path) -> Picture:
    """A picture as it is stored: :func:`read_stored`, or :meth:`ExrPicture.levels`."""
    return ExrPicture(file, "mask").levels() if is_exr(file) else read_stored(file, "mask")


def _palette(file: Path) -> tuple[Array, Array] | None:
    return None if is_exr(file) else palette_of(file, "mask")


def _has_alpha(picture: Picture) -> bool:
    return picture.ndim == 3 and picture.shape[2] == 4


def _white(marked: Array, kind: Any = np.uint8) -> Array:
    white: Array = marked.astype(kind) * np.array(np.iinfo(kind).max, kind)
    return white


def _of_label(name: Path, files: Sequence[Path], label: int) -> Meaning:
    seen: set[int] = set()
    for file in files:
        picture = _labeled(file)
        if labelled(picture, label).any():
            return Meaning(lambda file: _white(labelled(_labeled(file), label)), [])
        seen |= labels_in(picture)
    raise no_label(name, label, seen)


def _labeled(file: Path) -> Picture:
    """A picture whose labels are asked for: its palette's entries, or as it is stored."""
    entries = _palette(file)
    return _stored(file) if entries is None else entries[0]


def labels_in(picture: Picture) -> set[int]:
    """The numbers of objects in a picture of levels (H, W), or of blue, green, red (and alpha)
    (H, W, 3 or 4): its greys, or the entries of PASCAL VOC's palette, which DAVIS takes, for its
    colors. -1 for another color, and for levels that are no whole numbers."""
    if is_colored(picture):
        known = {_code(color): number for number, color in enumerate(_voc_palette())}
        return {known.get(code, -1) for code in _values_in(_codes_of(_eight_bits(picture)))}
    grey = picture if picture.ndim == 2 else grey_of(picture)
    return {int(level) if float(level).is_integer() else -1 for level in _values_in(grey)}


def labelled(picture: Picture, label: int) -> Mask:
    """Where a picture has a number of those that are in it (:func:`labels_in`): (H, W) bool.

    Every frame of a video passes here: one number is looked for, and nothing is sorted.
    """
    if not is_colored(picture):
        grey = picture if picture.ndim == 2 else grey_of(picture)
        return np.asarray(grey == label)
    palette = _voc_palette()
    if not 0 <= label < len(palette):
        return np.zeros(picture.shape[:2], bool)
    return np.asarray(_codes_of(_eight_bits(picture)) == _code(palette[label]))


def _eight_bits(picture: Picture) -> Codes:
    """Colors as the palette has them. Converters make 16 bits of 8 by 257 or by 256, give or take
    a few: the nearest multiple of what lies between is right for both."""
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype == np.uint16:
        return np.rint(picture / np.float32(256.5)).astype(np.uint8)
    return np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8)


def no_label(name: Path, label: int, seen: Iterable[int]) -> InputError:
    """What is said of a label that is nowhere in a mask."""
    some = ", ".join(map(str, sorted(seen)[:8]))
    return InputError(f"is not in {name}, which has {some}", field="mask_label", value=label)


def _of_palette(name: Path, files: Sequence[Path]) -> Meaning:
    def read(file: Path) -> Array:
        entries = _palette(file)
        if entries is None:
            raise InputError(f"{file}: has no palette, the first masks have; export them alike")
        return _white(np.asarray(entries[0] != 0))

    shown = next(file for file in files if _palette(file) and _has_color(file))
    count = len(_values_in(_labeled(shown)) - {0})
    told = f"{name}: has {count} labels, which were taken together; `mask_label` takes one of them"
    return Meaning(read, [told] if count > 1 else [])


def _has_color(file: Path) -> bool:
    entries = _palette(file)
    if entries is None:
        return False
    colors = entries[1][np.unique(entries[0])]
    return bool((np.ptp(colors.astype(int), axis=1) > 0).any())


def _alpha(file: Path) -> Array:
    picture = _stored(file)
    if not _has_alpha(picture):
        raise InputError(f"{file}: has no alpha channel, the first mask has; export them alike")
    return np.ascontiguousarray(picture[..., 3])


def _of_colors(name: Path, files: Sequence[Path], told: list[str], channels: int) -> Meaning:
    """The meaning of pictures whose alpha, if any, says nothing: the first colored one of those
    that are looked at tells whether they are labels.

    Args:
        told: what is said already.
        channels: of the first, 3 where it is grey.
    """

    def checked(file: Path, has_alpha: bool) -> None:
        if has_alpha and channels != 4:
            raise InputError(
                f"{file}: has an alpha channel, the first mask has none; export them alike"
            )

    def stored(file: Path) -> Picture:
        picture = _stored(file)
        checked(file, _has_alpha(picture))
        return picture

    def by_itself(file: Path) -> Array:
        # The files that were looked at may have been empty ones.
        picture = stored(file)
        if is_colored(picture) and are_labels(colors_in(picture)):
            return all_but_black(picture, np.uint8 if picture.dtype == np.uint8 else np.uint16)
        return _grey(file, picture)

    for file in files:
        checked(file, says_alpha(file, "mask"))
    apart = max(1, len(files) // LOOKED_FILES)
    colored = next((one for one in map(stored, files[::apart]) if is_colored(one)), None)
    if colored is None:
        return _of_levels(name, files, by_itself, told)
    colors = colors_in(colored)
    told = [*told, told_colors(name, colors)]
    if not are_labels(colors):
        return _of_levels(name, files, lambda file: _grey(file, stored(file)), told)
    return Meaning(lambda file: all_but_black(stored(file)), told)


def colors_in(picture: Picture) -> set[int]:
    """The colors of a picture (H, W, 3 or 4) of blue, green, red, each by a number; 0 is black."""
    return {int(code) for code in _values_in(_codes_of(picture))}


def are_labels(colors: set[int]) -> bool:
    """Whether colors (:func:`colors_in`) are those of a map of labels, and not of a photograph."""
    return len(colors) <= MOST_COLORS and 0 in colors


def told_tint(name: Path, kind: str) -> str:
    """What the user is told of a colored mask: of "one" color on black, of "labels", or a
    "picture"."""
    if kind == "one":
        return f"{name}: is of one color on black, which was taken as white"
    if kind == "labels":
        return f"{name}: is a map of colored labels: all but black were taken as foreground"
    return f"{name}: is colored; its brightness was taken as the mask"


def told_colors(name: Path, colors: set[int]) -> str:
    """What the user is told of a mask of such colors."""
    told = told_tint(name, "labels" if are_labels(colors) else "picture")
    if not are_labels(colors):
        return told
    one = ", `mask_label` takes one of them where the colors are those of PASCAL VOC and DAVIS"
    return told + one * (len(colors) > 2)


def all_but_black(picture: Picture, kind: Any = np.uint8) -> Matte:
    """A map of colored labels as a matte (H, W), uint8 or, as ``kind`` says, uint16."""
    if picture.ndim == 2:
        return _white(np.asarray(picture > 0), kind)
    blue, green, red = cv2.split(picture)[:3]
    return _white(np.asarray((blue != 0) | (green != 0) | (red != 0)), kind)


def _of_levels(
    name: Path, files: Sequence[Path], read: Callable[[Path], Array], told: list[str]
) -> Meaning:
    scale, ends = scale_of(read(file) for file in files)
    return Meaning(
        lambda file: scaled(read(file), scale, ends), told + told_scale(name, scale, ends)
    )


def _grey(path: Path, picture: Picture) -> Array:
    """The levels of a picture as it is stored: whole numbers, or float32 with 1 for white."""
    if picture.dtype not in (np.uint8, np.uint16):
        if not np.isfinite(picture).all():
            raise InputError(f"{path}: holds values that are no numbers; export the mask again")
        picture = picture.astype(np.float32)
    return picture if picture.ndim == 2 else grey_of(picture)


def is_colored(picture: Picture) -> bool:
    """Whether a picture as it is stored, or with blue, green, red (H, W, 3 or 4), has colors."""
    if picture.ndim == 2:
        return False
    blue, green, red = cv2.split(picture)[:3]  # plane by plane: many times as fast as pixelwise
    highest = np.maximum(np.maximum(blue, green), red)
    lowest = np.minimum(np.minimum(blue, green), red)
    if picture.dtype not in (np.uint8, np.uint16):
        spread = np.clip(highest, 0.0, 1.0) - np.clip(lowest, 0.0, 1.0)
        return bool(spread.max() > GREY_TOLERANCE / 255)
    spread = highest - lowest
    return bool(spread.max() > GREY_TOLERANCE * (257 if picture.dtype == np.uint16 else 1))


def _codes_of(picture: Array) -> Array:
    """The colors of a picture (H, W, 3 or 4) of blue, green, red as whole numbers (H, W)."""
    if picture.dtype not in (np.uint8, np.uint16):
        picture = np.rint(np.clip(picture, 0.0, 1.0) * 65535.0).astype(np.uint16)
    kind: Any
    bits, kind = (8, np.int32) if picture.dtype == np.uint8 else (16, np.int64)
    blue, green, red = (plane.astype(kind) for plane in cv2.split(picture)[:3])
    return np.asarray((red << 2 * bits) | (green << bits) | blue)


def _code(color: tuple[int, int, int]) -> int:
    """The number of a color of red, green and blue of 8 bits; see :func:`_codes_of`."""
    red, green, blue = color
    return red << 16 | green << 8 | blue


def _values_in(plane: Plane) -> set[Any]:
    """The values of a plane (H, W): of each run along its rows the first is looked at alone, since
    to sort all of a mask's pixels takes longer than to decode them."""
    starts = plane[:, 1:][plane[:, 1:] != plane[:, :-1]]
    return {*np.unique(plane[:, 0]).tolist(), *np.unique(starts).tolist()}


@functools.cache
def _voc_palette() -> list[tuple[int, int, int]]:
    """The 256 colors that PASCAL VOC and DAVIS paint their labels with: the bits of the label,
    dealt to red, green and blue from the highest down."""
    colors = []
    for label in range(256):
        channels = [0, 0, 0]
        for place in range(8):
            for channel in range(3):
                channels[channel] |= (label >> (3 * place + channel) & 1) << (7 - place)
        colors.append((channels[0], channels[1], channels[2]))
    return colors
