"""Frames and masks as arrays in, frames out: the harmonizer of who has a stream in hand."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from vhmae.arrays import Array, Matte, Picture
from vhmae.engine.moving import outside
from vhmae.engine.networks import Precision
from vhmae.engine.rendering import Released, render_rgb
from vhmae.engine.sight import MaskKind, thumbnail_of
from vhmae.errors import InputError
from vhmae.guide.prior import Prior

if TYPE_CHECKING:
    from vhmae.engine.harmonizer import Harmonizer


class Stepping:
    """The part of a harmonizer that takes arrays: every side that moves is pushed, and what comes
    out is rendered."""

    _masks: MaskKind
    _done: deque[Picture]
    """Frames that are rendered and not handed out yet: a word has broken :meth:`flush` off."""
    _warned = False

    @property
    def device(self) -> str:
        return cast("Harmonizer", self).network.device

    @property
    def precision(self) -> Precision:
        return cast("Harmonizer", self).network.precision

    @property
    def moving(self) -> list[Harmonizer]:
        """A harmonizer for each side that moves, the foreground's first."""
        own = cast("Harmonizer", self)
        behind = [] if own.behind is None else [own.behind]
        return [own, *behind] if own.move.foreground else behind

    def step(self, frame: Picture, mask: Matte) -> Picture | None:
        """Take the next frame; return the frame that is ready, or None while the stream fills.

        Args:
            frame: (H, W, 3) RGB, uint8 or float32 in [0, 1].
            mask: (H, W) bool, or a matte in [0, 1] (float) or 0-255 (uint8); whole numbers of 0 and
                1 are taken as bool, until a mask of the stream has had more. Neither is kept: their
                memory may be used again at once.
        Raises:
            ShapeError: for other shapes, types or values.
            InputError: for a word that cannot be, once its frame comes: no frame is lost by it, and
                each comes a step later from then on, with the last of :meth:`flush`.
        """
        mask = self._masks.checked(frame, mask)
        own = cast("Harmonizer", self)
        # A caller may use its buffers again while frames wait, and before a word is said of the
        # frame that came last.
        frame, mask = frame.copy(), mask.copy()
        if own.skin and own.move.foreground and own.network.holds_between_key_frames:
            self.warned_prior()
        see = functools.partial(thumbnail_of, frame)
        covers = [covered_by(side, mask) for side in self.moving]
        ready = self._of_all(
            [
                functools.partial(side.push, (frame, cover), see, cover)
                for side, cover in zip(self.moving, covers, strict=True)
            ]
        )
        if not ready:
            return None
        self._done.append(_rendered(ready))
        return self._done.popleft()

    def _of_all(self, asked: Sequence[Callable[[], Iterable[Released]]]) -> list[Released]:
        """What each side releases next, one frame of all or none.

        Args:
            asked: of each side in turn: gives a frame, or none. All are asked, so that they stay at
                one frame.
        Raises:
            InputError: for a word that cannot be; what other sides released waits again.
        """
        ready: list[list[Released]] = []
        trouble: InputError | None = None
        for ask in asked:
            try:
                ready.append(list(ask()))
            except InputError as error:
                trouble = trouble or error
                ready.append([])
        if trouble is not None:
            for side, released in zip(self.moving, ready, strict=True):
                if released:
                    side.wait_again()
            raise trouble
        return [one for released in ready for one in released]

    def warned_prior(self) -> Prior:
        """The prior of the weights; where they have none of their own, a warning says so, once."""
        prior, told = cast("Harmonizer", self).own_prior
        if not self._warned:
            self._warned = True
            for one in told:
                warnings.warn(one, stacklevel=3)
        return prior

    def flush(self) -> list[Picture]:
        """The frames that are still waiting, in order; the stream begins anew afterwards.

        Raises:
            InputError: for a word that cannot be: no frame is lost by it, and once it is taken back
                (:meth:`Harmonizer.guide`), the next call gives all of them.
        """
        draining = [side.drain_lazily() for side in self.moving]
        while parts := self._of_all(
            [functools.partial(itertools.islice, one, 1) for one in draining]
        ):
            self._done.append(_rendered(parts))
        self._masks = MaskKind()
        done = list(self._done)
        self._done.clear()
        return done

    def harmonize(self, frames: Iterable[Picture], masks: Iterable[Matte]) -> Iterator[Picture]:
        """Harmonize a whole clip, lazily: as many frames come out as go in.

        With ``best``, lists and arrays are gone through once before, to look at whole shots;
        generators cannot be.

        Raises:
            ShapeError, InputError: as :meth:`step`; where there are fewer of one than of the other.
        """
        cast("Harmonizer", self).reset()
        again = not isinstance(frames, Iterator) and not isinstance(masks, Iterator)
        wanting = [side for side in self.moving if side.wants_survey] if again else []
        if wanting:
            surveys = [side.begin_survey() for side in wanting]
            for frame, mask in _paired(frames, masks):
                see, checked = (
                    functools.partial(thumbnail_of, frame),
                    self._masks.checked(frame, mask),
                )
                for side, survey in zip(wanting, surveys, strict=True):
                    survey.look_at(see, covered_by(side, checked))
            for side, survey in zip(wanting, surveys, strict=True):
                side.surveyed = survey
            self._masks = MaskKind()
        for frame, mask in _paired(frames, masks):
            done = self.step(frame, mask)
            if done is not None:
                yield done
        yield from self.flush()


def covered_by(side: Harmonizer, mask: Matte) -> Matte:
    """The matte of the side that a harmonizer is of, where this is the foreground's."""
    return mask if side.side.of == "foreground" else outside([mask])


def _paired(frames: Iterable[Picture], masks: Iterable[Matte]) -> Iterator[tuple[Picture, Matte]]:
    """Frames with their masks.

    Raises:
        InputError: where there are fewer of one than of the other.
    """
    for number, (frame, mask) in enumerate(itertools.zip_longest(frames, masks)):
        if frame is None or mask is None:
            fewer, more = ("frames", "masks") if frame is None else ("masks", "frames")
            raise InputError(f"there are {number} {fewer} and more {more}; give as many of both")
        yield frame, mask


def _rendered(parts: tuple[Released, ...] | list[Released]) -> Array:
    """A frame with the changes of every side: payloads are the frame and the side's matte."""
    rendered: Array = parts[0].payload[0]
    for one in parts:
        if one.change is not None:
            rendered = render_rgb(rendered, one.payload[1], one.change)
    return rendered
