"""Six dials of a compositor, in linear light, and the quadratic maps that stand for them.

Dials turn an answer: the map is fitted to what they make of it in the colors of the foreground.
Read back, a map is the setting that comes nearest to it in these colors, and what is left over. P
colors.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from vhmae.arrays import Array, ColorMap, Colors, Covariance, UnitColors
from vhmae.guide.checks import check_number, make_plain
from vhmae.guide.colors import LEVELS, LUMA, SIZE, TERMS, added, basis, from_light, to_light

GRAY = 0.18
"""Middle gray, about which contrast turns."""
WARM = np.array([0.5, 0.0, -0.5])
GREEN = np.array([-1.0, 2.0, -1.0]) / 3.0
"""Stops a channel of temperature and tint at 100; they sum to 0, so that exposure stays what it
is."""
UNITS = np.array([1.0, 100.0, 100.0, 1.0, 10.0, 1.0])
"""A full turn of each dial: steps and the pull to 0 are measured in these."""
GRID = np.stack(np.meshgrid(*[np.linspace(0.0, 1.0, 5)] * 3, indexing="ij"), -1).reshape(-1, 3)
GRID_SHARE = 0.005
"""How much all colors count beside those of the foreground: a map fitted to a few dark colors alone
would run wild in light ones, which the next frame may show."""
RIDGE = 1e-6
FIT_STEPS = 40
"""Of the fit to goals that are cut off at black or white."""
PULL = 1e-6
"""Keeps dials at 0 which the colors say nothing about: the saturation of grays, say."""
MOST_COLORS = 1024


DIAL_RANGES = {
    "exposure": 8.0,
    "temperature": 100.0,
    "tint": 100.0,
    "contrast": 2.0,
    "blacks": 50.0,
    "saturation": 4.0,
}
"""How far each dial turns, either way."""
DIALS = tuple(DIAL_RANGES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dials:
    """Six words of a compositor, turned in linear light, in this order."""

    exposure: float = 0.0
    """Stops."""
    temperature: float = 0.0
    """-100 (blue) to 100 (red): 100 is one stop of red against blue."""
    tint: float = 0.0
    """-100 (magenta) to 100 (green): 100 is one stop of green against both others."""
    contrast: float = 0.0
    """An exponent of 2**contrast about middle gray, .18."""
    blacks: float = 0.0
    """Per cent of white that is added."""
    saturation: float = 0.0
    """A factor of 2**saturation about luma."""

    def __post_init__(self) -> None:
        make_plain(self)
        for name, reach in DIAL_RANGES.items():
            check_number(getattr(self, name), name, -reach, reach)

    def __bool__(self) -> bool:
        return any(self.values())

    def values(self) -> tuple[float, ...]:
        """The six, in order."""
        return tuple(float(getattr(self, name)) for name in DIALS)


@dataclasses.dataclass(frozen=True)
class Reading:
    """A map in a compositor's words."""

    dials: Dials
    change_levels: float
    """How much the map changes these colors: root mean square, in levels of 255."""
    left_levels: float
    """How much of it the dials do not say, likewise."""


def turn(colors: UnitColors, dials: Dials) -> UnitColors:
    """Turn the dials on colors: (..., 3) sRGB-encoded -> the same; white may be exceeded."""
    return _turn(colors, np.array(dials.values()))


def dial_change(colors: Colors, overall: ColorMap, dials: Dials) -> ColorMap:
    """The change of a map that turns its answer as the dials say.

    Args:
        colors: (P, 3), of the foreground as it came.
        overall: (30,), the map that is turned.
    Returns:
        (30,), to be added to the map.
    """
    if not dials:
        return np.zeros(SIZE)
    colors = _spread(colors)
    shown = np.concatenate([colors, GRID])
    # The grid counts as a share of all.
    shares = np.full((len(shown), 1), GRID_SHARE * len(colors) / len(GRID))
    shares[: len(colors)] = 1.0
    answer = shown + added(shown, overall)
    goal = turn(answer, dials)
    terms = basis(shown)
    normal = terms.T @ (shares * terms) + RIDGE * len(colors) * np.eye(TERMS)
    nearest = np.linalg.solve(normal, (shares * terms).T)
    # What lies below black or above white is cut off there, wherever it lies: a color whose goal is
    # cut off and which is beyond asks for nothing more: what it has is taken for its goal. At white
    # a goal keeps what lies beyond, which converges faster; no minimum is promised. Nesterov's step
    # ahead makes it fast (Beck and Teboulle, 2009, in the metric of `normal`).
    change = ahead = nearest @ (goal - answer)
    for step in range(1, FIT_STEPS):
        made = answer + terms @ ahead
        beyond = ((goal <= 0.0) & (made < 0.0)) | ((goal >= 1.0) & (made > 1.0))
        found = nearest @ (np.where(beyond, made, goal) - answer)
        ahead = found + (step - 1) / (step + 2) * (found - change)
        change = found
    return change.T.ravel()


