"""Frames written as pictures: one still or a numbered sequence, in the depth and channels of their
source."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import errno
import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vhmae.arrays import Frame
from vhmae.errors import InputError, VhmaeError, mended_by
from vhmae.partial_output import OutputLock, partial_name, take_places, whole_file
from vhmae.video.delivery import delivery
from vhmae.video.encoders import encoder_options, pixel_format
from vhmae.video.exr import ExrPicture, is_exr, write_new
from vhmae.video.exr_changes import changed_light, write_changed
from vhmae.video.frame_writer import FrameWriter, file_size
from vhmae.video.planes import Box, PlanarFrame
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import TimedFrame
from vhmae.video.recode import delivered
from vhmae.video.sequence import check_picture_output, has_number, numbered
from vhmae.video.still_marks import StillMarks, marked, marks_of, of_pixels
from vhmae.video.stills import picture_bytes, turn_of, write_levels
from vhmae.video.tags import tag_space

ENCODERS = {
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".jpg": "mjpeg",
    ".jpeg": "mjpeg",
    ".bmp": "bmp",
    ".webp": "libwebp",
    ".exr": "exr",
}
_LOSSLESS_OPTIONS = {"tiff": {"compression_algo": "deflate"}, "libwebp": {"lossless": "1"}}


def picture_encoder(output: Path) -> str:
    """The encoder of a picture's suffix."""
    return ENCODERS[output.suffix.lower()]


class PictureWriter(FrameWriter):
    """Writes each frame as a file; the files take their places when all of them are there."""

    def __init__(self, output: Path, source: VideoInfo, verify: bool) -> None:
        self.output = output
        self.source = source
        self.verify = verify
        self.frames = 0
        self.left_out = []
        self._flushed = False
        self._parts: list[tuple[Path, Path]] = []
        self._bytes = 0
        self._lock = OutputLock(output)
        self._folder = partial_name(output).with_suffix("")
        self._writing_process = os.getpid()
        try:
            self._folder.mkdir()
        except OSError as error:
            self._lock.release()
            raise InputError(
                f"{output}: cannot be written beside its place ({error.strerror}); check the "
                "permissions"
            ) from None

    @abc.abstractmethod
    def _save(self, part: Path, timed: TimedFrame, image: PlanarFrame) -> None:
        """Write a frame as a file."""

    @abc.abstractmethod
    def _size(self, part: Path) -> tuple[int, int]:
        """Width and height of a written file."""

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def write(self, timed: TimedFrame, image: PlanarFrame) -> None:
        part = self._folder / f"{self.frames:08d}{self.output.suffix}"
        try:
            self._save(part, timed, image)
        except (av.error.FFmpegError, OSError) as error:
            raise VhmaeError(
                f"{self.output}: writing failed at frame {self.frames} ({error.strerror}); "
                f"{mended_by(error)}"
            ) from None
        self._parts.append((part, numbered(self.output, self.source, timed.index)))
        self._bytes += file_size(part)
        self.frames += 1

    def flush(self) -> None:
        if self._flushed:
            return
        for part, _ in self._parts if self.verify else ():
            width, height = self._size(part)
            if (width, height) != (self.source.width, self.source.height):
                raise VhmaeError(
                    f"{self.output}: a written picture is {width}x{height}; try another kind of "
                    "picture"
                )
        self._flushed = True

    def finish(self) -> None:
        try:
            self.flush()
            take_places(self._parts)
        finally:
            self.abandon()

    def abandon(self) -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)
        self._lock.release()
        self._writing_process = None


