"""OpenEXR pictures (extra ``vhmae[exr]``): linear light, half or float, values above 1 kept.

The rest of the package sees them as 16-bit sRGB of what lies in [0, 1]. What it changes there is
carried back into the light that the file holds (:func:`carried_back`); pixels that it does not
change, other channels and other parts stay as they were, bit for bit.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array
from vhmae.color.light import LightSpace, carried
from vhmae.color.srgb import encoded, linear
from vhmae.color.yuv import ColorEncoding
from vhmae.errors import InputError
from vhmae.video.probe import VideoInfo

TOP = 65535
_COLORS = "GBR"
"""In the order of FFmpeg's planes."""
_MAGIC = b"\x76\x2f\x31\x01"
_LARGEST_HALF = 65504.0
_LOSSY = (
    "PXR24_COMPRESSION",
    "B44_COMPRESSION",
    "B44A_COMPRESSION",
    "DWAA_COMPRESSION",
    "DWAB_COMPRESSION",
)


def is_exr(path: Path) -> bool:
    return path.suffix.lower() == ".exr"


class ExrPicture:
    """One file, with its part that holds the picture."""

    def __init__(self, path: Path, what: str = "picture") -> None:
        """Read a file whole.

        Raises:
            InputError: if it cannot be read.
        """
        self.path = path
        library = _library(path)
        try:
            with path.open("rb") as file:
                begins = file.read(4)
            if begins != _MAGIC:
                raise InputError(f"{path}: is no OpenEXR file; export the {what} again")
            self.file = library.File(str(path), separate_channels=True)
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

    @property
    def colors(self) -> dict[str, Any]:
        """The channels of the picture: R, G, B, and A where there is one.

        Raises:
            InputError: if no part has them at full size.
        """
        for part in self.parts:
            channels = part.channels
            if all(
                name in channels and channels[name].xSampling == channels[name].ySampling == 1
                for name in _COLORS
            ):
                return {name: channels[name] for name in (*_COLORS, "A") if name in channels}
        known = ", ".join(name for part in self.parts for name in part.channels)
        raise InputError(
            f"{self.path}: has the channels {known}; expected R, G and B; export its picture under "
            "these names"
        )

    def display(
        self,
        associated: bool = False,
        space: LightSpace | None = None,
        coded: LightSpace | None = None,
    ) -> tuple[list[Array], bool]:
        """The picture as 16-bit sRGB: planes green, blue, red, and alpha where there is one; and
        whether light above 1 was cut off.

        Args:
            associated: the colours were multiplied by alpha, and are divided by it first.
            space: what the file's values stand for; None is linear light of Rec. 709's primaries.
            coded: the space of the planes, in the place of sRGB, that they hold more light in.
        """
        channels = self.colors
        pixels = {name: np.asarray(channel.pixels) for name, channel in channels.items()}
        alpha = pixels.get("A")
        values = [pixels[name] for name in _COLORS]
        if associated and alpha is not None:
            cover = alpha.astype(np.float32)
            values = [
                np.divide(one, cover, out=np.zeros(one.shape, np.float32), where=cover > 0.0)
                for one in values
            ]
        lights = values if space is None else _light_of(values, space)
        if coded is not None:
            planes = _codes_in(coded, lights)
            return [*planes, _cover(alpha)] if alpha is not None else planes, False
        cut = any(bool((light > 1.0).any()) for light in lights)
        planes = [codes_of(light) for light in lights]
        if alpha is not None:
            planes.append(_cover(alpha))
        return planes, cut

    def matte(self) -> Array:
        """The picture as a matte (uint16): its alpha, else its luminance channel, else its only or
        its green channel, as they are."""
        channels = {name: channel for part in self.parts for name, channel in part.channels.items()}
        name = next((name for name in ("A", "Y", "G") if name in channels), next(iter(channels)))
        pixels = np.asarray(channels[name].pixels)
        if not np.isfinite(pixels).all():
            raise InputError(
                f"{self.path}: holds values that are no numbers; export the mask again"
            )
        return _cover(pixels)


def _library(path: Path) -> Any:
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


def codes_of(light: Array) -> Array:
    """Light (H, W), half or float -> 16-bit sRGB; what is no number is black, what is above 1
    white."""
    if light.dtype == np.float16:
        table: Array = _code_of_half()[np.ascontiguousarray(light).view(np.uint16)]
        return table
    return _codes(light.astype(np.float32, copy=False))


def light_of(codes: Array) -> Array:
    """16-bit sRGB -> light in [0, 1], float32."""
    table: Array = _light_of_code()[codes]
    return table


