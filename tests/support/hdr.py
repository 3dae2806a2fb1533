"""HDR clips, by the standards' formulas in double precision, written down a second time."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenEXR
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import moving_scene
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.color.spaces import find_space
from vhmae.data.clips import write_mask_bits
from vhmae.model.weights import save_model
from vhmae.video.encoders import usual_priority

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
    return [np.rint(np.clip(one, 4, 1019)).astype(np.uint16) for one in unrounded_codes(signal)]


def unrounded_codes(signal: Array) -> list[Array]:
    """The same before it is rounded: float64."""
    red, green, blue = np.moveaxis(signal, -1, 0)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    chroma = ((blue - luma) / 1.8814, (red - luma) / 1.4746)
    return [876.0 * luma + 64.0, *(896.0 * one + 512.0 for one in chroma)]


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
    with usual_priority(), av.open(str(path), "w") as container:
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


FRAMES, WIDTH, HEIGHT = 4, 96, 64


def lit_scene() -> tuple[Array, Array]:
    """Light (T, H, W, 3) of BT.709's primaries, and masks: a lamp of 8 in the subject, one of 5 and
    a green beyond BT.709 outside it."""
    pictures, masks = moving_scene(FRAMES, WIDTH, HEIGHT)
    lights = srgb_light(pictures / 255.0)
    for light, mask in zip(lights, masks, strict=True):
        row, column = (int(values.mean()) for values in np.nonzero(mask))
        light[row - 3 : row + 3, column - 3 : column + 3] = (8.0, 6.0, 2.0)
        light[:4, :4] = 5.0
        light[40:44, :8] = np.linalg.solve(TO_2020, [0.05, 0.9, 0.1])
    return lights, masks


@pytest.fixture(scope="module")
def hdr_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene as PQ, HLG, OpenEXR of several spaces and log video, with its mask."""
    folder = tmp_path_factory.mktemp("hdr")
    lights, masks = lit_scene()
    write_mask_bits(masks, folder / "m.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    for curve in ("PQ", "HLG"):
        write_hdr(folder / f"{curve}.mkv", lights, curve)
    for number, light in enumerate(lights, 1):
        write_exr(folder / f"light.{number:04d}.exr", light)
        cg = find_space("ACEScg").from_light(np.moveaxis(light, -1, 0).astype(np.float32))
        write_exr(folder / f"cg.{number:04d}.exr", np.moveaxis(cg, 0, -1))
    write_log(folder / "log.mkv", lights)
    return folder


def write_exr(path: Path, values: Array) -> None:
    planes = {name: values[..., at].astype(np.float32) for at, name in enumerate("RGB")}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, planes).write(str(path))


def read_exr(path: Path) -> Array:
    channels = OpenEXR.File(str(path), separate_channels=True).channels()
    return np.stack([channels[name].pixels for name in "RGB"], axis=-1).astype(np.float64)


def write_log(path: Path, lights: Array) -> None:
    """ARRI LogC3 in R'G'B' of 12 bit, untagged as such footage is."""
    space = find_space("ARRI LogC3 (EI800)")
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "gbrp12le"
        for light in lights:
            values = space.from_light(np.moveaxis(light, -1, 0).astype(np.float32))
            codes = np.rint(np.clip(values, 0, 1) * 4095).astype(np.uint16)
            frame = av.VideoFrame(WIDTH, HEIGHT, "gbrp12le")
            for plane, values in zip(frame.planes, codes[[1, 2, 0]], strict=True):
                rows = np.frombuffer(memoryview(plane), np.uint16).reshape(HEIGHT, -1)
                rows[:, :WIDTH] = values
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def run(work: Path, composite: str, out: Path, *more: object) -> dict[str, Any]:
    """Harmonize, by weights that change much, and return the report."""
    report = out.parent / "report.json"
    options = ["--weights", work / "w.safetensors", "--precision", "fp32", "--caution", "0"]
    named = [work / composite, "--mask", work / "m.npz", "-o", out, "--json", report, "-q"]
    assert main(["harmonize", *map(str, [*named, *options, *more])]) == 0
    told: dict[str, Any] = json.loads(report.read_text())
    return told


def light_in(path: Path) -> Array:
    """Light (T, H, W, 3) of BT.709's primaries of HDR, by the standards' formulas."""
    curve = {16: "PQ", 18: "HLG"}[tags_of(path)[0]]
    return np.stack([light_of(planes, curve) for planes in planes_in(path)])


def light_of(planes: list[Array], curve: str = "PQ") -> Array:
    """Light (H, W, 3) of BT.709's primaries of a frame's planes of HDR."""
    display = {"PQ": pq_inverse, "HLG": hlg_display}[curve]
    return display(np.clip(signal_in(planes), 0.0, 1.0)) @ np.linalg.inv(TO_2020).T / WHITE


def rounded_levels(
    planes: list[Array], curve: str, levels_of: Callable[[Array], Array] | None = None
) -> Array:
    """By how many levels of sRGB (H, W, 3) light may be off since each of a frame's planes was
    rounded to a code of 10 bit: half a code of each, all in the worst direction.

    Args:
        levels_of: light -> levels; None is what is shown of it.
    """

    def levels(codes: list[Array]) -> Array:
        return (levels_of or shown)(light_of(codes, curve))

    own = [plane.astype(np.float64) for plane in planes[:3]]
    middle, most = levels(own), np.zeros((*planes[0].shape, 3))
    for at in range(3):
        steps = []
        for half in (-0.5, 0.5):
            moved = [plane + half * (place == at) for place, plane in enumerate(own)]
            steps.append(np.abs(levels(moved) - middle))
        most += np.maximum(*steps)
    return most


def tags_of(path: Path) -> tuple[int, ...]:
    with av.open(str(path)) as container:
        context: Any = container.streams.video[0].codec_context
        told = (context.color_trc, context.color_primaries, context.colorspace)
        return tuple(map(int, told))


def shown(light: Array) -> Array:
    """Light as levels of sRGB."""
    inside = np.clip(light, 0.0, 1.0)
    return 255.0 * np.where(
        inside <= 0.0031308, 12.92 * inside, 1.055 * inside ** (1 / 2.4) - 0.055
    )
