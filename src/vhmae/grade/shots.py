"""What harmonizing does to the colors of each shot: pixels before and after, and the color map
that comes nearest.

A grade is one map of colors for the whole foreground, so the part of a change that differs from
place to place is lost: how much that is, is measured on the pixels themselves. Letters: P pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np

from vhmae.arrays import (
    Array,
    ColorMap,
    Colors,
    Matte,
    Numbers,
    Thinned,
    UnitFrame,
    UnitMatte,
)
from vhmae.color.basis import apply_transform, fit_transform
from vhmae.color.cube import Cube, grid_colors
from vhmae.color.light import LightSpace, converted, moved, shown
from vhmae.engine.fading import nearly_in_full
from vhmae.engine.moving import SideName
from vhmae.engine.rendering import ColorChange
from vhmae.engine.sampling import changed_pixels
from vhmae.errors import InputError
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import VideoInfo
from vhmae.work.analysis import open_analysis
from vhmae.work.guiding import Heard, hear_guide
from vhmae.work.job import AnalysisJob
from vhmae.work.sources import Sources

CUBE_SIZE = 33
FINE_CUBE_SIZE = 65
"""Of HDR and log, whose values hold more than what is shown."""
SIDE = 96
"""A frame is looked at on a grid of this many places in a row and a column."""
EVERY_FRAMES = 6
"""Frames from one that is looked at to the next."""
LEAST_COVER = 1 / 16
"""What is softer is taken for so solid: its change would be made of rounding."""
MOST_PIXELS = 400_000
"""Pixels that are kept of a shot; of a longer one, every second is dropped as often as needed."""
MOST_MEASURED = 8192
"""Pixels of a graded shot on which grades are measured."""


@dataclasses.dataclass(frozen=True)
class KeyMap:
    """The color map around a frame."""

    index: int
    """Number of the frame in the video."""
    coefficients: ColorMap
    """(3, QUADRATIC) float64, residual (``color.transform``)."""


@dataclasses.dataclass(frozen=True)
class ShotGrade:
    """The grade of one shot."""

    number: int
    """From 1."""
    first: int
    """Number of its first frame in the video."""
    last: int
    coefficients: ColorMap
    """(3, QUADRATIC) float64: the map of the whole shot."""
    keys: tuple[KeyMap, ...]
    """Maps along the shot, one at the least."""
    before: Colors
    """(P, 3) float32: foreground pixels of the shot."""
    after: Colors
    """(P, 3) float32: the same, harmonized."""
    places: Numbers
    """(P,) int64: numbers of the frames that they are of."""
    space: LightSpace | None = None
    """What the file's values stand for, which suites grade; ``before`` and ``after`` are shown."""

    def values(self, pixels: Colors) -> Colors:
        """Shown colors (P, 3) as the file has them."""
        return self._converted(pixels, None, self.space)

    def shown(self, values: Colors) -> Colors:
        """The file's values (P, 3) as they are shown."""
        return self._converted(values, self.space, None)

    def _converted(
        self, colors: Array, before: LightSpace | None, after: LightSpace | None
    ) -> Array:
        if self.space is None:
            return colors
        return np.ascontiguousarray(converted(colors.T, before, after).T)

    side: SideName = "foreground"
    """What the grade is laid over: the foreground, or the background, where that moves."""
    object_number: int = 1
    """The object that it is laid over, from 1; 0 is the background."""

    @property
    def change_levels(self) -> float:
        """How much harmonizing changes the foreground: root mean square, in levels of 255."""
        return _rms(self.after - self.before)

    def levels_left(self, graded: Colors) -> float:
        """How much of the change a grade leaves undone; ``graded`` is what it makes of
        ``before``."""
        return _rms(self.after - graded)

    def graded_by_keys(self) -> Colors:
        """What the key maps make of ``before``, blended by frame."""
        keys = np.array([key.index for key in self.keys])
        low = np.maximum(np.searchsorted(keys, self.places, side="right") - 1, 0)
        high = np.minimum(low + 1, len(keys) - 1)
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

    def graded_by_tables(self, tables: Sequence[Cube]) -> Colors:
        """What tables of the key maps make of ``before``: each frame by the one at or before it."""
        keys = np.array([key.index for key in self.keys])
        at = np.maximum(np.searchsorted(keys, self.places, side="right") - 1, 0)
        graded = self.before.copy()
        for index, table in enumerate(tables):
            if (rows := at == index).any():
                graded[rows] = self.shown(table.apply(self.values(self.before[rows])))
        return graded

    def lut(self) -> Cube:
        """The shot's map as a table."""
        return bake(self.coefficients, f"shot {self.number}", self.space)


