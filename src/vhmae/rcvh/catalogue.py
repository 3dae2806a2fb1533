"""Raw footage as clips: cut at shots, with mattes, without what is dark, empty or there twice."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np

from vhmae.config import build
from vhmae.errors import InputError, VhmaeError
from vhmae.matting.run import MatteJob, Way, matte_video
from vhmae.rcvh.placement import Silhouette
from vhmae.video.browser import STILL_RATE, probe_source, read_upright, resized, shown_size, write_browser_video
from vhmae.video.cuts import THUMBNAIL, CutDetector
from vhmae.video.matte import open_matte
from vhmae.video.planes import shrink
from vhmae.video.probe import VideoInfo
from vhmae.video.sequence import PICTURES
from vhmae.video.writer import CONTAINERS

Array = np.ndarray

MatteWay = Literal["rvm", "salient", "chroma", "file"]
DARKEST = 0.06
"""Mean luma, of 1, under which footage is too dark."""
LEAST_MATTE = 0.01
"""Share of its frame that a foreground must fill, in the mean; and in nine of ten frames a third of that."""
SAME_BITS = 4
"""Clips whose three fingerprints of 64 bits differ by no more than this in the mean are one."""
SILHOUETTE_LINES = 90
CLIP_CRF = 8
SOURCES = "sources.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RawClip:
    """A clip of 2-4 s (``--seconds``), cut from a raw file within a shot."""

    name: str
    raw: str
    """Its file, below the raw folder."""
    source: str
    """What it was shot for: two clips of one source are never put together."""
    licence: str
    first: int
    """Number of its first frame in the raw file."""
    frames: int
    fps: str
    """A fraction."""
    width: int
    height: int
    sha256: str
    """Of the cut clip."""
    prints: tuple[int, ...]
    """What three of its frames look like, 64 bits each."""
    matte_ratio: float | None = None
    """Mean share of the frame that its foreground fills; None without a foreground of use."""

    @property
    def rate(self) -> Fraction:
        return Fraction(self.fps)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A piece of footage that is not used, and why."""

    name: str
    part: str
    """"clip" (for nothing at all) or "foreground" (as a background only)."""
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Footage:
    """Where raw footage lies and how it is cut."""

    raw: Path
    out: Path
    way: MatteWay
    mattes: Path | None = None
    """Ready-made mattes by the raw files' names, for ``file``."""
    weights: Path | None = None
    seconds: tuple[float, float] = (2.0, 4.0)
    lines: int = 480
    key: Literal["auto", "green", "blue"] = "auto"

    def clip_file(self, name: str) -> Path:
        return self.out / "parts" / "clips" / f"{name}.mp4"

    def matte_file(self, name: str) -> Path:
        return self.out / "parts" / "mattes" / f"{name}.mkv"

    def foreground_file(self, name: str) -> Path:
        return self.out / "parts" / "foregrounds" / f"{name}.mkv"

    def silhouette(self, clip: RawClip) -> Silhouette:
        with np.load(self.out / "parts" / "silhouettes" / f"{clip.name}.npz") as kept:
            return Silhouette(kept["mattes"], clip.width, clip.height)


def raw_files(raw: Path) -> dict[str, dict[str, str]]:
    """The raw files by their paths below the folder, with what ``sources.csv`` (file, source, licence) says of them."""
    if not raw.is_dir():
        raise InputError(f"--raw {raw}: is not a folder; expected one of videos")
    files = sorted(path for path in raw.rglob("*") if path.suffix.lower() in (*CONTAINERS, *PICTURES) and not path.name.startswith("."))
    found = {str(path.relative_to(raw)): {"source": str(path.relative_to(raw).with_suffix("")), "licence": ""} for path in files}
    if not found:
        raise InputError(f"--raw {raw}: holds no videos; expected {', '.join(CONTAINERS)}")
    table = raw / SOURCES
    if table.exists():
        with table.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                if row.get("file") not in found:
                    raise InputError(f"{table}: names {row.get('file')}, which is not in {raw}; mend the column 'file'")
                known = found[row["file"]]
                found[row["file"]] = {key: (row.get(key) or known[key]).strip() for key in known}
    return found


