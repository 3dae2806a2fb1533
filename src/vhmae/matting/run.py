"""``vhmae matte``: a video in; its mattes, and its foreground with alpha, out."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vhmae.arrays import Array, Frame, UnitMatte, to_unit
from vhmae.color.yuv import ColorEncoding
from vhmae.errors import InputError
from vhmae.matting.chroma import ChromaKey
from vhmae.matting.edges import largest_part, refined
from vhmae.matting.job import MatteJob, Way
from vhmae.matting.maker import MatteMaker
from vhmae.matting.networks import find_network
from vhmae.matting.plate import CleanPlate
from vhmae.matting.rvm import Rvm
from vhmae.matting.salient import Salient
from vhmae.overlap import run_ahead
from vhmae.partial_output import OutputLock, working_folder
from vhmae.progress import Progress
from vhmae.video.browser import read_upright, upright
from vhmae.video.containers import check_output, codecs_of
from vhmae.video.cuts import ShotCounter, read_cuts
from vhmae.video.encoders import choose_encoder, has_alpha_channel, pixel_format
from vhmae.video.exr import is_exr
from vhmae.video.frame_writer import FrameWriter
from vhmae.video.matte import MatteSource, open_matte
from vhmae.video.pictures import open_pictures, picture_encoder
from vhmae.video.placement import KEEPS_TURN
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import VideoInfo, sound_codecs
from vhmae.video.reader import TimedFrame, read_frames, to_uint8
from vhmae.video.sequence import PICTURES, check_picture_output, has_number, numbered_alike
from vhmae.video.source import probe_source
from vhmae.video.turning import righted
from vhmae.video.writer import VideoWriter

FRAMES_AHEAD = 4
PLATE_FRAMES = 25
LEAST_FOREGROUND = 5e-4
"""A video whose mattes cover less than this of every frame has no foreground; of mattes that are
there already, one that covers nothing at all."""
ALPHA_CODECS = {".mov": "prores_ks", ".webm": "libvpx-vp9", ".mkv": "ffv1"}
MATTE_CODECS = {".mkv": "ffv1", ".avi": "ffv1", ".webm": "libvpx-vp9"}


@dataclasses.dataclass(frozen=True)
class CutOut:
    """A frame with its matte."""

    timed: TimedFrame
    matte: UnitMatte
    """(H, W) float32 in [0, 1]."""
    colors: Frame | None
    """The foreground's own, (H, W, 3) uint8 RGB, where they are wanted."""
    repeated: bool = False
    """It is another frame's, since this one is damaged."""

    def again(self, number: int, info: VideoInfo) -> CutOut:
        """The same for another frame, at its time."""
        pts = None if info.timestamps is None else int(info.timestamps[number])
        timed = dataclasses.replace(self.timed, index=number, pts=pts, seconds=None)
        return dataclasses.replace(self, timed=timed, repeated=True)

    def empty(self, number: int, info: VideoInfo) -> CutOut:
        """A frame without foreground, for one that nobody asked for."""
        return dataclasses.replace(self.again(number, info), matte=np.zeros_like(self.matte))


class ReadyMade(MatteMaker):
    """Mattes from a file: each frame's by its number, since some may be damaged."""

    def __init__(self, source: MatteSource, info: VideoInfo) -> None:
        self._mattes = source.read(info)
        self._read = 0

    def mattes(self, frames: Iterable[Frame]) -> Iterator[UnitMatte]:
        for _ in frames:
            matte = next(itertools.islice(self._mattes, self.index - self._read, None))
            self._read = self.index + 1
            yield matte.astype(np.float32) / np.float32(np.iinfo(matte.dtype).max)


def make_maker(job: MatteJob, info: VideoInfo) -> MatteMaker:
    """The maker of a job.

    Raises:
        InputError: if what it needs is missing.
    """
    if job.way == "chroma":
        garbage, told = (None, ()) if job.garbage is None else _read_garbage(job.garbage)
        key = ChromaKey(job.key, garbage, job.despill)
        key.warnings = told
        return key
    if job.way == "plate":
        if job.plate is None:
            raise InputError("`way` plate: needs `plate` PICTURE, the scene without its subject")
        return CleanPlate(_read_plate(job.plate))
    if job.way == "file":
        if job.matte is None:
            raise InputError("`way` file: needs `matte`, the matte that is there already")
        source = open_matte(job.matte)
        said = [source.check_fits(info, hold_last=None), source.doubt(info)]
        ready = ReadyMade(source, info)
        ready.warnings = (*(one for one in said if one), *source.warnings)
        return ready
    return make_network(job.way, job.weights, job.threads, job.ratio, job.steady)


