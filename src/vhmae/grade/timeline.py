"""Time lines: one clip a shot with its CDL, as .edl (CMX 3600) or, by OpenTimelineIO, as .otio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vhmae.errors import InputError
from vhmae.grade.cdl import Cdl
from vhmae.grade.media import Media, plain, quoted
from vhmae.grade.shots import ShotGrade


def write_edl(
    grades: list[ShotGrade], cdls: list[Cdl], media: Media, name: str, path: Path
) -> None:
    """Write an EDL (CMX 3600 with ASC CDL comments): the shots one after the other, each at its own
    place; times are those of the clip.

    Args:
        grades, cdls: of each shot, in order.
        media: how the clip is named and counted.
        name: the title.
        path: the file to write.

    Its second line says how frames are counted: without it, readers take 29.97 for what they like.
    """
    count = media.counting
    frames_are = "DROP FRAME" if count.drop else "NON-DROP FRAME"
    lines = [f"TITLE: {plain(name)[:70]}", f"FCM: {frames_are}", ""]
    for event, (grade, cdl) in enumerate(zip(grades, cdls, strict=True), 1):
        spans = (
            media.start + grade.first,
            media.start + grade.last + 1,
            grade.first,
            grade.last + 1,
        )
        times = " ".join(count.text(number) for number in spans)
        slope, offset, power = (
            " ".join(f"{value:.6f}" for value in part)
            for part in (cdl.slope, cdl.offset, cdl.power)
        )
        lines += [
            f"{event:03d}  {media.reel:<8} V     C        {times}",
            f"* FROM CLIP NAME:  {media.name}",
            *([f"* SOURCE FILE: {plain(media.full_reel)}"] if media.full_reel else []),
            f"* SHOT: shot{grade.number:03d}",
            f"*ASC_SOP ({slope}) ({offset}) ({power})",
            f"*ASC_SAT {cdl.saturation:.6f}",
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_otio(
    grades: list[ShotGrade], cdls: list[Cdl], luts: list[Path], media: Media, name: str, path: Path
) -> None:
    """Write an OpenTimelineIO time line: the shots one after the other, each with its CDL and the
    name of its LUT.

    Args:
        grades, cdls, luts: of each shot, in order; LUTs are named, not copied.
        media: how the clip is addressed and counted.
        name: the time line's name.
        path: the file to write.
    Raises:
        InputError: where OpenTimelineIO is not installed.
    """
    otio = require_otio()

    def times(start: int, frames: int) -> Any:
        begins, lasts = (otio.opentime.RationalTime(n, media.rate) for n in (start, frames))
        return otio.opentime.TimeRange(begins, lasts)

    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    end = 0
    for grade, cdl, lut in zip(grades, cdls, luts, strict=True):
        if grade.first > end:  # a shot without a foreground keeps its place
            track.append(otio.schema.Gap(source_range=times(0, grade.first - end)))
        end = grade.last + 1
        clip = otio.schema.Clip(
            name=f"shot{grade.number:03d}",
            media_reference=_reference(otio, media, times(media.start, media.frames)),
            source_range=times(media.start + grade.first, end - grade.first),
        )
        clip.metadata["cdl"] = {
            "asc_sop": {
                "slope": list(cdl.slope),
                "offset": list(cdl.offset),
                "power": list(cdl.power),
            },
            "asc_sat": cdl.saturation,
        }
        if media.full_reel:  # under the name by which the library's own EDLs are read and written
            clip.metadata["cmx_3600"] = {"reel": plain(media.full_reel)}
        effect = otio.schema.Effect(
            name="LUT", effect_name="LUT", metadata={"vhmae": {"lut": plain(lut.name)}}
        )
        clip.effects.append(effect)
        track.append(clip)
    timeline = otio.schema.Timeline(name=plain(name))
    timeline.tracks.append(track)
    # The library opens no file whose name is no text, so its text is written here.
    path.write_text(otio.adapters.write_to_string(timeline, "otio_json"), encoding="utf-8")


def _reference(otio: Any, media: Media, available: Any) -> Any:
    """How OpenTimelineIO names a clip: pictures by a pattern, anything else by its address."""
    named: Any
    if media.numbering is None:
        named = otio.schema.ExternalReference(target_url=media.address, available_range=available)
    else:
        named = otio.schema.ImageSequenceReference(
            target_url_base=media.address,
            name_prefix=quoted(media.numbering.prefix),
            name_suffix=quoted(media.numbering.suffix),
            start_frame=media.numbering.first,
            frame_step=media.numbering.step,
            # The library counts numbers, of which pictures on twos have two a frame.
            rate=media.rate * media.numbering.step,
            frame_zero_padding=media.numbering.digits,
            available_range=available,
        )
    named.name = media.name
    return named


def require_otio() -> Any:
    try:
        import opentimelineio
    except ImportError:
        raise InputError(
            "export otio: OpenTimelineIO is not installed; run: pip install 'vhmae[grade]'"
        ) from None
    return opentimelineio
