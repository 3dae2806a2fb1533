"""Pictures as frames: one still, a folder of pictures, or a numbered sequence
(``shot.%04d.png``)."""

from __future__ import annotations

import dataclasses
import io
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vhmae.color.yuv import Matrix
from vhmae.errors import InputError
from vhmae.partial_output import check_apart
from vhmae.video.exr import ExrPicture, is_exr, probe_exr
from vhmae.video.planes import frame_of
from vhmae.video.probe import VideoInfo, describe_stream

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".bmp", ".webp")
_FORM = re.compile(r"(.*?)%0?(\d*)d(.*)")
DEFAULT_RATE = Fraction(24)
"""Frames a second of a sequence, which does not say."""


def is_pictures(path: Path) -> bool:
    """Whether a path means pictures: a numbered sequence, a folder, or one picture."""
    return is_pattern(path) or path.is_dir() or path.suffix.lower() in PICTURES


def is_pattern(path: Path) -> bool:
    return "%" in path.name and not path.exists()


def files_of(path: Path) -> list[Path]:
    """The files behind a path that may name a folder of pictures or a numbered sequence."""
    return picture_files(path, "picture") if is_pattern(path) or path.is_dir() else [path]


def picture_files(path: Path, what: str) -> list[Path]:
    """The pictures that a path means, in order.

    Raises:
        InputError: if there are none, or a numbered sequence has a gap.
    """
    if is_pattern(path):
        return list(sequence_files(path).values())
    if not path.is_dir():
        return [path]
    try:
        files = sorted(
            (f for f in path.iterdir() if f.suffix.lower() in PICTURES), key=natural_order
        )
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    if not files:
        raise InputError(
            f"{path}: holds no pictures; expected a folder of {what} frames "
            f"({', '.join(PICTURES[:3])}, ...)"
        )
    return files


def sequence_files(pattern: Path) -> dict[int, Path]:
    """The files of a numbered sequence (``mask.%04d.png``) by their numbers, in order.

    Raises:
        InputError: if there are none, or numbers between the first and the last are missing.
    """
    name = _pattern(pattern)
    folder = pattern.parent
    matches = (
        [(name.fullmatch(file.name), file) for file in folder.iterdir()] if folder.is_dir() else []
    )
    files = {int(match[1]): file for match, file in matches if match is not None}
    if not files:
        raise InputError(
            f"{pattern}: no file of this sequence exists; check the folder and the number of digits"
        )
    first, last = min(files), max(files)
    missing = next((number for number in range(first, last) if number not in files), None)
    if missing is not None:
        raise InputError(
            f"{pattern}: number {missing} is missing between {first} and {last}; make it again, or "
            "name its folder instead"
        )
    return {number: files[number] for number in sorted(files)}


def has_number(path: Path) -> bool:
    """Whether a name has a place for a number, as in shot.%04d.png."""
    return _FORM.fullmatch(path.name) is not None


def _pattern(pattern: Path) -> re.Pattern[str]:
    form = _FORM.fullmatch(pattern.name)
    if form is None:
        raise InputError(f"{pattern}: is not a numbered sequence; write it as shot.%04d.png")
    digits = f"[0-9]{{{form[2]},}}" if form[2] else "0|[1-9][0-9]*"
    return re.compile(f"{re.escape(form[1])}({digits}){re.escape(form[3])}")


def natural_order(path: Path) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)
    ]


def _numbers(path: Path, files: list[Path]) -> tuple[int, ...]:
    """The numbers of pictures: those of the pattern, or the digits in a folder's names that tell
    them apart; else counted from 1."""
    if is_pattern(path):
        return tuple(sequence_files(path))
    digits = [re.findall(r"\d+", file.name) for file in files]
    for place in range(-1, -1 - min(map(len, digits)), -1):
        numbers = tuple(int(one[place]) for one in digits)
        if len(set(numbers)) == len(files):
            return numbers
    return tuple(range(1, len(files) + 1))


# --- reading


