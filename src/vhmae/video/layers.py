"""Two layers composited: a foreground with a matte laid over a background, in the background's own
planes.

``out = background + alpha (foreground - background)``, added to the planes as a change of color:
where the foreground is not, the background's code values stay exactly what they were.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction

import cv2
import numpy as np

from vhmae.arrays import Array, Matrix, Matte, Picture, Places, to_unit
from vhmae.color.light import converted
from vhmae.color.srgb import linear
from vhmae.errors import InputError, MissingMatte, counted
from vhmae.video.encoders import is_even
from vhmae.video.laying import numbers_told, picked, seconds_of
from vhmae.video.matte import MatteSource, alpha_matte, has_alpha
from vhmae.video.pairing import Pairing, check_partners, pair_up
from vhmae.video.placement import Placement
from vhmae.video.planes import Box, PlanarFrame, matte_box
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import TimedFrame, read_frames
from vhmae.video.tags import encodable

FRAMES_LOOKED_AT = 12
"""Frames that tell whether a layer looks multiplied by its alpha."""
SOFT_PIXELS = 64
"""Pixels of a soft edge that are needed to tell."""
ABOVE_SHARE = 0.02
"""Of a soft edge's pixels, where a lossy codec may have lifted colors above the alpha."""
NOISE = 6.0 / 255.0
TIME_TOLERANCE = 0.1
"""Of a frame of the background: layers whose times differ by less are shown together."""


