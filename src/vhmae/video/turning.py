"""Frames brought upright by their pixels, where what is written cannot tell players to do it."""

from __future__ import annotations

import contextlib
import dataclasses

import av
import numpy as np

from vhmae.arrays import Array
from vhmae.video.planes import frame_of
from vhmae.video.probe import PLANAR, REPACKED, VideoInfo
from vhmae.video.stills import Turn


def righted(info: VideoInfo) -> VideoInfo:
    """The facts of a video whose frames are to be read upright."""
    turn = Turn(info.turned // 90, info.mirrored)
    if not turn:
        return info
    facts = dataclasses.replace(info, mirrored=False, turned=0, display_matrix=None, righted=turn)
    return turned_info(facts, turn)


def unmirrored(info: VideoInfo) -> VideoInfo:
    """The facts of a video as it is worked on: what players mirror is read upright, so that all
    else need know of turns alone."""
    return righted(info) if info.mirrored else info


def turned_info(info: VideoInfo, turn: Turn) -> VideoInfo:
    """The facts of a stored picture as they are once it is upright."""
    if not turn:
        return info
    swapped = turn.quarters % 2
    width, height = (info.height, info.width) if swapped else (info.width, info.height)
    return dataclasses.replace(
        info,
        width=width,
        height=height,
        pixel_aspect=1 / info.pixel_aspect if swapped and info.pixel_aspect else info.pixel_aspect,
        pixel_format=_turned_format(info.pixel_format, info.width, info.height, turn),
    )


def turned_frame(frame: av.VideoFrame, turn: Turn) -> av.VideoFrame:
    """A frame with its pixels upright, each code value as it was; its times and tags go along."""
    if not turn:
        return frame
    name = _turned_format(frame.format.name, frame.width, frame.height, turn)
    stored = frame if frame.format.name == name else frame.reformat(format=name)
    turned = frame_of([turn.plane(plane) for plane in _planes(stored)], name)
    for tag in ("colorspace", "color_primaries", "color_trc", "color_range"):
        with contextlib.suppress(ValueError, TypeError, AttributeError):  # unknown to PyAV
            setattr(turned, tag, getattr(frame, tag))
    turned.pts, turned.time_base = frame.pts, frame.time_base
    return turned


def _turned_format(name: str, width: int, height: int, turn: Turn) -> str:
    """The pixel format that holds a turned picture: chroma that spans two pixels of a row alone
    would span two rows, and at an odd size its samples would lie otherwise."""
    planar = REPACKED.get(name, name)
    for kind, across, down in (("422", 2, 1), ("420", 2, 2)):
        lies_otherwise = width % across or height % down or (turn.quarters % 2 and kind == "422")
        if kind in planar and lies_otherwise:
            full = planar.replace(kind, "444")
            return full if full in PLANAR else planar
    return planar


def _planes(frame: av.VideoFrame) -> list[Array]:
    depth = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    return [
        np.frombuffer(memoryview(plane), np.uint8)
        .reshape(plane.height, plane.line_size)
        .view(depth)[:, : plane.width]
        for plane in frame.planes
    ]
