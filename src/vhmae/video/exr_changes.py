"""What becomes of OpenEXR's light where the 16-bit planes that it was shown as have changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array, Plane, UnitFrame
from vhmae.color.light import LightSpace, carried, shown
from vhmae.video.exr import LARGEST_HALF, LOSSY, ExrPicture, light_of, mixed, open_library


def carried_back(light: Plane, before: Plane, after: Plane) -> Plane:
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
        out[changed] = _held(moved, light.dtype)
    return out


def changed_light(
    picture: ExrPicture,
    after: Sequence[Plane],
    space: LightSpace | None = None,
    coded: LightSpace | None = None,
) -> list[Plane]:
    """The values of a picture, red, green, blue, with what was changed of its 16-bit planes green,
    blue, red; as the file has them, in its own primaries, or its space."""
    own_planes, _ = picture.display(space=space, coded=coded)
    before, after = ((planes[2], planes[0], planes[1]) for planes in (own_planes, after))
    own = picture.light()
    if coded is not None:
        seen = picture.brought_to_709(own, space)
        lights = [_decoded(coded, planes) for planes in (before, after)]
        moved = [_replaced(*three) for three in zip(seen, *lights, strict=True)]
        return _put_back(picture, own, (seen, moved), (before, after), space)
    if picture.primaries is None and space is None:
        return [carried_back(*three) for three in zip(own, before, after, strict=True)]
    seen = picture.brought_to_709(own, space)
    moved = [carried_back(*three) for three in zip(seen, before, after, strict=True)]
    return _put_back(picture, own, (seen, moved), (before, after), space)


def shown_changed(
    source: Path, after: Sequence[Plane], space: LightSpace | None = None
) -> UnitFrame:
    """A file as it is shown with what was changed of its 16-bit planes green, blue, red:
    (H, W, 3) in [0, 1]. Its highlights stay white for as long as their light does."""
    picture = ExrPicture(source)
    light = picture.brought_to_709(changed_light(picture, after, space), space)
    return shown(np.stack([one.astype(np.float32) for one in light], axis=-1))


def _decoded(coded: LightSpace, planes: Sequence[Array]) -> Array:
    """16-bit codes red, green, blue -> light (3, H, W)."""
    return coded.to_light(np.stack(planes).astype(np.float32) / np.float32(65535.0))


def _replaced(light: Array, before: Array, after: Array) -> Array:
    """Light for which other light was laid: what the codes rounded away stays, in proportion."""
    share = np.clip(after / np.maximum(before, np.float32(1e-6)), 0.0, 1.0)
    rounded = np.nan_to_num(light.astype(np.float32), posinf=0.0, neginf=0.0) - before
    return after + share * rounded


def _put_back(
    picture: ExrPicture,
    own: Sequence[Array],
    lights: tuple[Sequence[Array], Sequence[Array]],
    codes: tuple[Sequence[Array], Sequence[Array]],
    space: LightSpace | None,
) -> list[Array]:
    """A file's values, with the change from light to other light of BT.709's primaries where codes
    changed."""
    (seen, moved), (before, after) = lights, codes
    if space is not None:
        steps = list(space.from_light(np.stack(moved)) - space.from_light(np.stack(seen)))
    else:
        steps = [b - a for a, b in zip(seen, moved, strict=True)]
        if picture.primaries is not None:
            steps = mixed(np.linalg.inv(picture.primaries), steps)
    changed = np.any([a != b for a, b in zip(before, after, strict=True)], axis=0)
    values = []
    for light, step in zip(own, steps, strict=True):
        out = light.copy()
        out[changed] = _held(light[changed].astype(np.float32) + step[changed], light.dtype)
        values.append(out)
    return values


def write_changed(
    part: Path,
    source: Path,
    after: Sequence[Plane],
    space: LightSpace | None = None,
    coded: LightSpace | None = None,
) -> None:
    """Write a file like another, with what was changed of its frame: all its channels, parts,
    windows, attributes and depths.

    What was compressed with loss is compressed without (ZIP).
    """
    picture = ExrPicture(source)
    picture.change(changed_light(picture, after, space, coded))
    library = open_library(source)
    for (
        one
    ) in picture.parts:  # written with loss a second time, pixels that nothing changed would change
        if one.header["compression"].name in LOSSY:
            one.header["compression"] = library.ZIP_COMPRESSION
    picture.file.write(os.fsencode(part))


def _held(light: Array, kind: np.dtype[Any]) -> Array:
    """Light that a type can hold."""
    if kind != np.float16:
        return light
    held: Array = np.clip(light, -LARGEST_HALF, LARGEST_HALF)
    return held
