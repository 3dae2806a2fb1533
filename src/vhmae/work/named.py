"""The frames that a guide names: read, each with its shot and what the network says of it."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator

from vhmae.arrays import Picture
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.pointing import DialFrames, Shown
from vhmae.engine.rendering import FrameTransform, Released
from vhmae.engine.stream_guide import Came
from vhmae.errors import InputError, MissingForeground, counted
from vhmae.guide.document import Guide
from vhmae.video.cuts import FLASH_FRAMES
from vhmae.video.reader import to_uint8
from vhmae.work.analysis import Analysis
from vhmae.work.sources import Payload, check_fits

AROUND = 24
"""Frames before and after a named one that its answer is smoothed over."""
HELD_FRAMES = 2
"""Named frames that are held at a time: a point may take after another frame."""


class Named:
    """The frames that a guide names, each with its shot and the network's answer; they are read
    when they are asked for, and the last few alone are held."""

    def __init__(
        self,
        analysis: Analysis,
        guide: Guide,
        first: int = 0,
        until: int | None = None,
        kept: range | None = None,
    ) -> None:
        """Find the frames.

        Args:
            first: the frame that the stream will begin with; shots are counted from there.
            until: the frame that alone is wanted: what comes after its shot need not be heard. None
                is all of them.
            kept: numbers of the frames that are told, where more of the video is looked at.
        Raises:
            InputError: for places, frames or objects that the video does not have.
        """
        check_fits(guide, analysis.sources.info, analysis.sources.objects)
        self.analysis = analysis
        self.until = until
        self.kept = kept
        self.offset = 0
        """Cuts before the stream's first frame, from the first that is kept."""
        self.shots: dict[int, int] = {}
        """The shots of the frames; that of the first frame that is kept is 0."""
        self.until_shot: int | None = None
        """The shot of the frame that alone is wanted."""
        self._last_kept: int | None = None
        """The last shot that is kept, where frames behind it are named."""
        self._held: dict[int, tuple[Payload, Picture]] = {}
        self._answers: dict[tuple[int, int], Came] = {}
        self._firsts: list[dict[int, int]] | None = None
        wanted, last = set(guide.frames), max([*guide.frames, first, until or 0])
        if last == 0 and not wanted:
            self.until_shot = 0
            return
        begin = 0 if kept is None else kept.start
        last = max(last, begin + FLASH_FRAMES) if kept is not None else last
        last_kept = early = 0  # what the harmonizers will find, who see no frame before
        for index, shot in self._numbered(begin):
            self.offset = shot if index <= first else self.offset
            early = shot if index <= begin + FLASH_FRAMES else early
            if kept is not None:
                last_kept = shot if index < kept.stop else last_kept
                self._last_kept = last_kept if index >= kept.stop else None
            if index in wanted:
                self.shots[index] = shot
            if index == until:
                self.until_shot = shot
            if index >= last:
                break
        if kept is not None and min(wanted) < begin:
            self.shots |= self._before(wanted, begin, early)
        missing = sorted(wanted - self.shots.keys())
        if missing:
            there = self.analysis.sources.info.frames
            raise InputError(
                f"names frame {missing[0]}, and the video has {counted(there, 'frame')}, from 0; "
                "leave that word out, or name another frame",
                field="guide",
            )

    def _numbered(self, begin: int) -> Iterator[tuple[int, int]]:
        """Numbers of the frames from one on, each with its shot, counted from there."""
        analysis = self.analysis
        with contextlib.closing(analysis.by_shot(analysis.sources.frames(begin))) as frames:
            for payload, shot in frames:
                yield payload.timed.index, shot

    def _before(self, wanted: Iterable[int], begin: int, early: int) -> dict[int, int]:
        """The shots of frames before the first that is kept, that of which is 0.

        Args:
            early: cuts that are found within ``FLASH_FRAMES`` of that frame by who sees none before
                it: a cut to light is told so much later, and not told where the light was always
                there.
        """
        found: dict[int, int] = {}
        at = settled = 0
        for index, shot in self._numbered(min(wanted)):
            at = shot if index <= begin else at
            settled = shot
            if index in wanted and index < begin:
                found[index] = shot
            if index >= begin + FLASH_FRAMES:
                break
        here = at + max(0, settled - at - early)
        return {index: shot - here for index, shot in found.items()}

    def is_kept(self, shot: int | None) -> bool:
        """Whether any frame of a shot is kept; None stands for all shots."""
        if shot is None or self.kept is None:
            return True
        return shot >= 0 and (self._last_kept is None or shot <= self._last_kept)

    def read(self, number: int) -> tuple[Payload, Picture]:
        """A frame, and its RGB as shown, (H, W, 3) uint8."""
        if number not in self._held:
            with contextlib.closing(self.analysis.sources.frames(number)) as frames:
                payload = next(frames, None)
            if payload is None or payload.timed.index != number:
                raise InputError(f"frame {number} could not be read again", field="guide")
            while len(self._held) >= HELD_FRAMES:
                del self._held[next(iter(self._held))]
            self._held[number] = payload, to_uint8(payload.timed.image.rgb())
        return self._held[number]

    def shown(self, number: int, place: int) -> Shown:
        """A frame as the points of a part see it."""
        payload, frame = self.read(number)
        matte = self.analysis.covers(payload.mattes)[place]
        if not matte.any():
            raise MissingForeground(
                f"frame {number} has no foreground; name another", field="guide"
            )
        if (number, place) not in self._answers:
            self._answers[number, place] = came_among_neighbors(self.analysis, number, place)
        came = self._answers[number, place]
        return Shown(frame, matte, came.answer, self.shots[number], came.share)

    def firsts(self, place: int) -> Iterator[tuple[int, Shown]]:
        """For each shot that shows a part, a frame that its dials are fitted in: the first that
        shows its foreground solid somewhere, else the first that shows it at all."""
        if self._firsts is None:
            self._firsts = self._find_firsts()
        for shot, number in self._firsts[place].items():
            self.shots[number] = shot
            yield shot, self.shown(number, place)

    def _find_firsts(self) -> list[dict[int, int]]:
        analysis = self.analysis
        parts = range(len(analysis.harmonizers))
        found = DialFrames(len(parts))
        asked: int | None = None
        begin = 0 if self.kept is None else self.kept.start
        with contextlib.closing(analysis.by_shot(analysis.sources.frames(begin))) as frames:
            for payload, shot in frames:
                index, covers = payload.timed.index, analysis.covers(payload.mattes)
                if asked is not None and shot != asked:
                    break
                if self.kept is not None and index >= self.kept.stop:
                    break
                for place in parts:
                    sides = analysis.dial_sides(place, payload.mattes, covers)
                    found.look_at(place, shot, index, sides)
                if self.until is not None and index >= self.until:
                    asked = shot
                    if found.is_settled(shot):
                        break
        return [found.of(place) for place in parts]


