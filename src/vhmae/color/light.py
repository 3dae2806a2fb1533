"""Light: what HDR and log footage is brought to, and how a change of shown colors is carried into
it.

Light is linear, of Rec. 709's primaries, with diffuse white at 1; colors outside of these
primaries have values below 0, highlights values above 1. What the network, a guide and a preview
are shown of it is sRGB of what lies in [0, 1].

Sources: ITU-R BT.2100-2 tables 4 and 5 (PQ and HLG), BT.2408-7 2.2 (diffuse white at 203 cd/m2,
which is 75 % of HLG on a display of 1000 cd/m2), BT.2020, BT.709, SMPTE EG 432-1 (primaries).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Literal, Protocol

import numpy as np

from vhmae.arrays import Array, Light, Matrix, Planes, PlaneSteps
from vhmae.color.curves import Curve as Table
from vhmae.color.primaries import BT709, between, to_xyz
from vhmae.color.srgb import encoded, linear

Curve = Literal["PQ", "HLG"]
Primaries = Literal["BT.2020", "BT.709", "P3-D65"]

LIGHT = "Linear Rec.709 (sRGB)"
"""What OpenColorIO's configurations call light."""
DIFFUSE_WHITE = 203.0
"""cd/m2."""
_PQ_PEAK, _HLG_PEAK = 10000.0, 1000.0
_HLG_GAMMA = 1.2
"""Of a display of 1000 cd/m2."""
_OOTF, _INVERSE_OOTF = np.float32(_HLG_GAMMA - 1.0), np.float32(1.0 / _HLG_GAMMA - 1.0)
_LEAST = np.float32(1e-30)
"""Luminance of black, by whose power HLG multiplies and divides."""
_M1, _M2 = 2610.0 / 16384.0, 2523.0 / 4096.0 * 128.0
_C1, _C2, _C3 = 3424.0 / 4096.0, 2413.0 / 4096.0 * 32.0, 2392.0 / 4096.0 * 32.0
_A = 0.17883277
_B, _C = 1.0 - 4.0 * _A, 0.5 - _A * float(np.log(4.0 * _A))
_LARGEST_HALF = np.float32(65504.0)
_LOG_LARGEST = np.log(_LARGEST_HALF)
_D65 = (0.3127, 0.3290)
_CHROMATICITIES: dict[Primaries, tuple[float, ...]] = {
    "BT.2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    "BT.709": BT709,
    "P3-D65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
}


class LightSpace(Protocol):
    """What the values of a file stand for, where they are not what a display of SDR is sent."""

    @property
    def name(self) -> str:
        """What reports call it."""

    def to_light(self, values: Light) -> Light:
        """Values of red, green and blue (3, ...), float32 -> light (3, ...), float32."""

    def from_light(self, light: Light) -> Light:
        """Light (3, ...) -> values (3, ...), float32, the nearest that there are."""


@dataclasses.dataclass(frozen=True)
class HdrSpace:
    """Perceptual quantizer or hybrid log-gamma. Light is what a display shows: that of HLG is
    taken as one of 1000 cd/m2 shows it."""

    curve: Curve
    primaries: Primaries = "BT.2020"

    @property
    def name(self) -> str:
        return f"{self.curve} {self.primaries}"

    def to_light(self, values: Light) -> Light:
        light = _curves(self.curve)[0](values)
        if self.curve == "HLG":
            light *= np.maximum(_weighed(light, self.primaries), _LEAST) ** _OOTF
        light *= self._peak
        return _through(between_primaries(self.primaries, "BT.709"), light)

    def from_light(self, light: Light) -> Light:
        own = _through(between_primaries("BT.709", self.primaries), light)
        own /= self._peak
        if self.curve == "HLG":
            np.maximum(own, 0.0, out=own)
            own *= np.maximum(_weighed(own, self.primaries), _LEAST) ** _INVERSE_OOTF
        return _curves(self.curve)[1](own)

    @property
    def _peak(self) -> float:
        """The most light, where diffuse white is 1."""
        return (_PQ_PEAK if self.curve == "PQ" else _HLG_PEAK) / DIFFUSE_WHITE


