"""Containers of video: which there are, what they can hold, and where one may be written."""

from __future__ import annotations

import io
from pathlib import Path

import av

from vhmae.errors import InputError, did_you_mean
from vhmae.partial_output import check_apart, check_folder
from vhmae.video.probe import is_address

CONTAINERS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
MP4_FAMILY = (".mp4", ".mov", ".m4v")
HELD_BY_MATROSKA = (".ogv", ".y4m")
"""Videos whose sound (Vorbis) or whose planes as they are QuickTime does not hold."""


def check_output(output: Path, inputs: list[Path]) -> None:
    """Refuse an output that cannot be written, before any work."""
    if is_address(output):
        raise InputError(
            f"{output}: is an address; write a file (./{output.name} where it is the name of one)"
        )
    if output.suffix.lower() not in CONTAINERS:
        hint = did_you_mean(output.suffix, CONTAINERS)
        raise InputError(
            f"{output}: unknown container '{output.suffix}'{hint}; expected one of "
            f"{', '.join(CONTAINERS)}"
        )
    check_folder(output)
    if output.is_dir():
        raise InputError(f"{output}: is a folder; give the name of a file")
    check_apart(output, inputs)
    for source in inputs:
        if output.exists() and source.exists() and output.samefile(source):
            raise InputError(f"{output}: is one of the inputs; choose another name for the output")


def container_for(suffix: str) -> str:
    """The ending of what a video is written as: its own, or of one that is read alone, another."""
    if suffix in CONTAINERS:
        return suffix
    return ".mkv" if suffix in HELD_BY_MATROSKA else ".mov"


def codecs_of(output: Path) -> set[str]:
    """The codecs that the container of a file can hold, by their names."""
    suffix = output.suffix.lower().removeprefix(".")
    with av.open(
        io.BytesIO(), "w", format={"mkv": "matroska", "m4v": "ipod"}.get(suffix, suffix)
    ) as container:
        return set(container.supported_codecs)
