"""One composite: a foreground laid over a background of another source, with no change of
color."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import cv2
import numpy as np

from vhmae.arrays import Array
from vhmae.data.hyoutube import COMPOSITE, MASK, write_jpeg, write_mask
from vhmae.digest import file_digest
from vhmae.partial_output import working_folder
from vhmae.rcvh.footage import RawClip
from vhmae.rcvh.job import Footage
from vhmae.rcvh.placement import Laid
from vhmae.video.browser import write_browser_video
from vhmae.video.layers import warp_layer

FEATHER = 0.6
"""Softening of the matte's edge, in pixels of the composite."""
LAYOUT_FRAMES = 20
"""Frames of a composite in the HYouTube layout, as HYouTube has them."""
CRF = 10
VIDEOS, MATTES = "composites", "mattes"
OBJECT = "object_0"


@dataclasses.dataclass(frozen=True)
class Pair:
    """What a composite is made of."""

    number: int
    foreground: RawClip
    background: RawClip
    laid: Laid

    @property
    def name(self) -> str:
        return f"{self.number:05d}"

    @property
    def fps(self) -> Fraction:
        return self.background.rate

    @property
    def frames(self) -> int:
        """As long as both last."""
        lasts = min(
            Fraction(clip.frames) / clip.rate for clip in (self.foreground, self.background)
        )
        return max(1, int(lasts * self.fps))


def composited(pair: Pair, footage: Footage) -> Iterator[tuple[Array, Array]]:
    """Frames (H, W, 3) uint8 RGB with mattes (H, W) float32; the foreground's frames are taken by
    time."""
    background = _read_rgb(footage.clip_file(pair.background.name), "rgb24")
    foreground = _read_rgb(footage.foreground_file(pair.foreground.name), "rgba")
    size = (pair.background.width, pair.background.height)
    matrix = pair.laid.matrix(pair.foreground.width)
    held, at = next(foreground), 0
    for number, back in zip(range(pair.frames), background, strict=False):
        wanted = int(number / pair.fps * pair.foreground.rate + Fraction(1, 2))
        while at < min(wanted, pair.foreground.frames - 1):
            held, at = next(foreground), at + 1
        yield lay(held, back, matrix, pair.laid.scale, size)


def lay(
    layer: Array, back: Array, matrix: Array, scale: float, size: tuple[int, int]
) -> tuple[Array, Array]:
    """Lay a foreground over a background.

    Args:
        layer: (h, w, 4) uint8 RGB with straight alpha.
        back: (H, W, 3) uint8 RGB.
        matrix: (2, 3), from pixels of the layer to those of the background.
        scale: how many times as large the layer becomes.
        size: width and height of the background.
    Returns:
        The composite (H, W, 3) uint8, and the matte that it was laid by, (H, W) float32 in [0, 1].
    """
    alpha = layer[..., 3].astype(np.float32) / np.float32(255.0)
    # Premultiplied: no color from outside the subject leaks in when it is resized.
    premultiplied = np.dstack([layer[..., :3].astype(np.float32) * alpha[..., None], alpha])
    moved = warp_layer(premultiplied, matrix, scale, size)
    moved = cv2.GaussianBlur(moved, (0, 0), FEATHER, borderType=cv2.BORDER_REPLICATE)
    cover = np.clip(moved[..., 3], 0.0, 1.0)
    shown = moved[..., :3] + (1.0 - cover[..., None]) * back
    return np.rint(np.clip(shown, 0.0, 255.0)).astype(np.uint8), cover


def build_composite(pair: Pair, footage: Footage) -> dict[str, Any]:
    """Write a composite; its files take their places when all are there. Returns its line of the
    manifest."""
    with working_folder(footage.out / pair.name) as part:
        return _build_in(part, pair, footage)


def _build_in(part: Path, pair: Pair, footage: Footage) -> dict[str, Any]:
    out = footage.out
    (part / "frames").mkdir(parents=True)
    (part / "masks").mkdir()
    picks = set(
        np.linspace(0, pair.frames - 1, min(LAYOUT_FRAMES, pair.frames))
        .round()
        .astype(int)
        .tolist()
    )
    covered: list[float] = []
    width, height = pair.background.width, pair.background.height

    def shown(mattes: BinaryIO) -> Iterator[Array]:
        for number, (frame, cover) in enumerate(composited(pair, footage)):
            covered.append(float(cover.mean()))
            mattes.write(np.rint(cover * 255.0).astype(np.uint8).tobytes())
            if number in picks:
                place = f"{len(list((part / 'masks').iterdir())):05d}"
                write_jpeg(part / "frames" / f"{place}.jpg", frame)
                write_mask(part / "masks" / f"{place}.png", cover > 0.5)
            yield frame

    def kept(mattes: BinaryIO) -> Iterator[Array]:
        for _ in covered:
            cover = np.frombuffer(mattes.read(width * height), np.uint8).reshape(height, width, 1)
            yield np.repeat(cover, 3, axis=-1)

    with tempfile.TemporaryFile(dir=part) as mattes:  # a minute's mattes would fill the memory
        frames = write_browser_video(part / "composite.mp4", shown(mattes), pair.fps, CRF)
        mattes.seek(0)
        write_browser_video(part / "matte.mp4", kept(mattes), pair.fps, CRF)
    places = {
        part / "frames": out / COMPOSITE / pair.name / OBJECT,
        part / "masks": out / MASK / pair.name / OBJECT,
        part / "matte.mp4": out / MATTES / f"{pair.name}.mp4",
        part / "composite.mp4": out / VIDEOS / f"{pair.name}.mp4",
    }
    digest = file_digest(part / "composite.mp4")
    for made, place in places.items():
        if place.is_dir():
            shutil.rmtree(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        made.replace(place)
    return manifest_line(pair, footage, frames, float(np.mean(covered)), digest)


def manifest_line(
    pair: Pair, footage: Footage, frames: int, ratio: float, sha256: str
) -> dict[str, Any]:
    """All that is known of a composite, and where its parts lie (below the set's folder)."""

    def part(clip: RawClip) -> dict[str, Any]:
        kept = ("name", "raw", "source", "licence", "first", "frames", "fps", "sha256")
        return {
            **{key: getattr(clip, key) for key in kept},
            "clip": _below(footage, footage.clip_file(clip.name)),
        }

    foreground = {
        **part(pair.foreground),
        "layer": _below(footage, footage.foreground_file(pair.foreground.name)),
        "matte": _below(footage, footage.matte_file(pair.foreground.name)),
    }
    return {
        "name": pair.name,
        "composite": f"{VIDEOS}/{pair.name}.mp4",
        "mask": f"{MATTES}/{pair.name}.mp4",
        "frames": frames,
        "fps": str(pair.fps),
        "size": [pair.background.width, pair.background.height],
        "foreground_ratio": round(ratio, 4),
        "foreground": foreground,
        "background": part(pair.background),
        "placement": dataclasses.asdict(pair.laid),
        "matte_by": footage.way,
        "sha256": sha256,
    }


def _below(footage: Footage, path: Path) -> str:
    return path.relative_to(footage.out).as_posix()


def _read_rgb(path: Path, form: str) -> Iterator[Array]:
    with av.open(f"file:{path.absolute()}") as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            # The clip is BT.709; the layer holds RGB already.
            yield (
                frame.to_ndarray(format=form)
                if form == "rgba"
                else frame.reformat(format=form, src_colorspace="ITU709").to_ndarray()
            )
