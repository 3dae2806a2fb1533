"""ASC CDL: ten numbers that most suites read. out = clamp(slope in + offset) ^ power, then
saturation about Rec. 709 luma."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from vhmae.arrays import Array, Colors
from vhmae.engine.rendering import LUMA
from vhmae.errors import InputError

FORMATS = {
    ".cc": "ColorCorrection",
    ".ccc": "ColorCorrectionCollection",
    ".cdl": "ColorDecisionList",
}
"""Suffixes, and OpenColorIO's names of what they hold."""
STEEPEST = 4.0
"""Powers reach from 1 / 4 to 4, as on the controls of suites. Without a bound a curve over a narrow
range, as of log footage, runs towards an exponential: powers of thousands, for a hundredth of a
level, that the six places of a file cannot hold."""
_NOTE = "vhmae.note"


@dataclasses.dataclass(frozen=True)
class Cdl:
    """The ten numbers."""

    slope: tuple[float, float, float]
    offset: tuple[float, float, float]
    power: tuple[float, float, float]
    saturation: float

    def apply(self, rgb: Colors) -> Colors:
        """(P, 3) in [0, 1] -> (P, 3), clipped to [0, 1]."""
        numbers = np.array([*self.slope, *self.offset, *self.power, self.saturation])
        graded: Array = np.clip(_apply(rgb, numbers), 0.0, 1.0).astype(rgb.dtype)
        return graded


def _apply(rgb: Array, numbers: Array) -> Array:
    """Colors graded by slope, offset, power and saturation in a row (10,)."""
    slope, offset, power = numbers[:9].reshape(3, 3)
    lit = np.clip(rgb * slope + offset, 0.0, 1.0)
    # Black stays black, whatever its power; in a fit, its logarithm is to be finite.
    graded = np.where(lit > 0.0, np.maximum(lit, 1e-6) ** power, 0.0)
    luma = (graded @ LUMA.astype(np.float64))[:, None]
    return luma + numbers[9] * (graded - luma)


def require_scipy(kind: str) -> Any:
    """scipy's optimizers.

    Raises:
        InputError: where they are not installed; names the kind of grade that needs them.
    """
    try:
        from scipy import optimize
    except ImportError:
        raise InputError(
            f"export {kind}: scipy is not installed; run: pip install 'vhmae[grade]'"
        ) from None
    return optimize


def fit_cdl(before: Colors, after: Colors, pixels: int = 20_000) -> Cdl:
    """Fit the numbers to pixels (P, 3) in [0, 1] before and after: least squares, from the identity
    on.

    Raises:
        InputError: where scipy is not installed.
    """
    least_squares = require_scipy("cdl").least_squares
    step = max(1, len(before) // pixels)
    source, target = (part[::step].astype(np.float64) for part in (before, after))
    logs = np.array([True] * 3 + [False] * 3 + [True] * 4)  # the others stay above zero

    def plain(free: Array) -> Array:
        return np.where(logs, np.exp(np.where(logs, free, 0.0)), free)

    def left(free: Array) -> Array:
        return (_apply(source, plain(free)) - target).ravel()

    most = np.full(10, np.inf)
    most[6:9] = np.log(STEEPEST)
    numbers = plain(least_squares(left, np.zeros(10), bounds=(-most, most), x_scale="jac").x)
    # What the text forms can carry: six places, and in an EDL no power of ten, as Python writes
    # less than .0001.
    values: list[Any] = [
        round(value, 6) if abs(value) >= 1e-4 else 0.0 for value in numbers.tolist()
    ]
    return Cdl((*values[:3],), (*values[3:6],), (*values[6:9],), values[9])


def write_cdls(cdls: dict[str, Cdl], note: str, path: Path) -> None:
    """Write corrections by their names as .ccc or .cdl, or one as .cc, by OpenColorIO."""
    ocio = require_ocio()
    transforms = []
    for name, cdl in cdls.items():
        transform = ocio.CDLTransform()
        transform.setSlope(cdl.slope)
        transform.setOffset(cdl.offset)
        transform.setPower(cdl.power)
        transform.setSat(cdl.saturation)
        transform.setID(name)
        transform.setFirstSOPDescription(_NOTE)
        transforms.append(transform)
    text = ocio.GroupTransform(transforms).write(
        formatName=FORMATS[path.suffix.lower()], config=ocio.Config.CreateRaw()
    )
    # OpenColorIO escapes what is special in XML twice.
    path.write_text(text.replace(_NOTE, escape(note)), encoding="utf-8")


def require_ocio() -> Any:
    try:
        import PyOpenColorIO
    except ImportError:
        raise InputError(
            "export cdl: OpenColorIO is not installed; run: pip install 'vhmae[grade]'"
        ) from None
    return PyOpenColorIO