class LayeredSource:
    """Frames of a background with a foreground laid over them, and the foreground's matte at the
    background's size."""

    def __init__(
        self,
        background: VideoInfo,
        foreground: VideoInfo,
        mattes: MatteSource | None,
        placement: Placement,
        needed_frames: int,
        pair: Pairing = "number",
    ) -> None:
        """Put the layers together.

        Args:
            background: one picture stands still for as long as the foreground lasts.
            mattes: those of the foreground, at its own size; None takes its alpha channel.
            needed_frames: frames of the background that are asked for.
            pair: how the pictures of two sequences go together.
        """
        self.warnings: list[str] = []
        self.lost: set[int] = set()
        """Numbers of frames whose foreground could not be decoded."""
        background, foreground = self._paired(background, foreground, pair)
        needed_frames = min(needed_frames, background.frames)
        stands = background.files is not None and background.frames == 1 and foreground.frames > 1
        if stands:
            assert background.files is not None
            background = dataclasses.replace(
                background,
                files=background.files * foreground.frames,
                numbers=foreground.numbers,
                frames=foreground.frames,
                fps=foreground.fps,
                duration_seconds=foreground.duration_seconds,
            )
            needed_frames = foreground.frames
        self.background = background
        self.foreground = foreground
        self.mattes = mattes
        self.placement = placement
        if mattes is None and not has_alpha(foreground):
            raise MissingMatte(
                "has no alpha channel; give its `masks`", field="foreground", value=foreground.path
            )
        self._places = None if stands else _by_time(background, foreground)
        if (
            self._places is None
            and foreground.files is None
            and background.files is None
            and abs(float(foreground.fps / background.fps) - 1.0) > 0.001
        ):
            raise InputError(
                f"has {float(foreground.fps):.3f} frames a second, the background "
                f"{float(background.fps):.3f}; conform one to the other",
                field="foreground",
                value=foreground.path,
            )
        if self._places is not None:
            self._check_times(needed_frames)
        elif 1 < foreground.frames < needed_frames:
            raise InputError(
                f"has {counted(foreground.frames, 'frame')} but {background.path.name} has "
                f"{background.frames}; trim the background or pass `end`",
                field="foreground",
                value=foreground.path,
            )
        if stands and not is_even(foreground):
            self.warnings.append(
                f"{foreground.path} shows its frames for uneven times: before the still background "
                f"each is shown as long as the others, {float(foreground.fps):.3f} a second"
            )
        own, other = (info.pixel_aspect or Fraction(1) for info in (foreground, background))
        if own != other:
            self.warnings.append(
                f"{foreground.path} has pixels {_ratio(own)}, {background.path.name} "
                f"{_ratio(other)}: it is laid pixel for pixel and shown in another shape; scale it "
                "first"
            )
        if self._places is None and foreground.frames > background.frames:
            self.warnings.append(
                f"{foreground.path} has {counted(foreground.frames, 'frame')}, "
                f"{background.path.name} has "
                f"{background.frames}: the rest is left out"
            )

    def _check_times(self, needed_frames: int) -> None:
        """Refuse a foreground that ends before the background, where either shows its frames for
        uneven times."""
        assert self._places is not None
        ended = np.flatnonzero(self._places[:needed_frames] < 0)
        if len(ended):
            raise InputError(
                f"ends before frame {int(ended[0])} of {self.background.path.name}; trim the "
                "background or pass `end`",
                field="foreground",
                value=self.foreground.path,
            )
        uneven = self.foreground if not is_even(self.foreground) else self.background
        self.warnings.append(
            f"{uneven.path} shows its frames for uneven times: each frame of "
            f"{self.background.path.name} is given the foreground of its time"
        )

    def _paired(
        self, background: VideoInfo, foreground: VideoInfo, pair: Pairing
    ) -> tuple[VideoInfo, VideoInfo]:
        """Two sequences with the pictures in their order that go together."""
        if background.frames == 1 or foreground.frames == 1:
            return background, foreground
        numbers, partners = numbers_told(background), numbers_told(foreground)
        places, warning = pair_up(
            (background.path, numbers),
            (foreground.path, partners),
            pair,
            (background.frames, foreground.frames),
        )
        self.warnings += [warning] if warning else []
        if places is None or numbers is None or partners is None:
            return background, foreground
        if pair == "overlap":
            background = picked(background, [at for at, place in enumerate(places) if place >= 0])
            places = tuple(place for place in places if place >= 0)
        else:
            check_partners((background.path, numbers), foreground.path, partners, places)
        return background, picked(foreground, places)

    def doubt(self) -> str | None:
        """What is said where the foreground looks multiplied by its alpha, and is not taken so:
        its edges would be dark."""
        if self.placement.premultiplied or self.foreground.associated:
            return None
        mattes = self.mattes.read(self.foreground) if self.mattes is not None else None
        soft = above = 0
        for front in itertools.islice(read_frames(self.foreground), FRAMES_LOOKED_AT):
            matte = next(mattes) if mattes is not None else alpha_matte(front.image)
            counted = _above_alpha(front.image, to_unit(matte), self.foreground.codec == "exr")
            if counted is None:
                return None
            soft, above = soft + counted[0], above + counted[1]
        if soft < SOFT_PIXELS or above > ABOVE_SHARE * soft:
            return None
        return (
            f"{self.foreground.path} looks multiplied by its alpha: no color is above it, "
            "and black where it is nothing; where it is, pass `premultiplied`"
        )

    def read(
        self, first: int = 0, is_past: Callable[[TimedFrame], bool] = lambda timed: False
    ) -> Iterator[tuple[TimedFrame, Matte]]:
        """Composited frames with their mattes (uint16), from a number on.

        Args:
            is_past: whether a frame of the background lies past what is wanted: such a one comes
                as it is, and is the last, since the foreground may have ended there.
        """
        still = self.foreground.frames == 1
        fronts = self._fronts(0 if still else max(0, self.place(first)))
        coming = next(fronts, None)
        front: tuple[TimedFrame, Array] | None = None
        for timed in read_frames(self.background, first=first):
            if is_past(timed):
                yield timed, np.zeros((timed.image.height, timed.image.width), np.uint16)
                return
            place = self.place(timed.index)
            while coming is not None and (
                front is None or (not still and coming[0].index <= place)
            ):
                front, coming = coming, next(fronts, None)
            if front is None or (not still and not 0 <= place < self.foreground.frames):
                raise InputError(
                    "ends before the background; trim the background or pass `end`",
                    field="foreground",
                    value=self.foreground.path,
                )
            if not still and front[0].index != place:  # a frame that could not be decoded
                self.lost.add(timed.index)
            yield self._laid(timed, front[0].image, front[1])

    @property
    def by_time(self) -> bool:
        """Whether the foreground's frames are laid by their times, not one by one."""
        return self._places is not None

    def place(self, index: int) -> int:
        """The foreground's frame of one of the background's, -1 where it has ended."""
        if self._places is None:
            return index
        return int(self._places[index]) if index < len(self._places) else -1

    def _fronts(self, first: int) -> Iterator[tuple[TimedFrame, Array]]:
        """The foreground's frames from a number on, each with its matte."""
        mattes = self.mattes.read(self.foreground, first) if self.mattes is not None else None
        at = first - 1
        for front in read_frames(self.foreground, first=first):
            # Frames that cannot be decoded leave gaps, which the mattes do not have.
            gap = max(0, front.index - at - 1)
            at = front.index
            if mattes is None:
                yield front, alpha_matte(front.image)
            else:
                yield front, next(itertools.islice(mattes, gap, None))

    def told_of_lost(self) -> list[str]:
        """What is to be said of frames of the foreground that could not be decoded."""
        if not self.lost:
            return []
        lost = len(self.lost)
        return [
            f"{self.foreground.path} is damaged: {lost} of its {self.foreground.frames} frames "
            f"could not be decoded, and the frame beside {'it' if lost == 1 else 'them'} was laid"
        ]

    def _laid(
        self, timed: TimedFrame, front: PlanarFrame, matte: Array
    ) -> tuple[TimedFrame, Array]:
        back = timed.image
        alpha = self._warped(to_unit(matte), back)
        box = matte_box(alpha, back.chroma_x, back.chroma_y)
        cover = np.rint(alpha * np.float32(65535.0)).astype(np.uint16)
        if box is None:
            return timed, cover
        weight = alpha[box.rows, box.columns]
        colors = self._in_space_of(back, front, to_unit(matte))
        shown = np.stack([self._warped(plane, back)[box.rows, box.columns] for plane in colors])
        laid = back.copy()
        laid.add_values(shown - weight * laid.values(box), box)
        return dataclasses.replace(
            timed, image=laid, decoded=encodable(laid, timed.decoded, timed.marked)
        ), cover

    def _in_space_of(self, back: PlanarFrame, front: PlanarFrame, cover: Array) -> Array:
        """The foreground's colors as the background's values, multiplied by the matte: before they
        are warped, since what is transparent has no color to mix in."""
        values = front.values(Box(0, 0, front.height, front.width))
        own, space = front.encoding.space, back.encoding.space
        if own == space:
            return values if self.placement.premultiplied else values * cover
        if self.placement.premultiplied:  # in its own space, not in the background's
            values = np.clip(values / np.maximum(cover, np.float32(1e-4)), 0.0, 1.0)
        return converted(values, own, space) * cover

    def _warped(self, plane: Array, back: PlanarFrame) -> Array:
        """A plane of the foreground at its place in the background; nothing where it does not
        reach."""
        scale = self.placement.scale
        # Centres of pixels, not their corners, are what OpenCV counts from.
        left, top = self.placement.position
        matrix = np.array([[scale, 0.0, left], [0.0, scale, top]])
        matrix[:, 2] += 0.5 * (scale - 1.0)
        return warp_layer(plane, matrix, scale, (back.width, back.height))


