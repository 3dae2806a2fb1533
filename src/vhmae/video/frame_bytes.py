"""What frames take of the memory."""

from __future__ import annotations

import av

from vhmae.video.probe import REPACKED, VideoInfo


def format_bytes(pixel_format: str, width: int, height: int) -> int:
    """Memory of a frame's planes, by FFmpeg's name of their format."""
    parts = av.VideoFormat(pixel_format, width, height).components
    return sum(part.width * part.height * -(-part.bits // 8) for part in parts)


def frame_bytes(info: VideoInfo) -> int:
    """Memory of a decoded frame, with its planes where it is not stored plane by plane."""
    planar = REPACKED.get(info.pixel_format)
    stored = format_bytes(info.pixel_format, info.width, info.height)
    return stored + (format_bytes(planar, info.width, info.height) if planar else 0)