class _FFmpegPictures(PictureWriter):
    def __init__(self, output: Path, source: VideoInfo, pix_fmt: str | None, verify: bool) -> None:
        encoder = picture_encoder(output)
        name = pixel_format(encoder, source, pix_fmt)
        known = [one.name for one in av.Codec(encoder, "w").video_formats or []]
        if known and name not in known:
            raise InputError(
                f"{output.suffix} pictures cannot hold it; expected one of {', '.join(known[:8])}",
                field="pix_fmt",
                value=name,
            )
        self._delivery = delivery(source, encoder, output.suffix.lower(), name)
        context: Any = av.CodecContext.create(encoder, "w")
        self._encoder = context
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = (
            source.width,
            source.height,
            name,
        )
        self._encoder.time_base = 1 / Fraction(source.fps)
        self._encoder.thread_count = 1  # a picture at once: nothing may wait in the encoder
        self._encoder.options = {
            **_LOSSLESS_OPTIONS.get(encoder, {}),
            **encoder_options(encoder, None, None),
        }
        super().__init__(output, source, verify)
        if self._delivery.told is not None:
            self.recoded = (
                f"is converted from {self._delivery.told}, as pictures of {output.suffix} are "
                "read: the background is within rounding of the composite's, not bit for bit"
            )

    def _save(self, part: Path, timed: TimedFrame, image: PlanarFrame) -> None:
        frame = delivered(timed, image, self._delivery)
        tag_space(frame, self._delivery.encoding)  # also of one that is taken as it was decoded
        frame.pts, frame.time_base, frame.pict_type = self.frames, self._encoder.time_base, 0
        data = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        if not data:
            raise VhmaeError(
                f"{self.output}: the encoder gave nothing for frame {self.frames}; try another "
                "kind of picture"
            )
        part.write_bytes(marked(data, self._marks(timed)))

    def _marks(self, timed: TimedFrame) -> StillMarks:
        """What the picture of a frame says beside its pixels: as the one that it came from."""
        files = self.source.files
        if files is None or is_exr(files[timed.index]):
            return of_pixels(self.source.pixel_aspect)
        data = picture_bytes(files[timed.index], "frame")
        marks = marks_of(data).turned(bool(turn_of(data).quarters % 2))
        is_gray = self.source.pixel_format.startswith("gray")
        return dataclasses.replace(marks, profile=marks.profile_of(is_gray))

    def _size(self, part: Path) -> tuple[int, int]:
        with av.open(f"file:{part.absolute()}") as container:
            stream = container.streams.video[0]
            return stream.width, stream.height


class _ExrPictures(PictureWriter):
    """From OpenEXR, files like their sources; from others, light in half floats."""

    def _save(self, part: Path, timed: TimedFrame, image: PlanarFrame) -> None:
        is_layer = image.pixel_format is not None
        source = (
            self.source.files[timed.index]
            if self.source.codec == "exr" and self.source.files is not None
            else None
        )
        spaces = self.source.held, self.source.encoding.space
        try:
            if source is not None and not is_layer:
                write_changed(part, source, image.planes, *spaces)
                return
            alpha = (
                image.planes[3].astype(np.float32) / np.float32(image.top_code)
                if len(image.planes) == 4
                else None
            )
            if source is None:
                aspect = self.source.pixel_aspect
                shape = {"pixelAspectRatio": float(aspect)} if aspect else {}
                light = image.light(Box(0, 0, image.height, image.width))
                write_new(part, light.transpose(1, 2, 0), alpha, shape)
                return
            picture = ExrPicture(source)
            light = np.dstack(changed_light(picture, image.planes, *spaces))
            write_new(part, light, alpha, picture.marks())
        except RuntimeError as error:
            raise OSError(errno.EIO, str(error).splitlines()[0]) from None

    def _size(self, part: Path) -> tuple[int, int]:
        return ExrPicture(part).size


def open_pictures(
    output: Path,
    source: VideoInfo,
    *,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    pix_fmt: str | None = None,
    verify: bool = True,
) -> PictureWriter:
    """Open pictures to write.

    Args:
        codec, crf, preset: settings of videos, which are refused.
        pix_fmt: FFmpeg's name of a pixel format; None takes what holds the source's.
        verify: read each picture again, and compare its size.
    Raises:
        InputError: for a setting that pictures do not have.
    """
    exr = is_exr(output)
    for option, value in (
        ("`codec`", codec),
        ("`crf`", crf),
        ("`preset`", preset),
        ("`pix_fmt`", pix_fmt if exr else None),
    ):
        if value is not None:
            raise InputError(
                f"{option} {value}: pictures have no such setting, their suffix says what they "
                "are; leave it out"
            )
    return (
        _ExrPictures(output, source, verify)
        if exr
        else _FFmpegPictures(output, source, pix_fmt, verify)
    )


def check_still(output: Path, inputs: list[Path]) -> None:
    """Refuse one picture that cannot be written, or would take the place of what is read."""
    if has_number(output):
        raise InputError(f"{output}: is the name of a sequence; give that of one picture")
    check_picture_output(output, inputs)
    if is_exr(output):
        raise InputError(f"{output}: is a picture to look at; give a .png or .jpg")


def write_still(path: Path, picture: Frame) -> None:
    """Write a picture (H, W, 3) uint8 RGB; it appears whole or not at all."""
    with whole_file(path) as part:
        write_levels(part, picture, named=path)