def make_network(
    way: Literal["rvm", "salient"],
    weights: Path | None,
    threads: int | None,
    ratio: float | None = None,
    steady: bool = True,
) -> MatteMaker:
    """The maker that is a network.

    Raises:
        InputError: if its file is missing, or another one.
    """
    path = find_network(way, weights)
    return Rvm(path, ratio, threads) if way == "rvm" else Salient(path, steady, threads)


def cut_out(
    job: MatteJob, info: VideoInfo, maker: MatteMaker, frames: Iterator[TimedFrame]
) -> Iterator[CutOut]:
    """Frames with their mattes, shot by shot; a maker forgets what it knows at each cut."""
    for shot in _shots(job, info, frames):
        yield from _cut_out_shot(job, maker, shot)


def _shots(
    job: MatteJob, info: VideoInfo, frames: Iterator[TimedFrame]
) -> Iterator[Iterator[TimedFrame]]:
    cuts = read_cuts(job.cuts, info.frames) if job.cuts is not None else frozenset()
    shots = ShotCounter(job.cut_detection and job.cuts is None, cuts)

    def numbered() -> Iterator[tuple[int, TimedFrame]]:
        for timed in frames:
            shots.step(timed.index, timed.image.thumbnail)
            yield shots.shot, timed

    for _, group in itertools.groupby(numbered(), key=lambda pair: pair[0]):
        yield (timed for _, timed in group)


def _cut_out_shot(job: MatteJob, maker: MatteMaker, shot: Iterator[TimedFrame]) -> Iterator[CutOut]:
    waiting: deque[tuple[TimedFrame, Array, int]] = deque()

    def rgb_frames() -> Iterator[Array]:
        for timed in shot:
            # Networks know the world upright; a ready-made matte lies as the video's pixels do.
            turned = 0 if job.way == "file" else timed.decoded.rotation
            rgb = upright(to_uint8(timed.image.rgb()), turned)
            waiting.append((timed, rgb, turned))
            maker.index = timed.index
            yield rgb

    for made in maker.mattes(rgb_frames()):
        timed, rgb, turned = waiting.popleft()
        matte = largest_part(made) if job.keep_largest else made
        matte = refined(rgb, matte) if job.refine else matte
        # Now: a maker knows the colors behind this frame until it goes on to the next.
        colors = maker.colors(rgb, matte) if job.foreground is not None else None
        yield CutOut(
            timed, upright(matte, -turned), None if colors is None else upright(colors, -turned)
        )


def of_each_number(
    cut: Iterator[CutOut], info: VideoInfo, within: range | None = None
) -> Iterator[CutOut]:
    """A matte for each frame of a video, so that a damaged one shifts none: it takes that of the
    frame before it, or of the first. Those of frames outside of ``within`` are empty."""
    within = range(info.frames) if within is None else within
    last, number = None, within.start
    for one in cut:
        if last is None:
            yield from (one.empty(before, info) for before in range(within.start))
        yield from ((last or one).again(lost, info) for lost in range(number, one.timed.index))
        yield one
        last, number = one, one.timed.index + 1
    if last is not None:
        yield from (last.again(lost, info) for lost in range(number, within.stop))
        yield from (last.empty(after, info) for after in range(within.stop, info.frames))


