"""The stages of a job from its sources to frames to write, each in a thread of its own."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator
from concurrent.futures import Future

import numpy as np

from vhmae.arrays import to_unit
from vhmae.engine.memory import Snapshot
from vhmae.engine.rendering import RENDERERS, load_compiled, render_planes
from vhmae.memory import how_many
from vhmae.overlap import begin, map_ahead, run_ahead
from vhmae.video.matte import layered
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import TimedFrame
from vhmae.video.recode import deepened
from vhmae.work.analysis import BACKGROUND, Analysis, Ready
from vhmae.work.output import Output
from vhmae.work.resume import Standing, restore, snapshot_of
from vhmae.work.shot_pixels import Needed
from vhmae.work.sources import Payload, Sources

Changed = tuple[Ready, Snapshot | None]
"""A frame with what is to be done to it, and the harmonizers' memory now and then."""
FRAMES_AHEAD = 4
"""Frames that wait between two stages, where they are not too large."""
FEW_AHEAD = 2
"""Those of more than :data:`AHEAD_BYTES`: what encodes them takes so long that others catch up."""
AHEAD_BYTES = 12 << 20
IN_WORK = 2
"""Frames that are decoded, rendered or encoded, at the least; the former twice where they are read
again."""
MOST_PLAIN_PIXELS = 1 << 21
"""A still of up to so many pixels is done by the plain way before the compiled one is loaded."""
CHECKPOINT_FRAMES = 250
"""Frames after which a run that can be resumed closes a segment."""


@dataclasses.dataclass(frozen=True)
class Done:
    """A frame that is ready to be written."""

    timed: TimedFrame
    image: PlanarFrame
    moved: float | None
    """Mean change inside the matte, in levels; None for a frame without foreground."""
    outside: float | None
    """Mean change outside of it; None where the background stays as it is."""
    snapshot: Snapshot | None
    """The harmonizers' memory after this frame, now and then."""


class Renderer:
    """The stages of a job from its sources to frames to write, each in a thread of its own."""

    def __init__(self, analysis: Analysis, output: Output) -> None:
        job = output.job
        self.analysis = analysis
        self.output = output
        self.threads = max(1, analysis.sources.ahead(min(RENDERERS, job.threads or RENDERERS)))
        self.deeper = output.is_deeper
        self.plain = is_soon_done(analysis.sources.info)
        self.resumed: Standing | None = None
        """Where a stopped run stood, which is resumed."""
        self.loading: Future[None] | None = None
        """What is rendered by is being compiled, which takes seconds where that was never done."""
        if runs_compiled(analysis):
            bits = 16 if output.is_deeper else analysis.sources.info.encoding.bits
            self.loading = begin(load_compiled, bits)
        self.needed: Needed | None = None
        """Looks at what each shot still needs, where one guide rules all of them."""

    def pace(self) -> str:
        """What the work waits for."""
        return f"slowest: {self.analysis.busy.slowest}"

    def rendered(self) -> Generator[Done, None, None]:
        """The frames to write, in order."""
        sources, first = self.analysis.sources, self.resumed.next if self.resumed else 0
        ahead = frames_ahead(sources)
        decoded = self.analysis.busy.drawing("decode", sources.frames(first, count=True))
        changes = run_ahead(self._changes(run_ahead(decoded, ahead)), ahead)
        rendered = map_ahead(self._render, self._once_loaded(changes), self.threads)
        wake = () if self.loading is None else (self.loading.cancel,)
        return run_ahead(rendered, ahead, *wake)

    def _once_loaded(self, changes: Generator[Changed, None, None]) -> Iterator[Changed]:
        """The same, handed on once they can be rendered: whoever is stopped before does not wait
        for a compiler."""
        with contextlib.closing(changes):
            for changed in changes:
                if self.loading is not None:
                    self.loading.exception()  # it comes again where the frame is rendered
                yield changed

    def _changes(self, frames: Iterator[Payload]) -> Iterator[Changed]:
        """Frames with their changes of color, as they become ready."""
        harmonizers = self.analysis.harmonizers
        if self.resumed is not None:
            restore(harmonizers, self.resumed.stream, map(self.analysis.waiting, frames))
            if self.needed is not None:
                self.needed.restore(self.resumed.stream)
        for number, ready in enumerate(self.analysis.harmonized(frames), 1):
            if self.needed is not None:
                self.needed.look_at(ready)
            due = self.output.job.resume and number % CHECKPOINT_FRAMES == 0
            snapshot = snapshot_of(harmonizers) if due else None
            if snapshot is not None and self.needed is not None:
                snapshot = self.needed.joined(snapshot)
            yield ready, snapshot

    def _render(self, changed: Changed) -> Done:
        ((timed, mattes), covers, wanted, *_), snapshot = changed
        image, moved, levels_outside = timed.image, [], None
        layer = self.output.job.layer
        objects = self.analysis.objects
        if self.deeper and any(change is not None for change in wanted):
            image = deepened(image)
        for number, matte, change in zip(objects, covers, wanted, strict=True):
            behind = number == BACKGROUND
            if change is None or (layer != "composite" and behind != (layer == "background")):
                continue
            cover = matte
            if layer == "foreground":  # its soft edge is blended by its alpha, not twice
                cover = (matte > 0).astype(np.uint8) * np.uint8(255)
            elif layer == "background":  # whole, so that the foreground can be laid over it
                cover = np.full(matte.shape, 255, np.uint8)
            with self.analysis.busy.working("render", self.threads):
                image, levels = render_planes(image, cover, change, self.plain)
            if behind:
                levels_outside = levels
            else:
                moved.append(levels)
        if self.output.has_alpha:
            alpha = np.minimum(np.sum([to_unit(matte) for matte in mattes], axis=0), 1.0)
            image = layered(image, alpha, self.output.info.pixel_format)
        inside = sum(moved) / len(moved) if moved else None
        return Done(timed, image, inside, levels_outside, snapshot)


def waiting_bytes(analysis: Analysis) -> int:
    """The memory of the frames that there are at once at the least, in bytes: those that wait for
    the network, those between the stages, and those in work."""
    sources = analysis.sources
    kept = analysis.harmonizers[0].latency_frames if analysis.keeps_frames else IN_WORK
    frames = kept + 3 * frames_ahead(sources) + IN_WORK
    return min(sources.info.frames, frames) * sources.payload_bytes


def frames_ahead(sources: Sources) -> int:
    """Frames that wait between two stages."""
    fitting = how_many(FRAMES_AHEAD, sources.payload_bytes, AHEAD_BYTES)
    return sources.ahead(max(FEW_AHEAD, fitting))


def is_soon_done(info: VideoInfo) -> bool:
    """Whether the plain way of rendering is done before the compiled one would be loaded."""
    return info.frames == 1 and info.width * info.height <= MOST_PLAIN_PIXELS


def runs_compiled(analysis: Analysis) -> bool:
    """Whether frames are rendered by what is compiled: color maps of what a display is sent are,
    unless something of the colors is kept."""
    info, network = analysis.sources.info, analysis.harmonizers[0].network
    by_maps = network.holds_between_key_frames and not analysis.sources.job.keep
    return by_maps and info.encoding.space is None and not is_soon_done(info)
