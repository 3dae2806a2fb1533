"""The table of formats under test: small clips of every kind. ``python -m tests.support.formats``
prints docs/formats.md."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.support.scenes import moving_scene
from vhmae.video.encoders import usual_priority
from vhmae.video.probe import REPACKED

FRAMES = 8
MATRICES = {"bt709": 1, "bt601": 6, "bt2020": 9}
LUMA_WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593)}
"""Of red and blue."""
LOSSLESS = ("ffv1", "huffyuv", "utvideo", "png", "qtrle", "rawvideo", "ffvhuff")


@dataclasses.dataclass(frozen=True)
class Row:
    """One clip."""

    container: str
    codec: str
    pixel_format: str
    width: int = 96
    height: int = 64
    matrix: str = ""
    """Empty: untagged."""
    full_range: bool = False
    variable_rate: bool = False
    rotation: int = 0
    audio: tuple[str, ...] = ()
    aspect: Fraction = Fraction(1)
    tolerance: int = 0
    """Levels of 255 by which pixels outside the matte may move: 0 where the codec is lossless."""

    @property
    def name(self) -> str:
        marks = [self.container, self.codec, self.pixel_format]
        marks += [f"{self.width}x{self.height}"] if (self.width, self.height) != (96, 64) else []
        marks += [self.matrix] if self.matrix else []
        marks += ["full"] if self.full_range else []
        marks += ["vfr"] if self.variable_rate else []
        marks += [f"turned {self.rotation}"] if self.rotation else []
        marks += ["pixel aspect"] if self.aspect != 1 else []
        marks += [f"audio {' + '.join(self.audio)}"] if self.audio else []
        return " ".join(marks)


def rows() -> list[Row]:
    """All rows; each is harmonized with default settings into the same container."""
    plain = {
        "mkv": {
            "libx264": (
                "yuv420p",
                "yuv422p",
                "yuv444p",
                "yuv420p10le",
                "yuv422p10le",
                "yuv444p10le",
            ),
            "libx265": ("yuv420p", "yuv420p10le", "yuv444p"),
            "libvpx-vp9": ("yuv420p", "yuv444p"),
            "libsvtav1": ("yuv420p", "yuv420p10le"),
            "ffv1": (
                "yuv420p",
                "yuv422p",
                "yuv444p",
                "yuv420p10le",
                "yuv422p10le",
                "yuv444p10le",
                "yuv444p12le",
                "gray",
                "gray10le",
                "bgr0",
                "gbrp10le",
                "gbrp12le",
                "gbrp16le",
                "yuva420p",
                "yuva444p10le",
                "bgra",
            ),
            "mjpeg": ("yuvj420p",),
            "mpeg2video": ("yuv420p",),
        },
        "mp4": {
            "libx264": ("yuv420p", "yuv420p10le"),
            "libx265": ("yuv420p",),
            "libsvtav1": ("yuv420p",),
            "mpeg4": ("yuv420p",),
        },
        "mov": {
            "libx264": ("yuv420p",),
            "prores_ks": ("yuv422p10le", "yuv444p10le", "yuva444p10le"),
            "qtrle": ("rgb24", "argb"),
            "png": ("rgb24", "rgba", "rgb48be"),
            "mjpeg": ("yuvj422p",),
        },
        "webm": {"libvpx": ("yuv420p",), "libvpx-vp9": ("yuv420p", "yuva420p")},
        "avi": {
            "mpeg4": ("yuv420p",),
            "mjpeg": ("yuvj420p",),
            "libx264": ("yuv420p",),
            "ffv1": ("yuv420p",),
            "huffyuv": ("yuv422p",),
            "utvideo": ("yuv420p", "gbrp"),
        },
    }
    found = [
        Row(container, codec, name, tolerance=0 if codec in LOSSLESS else 12)
        for container, codecs in plain.items()
        for codec, names in codecs.items()
        for name in names
    ]
    lossy: dict[str, Any] = {"codec": "libx264", "pixel_format": "yuv420p", "tolerance": 12}
    exact: dict[str, Any] = {"codec": "ffv1", "pixel_format": "yuv420p"}
    for matrix in MATRICES:
        found += [
            Row("mkv", **exact, matrix=matrix),
            Row("mp4", **lossy, matrix=matrix, full_range=True),
        ]
    found += [
        Row("mkv", **exact, width=97, height=65),
        Row("mkv", "libx264", "yuv444p", width=97, height=65, tolerance=12),
    ]
    found += [
        Row("mov", "png", "rgb24", width=97, height=65),
        Row("mkv", "ffv1", "yuv422p", width=97, height=65),
    ]
    found += [
        Row("mkv", **exact, full_range=True),
        Row("mkv", **exact, variable_rate=True),
        Row("mp4", **lossy, variable_rate=True),
    ]
    found += [
        Row(container, **lossy, rotation=turn)
        for container, turn in (("mp4", 90), ("mov", 180), ("mp4", 270))
    ]
    found += [
        Row("mkv", **exact, aspect=Fraction(4, 3)),
        Row("mp4", **lossy, aspect=Fraction(8, 9)),
    ]
    sounds = (
        ("mp4", ("aac",)),
        ("mp4", ("aac", "libmp3lame")),
        ("mkv", ("libopus", "flac")),
        ("mov", ("pcm_s16le",)),
        ("avi", ("libmp3lame",)),
    )
    found += [Row(container, **lossy, audio=audio) for container, audio in sounds]
    return [
        *found,
        Row("webm", "libvpx-vp9", "yuv420p", tolerance=12, audio=("libopus",)),
        Row("mkv", **exact, audio=("pcm_s24le", "ac3")),
    ]


def make(row: Row, path: Path) -> np.ndarray:
    """Write a row's clip; returns its masks (T, H, W) bool."""
    frames, masks = moving_scene(FRAMES, row.width, row.height)
    with usual_priority(), av.open(str(path), "w") as container:
        options = (
            {"crf": "8"} if row.codec in ("libx264", "libx265", "libvpx-vp9", "libsvtav1") else {}
        )
        options |= (
            {"profile": "4444", "alpha_bits": "16"}
            if row.pixel_format.startswith("yuva444") and row.codec == "prores_ks"
            else {}
        )
        options |= {"x265-params": "log-level=error"} if row.codec == "libx265" else {}
        stream: Any = container.add_stream(row.codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = row.width, row.height, row.pixel_format
        context = stream.codec_context
        if row.codec in ("mpeg4", "mpeg2video", "mjpeg", "libvpx"):
            context.bit_rate = 8_000_000
        if row.matrix:
            context.colorspace = context.color_primaries = context.color_trc = MATRICES[row.matrix]
            context.color_trc = 1
        if row.full_range:
            context.color_range = 2
        if row.variable_rate:
            context.time_base = Fraction(1, 1000)
        if row.aspect != 1:
            context.sample_aspect_ratio = row.aspect
        if row.rotation:
            stream.set_display_rotation(row.rotation)
        sounds = [container.add_stream(name, rate=48000, layout="stereo") for name in row.audio]
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=row.pixel_format
            )
            if row.variable_rate:
                frame.pts, frame.time_base = 40 * number + 7 * (number % 3), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for place, sound in enumerate(sounds):
            _write_tone(container, sound, 300.0 * (place + 1))
    return masks


