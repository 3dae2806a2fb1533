"""What a job reads: the composite, or its two layers, and the mattes of its objects; and what is
wrong with them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vhmae.arrays import Array
from vhmae.color.light import LIGHT, HdrSpace, WideSpace
from vhmae.color.spaces import named_space
from vhmae.engine.pointing import from_reference
from vhmae.engine.sight import one_before_another, shows_background
from vhmae.errors import InputError, MissingMatte
from vhmae.guide.document import Guide
from vhmae.memory import how_many
from vhmae.video.cuts import read_cuts
from vhmae.video.exr import is_exr
from vhmae.video.layers import LayeredSource
from vhmae.video.laying import picked
from vhmae.video.mask_meaning import MaskReading
from vhmae.video.matte import MatteSource, alpha_matte, has_alpha, open_matte
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import TimedFrame, planar_frame, read_frames
from vhmae.video.sequence import (
    asked_range,
    is_pattern,
    is_pictures,
    is_sequence,
    picture_files,
    probe_pictures,
    read_pictures,
    told_numbers,
)
from vhmae.video.source import frame_at, frames_between, probe_source
from vhmae.video.turning import righted
from vhmae.work.job import AnalysisJob

STAGE_BYTES = 256 << 20
"""Of the frames that may wait between two stages."""


class Payload(NamedTuple):
    """A frame with the matte of each of its objects."""

    timed: TimedFrame
    mattes: tuple[Array, ...]


def _told_gap(info: VideoInfo) -> str | None:
    """What is said of a numbered sequence that lacks pictures: a video of it is shorter by them."""
    numbers = info.numbers or ()
    if not numbers or "*" in info.path.name or not is_pattern(info.path):
        return None
    first, last = asked_range(info.path) or (numbers[0], numbers[-1])
    lacking = sorted({*range(first, last + 1)} - {*numbers})
    if not lacking:
        return None
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return f"{info.path}: lacks number {lacking[0]}{more}: a video of it is shorter by as many"


class Sources:
    """The files of a job, opened."""

    def __init__(self, job: AnalysisJob) -> None:
        """Open them; :meth:`check` goes on from there, once the output is known to be writable."""
        self.job = job
        _check_times(job)
        space = named_space(job.input_space)
        partners = job.masks if job.foreground is None else (job.foreground,)
        gaps = is_sequence(job.composite) and _by_number(job, partners)
        what = "composite" if job.foreground is None else "background"
        self.info = probe_source(job.composite, what, job.colorspace, job.rate, space, gaps)
        self._left_out = _told_gap(self.info) if gaps else None
        if not job.keeps_turn:
            self.info = righted(self.info)
        reading = MaskReading(job.mask_label, job.mask_rate, job.pair)
        self.mattes = [open_matte(path, reading) for path in job.masks]
        self.layers: LayeredSource | None = None
        if job.foreground is not None:
            self.layers = _open_layers(job, self.info, self.mattes)
            self.info = self.layers.background
        elif job.pair == "overlap":
            self.info = _overlap(self.info, self.mattes)
        if self.layers is None and not self.mattes and not has_alpha(self.info):
            raise MissingMatte(
                f"missing, and {job.composite} has no alpha channel of its own; give a mask of the "
                "foreground",
                field="masks",
            )
        self.cuts: frozenset[int] = frozenset()
        self.warnings: list[str] = []
        self.overlapping = False
        """Whether mattes that were read overlap."""
        self.skipped_before = 0
        self.skipped_after = 0

    @property
    def objects(self) -> int:
        """Foregrounds that are harmonized each by itself."""
        return 1 if self.layers is not None else max(1, len(self.mattes))

    @property
    def payload_bytes(self) -> int:
        """Memory of a frame with its mattes."""
        lasting = [mattes for mattes in self.mattes if mattes.frames is None]  # one for all frames
        mattes = self.objects - len(lasting)
        return self.info.frame_bytes + mattes * self.info.width * self.info.height

    def ahead(self, most: int) -> int:
        """How many frames may wait between two stages: at most ``most``, fewer or none where they
        are large."""
        return how_many(most, self.payload_bytes, STAGE_BYTES)

    def check(self) -> None:
        """Refuse a part that lies outside the video, and masks that do not fit or mark nothing,
        before the work."""
        job = self.job
        _check_range(job, self.info)
        self.cuts = read_cuts(job.cuts, self.info.frames) if job.cuts else frozenset()
        shown = self.info if self.layers is None else self.layers.foreground
        told = [mattes.check_fits(shown, job.hold_last_mask) for mattes in self.mattes]
        told += [mattes.doubt(shown) for mattes in self.mattes]
        told += [warning for mattes in self.mattes for warning in mattes.warnings]
        told += [self._left_out, *self.info.warnings]
        if self.layers is not None:
            told += [*self.layers.warnings, *self.layers.foreground.warnings]
            told.append(self.layers.doubt())
        self.warnings = [warning for warning in told if warning]
        for place in range(self.objects):
            self._check_foreground(place)

    def within(self) -> range:
        """Numbers of the frames within `start` and `end`, without decoding any; all of them where
        the file does not say when they are shown."""
        return frames_between(self.info, self.job.start, self.job.end)

    def expected(self) -> int:
        """Frames within `start` and `end`, without decoding any."""
        return len(self.within())

    def frame_to_show(self, asked: int | None) -> int:
        """The frame that was asked for, or the middle one of those within `start` and `end`.

        Raises:
            InputError: for a frame that is not there, or not within.
        """
        job, kept = self.job, self.within()
        if asked is None:
            return kept[len(kept) // 2] if kept else kept.start
        if not 0 <= asked < self.info.frames:
            told = f"{job.composite} has frames 0 to {self.info.frames - 1}"
            raise InputError(told, field="frame", value=asked)
        if asked not in kept:
            told = (
                f"lies outside `start` and `end`, which keep frames {kept.start} to {kept.stop - 1}"
            )
            raise InputError(told, field="frame", value=asked)
        return asked

    def frames(self, first: int = 0, count: bool = False) -> Generator[Payload, None, None]:
        """The frames within `start` and `end` from a number on, each with its mattes."""
        job, info = self.job, self.info
        begin = max(first, frame_at(info, job.start))
        self.skipped_before += (begin - first) if count else 0
        at = begin - 1
        for timed, mattes in self._with_mattes(begin):
            at = timed.index
            if self._is_past(timed):
                break
            if self._seconds_of(timed) < job.start - 1e-6:
                self.skipped_before += count
                continue
            yield Payload(timed, mattes)
        else:
            return
        self.skipped_after += (info.frames - at) if count else 0

    def _seconds_of(self, timed: TimedFrame) -> float:
        """When a frame is shown, counted from the first one."""
        if timed.seconds is None:
            return timed.index / float(self.info.fps)
        return timed.seconds - self.info.start_seconds

    def _is_past(self, timed: TimedFrame) -> bool:
        return self.job.end is not None and self._seconds_of(timed) >= self.job.end - 1e-6

    def _with_mattes(self, first: int) -> Iterator[Payload]:
        """All frames from a number on, each with its mattes."""
        if self.layers is not None:
            for timed, matte in self.layers.read(first, self._is_past):
                yield Payload(timed, (matte,))
            return
        sources = [mattes.read(self.info, first) for mattes in self.mattes]
        at = first - 1
        for timed in read_frames(self.info, first=first):
            mattes = tuple(
                next(itertools.islice(source, timed.index - at - 1, None)) for source in sources
            )
            at = timed.index
            shown, hidden = one_before_another(mattes)
            self.overlapping |= hidden
            yield Payload(timed, shown or (alpha_matte(timed.image),))

    def name_of(self, place: int) -> Path:
        """The file that an object's matte comes from."""
        return self.job.masks[place] if self.mattes else self.job.foreground or self.job.composite

    def _check_foreground(self, place: int) -> None:
        """Refuse a mask that marks nothing, or everything, before the work."""
        job, name = self.job, self.name_of(place)
        if self.mattes and self.layers is None:
            source = self.mattes[place]
            looked_at = 1 if source.frames is None else self.info.frames
            mattes: Iterator[Array] = itertools.islice(source.read(self.info), looked_at)
        else:
            mattes = (payload.mattes[0] for payload in self.frames())
        marked = [
            shows_background(matte) for matte in itertools.islice((m for m in mattes if m.any()), 1)
        ]
        if not marked:
            told = "white must mark the foreground, check the mask"
            if self.layers is not None:
                told += ", and whether the layer lies within the frame (`position`, `scale`)"
            raise InputError(f"{name}: has no foreground in any frame; {told}")
        if (
            job.reference is None
            and not marked[0]
            and not any(m.any() and shows_background(m) for m in mattes)
        ):
            raise InputError(
                f"{name}: covers every frame whole, so nothing of the background is seen; check "
                "the mask"
            )
        if not (job.start or job.end is not None):
            return
        frames = 0
        for payload in self.frames():
            frames += 1
            if payload.mattes[place].any():
                return
        if not frames:
            raise _shows_none(job)
        raise InputError(
            f"{name}: has no foreground between `start` and `end`; choose another part or check "
            "the mask"
        )


