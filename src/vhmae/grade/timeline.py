"""Time lines: one clip a shot with its CDL, as .edl (CMX 3600) or .otio, by OpenTimelineIO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vhmae.errors import InputError
from vhmae.grade.cdl import Cdl
from vhmae.grade.shots import ShotGrade
from vhmae.video.probe import VideoInfo

RATES = (23.976, 24.0, 25.0, 29.97, 30.0, 47.952, 48.0, 50.0, 59.94, 60.0)
"""Rates that time code can count."""


def write_timeline(grades: list[ShotGrade], cdls: list[Cdl], luts: list[Path], info: VideoInfo, name: str, path: Path) -> None:
    """Write the shots one after the other.

    Args:
        luts: a LUT a shot; named in .otio, which an EDL cannot hold.
    Raises:
        InputError: where the video's rate has no time code, or OpenTimelineIO is not installed.
    """
    otio = require_otio()
    rate = _rate(info, path)

    def times(start: int, frames: int) -> Any:
        return otio.opentime.TimeRange(otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(frames, rate))

    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    end = 0
    for index, (grade, cdl) in enumerate(zip(grades, cdls, strict=True)):
        media = otio.schema.ExternalReference(target_url=str(info.path.name), available_range=times(0, info.frames))
        frames = grade.last - grade.first + 1
        if grade.first > end:  # a shot without a foreground keeps its place
            track.append(otio.schema.Gap(source_range=times(0, grade.first - end)))
        end = grade.last + 1
        clip = otio.schema.Clip(name=f"shot{grade.number:03d}", media_reference=media, source_range=times(grade.first, frames))
        clip.metadata["cdl"] = {
            "asc_sop": {"slope": list(cdl.slope), "offset": list(cdl.offset), "power": list(cdl.power)}, "asc_sat": cdl.saturation,
        }  # fmt: skip
        if luts:
            clip.effects.append(otio.schema.Effect(name="LUT", effect_name="LUT", metadata={"vhmae": {"lut": luts[index].name}}))
        track.append(clip)
    timeline = otio.schema.Timeline(name=name)
    timeline.tracks.append(track)
    adapter = {"adapter_name": "cmx_3600", "rate": rate} if path.suffix.lower() == ".edl" else {"adapter_name": "otio_json"}
    otio.adapters.write_to_file(timeline, str(path), **adapter)


def _rate(info: VideoInfo, path: Path) -> float:
    rate = float(info.fps)
    nearest = min(RATES, key=lambda known: abs(known - rate))
    if abs(nearest - rate) < 0.01:
        return nearest
    if path.suffix.lower() == ".edl":
        raise InputError(f"{info.path}: has {rate:.3f} frames a second, which time code cannot count; export otio, or conform the clip")
    return rate


def require_otio() -> Any:
    try:
        import opentimelineio
    except ImportError:
        raise InputError("export edl: OpenTimelineIO is not installed; run: pip install 'vhmae[grade]'") from None
    return opentimelineio
