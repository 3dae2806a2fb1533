"""Spaces of values by their names: PQ and HLG, and those of OpenColorIO's built-in configuration
(extra ``vhmae[ocio]``): ACES, and what cameras record."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from vhmae.arrays import Array, Light
from vhmae.color.light import LIGHT, Curve, HdrSpace, LightSpace
from vhmae.errors import InputError, did_you_mean

CONFIG = "ocio://studio-config-latest"
"""The built-in configuration that has the cameras' spaces, too."""
_HDR: dict[str, Curve] = {"PQ": "PQ", "HLG": "HLG", "Rec.2100-PQ": "PQ", "Rec.2100-HLG": "HLG"}
_MOST_TOLD = 6


@dataclasses.dataclass(frozen=True)
class OcioSpace:
    """A space of OpenColorIO's built-in configuration, which refers to the scene."""

    name: str
    """As the configuration has it."""

    def to_light(self, values: Light) -> Light:
        return _applied(_processor(self.name, LIGHT), values)

    def from_light(self, light: Light) -> Light:
        return _applied(_processor(LIGHT, self.name), light)


def named_space(name: str | None, option: str = "input_space") -> LightSpace | None:
    """The space of an option's value, as :func:`find_space`; None where none is named.

    Raises:
        InputError: names the option.
    """
    if name is None:
        return None
    try:
        return find_space(name)
    except InputError as error:
        raise InputError(str(error), field=option, value=name) from None


def find_space(name: str) -> LightSpace:
    """The space of a name, an alias, or a part of a name that no other has.

    Raises:
        InputError: where there is none, or OpenColorIO is not installed.
    """
    for known, curve in _HDR.items():
        if name.lower() in (known.lower(), f"{known} - Display".lower()):
            return HdrSpace(curve)
    config = _config()
    spaces = [space for space in config.getColorSpaces() if _is_of_the_scene(space)]
    names = [space.getName() for space in spaces]
    for space in spaces:
        words = (space.getName(), *space.getAliases())
        if name.lower() in (word.lower() for word in words):
            return OcioSpace(space.getName())
    near = [one for one in names if _plain(name) and _plain(name) in _plain(one)]
    if len(near) == 1:
        return OcioSpace(near[0])
    if near:
        told = f"may be {' or '.join(near[:_MOST_TOLD])}; name one of them"
    else:
        hint = did_you_mean(name, [*names, "PQ", "HLG"])
        told = (
            f"unknown{hint}; expected PQ, HLG, or a space of OpenColorIO's {config.getName()}: "
            "ACEScg, ARRI LogC4, S-Log3 S-Gamut3.Cine, ..."
        )
    raise InputError(told)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _is_of_the_scene(space: Any) -> bool:
    ocio = _library()
    return bool(space.getReferenceSpaceType() == ocio.REFERENCE_SPACE_SCENE and not space.isData())


@functools.cache
def _config() -> Any:
    return _library().Config.CreateFromFile(CONFIG)


@functools.cache
def _processor(before: str, after: str) -> Any:
    """What brings values from one space to another, exactly."""
    ocio = _library()
    processor = _config().getProcessor(before, after)
    # Its fast logarithms are off by more than half a code value of 12 bit.
    return processor.getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS)


def _applied(processor: Any, values: Array) -> Array:
    """Run planes (3, ...) through a processor."""
    packed = np.array(np.moveaxis(values, 0, -1), np.float32, order="C")  # written over
    rows = packed.reshape(-1, 3)
    if rows.size:
        processor.applyRGB(rows)
    return np.ascontiguousarray(np.moveaxis(packed, -1, 0))


def _library() -> Any:
    try:
        import PyOpenColorIO
    except ImportError:
        raise InputError("needs OpenColorIO; install it with: pip install 'vhmae[ocio]'") from None
    return PyOpenColorIO