def bake(coefficients: ColorMap, name: str, space: LightSpace | None = None) -> Cube:
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
    heard_by: Callable[[Heard | None], None] = lambda heard: None,
    most_keys: int | None = None,
    is_timed: bool = False,
) -> tuple[list[ShotGrade], dict[SideName, VideoInfo], list[str]]:
    """Look at a video and fit a map to each of its shots that has a foreground; where several
    objects or both sides move, one of each, those of the first object first.

    Args:
        every: frames from one key map to the next; None takes one map a shot.
        look_at: is shown the facts of each file that is graded before the work, and may refuse
            them.
        heard_by: is told what came of the job's guide.
        most_keys: of a shot; a longer one has them further apart. None sets no limit.
        is_timed: whether what is made of the grades names frames of the file.
    Returns:
        The grades, the facts of the file that each side's are laid over, and what the user should
        know.
    Raises:
        InputError: for what the caller can mend, as harmonizing does.
    """
    analysis = open_analysis(job)
    named = list(dict.fromkeys(harmonizer.side.of for harmonizer in analysis.harmonizers))
    facts = {side: graded_file(analysis.sources, side, is_timed) for side in named}
    for info in facts.values():
        look_at(info)
    analysis.survey()
    heard = hear_guide(analysis)
    heard_by(heard)
    sides = [
        _Side(
            harmonizer.side.of,
            object_number,
            every,
            most_keys,
            _space_of(facts[harmonizer.side.of]),
        )
        for object_number, harmonizer in zip(analysis.objects, analysis.harmonizers, strict=True)
    ]
    seen = damaged = 0
    ready = analysis.harmonized(analysis.sources.frames(count=True))
    for (timed, _), covers, changes, number, shares in ready:
        seen, damaged = seen + 1, damaged + timed.decoded.is_corrupt
        for side, cover, change, share in zip(sides, covers, changes, shares, strict=True):
            side.look_at(number, timed.index, timed.image, cover, change, share)
    grades = [grade for side in sides for grade in side.ended()]
    if not grades:
        raise InputError(f"{job.composite}: no shot has a foreground to grade; check the mask")
    return (
        grades,
        facts,
        analysis.warnings(seen, damaged) + (heard.warnings if heard is not None else []),
    )


def graded_file(sources: Sources, side: SideName, is_timed: bool = False) -> VideoInfo:
    """The file that a side's grades are laid over: of two layers its own, shown for as long as
    both.

    Raises:
        InputError: where frames of it are to be named, and it is laid by its times.
    """
    whole, layers = sources.info, sources.layers
    if layers is None or side == "background":
        return whole
    own = layers.foreground
    if layers.by_time and is_timed:
        raise InputError(
            f"{own.path}: is laid by its times, which are uneven or the background's are: a grade "
            "could not say which of its frames it is for; conform it first"
        )
    if own.frames > 1:
        return own
    return dataclasses.replace(own, frames=whole.frames, fps=whole.fps, numbers=None)


def _space_of(info: VideoInfo) -> LightSpace | None:
    """What a file's values stand for; grades of OpenEXR are for sRGB."""
    return None if info.codec == "exr" else info.encoding.space


def grade_of_pairs(pairs: Iterable[tuple[UnitFrame, UnitFrame, UnitMatte]]) -> ShotGrade:
    """Fit a map to the frames of one shot that somebody has harmonized already.

    Args:
        pairs: a frame before and after (H, W, 3), and its matte (H, W), in the order of the shot.
    Raises:
        InputError: where no frame has a foreground.
    """
    shot = GradedShot(0)
    for index, (before, after, matte) in enumerate(pairs):
        shot.last = index
        if (index % EVERY_FRAMES == 0 or not shot.indices) and matte.any():
            shot.add(index, *_whole_change(before, after, matte))
    grades = shot.grade(1, None)
    if not grades:
        raise InputError("no frame has a foreground to grade; check the mask")
    return grades[0]


