"""What harmonizing does to the colours of each shot: pixels before and after, and the colour map
that comes nearest.

A grade is one map of colours for the whole foreground, so the part of a change that differs from
place to place is lost: how much that is, is measured on the pixels themselves. Letters: P pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np

from vhmae.arrays import Array, to_unit
from vhmae.color.basis import apply_transform, fit_transform
from vhmae.color.cube import Cube, grid_colors
from vhmae.color.light import LightSpace, converted, moved, shown
from vhmae.engine.rendering import ColorChange
from vhmae.errors import InputError
from vhmae.video.planes import Box, PlanarFrame
from vhmae.video.probe import VideoInfo
from vhmae.work.analysis import open_analysis
from vhmae.work.guiding import hear_guide
from vhmae.work.job import AnalysisJob

CUBE_SIZE = 33
FINE_CUBE_SIZE = 65
"""Of HDR and log, whose values hold more than what is shown."""
SIDE = 96
"""A frame is looked at on a grid of this many places in a row and a column."""
EVERY_FRAMES = 6
"""Frames from one that is looked at to the next."""
MOST_PIXELS = 400_000
"""Pixels that are kept of a shot; of a longer one, every second is dropped as often as needed."""
MOST_MEASURED = 8192
"""Pixels of a graded shot on which grades are measured."""


@dataclasses.dataclass(frozen=True)
class KeyMap:
    """The colour map around a frame."""

    index: int
    """Number of the frame in the video."""
    coefficients: Array
    """(3, QUADRATIC) float64, residual (``color.transform``)."""


@dataclasses.dataclass(frozen=True)
class ShotGrade:
    """The grade of one shot."""

    number: int
    """From 1."""
    first: int
    """Number of its first frame in the video."""
    last: int
    coefficients: Array
    """(3, QUADRATIC) float64: the map of the whole shot."""
    keys: tuple[KeyMap, ...]
    """Maps along the shot, one at the least."""
    before: Array
    """(P, 3) float32: foreground pixels of the shot."""
    after: Array
    """(P, 3) float32: the same, harmonized."""
    places: Array
    """(P,) int64: numbers of the frames that they are of."""
    space: LightSpace | None = None
    """What the file's values stand for, which suites grade; ``before`` and ``after`` are shown."""

    def values(self, pixels: Array) -> Array:
        """Shown colours (P, 3) as the file has them."""
        return self._converted(pixels, None, self.space)

    def shown(self, values: Array) -> Array:
        """The file's values (P, 3) as they are shown."""
        return self._converted(values, self.space, None)

    def _converted(
        self, colors: Array, before: LightSpace | None, after: LightSpace | None
    ) -> Array:
        if self.space is None:
            return colors
        return np.ascontiguousarray(converted(colors.T, before, after).T)

    @property
    def change_levels(self) -> float:
        """How much harmonizing changes the foreground: root mean square, in levels of 255."""
        return _rms(self.after - self.before)

    def levels_left(self, graded: Array) -> float:
        """How much of the change a grade leaves undone; ``graded`` is what it makes of
        ``before``."""
        return _rms(self.after - graded)

    def graded_by_keys(self, blend: bool) -> Array:
        """What the key maps make of ``before``: blended by frame, or each frame by the map at or
        before it."""
        keys = np.array([key.index for key in self.keys])
        low = np.maximum(np.searchsorted(keys, self.places, side="right") - 1, 0)
        high = np.minimum(low + 1, len(keys) - 1)
        share = np.zeros(len(low), np.float32)
        if blend:
            between = np.maximum(keys[high] - keys[low], 1)
            share = np.clip((self.places - keys[low]) / between, 0.0, 1.0).astype(np.float32)
        moved = np.zeros_like(self.before)
        for index, key in enumerate(self.keys):
            weight = (low == index) * (1.0 - share) + (high == index) * share
            rows = np.flatnonzero(weight)
            shown = self.before[rows]
            change = apply_transform(shown, key.coefficients.astype(np.float32)) - shown
            moved[rows] += weight[rows, None] * change
        graded: Array = np.clip(self.before + moved, 0.0, 1.0)
        return graded

    def lut(self) -> Cube:
        """The shot's map as a table."""
        return bake(self.coefficients, f"shot {self.number}", self.space)


def bake(coefficients: Array, name: str, space: LightSpace | None = None) -> Cube:
    """A map (3, K) as a 3-D LUT, clipped to [0, 1] as the renderer clips.

    Args:
        space: what the values stand for that the LUT is for: it carries the map into their light.
    """
    grid = grid_colors(CUBE_SIZE if space is None else FINE_CUBE_SIZE)
    values = np.moveaxis(grid, -1, 0)
    seen = grid if space is None else np.moveaxis(shown(space.to_light(values)), 0, -1)
    graded = np.clip(apply_transform(seen, coefficients.astype(np.float32)), 0.0, 1.0)
    if space is not None:
        steps = moved(space, values, np.moveaxis(graded - seen, -1, 0))
        graded = np.clip(grid + np.moveaxis(steps, 0, -1), 0.0, 1.0)
    return Cube(graded, name)