def came_among_neighbors(
    analysis: Analysis, number: int, place: int, check: Callable[[], None] = lambda: None
) -> Came:
    """What the network says of a frame among its neighbors, before strength and any guide; of the
    whole shot, where that has been surveyed.

    Args:
        place: of the part that moves, from 0.
        check: called between frames and windows; what it raises ends the work.
    Raises:
        MissingForeground: where nothing can be said of it.
    """
    sources, own = analysis.sources, analysis.harmonizers[place]
    plain = dataclasses.replace(sources.job, strength=1.0, keep=(), move="foreground")
    harmonizer = Harmonizer.from_settings(
        plain,
        own.network,
        cut_detection=own.cut_detection,
        reference=analysis.reference,
        side=own.side,
        find_background=lambda index: analysis.find_other_side(place, index),
    )
    harmonizer.surveyed = analysis.surveyed_at(number, place)
    first = max(0, number - AROUND)

    def released() -> Generator[Released, None, None]:
        for payload in itertools.islice(sources.frames(first), number - first + AROUND + 1):
            check()
            timed = payload.timed
            cut = timed.index in sources.cuts
            matte = analysis.covers(payload.mattes)[place]
            yield from harmonizer.push(timed.index, timed.image.thumbnail, matte, cut=cut)
        yield from harmonizer.drain_lazily()

    with contextlib.closing(released()) as frames:
        for one in frames:
            check()
            if one.payload == number and isinstance(one.change, FrameTransform):
                came = harmonizer.stream_guide.last
                assert came is not None, "what is changed was heard"
                return came
    told = f"frame {number}: nothing can be said of it; name another"
    raise MissingForeground(told, field="guide")