def probe_pictures(
    path: Path, what: str, colorspace: Matrix | None = None, rate: Fraction | None = None
) -> VideoInfo:
    """Look at pictures as at a video.

    Args:
        rate: frames a second; None takes 24.
    Raises:
        InputError: if there are none, or the first cannot be read.
    """
    files = picture_files(path, what)
    if not files[0].exists():
        raise InputError(f"{path}: no such file; check the path of the {what}")
    if is_exr(files[0]):
        info = probe_exr(files[0], path)
    else:
        container, _ = _open(files[0], what)
        with container:
            info = describe_stream(container.streams.video[0], path, colorspace)
    if _is_turned(files[0]):
        raise InputError(
            f"{files[0]}: is shown turned by its EXIF tag, which is not handled; turn its pixels, "
            "and export it again"
        )
    fps = rate or DEFAULT_RATE
    return dataclasses.replace(
        info,
        files=tuple(files),
        numbers=_numbers(path, files),
        frames=len(files),
        fps=fps,
        duration_seconds=len(files) / float(fps),
    )


def read_pictures(info: VideoInfo, first: int = 0) -> Iterator[tuple[int, av.VideoFrame, bool]]:
    """The pictures as frames, each with its number, and whether light above 1 was cut off
    (OpenEXR).

    Raises:
        InputError: for a picture that cannot be read, or is not of the first one's kind.
    """
    assert info.files is not None
    for index, file in enumerate(info.files[first:], first):
        cut = False
        if is_exr(file):
            planes, cut = ExrPicture(file, "frame").display(info.associated)
            frame = frame_of(planes, "gbrap16le" if len(planes) == 4 else "gbrp16le")
        else:
            container, frame = _open(file, "frame")
            container.close()
        if (frame.width, frame.height, frame.format.name) != (
            info.width,
            info.height,
            info.pixel_format,
        ):
            raise InputError(
                f"{file}: is {frame.width}x{frame.height} {frame.format.name}, the first picture "
                f"is {info.width}x{info.height} "
                f"{info.pixel_format}; export the sequence in one form"
            )
        yield index, frame, cut


def _open(file: Path, what: str) -> tuple[av.container.InputContainer, av.VideoFrame]:
    """Open one picture and decode it: by its bytes, since FFmpeg reads patterns into file names."""
    try:
        container = av.open(io.BytesIO(file.read_bytes()), "r")
        return container, next(iter(container.decode(video=0)))
    except (av.error.FFmpegError, StopIteration, IndexError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no picture in it"
        raise InputError(
            f"{file}: cannot be read as a picture ({reason}); export the {what} again"
        ) from None
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}); check the path and the permissions"
        ) from None


def _is_turned(file: Path) -> bool:
    """Whether a picture's EXIF tag turns it: OpenCV heeds the tag or not, as it is told."""
    if file.suffix.lower() not in (".jpg", ".jpeg"):
        return False
    heeded, stored = (
        cv2.imread(str(file), cv2.IMREAD_COLOR | flag)
        for flag in (0, cv2.IMREAD_IGNORE_ORIENTATION)
    )
    return heeded is not None and stored is not None and not np.array_equal(heeded, stored)


# --- writing


def check_picture_output(output: Path, inputs: list[Path]) -> None:
    """Refuse pictures that cannot be written, or would take the place of what is read."""
    if output.is_dir():
        raise InputError(
            f"{output}: is a folder; write the pictures' names as {output / 'frame.%04d.png'}"
        )
    if output.suffix.lower() not in PICTURES:
        raise InputError(
            f"{output}: unknown kind of picture '{output.suffix}'; expected one of "
            f"{', '.join(PICTURES)}"
        )
    if not output.parent.is_dir():
        raise InputError(f"{output}: the folder {output.parent} does not exist; make it first")
    if not os.access(output.parent, os.W_OK):
        raise InputError(
            f"{output}: the folder {output.parent} cannot be written; choose another or change its "
            "permissions"
        )
    check_apart(output, inputs)
    name = _pattern(output) if has_number(output) else re.compile(re.escape(output.name))
    for source in inputs:
        if source.is_dir() and source.resolve() == output.parent.resolve():
            raise InputError(
                f"{output}: would lie among the pictures of {source}, which is an input; choose "
                "another folder"
            )
        for file in files_of(source) if source.exists() or is_pattern(source) else []:
            if file.parent.resolve() == output.parent.resolve() and name.fullmatch(file.name):
                raise InputError(
                    f"{output}: would be written over {file}, which is an input; choose another "
                    "name for the output"
                )


def numbered(output: Path, source: VideoInfo, index: int) -> Path:
    """The name of a frame's picture: with the number of the picture that it came from, or counted
    from 1."""
    form = _FORM.fullmatch(output.name)
    if form is None:
        return output
    number = source.numbers[index] if source.numbers is not None else index + 1
    return output.with_name(f"{form[1]}{number:0{form[2] or 1}d}{form[3]}")