def grade_shots(
    job: AnalysisJob,
    every: int | None = None,
    look_at: Callable[[VideoInfo], None] = lambda info: None,
) -> tuple[list[ShotGrade], VideoInfo, list[str]]:
    """Look at a video and fit a map to each of its shots that has a foreground.

    Args:
        every: frames from one key map to the next; None takes one map a shot.
        look_at: is shown the facts of the video before the work, and may refuse them.
    Returns:
        The grades, the facts of the video, and what the user should know.
    Raises:
        InputError: for what the caller can mend, as harmonizing does.
    """
    analysis = open_analysis(job)
    look_at(analysis.sources.info)
    analysis.survey()
    heard = hear_guide(analysis)
    grades: list[ShotGrade] = []
    space = analysis.sources.info.encoding.space
    shot, current = _Shot(0, space), -1
    seen = damaged = 0
    for (timed, mattes), (change, *_), number in analysis.harmonized(
        analysis.sources.frames(count=True)
    ):
        if (
            number != current
        ):  # a film has a thousand shots: each is graded as it ends, and few of its pixels are kept
            grades += shot.grade(len(grades) + 1, every)
            shot, current = _Shot(timed.index, space), number
        shot.last = timed.index
        seen, damaged = seen + 1, damaged + timed.decoded.is_corrupt
        if change is not None and (
            not shot.indices or timed.index - shot.indices[-1] >= EVERY_FRAMES
        ):
            shot.look_at(timed.index, timed.image, mattes[0], change)
    grades += shot.grade(len(grades) + 1, every)
    if not grades:
        raise InputError(f"{job.composite}: no shot has a foreground to grade; check the mask")
    return (
        grades,
        analysis.sources.info,
        analysis.warnings(seen, damaged) + (heard.warnings if heard is not None else []),
    )


class _Shot:
    """Pixels of a shot as they come in."""

    def __init__(self, first: int, space: LightSpace | None) -> None:
        self.space = space
        self.first = self.last = first
        self.indices: list[int] = []
        self._pixels: list[Array] = []  # (P, 6) each: before, after
        self._kept_one_in = 1

    def look_at(self, index: int, image: PlanarFrame, matte: Array, change: ColorChange) -> None:
        before = image.sample(SIDE, SIDE)  # (3, S, S)
        inside = (
            to_unit(cv2.resize(_stored(matte), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST))
            >= 0.5
        )
        if not inside.any():  # thinner than the grid's step
            inside = (
                to_unit(cv2.resize(_stored(matte), (SIDE, SIDE), interpolation=cv2.INTER_AREA))
                > 0.0
            )
        if not inside.any():
            return
        after = before + change.change(before, Box(0, 0, SIDE, SIDE), SIDE, SIDE)
        pixels = np.concatenate([before[:, inside], after[:, inside]]).T.astype(np.float32)
        self.indices.append(index)
        self._pixels.append(pixels[:: self._kept_one_in])
        if sum(map(len, self._pixels)) > MOST_PIXELS:
            self._kept_one_in *= 2
            self._pixels = [part[::2] for part in self._pixels]

    def grade(self, number: int, every: int | None) -> list[ShotGrade]:
        """The shot's grade; none where it has shown no foreground."""
        if not self.indices:
            return []
        pixels = np.concatenate(self._pixels)
        before, after = pixels[:, :3], pixels[:, 3:]
        whole = fit_transform(before, after)
        keys = [KeyMap(self.first, whole)] if every is None else self._key_maps(every, whole)
        places = np.repeat(self.indices, [len(part) for part in self._pixels])
        step = -(-len(pixels) // MOST_MEASURED)
        before, after, places = (part[::step].copy() for part in (before, after, places))
        return [
            ShotGrade(
                number=number,
                first=self.first,
                last=self.last,
                coefficients=whole,
                keys=tuple(keys),
                before=before,
                after=after,
                places=places,
                space=self.space,
            )
        ]

    def _key_maps(self, every: int, whole: Array) -> list[KeyMap]:
        """Maps fitted to what was seen nearest to each key frame; what no pixel tells is the whole
        shot's."""
        keys = list(range(self.first, self.last + 1, every))
        nearest = np.abs(np.subtract.outer(self.indices, keys)).argmin(axis=1)
        maps: list[KeyMap] = []
        for place, key in enumerate(keys):
            near = [part for part, at in zip(self._pixels, nearest, strict=True) if at == place]
            if not near:
                maps.append(KeyMap(key, maps[-1].coefficients if maps else whole))
                continue
            pixels = np.concatenate(near).astype(np.float64)
            shown, made = pixels[:, :3], pixels[:, 3:]
            rest = made - apply_transform(shown, whole)
            maps.append(KeyMap(key, whole + fit_transform(shown, shown + rest)))
        return maps


def _stored(matte: Array) -> Array:
    return matte if matte.dtype in (np.uint8, np.uint16) else matte.astype(np.float32)


def _rms(difference: Array) -> float:
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64)))) * 255.0
