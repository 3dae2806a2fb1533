"""Small videos, written and read again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from vhmae.video.encoders import usual_priority

TINY_GRAPH = Path(__file__).with_name("tiny.onnx")

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


@contextlib.contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Processes begun in here are stopped by an interrupt, though the tests themselves may have
    been begun so that they ignore it, as the jobs of a script in the background are: what ignores
    an interrupt hands that on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def moving_scene(frames: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture with a disc that moves over it: frames (T, H, W, 3) uint8 and masks (T, H,
    W) bool."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    pictures, masks = [], []
    for t in range(frames):
        red = 120 + 70 * np.sin(x / 17.0 + 0.05 * t)
        green = 110 + 60 * np.cos(y / 13.0)
        blue = 90 + 50 * np.sin((x + y) / 23.0)
        center = (width * (0.35 + 0.3 * t / max(frames - 1, 1)), height * 0.5)
        disc = (x - center[0]) ** 2 + (y - center[1]) ** 2 < (0.28 * height) ** 2
        picture = np.stack([red, green, blue], axis=-1)
        picture[disc] = picture[disc] * np.array([0.9, 0.6, 0.5]) + 20
        pictures.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        masks.append(disc)
    return np.stack(pictures), np.stack(masks)


def write_video(
    path: Path,
    frames: np.ndarray,
    *,
    codec: str = "ffv1",
    pix_fmt: str = "yuv420p",
    fps: int = 25,
    audio: bool = False,
    pts: list[int] | None = None,
    gop: int | None = None,
    told: bool = False,
) -> Path:
    """Write RGB or grey frames as a video, with a tone if asked for; ``pts`` in milliseconds makes
    it of variable rate. ``told`` has libx264 say the matrix of colors, which readers guess at
    otherwise, each in its way."""
    with usual_priority(), av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], pix_fmt
        if pts is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if gop is not None:
            stream.codec_context.gop_size = gop
        if codec == "libx264":
            names = ("colorspace", "color_primaries", "color_trc")
            matrix = dict.fromkeys(names if told else (), "smpte170m")
            stream.options = {"crf": "8", "preset": "ultrafast", **matrix}
        if codec == "libx265":  # whose B-frames have no decoding times where there are few frames
            stream.options = {"x265-params": "bframes=0"}
        sound = container.add_stream("aac", rate=48000, layout="mono") if audio else None
        for number, picture in enumerate(frames):
            rgb = np.repeat(picture[..., None], 3, axis=-1) if picture.ndim == 2 else picture
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            if pix_fmt != "rgb24":
                frame = frame.reformat(format=pix_fmt, dst_colorspace="ITU601")
            if pts is not None:
                frame.pts, frame.time_base = pts[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            count = round(len(frames) / fps * 48000)
            wave = (0.2 * np.sin(np.arange(count) * 2 * np.pi * 330 / 48000)).astype(np.float32)
            for start in range(0, count, 1024):
                part = av.AudioFrame.from_ndarray(
                    wave[None, start : start + 1024], format="fltp", layout="mono"
                )
                part.sample_rate, part.pts, part.time_base = 48000, start, Fraction(1, 48000)
                container.mux(sound.encode(part))
            container.mux(sound.encode(None))
    return path


def decode(path: Path) -> list[list[np.ndarray]]:
    """All frames of a video as lists of planes."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            planes = []
            for plane in frame.planes:
                depth = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
                rows = (
                    np.frombuffer(memoryview(plane), np.uint8)
                    .reshape(plane.height, plane.line_size)
                    .view(depth)
                )
                planes.append(rows[:, : plane.width].copy())
            found.append(planes)
    return found


def packets(path: Path, kind: str) -> list[bytes]:
    """The packets of a stream, byte for byte."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def save_bold_weights(path: Path) -> Path:
    """Weights of a tiny network that changes what it sees by a lot."""
    from tests.support.networks import model
    from vhmae.model.weights import save_model

    network = model()
    torch.manual_seed(0)
    for name in ("local", "overall"):
        torch.nn.init.normal_(network.get_parameter(f"head.{name}.weight"), std=0.1)
    save_model(network, path, {})
    return lay_graph(path)


def lay_graph(weights: Path) -> Path:
    """Lay the graph of tiny networks (networks.TINY) beside weights: a process that runs them need
    not import torch, which takes it longer than all that most tests ask for. Where their
    architecture changes, record it anew by ``vhmae weights export-onnx``."""
    shutil.copy(TINY_GRAPH, weights.with_suffix(".onnx"))
    return weights


@pytest.fixture
def bold(tmp_path: Path) -> Path:
    """Weights that change what they see by a lot."""
    return save_bold_weights(tmp_path / "bold.safetensors")


def break_packets(video: Path, out: Path, broken: Callable[[int], bool]) -> Path:
    """Copy a video, without the contents of some packets of its pictures, by their numbers."""
    with av.open(str(video)) as source, av.open(str(out), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            kept: Any = packet
            if broken(number):
                kept = av.Packet(b"\xff" * packet.size)
                kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
            kept.stream = stream
            container.mux(kept)
    return out
