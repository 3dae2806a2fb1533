"""The first frame of a file, before anything else of it is read."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from vhmae.app.pictures import THUMB_QUALITY, jpeg, preview_size, reduced, shown
from vhmae.arrays import Array
from vhmae.errors import InputError
from vhmae.video.probe import open_video, video_stream
from vhmae.video.reader import planar_frame, to_uint8
from vhmae.video.sequence import is_pictures, picture_files, probe_pictures, read_pictures

MOST_PACKETS = 300
"""In which a first frame must be found."""


def glance(path: Path, lines: int) -> bytes:
    """The first frame, upright and small, as JPEG.

    Raises:
        InputError: where there is none.
    """
    picture = _first_picture(path) if is_pictures(path) else _first_frame(path)
    size = preview_size(picture.shape[1], picture.shape[0], lines)
    return jpeg(reduced(picture, size), THUMB_QUALITY)


def _first_picture(path: Path) -> Array:
    first = picture_files(path, "picture", gaps=True)[0]
    info = probe_pictures(first, "picture")
    _, frame, _ = next(read_pictures(info))
    return to_uint8(planar_frame(frame, info).rgb())


def _first_frame(path: Path) -> Array:
    if path.suffix.lower() == ".npz":
        raise InputError(f"{path}: holds masks, which have no picture of their own")
    with open_video(path, "video") as container:
        stream = video_stream(container)
        try:
            for number, packet in enumerate(container.demux(stream)):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    frames = []
                for frame in frames:
                    rgb = np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
                    return shown(rgb, frame.rotation)
                if number > MOST_PACKETS:
                    break
        except (av.error.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{path}: cannot be read ({reason}); repair the file") from None
    raise InputError(f"{path}: has no frame that can be decoded; make it again or repair it")