def _overlap(info: VideoInfo, mattes: list[MatteSource]) -> VideoInfo:
    """A sequence of the pictures alone that have a mask of their number in each sequence of
    masks."""
    shared = [places for one in mattes if (places := one.shared(info)) is not None]
    return picked(info, sorted(set.intersection(*map(set, shared)))) if shared else info


def _by_number(job: AnalysisJob, partners: Sequence[Path]) -> bool:
    """Whether pictures find each of their partners by number, so that one which is missing shifts
    none: all are sequences whose names tell numbers, but for stills, which are for all pictures."""
    several = [one for one in partners if is_sequence(one) or not is_pictures(one)]
    return (
        job.pair != "order"
        and bool(several)
        and all(
            is_sequence(one)
            and told_numbers(one, picture_files(one, "sequence", gaps=True)) is not None
            for one in several
        )
    )


def _open_layers(
    job: AnalysisJob, background: VideoInfo, mattes: list[MatteSource]
) -> LayeredSource:
    assert job.foreground is not None
    if len(mattes) > 1:
        raise InputError(
            "a foreground layer is one object; lay others over the result",
            field="masks",
            value=job.masks[1],
        )
    path = job.foreground
    space = named_space(job.foreground_space, "foreground_space")
    gaps = is_sequence(job.composite) and _by_number(job, (job.composite, *job.masks))
    rate = job.rate if is_pictures(path) else None
    foreground = righted(probe_source(path, "foreground", rate=rate, space=space, gaps=gaps))
    placement = job.placement
    if (
        placement.premultiplied and foreground.codec == "exr"
    ):  # multiplied in light, not in what a display is sent
        foreground, placement = (
            dataclasses.replace(foreground, associated=True),
            dataclasses.replace(placement, premultiplied=False),
        )
    warnings = []
    output = getattr(job, "output", None)
    if background.codec == "exr" and output is not None and is_exr(output):
        # The file can hold highlights of both; those of what is covered must not shine through.
        wide = dataclasses.replace(background.encoding, space=WideSpace())
        background = dataclasses.replace(background, encoding=wide)
        if foreground.codec == "exr":
            foreground = dataclasses.replace(foreground, encoding=wide)
    elif foreground.codec == "exr" and background.encoding.space is not None:
        # Its highlights would be cut off in sRGB, and the background can hold them.
        coded = dataclasses.replace(foreground.encoding, space=HdrSpace("PQ", "BT.709"))
        foreground = dataclasses.replace(foreground, encoding=coded)
    if job.input_space is not None and space is None and foreground.space_name in ("SDR", LIGHT):
        warnings.append(
            f"{path} is taken for {foreground.space_name}, which it does not say; "
            "`foreground_space` names another"
        )
    needed = frames_between(background, 0.0, job.end).stop
    layers = LayeredSource(
        background, foreground, mattes[0] if mattes else None, placement, needed, job.pair
    )
    layers.warnings += warnings
    return layers