def cut_file(footage: Footage, raw: str, facts: dict[str, str]) -> tuple[list[RawClip], list[Refusal]]:
    """Cut one raw file into clips, with mattes; what was cut before is read again."""
    stem = raw.replace("/", "__").rpartition(".")[0]
    done = footage.out / "parts" / "cut" / f"{hashlib.sha256(raw.encode()).hexdigest()[:16]}.json"
    if done.exists():
        tree = json.loads(done.read_text(encoding="utf-8"))
        clips = [build(RawClip, clip, str(done)) for clip in tree["clips"]]
        known = [dataclasses.replace(clip, source=facts["source"], licence=facts["licence"]) for clip in clips]
        return known, [Refusal(**refusal) for refusal in tree["refusals"]]
    clips, refusals = [], []
    try:
        info = probe_source(footage.raw / raw, "raw video")
        for number, (first, count) in enumerate(_segments(info, footage.seconds)):
            clip, refusal = _cut(footage, info, raw, f"{stem}.{number:03d}", first, count, facts)
            clips += [clip] if clip is not None else []
            refusals += [refusal] if refusal is not None else []
        if not clips and not refusals:
            refusals.append(Refusal(raw, "clip", f"has no shot of {footage.seconds[0]:g} s"))
    except VhmaeError as error:
        refusals.append(Refusal(raw, "clip", str(error)))
    part = done.with_suffix(".part")
    tree = {"clips": [dataclasses.asdict(clip) for clip in clips], "refusals": [dataclasses.asdict(refusal) for refusal in refusals]}
    part.write_text(json.dumps(tree), encoding="utf-8")
    part.replace(done)
    return clips, refusals


def _segments(info: VideoInfo, seconds: tuple[float, float]) -> Iterator[tuple[int, int]]:
    """First frame and length of the clips of a file: shots, longer ones cut into equal parts."""
    if info.files is not None and info.frames == 1:
        yield 0, round(seconds[1] * STILL_RATE)
        return
    shortest, longest = (round(bound * info.fps) for bound in seconds)
    detector, begins = CutDetector(), [0]
    for number, frame in enumerate(read_upright(info, 0, info.frames)):
        if detector.step(shrink(frame, *THUMBNAIL).astype(np.float32) / np.float32(255.0)) and number:
            begins.append(number)
    for first, last in itertools.pairwise([*begins, info.frames]):
        length = last - first
        if length < shortest:
            continue
        parts = max(1, -(-length // longest))
        share = length // parts
        if share < shortest:
            parts, share = 1, longest
        for part in range(parts):
            yield first + part * share, min(share, longest)


def _cut(
    footage: Footage, info: VideoInfo, raw: str, name: str, first: int, count: int, facts: dict[str, str]
) -> tuple[RawClip | None, Refusal | None]:
    """Cut a clip and make its matte."""
    fps = STILL_RATE if info.files is not None and info.frames == 1 else info.fps
    seen: list[Array] = []
    darkness: list[float] = []

    def watched() -> Iterator[Array]:
        for number, frame in enumerate(resized(read_upright(info, first, count), size)):
            darkness.append(float(frame.mean()) / 255.0)
            if number in (count // 6, count // 2, count - 1 - count // 6):
                seen.append(frame)
            yield frame

    upright = next(read_upright(info, first, 1))
    size = shown_size(upright.shape[1], upright.shape[0], footage.lines)
    file = footage.clip_file(name)
    part = file.with_name(f".{file.stem}.part.mp4")
    write_browser_video(part, watched(), fps, CLIP_CRF)
    if float(np.mean(darkness)) < DARKEST:
        part.unlink()
        return None, Refusal(name, "clip", f"is too dark (mean level {255 * float(np.mean(darkness)):.0f} of 255)")
    part.replace(file)
    clip = RawClip(
        name=name, raw=raw, first=first, frames=count, fps=str(fps), width=size[0], height=size[1],
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(), prints=tuple(fingerprint(frame) for frame in seen),
        source=facts["source"], licence=facts["licence"],
    )  # fmt: skip
    try:
        return dataclasses.replace(clip, matte_ratio=_cut_matte(footage, info, clip)), None
    except VhmaeError as error:
        return clip, Refusal(name, "foreground", str(error))


def _cut_matte(footage: Footage, info: VideoInfo, clip: RawClip) -> float:
    """Make a clip's matte and foreground; returns the mean share that it fills.

    Raises:
        VhmaeError: if there is none, or it is no foreground of use.
    """
    given = _given_matte(footage, info, clip) if footage.way == "file" else None
    given_is_hard = given is not None and _is_hard(given)
    matte, foreground = footage.matte_file(clip.name), footage.foreground_file(clip.name)
    try:
        way: Way = footage.way
        matte_video(
            MatteJob(
                video=footage.clip_file(clip.name), output=matte, foreground=foreground, way=way, weights=footage.weights, matte=given,
                key=footage.key, keep_largest=way in ("rvm", "salient"), refine=given_is_hard, cut_detection=False,
            )
        )  # fmt: skip
    finally:
        if given is not None:
            given.unlink(missing_ok=True)
    scale = SILHOUETTE_LINES / clip.height
    size = (max(1, round(clip.width * scale)), SILHOUETTE_LINES)
    made = itertools.islice(open_matte(matte).read(probe_source(matte, "matte")), clip.frames)
    mattes = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in made])
    areas = mattes.mean(axis=(1, 2)) / 255.0
    if areas.mean() < LEAST_MATTE or np.percentile(areas, 10) < LEAST_MATTE / 3:
        matte.unlink()
        foreground.unlink()
        raise InputError(f"the matte is empty or nearly so ({100 * float(areas.mean()):.1f} % of the frame)")
    np.savez_compressed(footage.out / "parts" / "silhouettes" / f"{clip.name}.npz", mattes=mattes)
    return round(float(areas.mean()), 4)


def _given_matte(footage: Footage, info: VideoInfo, clip: RawClip) -> Path:
    """A ready-made matte, cut as its clip was."""
    assert footage.mattes is not None
    stem = Path(clip.raw).with_suffix("")
    names = (*CONTAINERS, *PICTURES, ".npz", ".mask.npz", ".mask.mp4", ".mask.mkv")
    found = next((path for name in names if (path := footage.mattes / f"{stem}{name}").exists()), None)
    if found is None:
        raise InputError(f"{footage.mattes} has no matte of the name {stem}")
    source = open_matte(found)
    source.check_fits(info, hold_last=False)
    file = footage.matte_file(clip.name).with_name(f".{clip.name}.given.mkv")
    size = (clip.width, clip.height)
    with av.open(f"file:{file.absolute()}", "w") as container:
        stream = container.add_stream("ffv1", rate=clip.rate)
        stream.width, stream.height, stream.pix_fmt = *size, "gray"
        for matte in itertools.islice(source.read(info, clip.first), clip.frames):
            grey = matte if matte.dtype == np.uint8 else (matte // 257).astype(np.uint8)
            shown: Any = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="gray")))
        container.mux(stream.encode(None))
    return file


