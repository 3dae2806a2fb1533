"""Raw footage as clips: cut at shots, with mattes, without what is dark, empty or there twice."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from vhmae.arrays import Array, Frame
from vhmae.config import build
from vhmae.digest import file_digest
from vhmae.errors import InputError, VhmaeError
from vhmae.matting.job import MatteJob, Way
from vhmae.matting.run import matte_video
from vhmae.partial_output import working_folder, write_text_whole
from vhmae.rcvh.footage import NO_MATTE, RawClip, RawFile, Refusal, find_matte, raw_files
from vhmae.rcvh.job import Footage
from vhmae.video.browser import (
    STILL_RATE,
    display_size,
    read_upright,
    resized,
    shown_size,
    upright,
    write_browser_video,
)
from vhmae.video.cuts import THUMBNAIL, CutDetector
from vhmae.video.matte import open_matte
from vhmae.video.planes import shrink
from vhmae.video.probe import VideoInfo
from vhmae.video.source import probe_source
from vhmae.web.records import NotReadable, parse_json

DARKEST = 0.06
"""Mean luma, of 1, under which footage is too dark."""
LEAST_MATTE = 0.01
"""Share of its frame that a foreground must fill, in the mean; and in nine of ten frames a third of
that."""
SAME_BITS = 4
"""Clips whose three fingerprints of 64 bits differ by no more than this in the mean are one."""
SILHOUETTE_LINES = 90
CLIP_CRF = 8


def cut_file(footage: Footage, raw: RawFile) -> tuple[list[RawClip], list[Refusal]]:
    """Cut one raw file into clips, with mattes; what was cut before is read again, clip by clip."""
    records = footage.out / "parts" / "cut"
    known = (
        records
        / f"{hashlib.sha256(raw.path.encode(errors='surrogateescape')).hexdigest()[:16]}.json"
    )
    clips, refusals = [], []
    try:
        info = probe_source(footage.raw / raw.path, "raw video")
        files = [file.stat() for file in (info.files or (footage.raw / raw.path,))]
        state = [[stat.st_size, stat.st_mtime_ns] for stat in files]
        facts = _read_facts(known)
        if facts is not None and facts.get("state", state) != state:
            raise InputError(
                f"{footage.raw / raw.path}: is not the file that was cut before; give it a new "
                "name, or build a new set"
            )
        if facts is None:
            facts = {
                "raw": raw.path,
                "state": state,
                "segments": list(_segments(info, footage.seconds)),
            }
            _write_json(known, facts)
        segments = facts["segments"]
        for number, (first, count) in enumerate(segments):
            clip, refusal = _cut_once(footage, info, raw, f"{raw.stem}.{number:03d}", first, count)
            clips += [clip] if clip is not None else []
            refusals += [refusal] if refusal is not None else []
        if not segments:
            refusals.append(Refusal(raw.path, "clip", f"has no shot of {footage.seconds[0]:g} s"))
    except VhmaeError as error:
        refusals.append(Refusal(raw.path, "clip", str(error)))
    return clips, refusals


def _cut_once(
    footage: Footage, info: VideoInfo, raw: RawFile, name: str, first: int, count: int
) -> tuple[RawClip | None, Refusal | None]:
    """Cut a clip, or read what became of it; one that lacked its matte is looked at again when that
    is there."""
    record = footage.out / "parts" / "cut" / f"{name}.json"
    before = _read_outcome(record)
    if before is not None:
        clip, refusal = before
        known = (_read_json(record) or {}).get("matte")
        now = None if clip is None else _matte_stamp(footage, clip.raw)
        if refusal is None and known is not None and now is not None and known != now:
            raise InputError(
                f"{raw.path}: its matte is not the one that was cut before; give the video a new "
                "name, or build a new set"
            )
        if refusal is None or clip is None or known == now:
            return clip and dataclasses.replace(
                clip, source=raw.source, licence=raw.licence
            ), refusal
    stamp = _matte_stamp(footage, raw.path)  # before the work: what comes meanwhile is of the next
    clip, refusal = _cut(footage, info, raw, name, first, count)
    facts = {
        "clip": clip and dataclasses.asdict(clip),
        "refusal": refusal and dataclasses.asdict(refusal),
        "matte": stamp,
    }
    _write_json(record, facts)
    return clip, refusal


def _matte_stamp(footage: Footage, raw: str) -> list[list[Any]] | None:
    """Names, sizes and times of the matte that lies ready for a clip's raw file: a clip that was
    refused is looked at again where they are others."""
    if footage.way != "file" or (found := find_matte(footage, raw)) is None:
        return None
    files = sorted(found.iterdir()) if found.is_dir() else [found]
    stats = [(file.name, file.stat()) for file in files if file.is_file()]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def _write_json(path: Path, tree: Any) -> None:
    write_text_whole(path, json.dumps(tree), errors="surrogateescape")


def _read_json(path: Path) -> Any:
    """What a file holds; None where there is none, or it is damaged: these files only spare work
    that can be done again."""
    try:
        return parse_json(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (FileNotFoundError, NotReadable):
        return None


def _read_facts(path: Path) -> dict[str, Any] | None:
    """How a raw file was cut before."""
    facts = _read_json(path)
    segments = facts.get("segments") if isinstance(facts, dict) else None
    if not isinstance(segments, list) or not all(
        isinstance(one, list) and [type(n) for n in one] == [int, int] for one in segments
    ):
        return None
    return facts


def _read_outcome(path: Path) -> tuple[RawClip | None, Refusal | None] | None:
    """What became of a clip."""
    tree = _read_json(path)
    try:
        clip = build(RawClip, tree["clip"], str(path)) if tree["clip"] is not None else None
        refusal = Refusal(**tree["refusal"]) if tree["refusal"] is not None else None
    except (InputError, LookupError, TypeError, AttributeError):
        return None
    return clip, refusal


def _segments(info: VideoInfo, seconds: tuple[float, float]) -> Iterator[tuple[int, int]]:
    """First frame and length of the clips of a file: shots, longer ones cut into equal parts."""
    if info.files is not None and info.frames == 1:
        yield 0, round(seconds[1] * STILL_RATE)
        return
    shortest, longest = (max(1, round(bound * info.fps)) for bound in seconds)
    detector, begins = CutDetector(), [0]
    for number, frame in enumerate(read_upright(info, 0, info.frames)):
        if (
            detector.step(shrink(frame, *THUMBNAIL).astype(np.float32) / np.float32(255.0))
            and number
        ):
            begins.append(number)
    for first, last in itertools.pairwise([*begins, info.frames]):
        length = last - first
        if length < shortest:
            continue
        parts = max(1, -(-length // longest))
        share = length // parts
        if share < shortest:  # so narrow a range leaves a rest
            parts, share = max(1, length // longest), longest
        for part in range(parts):
            yield first + part * share, min(share, longest)


def _cut(
    footage: Footage, info: VideoInfo, raw: RawFile, name: str, first: int, count: int
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

    size = shown_size(*display_size(info), footage.lines)
    file = footage.clip_file(name)
    with working_folder(file) as part:
        write_browser_video(part / file.name, watched(), fps, CLIP_CRF)
        level = float(np.mean(darkness))
        if level < DARKEST:
            told = f"is too dark (mean level {255 * level:.0f} of 255)"
            return None, Refusal(name, "clip", told)
        (part / file.name).replace(file)
    clip = RawClip(
        name=name,
        raw=raw.path,
        first=first,
        frames=count,
        fps=str(fps),
        width=size[0],
        height=size[1],
        sha256=file_digest(file),
        prints=tuple(fingerprint(frame) for frame in seen),
        source=raw.source,
        licence=raw.licence,
    )
    try:
        return dataclasses.replace(clip, matte_ratio=_cut_matte(footage, info, clip)), None
    except InputError as error:
        lacks = footage.way == "file" and find_matte(footage, raw.path) is None
        return clip, Refusal(name, NO_MATTE if lacks else "foreground", str(error))


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
                video=footage.clip_file(clip.name),
                output=matte,
                foreground=foreground,
                way=way,
                weights=footage.weights,
                matte=given,
                key=footage.key,
                keep_largest=way in ("rvm", "salient"),
                refine=given_is_hard,
                cut_detection=False,
                threads=footage.threads,
            )
        )
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
        raise InputError(
            f"the matte is empty or nearly so ({100 * float(areas.mean()):.1f} % of the frame)"
        )
    np.savez_compressed(footage.silhouette_file(clip.name), mattes=mattes)
    return round(float(areas.mean()), 4)


def _given_matte(footage: Footage, info: VideoInfo, clip: RawClip) -> Path:
    """A ready-made matte, cut as its clip was."""
    assert footage.mattes is not None
    found = find_matte(footage, clip.raw)
    if found is None:
        raise InputError(
            f"{footage.mattes} has no matte of the name {Path(clip.raw).with_suffix('')}"
        )
    source = open_matte(found)
    source.check_fits(info, hold_last=None)
    file = footage.matte_file(clip.name).with_name(f".{clip.name}.given.mkv")
    size = (clip.width, clip.height)
    with av.open(f"file:{file.absolute()}", "w") as container:
        stream = container.add_stream("ffv1", rate=clip.rate)
        stream.width, stream.height, stream.pix_fmt = *size, "gray"
        for matte in itertools.islice(source.read(info, clip.first), clip.frames):
            grey = matte if matte.dtype == np.uint8 else (matte // 257).astype(np.uint8)
            shown: Any = cv2.resize(upright(grey, info.turned), size, interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="gray")))
        container.mux(stream.encode(None))
    return file


def _is_hard(matte: Path) -> bool:
    """Whether a matte knows hardly anything between black and white, so that its edge may follow
    the picture."""
    first = next(open_matte(matte).read(probe_source(matte, "matte")))
    return float(((first > 8) & (first < 247)).mean()) < 0.004


def fingerprint(frame: Frame) -> int:
    """64 bits that stay alike when a picture is scaled or encoded anew: which of two neighbors is
    brighter (dHash)."""
    small = cv2.resize(
        cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (9, 8), interpolation=cv2.INTER_AREA
    )
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
        return False  # neighbors in one file look alike and are of one source anyway
    return (
        float(np.mean([(a ^ b).bit_count() for a, b in zip(one.prints, other.prints, strict=True)]))
        <= SAME_BITS
    )


def make_catalogue(
    footage: Footage, each: Callable[[Callable[..., Any], list[tuple[Any, ...]]], Iterator[Any]]
) -> tuple[list[RawClip], list[Refusal]]:
    """Cut all raw files; ``each`` runs a function over many arguments, in several processes or
    one."""
    for folder in ("clips", "mattes", "foregrounds", "silhouettes", "cut"):
        (footage.out / "parts" / folder).mkdir(parents=True, exist_ok=True)
    clips: list[RawClip] = []
    refusals: list[Refusal] = []
    work = [(footage, raw) for raw in raw_files(footage)]
    for found, refused in each(cut_file, work):
        clips += found
        refusals += refused
    # Of two that look alike the one with a foreground stays.
    kept, doubles = without_doubles(
        sorted(clips, key=lambda clip: (clip.matte_ratio is None, clip.name))
    )
    return sorted(kept, key=lambda clip: clip.name), sorted(
        [*refusals, *doubles], key=lambda refusal: refusal.name
    )