def _write_tone(container: Any, stream: Any, pitch: float) -> None:
    samples = np.sin(np.arange(48000 * FRAMES // 25) * 2 * np.pi * pitch / 48000).astype(np.float32)
    stereo = np.ascontiguousarray(np.stack([samples, samples]))
    frame = av.AudioFrame.from_ndarray(stereo, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = 48000, 0
    resampler = av.AudioResampler(
        stream.codec_context.format.name,
        "stereo",
        48000,
        frame_size=stream.codec_context.frame_size or 1024,
    )
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a file says of itself and of what it holds."""

    codec: str
    pixel_format: str
    size: tuple[int, int]
    colors: tuple[int, int, int, int]
    aspect: Fraction
    turn: tuple[int, ...] | None
    times: tuple[float, ...]
    sound: tuple[tuple[str, bytes], ...]


def facts(path: Path) -> Facts:
    """Read the facts of a file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        sounds: dict[int, bytearray] = {one.index: bytearray() for one in container.streams.audio}
        times, turn = [], None
        for packet in container.demux():
            if packet.stream.index in sounds and packet.size:
                sounds[packet.stream.index] += bytes(packet)
            elif packet.stream.index == stream.index:
                frames: list[Any] = packet.decode()
                for frame in frames:
                    times.append(round(float(frame.time), 4) if frame.time is not None else -1.0)
                    matrix = frame.side_data.get("DISPLAYMATRIX")
                    turn = struct.unpack("<9i", bytes(matrix)[:36]) if matrix is not None else None
        names = {one.index: one.codec_context.name for one in container.streams.audio}
        colors = (
            int(context.colorspace),
            int(context.color_primaries),
            int(context.color_trc),
            int(context.color_range),
        )
        # AVI keeps no times of presentation: what is read as such is the order of decoding.
        shown = tuple(times) if path.suffix != ".avi" else (float(len(times)),)
        return Facts(
            context.name,
            str(context.pix_fmt),
            (context.width, context.height),
            colors,
            stream.sample_aspect_ratio or Fraction(1),
            turn,
            shown,
            tuple((names[index], bytes(data)) for index, data in sounds.items()),
        )


def _decoded(path: Path) -> Iterator[tuple[av.VideoFormat, list[np.ndarray]]]:
    """Frames as planes; packed formats are repacked plane by plane."""
    with av.open(str(path)) as container:
        for decoded in container.decode(video=0):
            frame = (
                decoded.reformat(format=REPACKED[decoded.format.name])
                if decoded.format.name in REPACKED
                else decoded
            )
            depth = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
            rows_of = [
                np.frombuffer(memoryview(p), np.uint8)
                .reshape(p.height, p.line_size)
                .view(depth)[:, : p.width]
                .copy()
                for p in frame.planes
            ]
            yield frame.format, rows_of


def planes(path: Path) -> list[list[np.ndarray]]:
    """The planes of all frames."""
    return [rows_of for _, rows_of in _decoded(path)]


def colors(path: Path, row: Row) -> np.ndarray:
    """What colors a row's frames stand for, (T, H, W, 3) in [0, 1], by the standards' formulas;
    untagged small video is BT.601."""
    found = []
    for form, rows_of in _decoded(path):
        bits = form.components[0].bits
        top, step = 2.0**bits - 1.0, 2.0 ** (bits - 8)
        first, *others = (plane.astype(np.float64) for plane in rows_of)
        if form.name.startswith("gray"):
            found.append(np.dstack([first / top] * 3))
            continue
        if form.name.startswith("gb"):  # green, blue, red
            found.append(np.dstack([others[1], first, others[0]]) / top)
            continue
        full = row.full_range or form.name.startswith("yuvj")
        luma = first / top if full else (first - 16.0 * step) / (219.0 * step)
        height, width = luma.shape
        across, down = -(-width // others[0].shape[1]), -(-height // others[0].shape[0])
        blue_part, red_part = (
            (plane.repeat(down, 0).repeat(across, 1)[:height, :width] - 128.0 * step)
            / (top if full else 224.0 * step)
            for plane in others[:2]
        )
        of_red, of_blue = LUMA_WEIGHTS[row.matrix or "bt601"]
        red, blue = luma + 2.0 * (1.0 - of_red) * red_part, luma + 2.0 * (1.0 - of_blue) * blue_part
        found.append(
            np.dstack(
                [red, (luma - of_red * red - of_blue * blue) / (1.0 - of_red - of_blue), blue]
            )
        )
    return np.stack(found)


def page() -> str:
    """The matrix of what is supported, as Markdown."""
    lines = [
        "# Formats",
        "",
        "Every row is a small clip that the tests make, harmonize with default settings into the "
        "same container and look at again",
        "(`tests/formats`): codec family, pixel format, size, color tags, pixel aspect, rotation, "
        "time stamps and audio packets are those",
        "of the input; pixels outside the matte are equal where the codec is lossless, else within "
        "the levels stated. This page is printed",
        "by `python -m tests.support.formats`.",
        "",
        "| container | codec | pixel format | what else | outside the matte |",
        "|---|---|---|---|---|",
    ]
    for row in rows():
        rest = row.name.removeprefix(f"{row.container} {row.codec} {row.pixel_format}").strip()
        outside = f"within {row.tolerance} levels" if row.tolerance else "equal"
        lines.append(f"| {row.container} | {row.codec} | {row.pixel_format} | {rest} | {outside} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
