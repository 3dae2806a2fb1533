"""HDR clips, by the standards' formulas in double precision, written down a second time: one pixel
or array at a time, and nothing of them from the package."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vhmae.arrays import Array

WHITE = 203.0
"""cd/m2 of diffuse white (BT.2408)."""
TO_2020 = np.array(
    [
        [0.627403895934699, 0.329283038377884, 0.043313065687417],
        [0.069097289358232, 0.919540395075459, 0.011362315566309],
        [0.016391438875150, 0.088013307877226, 0.895595253247624],
    ]
)
"""Light of BT.709's primaries in those of BT.2020 (BT.2087-0 annex 2, to more places)."""


def pq(luminance: Array) -> Array:
    """cd/m2 -> signal (SMPTE ST 2084 5.2)."""
    y = np.clip(np.asarray(luminance, np.float64) / 10000.0, 0.0, 1.0) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1.0 + 18.6875 * y)) ** 78.84375


def pq_inverse(signal: Array) -> Array:
    root = np.asarray(signal, np.float64) ** (1.0 / 78.84375)
    ratio = np.maximum(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root)
    return 10000.0 * ratio ** (1.0 / 0.1593017578125)


def hlg_oetf(scene: Array) -> Array:
    """BT.2100 table 5."""
    scene = np.asarray(scene, np.float64)
    log = 0.17883277 * np.log(np.maximum(12.0 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1.0 / 12.0, np.sqrt(3.0 * scene), log)


def hlg_display(signal: Array) -> Array:
    """Signal (..., 3) -> cd/m2 on a display of 1000 (BT.2100 table 5, OOTF of gamma 1.2)."""
    signal = np.asarray(signal, np.float64)
    log = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12.0
    scene = np.where(signal <= 0.5, signal**2 / 3.0, log)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return 1000.0 * luminance[..., None] ** 0.2 * scene


def hlg(luminance: Array) -> Array:
    """cd/m2 (..., 3) of a display of 1000 -> signal."""
    shown = np.asarray(luminance, np.float64) / 1000.0
    total = np.maximum(shown @ np.array([0.2627, 0.6780, 0.0593]), 1e-12)
    return hlg_oetf(np.clip(shown * total[..., None] ** (0.2 / -1.2), 0.0, 1.0))


def srgb_light(picture: Array) -> Array:
    """sRGB (..., 3) in [0, 1] -> light (IEC 61966-2-1)."""
    low = picture / 12.92
    return np.where(picture <= 0.04045, low, ((picture + 0.055) / 1.055) ** 2.4)


CURVES: dict[str, tuple[int, Callable[[Array], Array]]] = {"PQ": (16, pq), "HLG": (18, hlg)}
"""Tag of ITU-T H.273, and cd/m2 of BT.2020 (..., 3) -> signal."""


def signal_of(light: Array, curve: str) -> Array:
    """Light (..., 3) of BT.709's primaries, white at 1 -> signal of BT.2020."""
    return CURVES[curve][1](np.maximum(light @ TO_2020.T, 0.0) * WHITE)


def codes_of(signal: Array) -> list[Array]:
    """Signal (H, W, 3) -> planes of 10 bit, narrow range, 4:4:4, of BT.2020 (BT.2100 table 9)."""
    red, green, blue = np.moveaxis(signal, -1, 0)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    chroma = ((blue - luma) / 1.8814, (red - luma) / 1.4746)
    planes = [876.0 * luma + 64.0, *(896.0 * one + 512.0 for one in chroma)]
    return [np.rint(np.clip(plane, 4, 1019)).astype(np.uint16) for plane in planes]


def signal_in(planes: list[Array]) -> Array:
    """The way back: planes 4:4:4 -> signal (H, W, 3)."""
    luma = (planes[0].astype(np.float64) - 64.0) / 876.0
    blue, red = ((one.astype(np.float64) - 512.0) / 896.0 for one in planes[1:3])
    red, blue = luma + 1.4746 * red, luma + 1.8814 * blue
    return np.stack([red, (luma - 0.2627 * red - 0.0593 * blue) / 0.6780, blue], axis=-1)


def write_hdr(
    path: Path,
    lights: Array,
    curve: str = "PQ",
    *,
    codec: str = "ffv1",
    pix_fmt: str = "yuv444p10le",
    options: dict[str, str] | None = None,
) -> Path:
    """Write light (T, H, W, 3) of BT.709's primaries, white at 1, as HDR of 10 bit."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = lights.shape[2], lights.shape[1], pix_fmt
        _tag(stream.codec_context, curve)
        for number, light in enumerate(lights):
            frame: Any = av.VideoFrame(lights.shape[2], lights.shape[1], "yuv444p10le")
            for plane, codes in zip(frame.planes, codes_of(signal_of(light, curve)), strict=True):
                rows = np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, -1)
                rows[:, : plane.width] = codes
            if pix_fmt != "yuv444p10le":
                frame = frame.reformat(format=pix_fmt)
            _tag(frame, curve)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _tag(target: Any, curve: str) -> None:
    target.color_primaries, target.colorspace, target.color_range = 9, 9, 1
    target.color_trc = CURVES[curve][0]


def planes_in(path: Path) -> list[list[Array]]:
    """The stored planes of each frame."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            found.append(
                [
                    np.frombuffer(memoryview(plane), np.uint16)
                    .reshape(plane.height, -1)[:, : plane.width]
                    .copy()
                    for plane in frame.planes
                ]
            )
    return found