def matte_video(job: MatteJob, within: range | None = None) -> dict[str, Any]:
    """Cut a video out; returns the report. What is written appears whole or not at all.

    Args:
        within: numbers of the frames that are looked at; the mattes of others are empty.
    Raises:
        InputError: for what the caller can mend; also where the mattes turn out to be empty.
    """
    began = time.monotonic()
    info = probe_source(job.video, "video")
    written = [path for path in (job.output, job.foreground) if path is not None]
    if any(path.suffix.lower() not in KEEPS_TURN for path in written):
        info = righted(info)
    _check_outputs(job, info)
    maker = make_maker(job, info)
    within = range(info.frames) if within is None else within
    covered, most, frames, decoded = 0.0, 0.0, 0, 0
    with contextlib.ExitStack() as stack:
        mattes = (
            stack.enter_context(_matte_writer(job.output, info)) if job.output is not None else None
        )
        layer = (
            stack.enter_context(_layer_writer(job.foreground, info))
            if job.foreground is not None
            else None
        )
        advance = stack.enter_context(
            Progress("matte", len(within), "auto" if job.progress else "none")
        )
        frames_read = run_ahead(_read_within(info, within), FRAMES_AHEAD)
        cut = run_ahead(cut_out(job, info, maker, frames_read), FRAMES_AHEAD)
        try:
            for one in of_each_number(cut, info, within):
                frames, decoded = frames + 1, decoded + (not one.repeated)
                cover = float(one.matte.mean())
                covered, most = covered + cover, max(most, cover)
                if mattes is not None:
                    mattes.write(one.timed, _matte_planes(one.matte, limited=_is_lossy(job.output)))
                if layer is not None and one.colors is not None:
                    layer.write(one.timed, _layer_planes(one.colors, one.matte))
                advance(min(max(0, frames - within.start), len(within)))
        finally:
            cut.close()
        if most <= 0.0 or (job.way != "file" and most < LEAST_FOREGROUND):
            raise InputError(f"{job.video}: {maker.complaint or _nothing_found(job.way)}")
        for writer in (mattes, layer):
            if writer is not None:
                writer.flush()
    seconds = time.monotonic() - began
    writers = ((job.output, mattes), (job.foreground, layer))
    lost = [
        f"{path}: cannot hold {what}"
        for path, writer in writers
        if writer is not None
        for what in writer.left_out
    ]
    return {
        "schema": 1,
        "frames": frames,
        "fps": round(frames / seconds, 3),
        "seconds": round(seconds, 3),
        "with": job.way,
        "foreground_ratio": round(covered / max(1, frames), 4),
        "latency_frames": maker.latency_frames,
        "warnings": [*maker.warnings, *_warnings(job, info, len(within), decoded), *lost],
    }


def _read_within(info: VideoInfo, within: range) -> Iterator[TimedFrame]:
    frames = read_frames(info, first=within.start)
    if within.stop >= info.frames:
        return frames
    return itertools.takewhile(lambda timed: timed.index < within.stop, frames)


@contextlib.contextmanager
def made_matte(
    video: Path, way: Way, beside: Path, within: range | None = None, **options: Any
) -> Iterator[Path]:
    """Mattes of a video in a file that is gone afterwards: for commands that need a mask and were
    given none. ``within`` is as :func:`matte_video` takes it."""
    if not beside.absolute().parent.is_dir():
        raise InputError(f"{beside}: the folder {beside.parent} does not exist; make it first")
    made = beside.with_name(f"{beside.name}.matte.mkv")
    with OutputLock(made), working_folder(made) as folder:  # what killed runs left goes first
        path = folder / made.name
        matte_video(MatteJob(video=video, output=path, way=way, **options), within)
        yield path


def _nothing_found(way: Way) -> str:
    return {
        "rvm": "no person was found; try `way` salient, which takes any object",
        "salient": "nothing stands out; try another way to cut it out",
        "chroma": "all of it is screen; give `key` green or blue",
        "plate": "nothing differs from the plate; give the scene without its subject",
        "file": "the matte is empty; white must mark the foreground",
    }[way]


# --- files


def _check_outputs(job: MatteJob, info: VideoInfo) -> None:
    inputs = [
        path
        for path in (job.video, job.plate, job.matte, job.garbage, job.weights, job.cuts)
        if path is not None
    ]
    outputs = [path for path in (job.output, job.foreground) if path is not None]
    alike = {one.with_name(numbered_alike(one.name)).resolve() for one in outputs}
    if len(alike) < len(outputs):
        raise InputError(f"{outputs[1]}: is named twice; give the foreground a file of its own")
    for output in outputs:
        if _is_picture(output):
            check_picture_output(output, inputs)
            if output == job.output and is_exr(output):
                raise InputError(
                    f"{output}: mattes are written as .png or .tif pictures; name it so"
                )
            if not has_number(output) and info.frames > 1:
                raise InputError(
                    f"{output}: is one picture but there are {info.frames} frames; name them as in "
                    "frame.%04d.png"
                )
        else:
            check_output(output, inputs)
    if job.foreground is not None:
        encoder = (
            picture_encoder(job.foreground)
            if _is_picture(job.foreground)
            else ALPHA_CODECS.get(job.foreground.suffix.lower())
        )
        source = _layer_info(info)
        if encoder is None or not has_alpha_channel(pixel_format(encoder, source, None)):
            raise InputError(
                f"{job.foreground}: holds no alpha; take .mov (ProRes 4444), .webm (VP9), .mkv "
                "(FFV1) or .png pictures"
            )


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES or path.is_dir()


def _is_lossy(output: Path | None) -> bool:
    return (
        output is not None
        and not _is_picture(output)
        and MATTE_CODECS.get(output.suffix.lower()) != "ffv1"
    )


