"""Protocols: how papers turn a result into numbers. They differ, so every table names the one it
uses.

docs/conventions.md, "protocols", says where each comes from. A protocol scores one frame; how
frames are averaged is part of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

import cv2
import numpy as np

from vhmae.arrays import Array, Levels, Mask, Matte
from vhmae.data.decoded import Resizing
from vhmae.errors import InputError, did_you_mean
from vhmae.evaluation import metrics

FRAME_METRICS = ("fmse", "mse", "psnr", "fssim")
CO2NET_SIZE = 256


@dataclasses.dataclass(frozen=True)
class Frame:
    """One frame of a result beside what it is compared with."""

    result: Levels
    """(H, W, 3) uint8 RGB."""
    composite: Levels
    target: Levels
    mask: Mask
    """(H, W) bool."""
    matte: Matte | None = None
    """The soft mask where there is one: (H, W) uint8 in 0-255 or float32 in [0, 1]."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A named way to score."""

    name: str
    score: Callable[[Frame, Sequence[str]], dict[str, float]]
    """Frame and names out of ``FRAME_METRICS`` -> values; NaN where a frame has no foreground."""
    pooling: Literal["videos", "frames"]
    """``videos``: means over frames, then composites, then videos; ``frames``: the plain mean over
    all frames."""
    resizing: Resizing = "area"
    """How ``--size`` makes pictures smaller."""
    version: int = 1
    """Counts up when the protocol's numbers change for the same result: figures of another version
    are of before."""


def _clean(frame: Frame, wanted: Sequence[str]) -> dict[str, float]:
    """Whole frames as they are; fMSE is the error inside the mask over the mask's area."""
    measures = {
        "fmse": lambda: metrics.fmse(frame.result, frame.target, frame.mask),
        "mse": lambda: metrics.mse(frame.result, frame.target),
        "psnr": lambda: metrics.psnr(frame.result, frame.target),
        "fssim": lambda: metrics.fssim(frame.result, frame.target, frame.mask),
    }
    return {name: measures[name]() for name in wanted}


def _co2net(frame: Frame, wanted: Sequence[str]) -> dict[str, float]:
    """At 256x256 with a soft mask; fMSE is the *whole frame's* error over the area where the mask
    is 1.

    Source: ``CO2Net/scripts/evaluate_model.py``, ``iharm/data`` and ``iharm/utils/pytorch_ssim.py``
        of
    bcmi/Video-Harmonization-Dataset-HYouTube: ``albumentations.Resize(256, 256)`` on uint8 frames
    and, as on a picture, on the mask as float32 in [0, 1], which is OpenCV's INTER_LINEAR without
    antialiasing; the area counts ``mask.astype(uint8)``.
    """
    soft = frame.mask if frame.matte is None else frame.matte
    levels = soft.astype(np.float32) / (
        np.float32(255.0) if soft.dtype == np.uint8 else np.float32(1.0)
    )
    cover = _shrunk(levels)
    result, composite, target = (
        _shrunk(picture).astype(np.float64)
        for picture in (frame.result, frame.composite, frame.target)
    )
    blended = np.clip(result * cover[..., None] + composite * (1.0 - cover[..., None]), 0.0, 255.0)
    error = float(np.square(blended - target).mean())
    area = int(cover.astype(np.uint8).sum(dtype=np.int64))
    values = {"mse": error, "fmse": error * CO2NET_SIZE**2 / area if area else float("nan")}
    if "psnr" in wanted:
        values["psnr"] = metrics.decibels(error, float(blended.max() - blended.min()))
    if "fssim" in wanted:
        values["fssim"] = float("nan")
        if cover.any():
            part = metrics.around(cover > 0.0)
            similarity = metrics.ssim_map(
                blended[part], target[part], (0.01**2, 0.03**2), cv2.BORDER_CONSTANT
            ).mean(axis=-1)
            values["fssim"] = float((similarity * cover[part]).sum() / cover.sum(dtype=np.float64))
    return {name: values[name] for name in wanted}


def _shrunk(picture: Array) -> Array:
    """To 256x256 by OpenCV's bilinear filter without antialiasing; the type stays, uint8 is
    rounded."""
    return cv2.resize(picture, (CO2NET_SIZE, CO2NET_SIZE), interpolation=cv2.INTER_LINEAR)


def _vtt(frame: Frame, wanted: Sequence[str]) -> dict[str, float]:
    """Results after JPEG storage; the hard mask is laid over both pictures before they are
    compared."""
    _, stored = cv2.imencode(".jpg", cv2.cvtColor(frame.result, cv2.COLOR_RGB2BGR))
    result = np.ascontiguousarray(np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))[..., ::-1])
    cover = frame.mask[..., None]
    masked = Frame(result * cover, frame.composite, frame.target * cover, frame.mask)
    return _clean(masked, wanted)


def _hinet(frame: Frame, wanted: Sequence[str]) -> dict[str, float]:
    """The target stands outside the mask, so that only the foreground counts; the peak is the
    target's largest value."""
    pasted = np.where(frame.mask[..., None], frame.result, frame.target)
    values = _clean(
        Frame(pasted, frame.composite, frame.target, frame.mask),
        [name for name in wanted if name != "psnr"],
    )
    if "psnr" in wanted:
        values["psnr"] = metrics.psnr(pasted, frame.target, float(frame.target.max()))
    return values


PROTOCOLS = {
    "clean": Protocol("clean", _clean, "videos"),
    "co2net": Protocol("co2net", _co2net, "frames", "linear", version=2),
    "vtt": Protocol("vtt", _vtt, "videos"),
    "hinet": Protocol("hinet", _hinet, "videos"),
}


def find_protocol(name: str | Protocol) -> Protocol:
    """A protocol by its name; one that is handed over is what it is."""
    if isinstance(name, Protocol):
        return name
    if name not in PROTOCOLS:
        raise InputError(
            f"unknown{did_you_mean(name, PROTOCOLS)}; expected one of {', '.join(PROTOCOLS)}",
            field="protocol",
            value=name,
        )
    return PROTOCOLS[name]