def _whole_change(before: UnitFrame, after: UnitFrame, matte: UnitMatte) -> tuple[Colors, Colors]:
    """Pixels of a foreground before, and as they would be where it were solid: (P, 3) each. What is
    soft was changed in part; a grade is laid over it by its matte, too."""
    seen, became, cover = (
        cv2.resize(np.ascontiguousarray(one), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
        for one in (before, after, matte.astype(np.float32))
    )
    inside = cover >= 0.5
    if not inside.any():  # thinner than the grid's step, or soft all over: its most solid pixels
        seen, became, cover = before, after, matte
        places = np.flatnonzero(matte >= 0.5 * matte.max())
        picks = np.linspace(0, len(places) - 1, min(SIDE * SIDE, len(places))).astype(int)
        inside = np.zeros(matte.shape, bool)
        inside.flat[places[picks]] = True
    part = np.maximum(cover[inside], LEAST_COVER)[:, None]
    return seen[inside], seen[inside] + (became[inside] - seen[inside]) / part


class _Side:
    """The grades of an object or of the background, shot by shot: a film has a thousand shots, so
    each is graded as it ends, and few of its pixels are kept."""

    def __init__(
        self,
        name: SideName,
        object_number: int,
        every: int | None,
        most_keys: int | None,
        space: LightSpace | None,
    ) -> None:
        self.name, self.object_number = name, object_number
        self.every, self.most_keys = every, most_keys
        self.space = space
        self._grades: list[ShotGrade] = []
        self._shot, self._number = GradedShot(0, space, every), -1

    def look_at(
        self,
        shot: int,
        index: int,
        image: PlanarFrame,
        matte: Matte,
        change: ColorChange | None,
        share: float,
    ) -> None:
        if shot != self._number:
            self._end()
            self._shot, self._number = GradedShot(index, self.space, self.every), shot
        self._shot.last = index
        if change is not None and self._shot.wants(index, share):
            self._shot.look_at(index, image, matte, change, share)

    def ended(self) -> list[ShotGrade]:
        """All grades, the last shot's with them."""
        self._end()
        return self._grades

    def _end(self) -> None:
        found = self._shot.grade(self._number + 1, self.every, self.most_keys)
        self._grades += [
            dataclasses.replace(one, side=self.name, object_number=self.object_number)
            for one in found
        ]


class GradedShot:
    """Pixels of a shot as they come in."""

    def __init__(
        self, first: int, space: LightSpace | None = None, every: int | None = None
    ) -> None:
        self.space = space
        self.step = EVERY_FRAMES if every is None else min(EVERY_FRAMES, every)
        self.first = self.last = first
        self.indices: list[int] = []
        self._shares: list[float] = []
        """How much of the shot's change each of them has: less of it in a fade."""
        self._pixels = Thinned(MOST_PIXELS)  # (P, 6): before, after

    def wants(self, index: int, share: float) -> bool:
        """Whether a frame is looked at: now and then, and where it shows more than any before."""
        if not self.indices or index - self.indices[-1] >= self.step:
            return True
        return share > max(self._shares)

    def look_at(
        self, index: int, image: PlanarFrame, matte: Matte, change: ColorChange, share: float
    ) -> None:
        before, added = changed_pixels(image, matte, SIDE, change.change)
        if len(before):
            self.add(index, before, before + added, share)

    def add(self, index: int, before: Colors, after: Colors, share: float = 1.0) -> None:
        """Keep pixels of a frame, before and after, (P, 3) each."""
        pixels = np.concatenate([before, after], axis=1).astype(np.float32)
        self.indices.append(index)
        self._shares.append(share)
        self._pixels.add(pixels)

    def grade(
        self, number: int, every: int | None, most_keys: int | None = None
    ) -> list[ShotGrade]:
        """The shot's grade; none where it has shown no foreground."""
        if not self.indices:
            return []
        if every is not None and most_keys is not None:
            every = max(every, -(-(self.last + 1 - self.first) // most_keys))
        parts = self._pixels.parts
        places = np.repeat(self.indices, [len(part) for part in parts])
        shares = np.repeat(self._shares, [len(part) for part in parts])
        pixels, full = np.concatenate(parts), nearly_in_full(shares)
        # One map is that of the shot as it is shown in full; maps along it follow its fades.
        shown = pixels[full]
        part = np.maximum(shares[full, None] / max(shares.max(), 1e-6), 1e-6)
        shown[:, 3:] = shown[:, :3] + (shown[:, 3:] - shown[:, :3]) / part
        whole = fit_transform(shown[:, :3], shown[:, 3:])
        keys = [KeyMap(self.first, whole)] if every is None else self._key_maps(every, whole)
        if every is None:
            pixels, places = shown, places[full]
        before, after = pixels[:, :3], pixels[:, 3:]
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
            near = [
                part for part, at in zip(self._pixels.parts, nearest, strict=True) if at == place
            ]
            if not near:
                maps.append(KeyMap(key, maps[-1].coefficients if maps else whole))
                continue
            pixels = np.concatenate(near).astype(np.float64)
            shown, made = pixels[:, :3], pixels[:, 3:]
            rest = made - apply_transform(shown, whole)
            maps.append(KeyMap(key, whole + fit_transform(shown, shown + rest)))
        return maps


def _rms(difference: Array) -> float:
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64)))) * 255.0