def carried_back(light: Array, before: Array, after: Array) -> Array:
    """Carry a change of 16-bit sRGB codes back into light.

    Up to 1 the difference is added, so that what the codes rounded away stays; above 1 light is
    multiplied as it is at 1, so that highlights keep their detail and take on the tint.

    Args:
        light: (H, W) half or float, what the file holds.
        before, after: (H, W) uint16.
    Returns:
        (H, W) of light's type; where before and after are equal, light itself.
    """
    changed = before != after
    out = light.copy()
    if changed.any():
        own = light[changed].astype(np.float32)
        moved = carried(own, light_of(before[changed]), light_of(after[changed]))
        out[changed] = _held_by(light.dtype, moved)
    return out


def _held_by(depth: Any, values: Array) -> Array:
    """Values as a channel can hold them."""
    return np.clip(values, -_LARGEST_HALF, _LARGEST_HALF) if depth == np.float16 else values


def _light_of(values: Sequence[Array], space: LightSpace) -> list[Array]:
    """Values green, blue, red of a space (H, W) -> light, float32, in the same order."""
    green, blue, red = (one.astype(np.float32) for one in values)
    red, green, blue = space.to_light(np.stack([red, green, blue]))
    return [green, blue, red]


def _codes_in(space: LightSpace, lights: Sequence[Array]) -> list[Array]:
    """Light green, blue, red (H, W) -> 16-bit codes of a space, in the same order."""
    green, blue, red = (np.nan_to_num(one.astype(np.float32)) for one in lights)
    values = space.from_light(np.stack([red, green, blue]))
    codes = np.rint(np.clip(values, 0.0, 1.0) * np.float32(TOP)).astype(np.uint16)
    return [codes[1], codes[2], codes[0]]


def _carried_within(
    space: LightSpace, own: Sequence[Array], before: Sequence[Array], after: Sequence[Array]
) -> list[Array]:
    """As :func:`carried_back`, for values green, blue, red of a space of their own."""
    changed = np.any([one != other for one, other in zip(before, after, strict=True)], axis=0)
    light = _light_of([one[changed] for one in own], space)
    green, blue, red = (
        carried(one, light_of(old[changed]), light_of(new[changed]))
        for one, old, new in zip(light, before, after, strict=True)
    )
    red, green, blue = space.from_light(np.stack([red, green, blue]))
    out = [one.copy() for one in own]
    for plane, values in zip(out, (green, blue, red), strict=True):
        plane[changed] = _held_by(plane.dtype, values)
    return out


def probe_exr(path: Path, shown: Path, space: LightSpace | None = None) -> VideoInfo:
    """Look at a file as at a video of one frame; ``shown`` is what the user named, ``space`` what
    its values stand for."""
    picture = ExrPicture(path)
    colors = picture.colors
    height, width = colors["R"].pixels.shape
    return VideoInfo(
        path=shown,
        width=width,
        height=height,
        fps=Fraction(25),
        frames=1,
        duration_seconds=0.0,
        start_seconds=0.0,
        codec="exr",
        pixel_format="gbrap16le" if "A" in colors else "gbrp16le",
        encoding=ColorEncoding("rgb", True, 16),
        guessed_matrix=False,
        held=space,
    )


def changed_light(
    picture: ExrPicture, after: Sequence[Array], space: LightSpace | None = None
) -> list[Array]:
    """The values of a picture, red, green, blue, with what was changed of its 16-bit planes green,
    blue, red; ``space`` is theirs."""
    before, _ = picture.display(space=space)
    own = [np.asarray(picture.colors[name].pixels) for name in _COLORS]
    green, blue, red = (
        (carried_back(*three) for three in zip(own, before[:3], after[:3], strict=True))
        if space is None
        else _carried_within(space, own, before[:3], after[:3])
    )
    return [red, green, blue]


def write_changed(
    part: Path, source: Path, after: Sequence[Array], space: LightSpace | None = None
) -> None:
    """Write a file like another, with what was changed of its picture: all its channels, parts,
    attributes and depths.

    What was compressed with loss is compressed without (ZIP).
    """
    picture = ExrPicture(source)
    for name, light in zip("RGB", changed_light(picture, after, space), strict=True):
        picture.colors[name].pixels = light
    library = _library(source)
    for (
        one
    ) in picture.parts:  # written with loss a second time, pixels that nothing changed would change
        if one.header["compression"].name in _LOSSY:
            one.header["compression"] = library.ZIP_COMPRESSION
    picture.file.write(str(part))


def write_new(part: Path, light: Array, alpha: Array | None) -> None:
    """Write light (H, W, 3) as half floats, multiplied by alpha (H, W) in [0, 1] where there is
    one, as the format has it."""
    library = _library(part)
    cover = np.float32(1.0) if alpha is None else alpha
    pixels = {
        name: (light[..., place] * cover).astype(np.float16) for place, name in enumerate("RGB")
    }
    if alpha is not None:
        pixels["A"] = alpha.astype(np.float16)
    library.File(
        {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage}, pixels
    ).write(str(part))