def check_composite(job: AnalysisJob) -> VideoInfo:
    """Refuse what is wrong with a job's composite and its times, before its mask is made; returns
    the facts of it."""
    _check_times(job)
    space = named_space(job.input_space)
    info = probe_source(job.composite, "composite", job.colorspace, job.rate, space)
    _check_range(job, info)
    if job.cuts is not None:
        read_cuts(job.cuts, info.frames)
    return info


def check_guide(sources: Sources, scene_leader: AnalysisJob | None = None) -> Guide:
    """What a job's person says, checked before the work.

    Args:
        scene_leader: the job whose frames the guide names, where that is another shot of the scene.
    Raises:
        InputError: for what no guide can say, and places, frames or objects that there are not.
    """
    words = sources.job.words
    guide = said_in(sources.job, scene_leader)
    if scene_leader is None:
        check_fits(guide, sources.info, sources.objects)
        return guide
    own = dataclasses.replace(words, guide=None).read()
    if own.points:
        raise InputError(
            f"point 1 ({own.points[0].words()}) is said of {sources.job.composite}, but `guide` "
            f"{words.guide} of {scene_leader.composite}: put the point into a guide of its own",
        )
    return guide


def said_in(job: AnalysisJob, scene_leader: AnalysisJob | None = None) -> Guide:
    """What a job's person says, with the colors of places that the reference shows.

    Args:
        scene_leader: as of :func:`check_guide`: its reference is meant.
    Raises:
        InputError: for what no guide can say, and places that the reference does not have.
    """
    guide = job.words.read()
    if all(point.to_picture == "composite" for point in guide.points):
        return guide
    still = (scene_leader or job).reference
    return from_reference(guide, None if still is None else read_still(still))