def _is_hard(matte: Path) -> bool:
    """Whether a matte knows hardly anything between black and white, so that its edge may follow the picture."""
    first = next(open_matte(matte).read(probe_source(matte, "matte")))
    return float(((first > 8) & (first < 247)).mean()) < 0.004


def fingerprint(frame: Array) -> int:
    """64 bits that stay alike when a picture is scaled or encoded anew: which of two neighbours is brighter (dHash)."""
    small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return int(np.packbits(bits).view(">u8")[0])


def without_doubles(clips: list[RawClip]) -> tuple[list[RawClip], list[Refusal]]:
    """Leave out clips that look like one before them, under whatever name."""
    kept: list[RawClip] = []
    refusals = []
    for clip in clips:
        same = next((one for one in kept if _alike(one, clip)), None)
        if same is None:
            kept.append(clip)
        else:
            refusals.append(Refusal(clip.name, "clip", f"is a duplicate of {same.name}"))
    return kept, refusals


def _alike(one: RawClip, other: RawClip) -> bool:
    if one.sha256 == other.sha256:
        return True
    if one.raw == other.raw or len(one.prints) != len(other.prints):
        return False  # neighbours in one file look alike and are of one source anyway
    return float(np.mean([(a ^ b).bit_count() for a, b in zip(one.prints, other.prints, strict=True)])) <= SAME_BITS


def make_catalogue(
    footage: Footage, each: Callable[[Callable[..., Any], list[tuple[Any, ...]]], Iterator[Any]]
) -> tuple[list[RawClip], list[Refusal]]:
    """Cut all raw files; ``each`` runs a function over many arguments, in several processes or one."""
    for folder in ("clips", "mattes", "foregrounds", "silhouettes", "cut"):
        (footage.out / "parts" / folder).mkdir(parents=True, exist_ok=True)
    clips: list[RawClip] = []
    refusals: list[Refusal] = []
    work = [(footage, raw, facts) for raw, facts in raw_files(footage.raw).items()]
    for found, refused in each(cut_file, work):
        clips += found
        refusals += refused
    kept, doubles = without_doubles(sorted(clips, key=lambda clip: clip.name))
    return kept, sorted([*refusals, *doubles], key=lambda refusal: refusal.name)