def read_dials(colors: Colors, overall: ColorMap) -> Reading:
    """The setting of the dials that comes nearest to a map.

    Args:
        colors: (P, 3), of the foreground as it came.
        overall: (30,).
    """
    colors = np.clip(_spread(colors), 0.0, 1.0)
    return fit_dials(colors, colors + added(colors, overall))


def fit_dials(colors: Colors, after: Colors) -> Reading:
    """The setting of the dials that comes nearest to a change of colors, by damped least squares
    (Levenberg-Marquardt).

    Args:
        colors, after: (P, 3), as they came and as they come out.
    """
    colors, goal = (np.clip(_spread(part), 0.0, 1.0) for part in (colors, after))
    setting, error, damping = np.zeros(6), np.inf, 1e-3
    residual, found = _residual(colors, goal, setting)
    for _ in range(40):
        slopes = _slopes(colors, goal, setting)
        normal = slopes.T @ slopes
        step = np.linalg.solve(
            normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(6), -slopes.T @ residual
        )
        tried = np.clip(setting + step, -_reach(), _reach())
        after, error = _residual(colors, goal, tried)
        if error >= found:
            damping *= 8.0
            if damping > 1e6:
                break
            continue
        settled = found - error < 1e-9 * found + 1e-15
        setting, residual, found, damping = tried, after, error, max(damping / 4.0, 1e-9)
        if settled:
            break
    values = dict(zip(DIALS, (setting * UNITS).tolist(), strict=True))
    left = _turn(colors, setting * UNITS).clip(0.0, 1.0) - goal
    return Reading(Dials(**values), _levels(goal - colors), _levels(left))


def dial_deviations(colors: Colors, dials: Dials, covariance: Covariance) -> Dials:
    """How far each dial may be off where the map that it was read off is not known for certain.

    The reading is taken as linear about its setting: to the first order, its error is that of
    least squares over these colors.

    Args:
        colors: (P, 3), of the foreground as it came.
        covariance: (30, 30), of the map.
    Returns:
        One deviation of each dial; no more than the dial turns.
    """
    colors = np.clip(_spread(colors), 0.0, 1.0)
    setting = np.array(dials.values()) / UNITS
    goal = _turn(colors, setting * UNITS).clip(0.0, 1.0)
    slopes = _slopes(colors, goal, setting)
    # The residual's rows are the colors' channels, then the pull's; a map moves the former alone.
    moved = np.kron(basis(colors), np.eye(3)).reshape(len(colors), 3, TERMS, 3)
    by_map = moved.transpose(0, 1, 3, 2).reshape(3 * len(colors), SIZE) / np.sqrt(3 * len(colors))
    normal = slopes.T @ slopes + 1e-12 * np.eye(6)
    read = np.linalg.solve(normal, slopes[: len(by_map)].T @ by_map)
    spread = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", read, covariance, read), 0.0))
    found = np.minimum(spread, _reach()) * UNITS
    return Dials(**dict(zip(DIALS, found.tolist(), strict=True)))


def _turn(colors: Array, values: Array) -> Array:
    exposure, temperature, tint, contrast, blacks, saturation = values
    gains = 2.0 ** (exposure + temperature / 100.0 * WARM + tint / 100.0 * GREEN)
    light = to_light(colors) * gains
    light = GRAY * (light / GRAY) ** (2.0**contrast) + blacks / 100.0
    gray = (light @ LUMA)[..., None]
    return from_light(gray + (light - gray) * 2.0**saturation)


def _reach() -> Array:
    return np.array(list(DIAL_RANGES.values())) / UNITS


def _residual(colors: Array, goal: Array, setting: Array) -> tuple[Array, float]:
    """Differences of all colors and the pull to 0, and the sum of their squares."""
    apart = (_turn(colors, setting * UNITS).clip(0.0, 1.0) - goal).ravel() / np.sqrt(goal.size)
    residual = np.concatenate([apart, np.sqrt(PULL) * setting])
    return residual, float(residual @ residual)


def _slopes(colors: Array, goal: Array, setting: Array, step: float = 1e-4) -> Array:
    """Derivatives of the residual by the dials, in units of full turns, by central differences."""
    columns = []
    for dial in range(6):
        moved = np.zeros(6)
        moved[dial] = step
        ahead, behind = (_residual(colors, goal, setting + sign * moved)[0] for sign in (1, -1))
        columns.append((ahead - behind) / (2.0 * step))
    return np.stack(columns, axis=1)


def _spread(colors: Array) -> Array:
    picks = np.linspace(0, len(colors) - 1, min(MOST_COLORS, len(colors))).astype(int)
    return np.asarray(colors, np.float64)[picks]


def _levels(difference: Array) -> float:
    return float(LEVELS * np.sqrt(np.square(difference).mean()))
