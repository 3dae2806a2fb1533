"""A clip that is looked at: its frames and mattes upright, its proxy, its maps, and what was looked
at closely."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.app.clip_guide import ClipGuide, Part, in_shot
from vhmae.app.looks import Looks
from vhmae.app.maps import (
    FINAL,
    UNKNOWN,
    Answered,
    MapStore,
    grid_of,
    told_maps,
    turned_answer,
    unfaded,
)
from vhmae.app.pictures import (
    THUMB_LINES,
    THUMB_QUALITY,
    grey_bytes,
    jpeg,
    png,
    preview_size,
    reduced,
    shown,
)
from vhmae.app.played import told_frames
from vhmae.app.proxy import Proxy
from vhmae.app.reel import Reel
from vhmae.app.refusals import Refused
from vhmae.app.samples import Samples
from vhmae.arrays import Array, to_unit
from vhmae.engine.moving import Move, outside
from vhmae.engine.pointing import DialFrames, disk_mean
from vhmae.engine.priors import find_prior
from vhmae.engine.rendering import FrameTransform, KeepingChange, render_planes
from vhmae.engine.solid import solid_of
from vhmae.errors import InputError
from vhmae.guide.document import Guide
from vhmae.guide.options import GuideOptions
from vhmae.overlap import run_ahead
from vhmae.video.planes import PlanarFrame
from vhmae.video.reader import to_uint8
from vhmae.video.sequence import files_of
from vhmae.work.analysis import BACKGROUND, Analysis, Ready
from vhmae.work.job import HarmonizeJob
from vhmae.work.named import came_among_neighbors
from vhmae.work.sources import Payload, Sources

FRAMES_AHEAD = 4
SETTLED = (
    *("output", "strength", "keep", "codec", "crf", "preset", "pix_fmt", "resume", "audio"),
    *("overwrite", "check", "verify", "progress", "strict", "layer", "threads"),
)
"""Options that change nothing of what the network says."""


def seen_of(job: HarmonizeJob) -> dict[str, Any]:
    """What of a job decides what the network says, but for what was said to it."""
    plain = dataclasses.replace(job, words=GuideOptions())
    fields = {field.name for field in dataclasses.fields(job)} - set(SETTLED)
    seen = {name: getattr(plain, name) for name in fields} | {"turned": job.keeps_turn}
    seen |= {"files": [_stamp(path) for path in job.inputs().values()]}
    return seen | {"move": Move.parse(job.move).sides}  # how far each goes is not seen


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """By which a file, or one of the pictures of a sequence, is told that was made anew: how many
    there are, their bytes, and when the last was written. None where there is none."""
    try:
        stats = [one.stat() for one in files_of(path)]
    except (OSError, InputError):
        return None
    newest = max(stat.st_mtime_ns for stat in stats)
    return len(stats), sum(stat.st_size for stat in stats), newest


class OpenClip:
    """An opened clip."""

    def __init__(self, job: HarmonizeJob, sources: Sources, analysis: Analysis, folder: Path):
        """Take what was opened.

        Args:
            analysis: of the job, keeping nothing; its maps are told at full strength.
            folder: of the run, for this clip alone.
        """
        self.job, self.sources, self.analysis = job, sources, analysis
        self.within = sources.within()
        self.folder = folder
        info = sources.info
        self.info = info
        whole = sources
        if job.start or job.end is not None:
            # Layers of unequal length end where they are told to.
            end = None if sources.layers is None else job.end
            whole = Sources(dataclasses.replace(job, start=0.0, end=end))
            whole.check()
        self.reel = Reel(whole)
        self.objects = sources.objects
        for harmonizer in analysis.harmonizers:
            harmonizer.strength = 1.0  # how far a side goes, the page says as it draws
        self.parts = tuple(
            Part(object_number, harmonizer.side)
            for object_number, harmonizer in zip(
                analysis.objects, analysis.harmonizers, strict=True
            )
        )
        """What moves, in the order in which it is changed."""
        self.turned = info.turned % 360
        swapped = self.turned % 180
        self.width, self.height = (
            (info.height, info.width) if swapped else (info.width, info.height)
        )
        self.preview = preview_size(self.width, self.height)
        self.proxy = Proxy(folder / "proxy", info.frames)
        self.maps = MapStore(folder / "maps", info.frames, len(self.parts))
        self.samples = Samples()
        self.looks = Looks(folder)
        prior, told = find_prior(job.weights)
        self.clip_guide = ClipGuide(
            info=info,
            objects=self.objects,
            parts=self.parts,
            prior=prior,
            looks=self.looks,
            maps=self.maps,
            samples=self.samples,
            default=self._default(),
            dial_frames=DialFrames(len(self.parts)),
            warnings=tuple(told),
        )
        self.read = 0
        """Frames whose maps are final."""
        self.proxied = 0
        """Frames that are in the proxy, or were too many for it."""
        self.closed = False

    def _default(self) -> int:
        """The first frame that shows the first object solid somewhere, else the first that shows
        it at all: dials of files are fitted in it, too."""
        found = DialFrames(1)
        for payload in self.sources.frames():
            found.look_at(0, 0, payload.timed.index, payload.mattes[:1])
            if found.is_settled(0):
                break
        return found.of(0).get(0, 0)

    def close(self) -> None:
        """Let everything go."""
        self.closed = True
        self.reel.close()
        self.proxy.close()
        self.maps.close()
        self.looks.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- reading all of it, in turns

    def reading(
        self, tell: Callable[[], None], surveyed: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Read the clip and have the network see it, a little a turn.

        Args:
            tell: told the first and the last frame whose maps have become final.
            surveyed: called once whole shots have been surveyed, where that was to be done: what
                was looked at before is to be looked at again.
        """
        analysis = self.analysis
        frames = run_ahead(self._kept(self.sources.frames()), FRAMES_AHEAD)
        try:
            count = 0
            for seen in analysis.survey_lazily():
                count = seen
                if self.closed:
                    return
                yield
            if count and not self.closed:
                self.looks.lapse()
                surveyed()
            for payload in frames:
                for ready in analysis.pushed(payload):
                    self._settle(ready, tell)
                if self.closed:
                    return
                yield
            for ready in analysis.drained():
                self._settle(ready, tell)
                if self.closed:
                    return
                yield
        finally:
            frames.close()
            analysis.close()
        self.read = self.info.frames

    def _kept(self, frames: Iterator[Payload]) -> Iterator[Payload]:
        """The frames, each put into the proxy on its way."""
        for payload in frames:
            if self.closed:
                return
            self._put_proxy(payload)
            self.proxied = max(self.proxied, payload.timed.index + 1)
            yield payload

    def _put_proxy(self, payload: Payload) -> None:
        index = payload.timed.index
        if ("frame", index) in self.proxy:
            return
        picture = self._preview(payload)
        self.proxy.put("frame", index, jpeg(picture))
        self.proxy.put("thumb", index, _thumb(picture))
        for part, cover in zip(self.parts, self.analysis.covers(payload.mattes), strict=True):
            self.proxy.put(f"matte{part.object_number}", index, png(self._preview_matte(cover)))

    def _settle(self, ready: Ready, tell: Callable[[], None]) -> None:
        payload, covers, changes, shot, shares = ready
        index = payload.timed.index
        answer: list[Answered | None] = []
        for place, (change, share) in enumerate(zip(changes, shares, strict=True)):
            sides = self.analysis.dial_sides(place, payload.mattes, covers)
            self.clip_guide.dial_frames.look_at(place, shot, index, sides)
            one = None
            if isinstance(change, FrameTransform):
                one = Answered(unfaded(change, share), share)
                self.samples.look_at(index, shot, place, payload.timed.image, covers[place], one)
            answer.append(one)
        self.maps.put(index, shot, answer)
        self.read = max(self.read, index + 1)
        tell()

    # --- single frames

    def check_frame(self, number: int) -> None:
        """Refuse a frame that the clip does not have."""
        if not 0 <= number < self.info.frames:
            raise Refused("server.no-frame", frame=number, frames=self.info.frames)

    def _preview(self, payload: Payload) -> Array:
        """A frame at preview size, upright: (h, w, 3) uint8."""
        width, height = self.preview
        if self.turned % 180:
            width, height = height, width
        image = payload.timed.image
        if (width, height) == (image.width, image.height):
            return shown(to_uint8(image.rgb()), self.turned)
        return shown(reduced(to_uint8(image.rgb()), (width, height)), self.turned)

    def _preview_matte(self, matte: Array) -> Array:
        return reduced(shown(grey_bytes(matte), self.turned), self.preview)

    def picture(self, number: int, size: str, exact: bool) -> tuple[bytes, bool]:
        """A frame, encoded, and whether it is the source's pixels exactly."""
        if size == "thumb" or not exact:
            kept = self.proxy.get("thumb" if size == "thumb" else "frame", number)
            if kept is not None and size != "full":
                return kept, False
        payload = self.reel.payload(number, patient=size == "thumb")
        if size == "full":
            picture = shown(to_uint8(payload.timed.image.rgb()), self.turned)
        else:
            picture = self._preview(payload)
        if size == "thumb":
            return _thumb(picture), False
        return (png(picture), True) if exact else (jpeg(picture), False)

    def matte(self, number: int, object_number: int, size: str) -> bytes:
        """The matte of an object, from 1, or of the ``BACKGROUND``, as PNG."""
        kept = self.proxy.get(f"matte{object_number}", number) if size == "preview" else None
        if kept is not None:
            return kept
        mattes = self.reel.payload(number).mattes
        matte = outside(mattes) if object_number == BACKGROUND else mattes[object_number - 1]
        if size == "preview":
            return png(self._preview_matte(matte))
        return png(shown(grey_bytes(matte), self.turned))

    def told_frames(self, numbers: Sequence[int]) -> bytes:
        """Frames to be played, with the mattes of what moves, as ``GET frames`` tells them; those
        that are not in the proxy are left out."""
        names = ("frame", *(f"matte{part.object_number}" for part in self.parts))
        rows = []
        for number in numbers:
            kept = [self.proxy.get(name, number) for name in names]
            found = [one for one in kept if one is not None]
            if len(found) == len(names):
                rows.append((number, found))
        return told_frames(rows, len(names))

    def pixel(self, number: int, x: int, y: int) -> dict[str, Any]:
        """The exact code values of a pixel, as ``GET pixel`` tells them."""
        payload = self.reel.payload(number)
        image = payload.timed.image
        column, row = self._stored(x, y)
        rgb = image.rgb()
        color = [round(float(value) * 255.0, 3) for value in rgb[row, column]]
        places = [(row, column)] + [(row // image.chroma_y, column // image.chroma_x)] * 2
        codes = [int(plane[at]) for plane, at in zip(image.planes[:3], places, strict=False)]
        inside = [float(to_unit(matte)[row, column]) for matte in payload.mattes]
        mean = disk_mean(rgb, (column, row))
        assert mean is not None, "a place of the frame"
        kind = "GBR" if image.encoding.matrix == "rgb" else "YUV"
        return {
            "frame": number,
            "x": x,
            "y": y,
            "rgb": color,
            "hex": "#" + "".join(f"{round(value):02x}" for value in color),
            "code": codes,
            "planes": kind if len(image.planes) > 1 else "Y",
            "bits": image.encoding.bits,
            "matte": [round(value, 4) for value in inside],
            "mean": [round(255.0 * float(value), 3) for value in mean],
            "inside": [bool(solid_of(matte)[row, column]) for matte in payload.mattes],
        }

    def _stored(self, x: int, y: int) -> tuple[int, int]:
        """Column and row, as the frame is stored, of a place as it is shown."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            raise InputError(
                f"{x},{y} lies outside the frame, which is {self.width} x {self.height} pixels"
            )
        right, bottom = self.info.width - 1, self.info.height - 1
        turns = self.turned // 90
        return ((x, y), (right - y, x), (right - x, bottom - y), (y, bottom - x))[turns]

    # --- maps

    def answer(self, number: int) -> tuple[int, int, list[Answered | None]]:
        """Shot, flags and answer of a frame, as it is stored."""
        known = self.maps.get(number)
        if known is not None:
            return int(self.maps.shots[number]), FINAL, known
        shot, look = self.clip_guide.shot_of(number), self.looks.get(number)
        if number not in self.within:  # nothing is done to it, and nobody will come to it
            return shot, FINAL, [None] * len(self.parts)
        if look is not None and look.trouble is None:
            return shot, 0, list(look.answers)
        return shot, UNKNOWN, [None] * len(self.parts)

    def told_maps(self, first: int, count: int) -> bytes:
        """Maps of frames as ``GET maps`` tells them, upright."""
        last = min(first + count, self.info.frames)
        rows = []
        for number in range(first, last):
            shot, flags, answer = self.answer(number)
            rows.append((number, shot, flags, turned_answer(answer, self.turned)))
        return told_maps(rows, len(self.parts), self.grid)

    @property
    def grid(self) -> int:
        """Cells a side of the local maps."""
        looked = self.looks.get(self.clip_guide.default)
        if self.maps.grid or looked is None:
            return self.maps.grid
        return grid_of(looked.answers)

    def look(self, number: int, named: tuple[int, ...] = ()) -> None:
        """Look at a frame closely, with the network: it is in ``looks`` afterwards, or why not.

        Raises:
            CancelledError: where the clip is closed meanwhile.
        """
        if self.closed or self.looks.has(number):
            return

        def check() -> None:
            if self.closed:
                raise CancelledError

        try:
            payload = next(iter(self.sources.frames(number)), None)
            if payload is None or payload.timed.index != number:
                raise InputError(f"frame {number}: is not in the part that is looked at")
            covers = self.analysis.covers(payload.mattes)
            answers = tuple(
                self._answered(number, place, check) if cover.any() else None
                for place, cover in enumerate(covers)
            )
            frame = to_uint8(payload.timed.image.rgb())
            self.looks.put(number, frame, covers, answers, named)
        except InputError as error:
            self.looks.fail(number, str(error))

    def _answered(self, number: int, place: int, check: Callable[[], None]) -> Answered:
        came = came_among_neighbors(self.analysis, number, place, check)
        return Answered(came.answer, came.share)

    # --- as the renderer makes it

    def rendered(self, payload: Payload, guide: Guide, job: HarmonizeJob) -> PlanarFrame:
        """A frame as harmonizing makes it, as it is stored; what the guide names must have been
        looked at."""
        if self.clip_guide.pending(guide, payload.timed.index):
            raise Refused("server.not-yet")
        shot, _, answer = self.answer(payload.timed.index)
        strengths = self.clip_guide.strengths(job.strength, Move.parse(job.move))
        decisions = self.clip_guide.decide(self.clip_guide.sound(guide)[0], strengths, shot)
        image, covers = payload.timed.image, self.analysis.covers(payload.mattes)
        for place, one in enumerate(answer):
            if one is None or not covers[place].any():
                continue
            decision, maps = in_shot(decisions[place], shot), one.maps
            if decision is not None:
                maps = maps.with_added(decision.change)
            change = maps.scaled(one.share).scaled(strengths[place])
            done = KeepingChange(change, job.keep) if job.keep else change
            image, _ = render_planes(image, covers[place], done)
        return image

    def upright(self, image: PlanarFrame) -> Array:
        """A frame's RGB as it is shown: (H, W, 3) uint8."""
        return shown(to_uint8(image.rgb()), self.turned)

    def pairs(
        self, guide: Guide, job: HarmonizeJob, need: Callable[[Sequence[int]], None]
    ) -> Iterator[tuple[Array, Array]]:
        """All frames before and after, upright.

        Args:
            need: has frames looked at that the guide needs.
        """
        for payload in run_ahead(self.sources.frames(), FRAMES_AHEAD):
            need(self.clip_guide.named(guide, payload.timed.index))
            after = self.rendered(payload, guide, job)
            yield self.upright(payload.timed.image), self.upright(after)

    def shots(self) -> dict[str, Any]:
        """The shots, as far as they are known."""
        known = np.flatnonzero(self.maps.known)
        rows = []
        for shot, group in itertools.groupby(known.tolist(), lambda at: int(self.maps.shots[at])):
            places = list(group)
            rows.append({"shot": shot, "first": places[0], "last": places[-1]})
        upto = int(known[-1]) + 1 if len(known) else 0
        return {"complete": self.read >= self.info.frames, "upto": upto, "rows": rows}


def plain_job(job: HarmonizeJob) -> HarmonizeJob:
    """A job at full strength that keeps nothing and was told nothing: what the page begins with."""
    return dataclasses.replace(job, strength=1.0, keep=(), words=GuideOptions())


def _thumb(picture: Array) -> bytes:
    size = preview_size(picture.shape[1], picture.shape[0], THUMB_LINES)
    return jpeg(reduced(picture, size), THUMB_QUALITY)