@dataclasses.dataclass(frozen=True)
class WideSpace:
    """Codes for all the light that OpenEXR's half floats hold, for layers that are laid in it:
    half of the codes are sRGB up to 1, the others go up in equal ratios to 65,504. Between layers
    that are no brighter than white, edges are blended as they are in sRGB."""

    name: str = LIGHT

    def to_light(self, values: Light) -> Light:
        twice = 2.0 * values.astype(np.float32, copy=False)
        above = np.exp(np.maximum(twice - 1.0, 0.0) * _LOG_LARGEST)
        return np.where(twice > 1.0, above, linear(np.clip(twice, 0.0, 1.0)))

    def from_light(self, light: Light) -> Light:
        light = light.astype(np.float32, copy=False)
        above = 1.0 + np.log(np.clip(light, 1.0, _LARGEST_HALF)) / _LOG_LARGEST
        return np.float32(0.5) * np.where(light > 1.0, above, encoded(np.clip(light, 0.0, 1.0)))


def _pq_light(signal: Array) -> Array:
    """[0, 1] -> parts of 10,000 cd/m2."""
    root = signal ** (1.0 / _M2)
    light: Array = (np.maximum(root - _C1, 0.0) / (_C2 - _C3 * root)) ** (1.0 / _M1)
    return light


def _pq_signal(light: Array) -> Array:
    root = light**_M1
    signal: Array = ((_C1 + _C2 * root) / (1.0 + _C3 * root)) ** _M2
    return signal


def _hlg_scene(signal: Array) -> Array:
    """[0, 1] -> light of the scene in [0, 1]."""
    return np.where(signal <= 0.5, signal**2 / 3.0, (np.exp((signal - _C) / _A) + _B) / 12.0)


def _hlg_signal(scene: Array) -> Array:
    above = _A * np.log(np.maximum(12.0 * scene - _B, 1e-6)) + _C
    return np.where(scene <= 1.0 / 12.0, np.sqrt(3.0 * scene), above)


@functools.cache
def _curves(curve: Curve) -> tuple[Table, Table]:
    """Signal -> light, parts of the peak, and back."""
    there, back = (_pq_light, _pq_signal) if curve == "PQ" else (_hlg_scene, _hlg_signal)
    return Table(there), Table(back, roots=2)


@functools.cache
def between_primaries(before: Primaries, after: Primaries) -> Matrix:
    """The matrix (3, 3) from light of some primaries to that of others, white stays."""
    return between(_CHROMATICITIES[before], _CHROMATICITIES[after])


def _weighed(light: Array, primaries: Primaries) -> Array:
    """Luminance of light (3, ...)."""
    weights = to_xyz(_CHROMATICITIES[primaries])[1].astype(np.float32)
    luminance: Array = np.tensordot(weights, light, 1)
    return luminance


def _through(matrix: Array, light: Array) -> Array:
    mixed: Array = np.tensordot(matrix.astype(np.float32), light.astype(np.float32, copy=False), 1)
    return mixed


# --- what is shown of light, and the way back


@functools.cache
def _display() -> tuple[Table, Table]:
    """Light -> sRGB, and back."""
    return Table(encoded, roots=1), Table(linear)


def shown(light: Light) -> Planes:
    """Light -> sRGB in [0, 1] of what lies there; what is no number is black."""
    return _display()[0](np.nan_to_num(light, nan=0.0, posinf=1.0, neginf=0.0))


def converted(values: Light, before: LightSpace | None, after: LightSpace | None) -> Light:
    """Values (3, ...) of one space as those of another; None is what a display of SDR is sent."""
    light = linear(values) if before is None else before.to_light(values)
    return shown(light) if after is None else after.from_light(light)


def carried(light: Light, was: Planes, is_now: Planes) -> Light:
    """Carry a change of the light that is shown into all of the light.

    Up to 1 the difference is added, so that what is not shown stays; above 1 light is multiplied as
    it is at 1, so that highlights keep their detail and take on the tint.

    Args:
        was, is_now: the light that was shown, and is to be, in [0, 1].
    """
    return np.where(light > 1.0, light * is_now, light + (is_now - was))


def moved(space: LightSpace, values: Light, change: PlaneSteps) -> Light:
    """The steps of a file's values that a change of shown colors comes to.

    Args:
        values: (3, h, w) float32, the file's.
        change: (3, h, w) float32, of what is shown of them.
    Returns:
        (3, h, w) float32; exactly 0 where nothing changes.
    """
    before = space.to_light(values)
    seen = shown(before)
    after = np.clip(seen + change, 0.0, 1.0)
    from_display = _display()[1]
    light = carried(before, from_display(seen), from_display(after))
    steps: Array = space.from_light(light) - space.from_light(before)
    steps[:, ~change.any(axis=0)] = 0.0
    return steps