def _matte_writer(output: Path, info: VideoInfo) -> FrameWriter:
    """FFV1 in grey where the container holds it, which is exact; else luma of limited range, which
    every program reads alike."""
    if _is_lossy(output):
        if info.width % 2 or info.height % 2:
            raise InputError(
                f"{output}: holds no odd sizes ({info.width}x{info.height}); take .mkv, which is "
                "exact too"
            )
        source = dataclasses.replace(
            info,
            pixel_format="yuv420p",
            encoding=ColorEncoding("bt709", False),
            guessed_matrix=False,
        )
        codec = choose_encoder(MATTE_CODECS.get(output.suffix.lower(), "libx264"), source)
        return VideoWriter(
            output, source, codec=codec, pictures_only=not _holds_sound(output, info)
        )
    source = dataclasses.replace(
        info, pixel_format="gray", encoding=ColorEncoding("bt709", True), guessed_matrix=True
    )
    if _is_picture(output):
        return open_pictures(output, source)
    return VideoWriter(output, source, codec="ffv1", pictures_only=not _holds_sound(output, info))


def _layer_info(info: VideoInfo) -> VideoInfo:
    # "rawvideo": its colors are new ones, not those of the file with changes.
    return dataclasses.replace(
        info,
        codec="rawvideo",
        pixel_format="gbrap",
        encoding=ColorEncoding("rgb", True),
        guessed_matrix=True,
    )


def _layer_writer(output: Path, info: VideoInfo) -> FrameWriter:
    source = _layer_info(info)
    if _is_picture(output):
        return open_pictures(output, source)
    codec = ALPHA_CODECS[output.suffix.lower()]
    pix_fmt = "yuva420p" if codec == "libvpx-vp9" else None
    return VideoWriter(
        output, source, codec=codec, pix_fmt=pix_fmt, pictures_only=not _holds_sound(output, info)
    )


def _holds_sound(output: Path, info: VideoInfo) -> bool:
    """Whether a container takes what is known of a video's sound as it is."""
    there = set(sound_codecs(info))
    known = there - {"unknown"}
    return bool(known or not there) and known <= codecs_of(output)


def _warnings(job: MatteJob, info: VideoInfo, wanted: int, decoded: int) -> list[str]:
    """What is lost, so many of the frames that are wanted having been decoded."""
    outputs = [path for path in (job.output, job.foreground) if path is not None]
    silent = [
        path
        for path in outputs
        if sound_codecs(info) and (_is_picture(path) or not _holds_sound(path, info))
    ]
    lost = wanted - decoded
    damaged = [
        f"{job.video} is damaged: {lost} of its {wanted} frames could not be decoded, and "
        f"{'has' if lost == 1 else 'have'} the matte of the frame before"
    ]
    dimmed = [
        f"{job.foreground}: holds what an SDR display shows of {info.space_name}: light above "
        "white is cut off (vhmae harmonize with the mask and `layer` foreground keeps it)"
    ]
    told = damaged if lost > 0 else []
    told += dimmed if job.foreground is not None and info.encoding.space is not None else []
    return told + [
        f"{path}: cannot hold the sound ({', '.join(sound_codecs(info))}), which was left out"
        for path in silent
    ]


def _matte_planes(matte: UnitMatte, limited: bool) -> PlanarFrame:
    if not limited:
        return PlanarFrame([to_uint8(matte)], ColorEncoding("bt709", True), pixel_format="gray")
    height, width = matte.shape
    luma = np.rint(16.0 + 219.0 * matte).astype(np.uint8)
    chroma = np.full((-(-height // 2), -(-width // 2)), 128, np.uint8)
    return PlanarFrame([luma, chroma, chroma], ColorEncoding("bt709", False), 2, 2, "yuv420p")


def _layer_planes(colors: Array, matte: UnitMatte) -> PlanarFrame:
    red, green, blue = (colors[..., channel] for channel in range(3))
    return PlanarFrame(
        [green, blue, red, to_uint8(matte)], ColorEncoding("rgb", True), pixel_format="gbrap"
    )


def _read_garbage(path: Path) -> tuple[UnitMatte, tuple[str, ...]]:
    """A garbage matte, read as masks are, and what is said of it."""
    source = open_matte(path)
    if source.frames is not None:
        raise InputError(f"means {source.frames} pictures; name one", field="garbage", value=path)
    return to_unit(next(source.stored())), tuple(source.warnings)


def _read_plate(path: Path) -> Array:
    """One picture, or the mean of a video of the empty scene, which has less noise."""
    info = probe_source(path, "plate")
    total, count = np.zeros(1, np.float32), min(PLATE_FRAMES, info.frames)
    for frame in read_upright(info, 0, count):
        total = total + frame.astype(np.float32)
    return np.rint(total / count).astype(np.uint8)