def _by_time(background: VideoInfo, foreground: VideoInfo) -> Places | None:
    """For each frame of the background the foreground's that is shown at its time, -1 where that
    has ended: (T,); None where both show their frames evenly, or do not say when, and where they
    are as many."""
    layers = (background, foreground)
    if foreground.frames == 1 or any(info.files is not None for info in layers):
        return None
    if all(map(is_even, layers)) or not all(info.stamped for info in layers):
        return None
    if foreground.frames == background.frames:  # made of one another, whatever the times say
        return None
    shown = [seconds_of(info) for info in layers]
    # Containers round their times, some to a millisecond.
    forgiven = TIME_TOLERANCE / float(background.fps)
    places: Places = np.searchsorted(shown[1], shown[0] + forgiven, side="right") - 1
    end = shown[1][-1] + 1.0 / float(foreground.fps)
    return np.where(shown[0] < end - forgiven, places, -1)


def _above_alpha(front: PlanarFrame, alpha: Array, is_light: bool) -> tuple[int, int] | None:
    """How many pixels of a layer are soft, and in how many of them a color is above the alpha;
    None where a color is seen that nothing covers."""
    colors = front.rgb_planes(Box(0, 0, front.height, front.width)).max(axis=0)
    if is_light:
        colors = linear(colors)
    bare = alpha <= 0.0
    if bare.any() and float((colors[bare] > NOISE).mean()) > ABOVE_SHARE:
        return None
    soft = (alpha > 4.0 * NOISE) & (alpha < 1.0 - 4.0 * NOISE)
    return int(soft.sum()), int((colors[soft] > alpha[soft] + NOISE).sum())


def warp_layer(layer: Picture, matrix: Matrix, scale: float, size: tuple[int, int]) -> Picture:
    """Bring a layer to its place in a background; nothing where it does not reach.

    Args:
        layer: (h, w) or (h, w, C) float32, colors multiplied by their alpha.
        matrix: (2, 3), from the centers of the layer's pixels to the background's.
        scale: pixels of the background for one of the layer's, as the matrix has it.
        size: width and height of the background.
    """
    if scale < 0.75:  # interpolation alone would skip pixels
        height, width = layer.shape[:2]
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        layer = cv2.resize(layer, small, interpolation=cv2.INTER_AREA)
        across, down = width / small[0], height / small[1]
        matrix = matrix @ np.array(
            [[across, 0.0, 0.5 * (across - 1.0)], [0.0, down, 0.5 * (down - 1.0)], [0.0, 0.0, 1.0]]
        )
    warped: Array = cv2.warpAffine(
        layer, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return warped


def _ratio(aspect: Fraction) -> str:
    return f"of {aspect.numerator}:{aspect.denominator}"