def check_fits(guide: Guide, info: VideoInfo, objects: int = 1) -> None:
    """Refuse what a guide says of places, frames or objects that there are not."""
    turned = info.turned % 180
    width, height = (info.height, info.width) if turned else (info.width, info.height)
    guide.check_fits(width, height, info.frames, objects)


def read_still(path: Path) -> Array:
    """Read one picture: (H, W, 3) float32 RGB in [0, 1]."""
    info = probe_pictures(path, "reference")
    if info.frames != 1:
        raise InputError(f"means {info.frames} pictures; name one", field="reference", value=path)
    _, frame, _ = next(read_pictures(info))
    return planar_frame(frame, info).rgb()


def _check_times(job: AnalysisJob) -> None:
    """Refuse a part that no video has, before one is opened."""
    for name, seconds in (("start", job.start), ("end", job.end)):
        if seconds is not None and not math.isfinite(seconds):
            raise InputError("is no time; give seconds or leave it out", field=name, value=seconds)


def _check_range(job: AnalysisJob, info: VideoInfo) -> None:
    if job.start < 0 or job.start >= info.duration_seconds:
        raise InputError(
            f"the video has {info.duration_seconds:.2f} s; choose a start within it",
            field="start",
            value=job.start,
        )
    if job.end is not None and not job.start < job.end:
        raise InputError(
            f"lies before `start` {job.start}; choose a later end", field="end", value=job.end
        )
    if not frames_between(info, job.start, job.end):
        raise _shows_none(job)


def _shows_none(job: AnalysisJob) -> InputError:
    until = "" if job.end is None else f" `end` {job.end}"
    return InputError(f"`start` {job.start}{until}: no frame is shown within; choose a longer part")
