"""The fast renderer against a slow reference."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.support.scenes import moving_scene
from vhmae.color.yuv import ColorEncoding
from vhmae.engine.rendering import (
    FrameTransform,
    KeepingChange,
    PixelChange,
    load_compiled,
    render_planes,
    render_rgb,
)
from vhmae.guide.colors import rows_at
from vhmae.model.heads import Transform
from vhmae.video.planes import Box, PlanarFrame


def transform(cells: int = 5, scale: float = 0.05) -> FrameTransform:
    rng = np.random.default_rng(0)
    return FrameTransform(
        (scale * rng.standard_normal((3, 10))).astype(np.float32),
        (scale * rng.standard_normal((cells, cells, 3, 4))).astype(np.float32),
    )


def reference(frame: np.ndarray, matte: np.ndarray, change: FrameTransform) -> np.ndarray:
    """The network's own way of applying a transform, then alpha blending: slow and whole."""
    colors = torch.from_numpy(frame.astype(np.float32) / 255).permute(2, 0, 1)[None, None]
    whole = Transform(
        torch.from_numpy(change.overall)[None], torch.from_numpy(change.local)[None, None]
    )
    mapped = whole.apply(colors)[0, 0].clamp(0, 1).permute(1, 2, 0).numpy()
    blended = matte[..., None] * mapped + (1 - matte[..., None]) * frame / 255
    return blended * 255


@pytest.mark.parametrize("size", [(64, 96), (150, 90), (33, 47)])
def test_the_renderer_agrees_with_the_reference_within_one_level(size: tuple[int, int]) -> None:
    frames, masks = moving_scene(1, size[1], size[0])
    matte = np.clip(masks[0].astype(np.float32) * np.linspace(0.2, 1.2, size[1]), 0, 1).astype(
        np.float32
    )
    rendered = render_rgb(frames[0], matte, transform())
    assert np.abs(rendered - reference(frames[0], matte, transform())).max() <= 1.0
    assert np.array_equal(rendered[matte == 0], frames[0][matte == 0])


def test_planes_and_rgb_render_alike() -> None:
    frames, masks = moving_scene(1, 96, 64)
    encode, offset = ColorEncoding("bt709", True, 8).encoding()
    codes = np.rint(frames[0] / 255.0 @ encode.T + offset).clip(0, 255).astype(np.uint8)
    planar = PlanarFrame(
        [np.ascontiguousarray(codes[..., i]) for i in range(3)], ColorEncoding("bt709", True, 8)
    )
    matte = masks[0].astype(np.float32)
    rendered, change = render_planes(planar, matte, transform())
    expected = reference(planar.rgb() * 255, matte, transform())
    assert np.abs(rendered.rgb() * 255 - expected).max() < 2.5  # three roundings of code values
    moved = np.abs(expected - planar.rgb() * 255)[masks[0]].mean()
    assert change == pytest.approx(moved, rel=0.15)
    assert np.array_equal(codes[..., 0], planar.planes[0])  # the input is left alone


def test_a_box_sees_the_same_maps_as_the_whole_frame() -> None:
    frames, _ = moving_scene(1, 96, 64)
    colors = np.ascontiguousarray((frames[0].astype(np.float32) / 255).transpose(2, 0, 1))
    whole = transform().change(colors, Box(0, 0, 64, 96), 64, 96)
    box = Box(10, 20, 50, 70)
    part = transform().change(np.ascontiguousarray(colors[:, box.rows, box.columns]), box, 64, 96)
    np.testing.assert_allclose(part, whole[:, box.rows, box.columns], atol=1e-5)


LAYOUTS = [
    ((2, 2), 8, "bt709"),
    ((2, 1), 10, "bt601"),
    ((1, 1), 12, "bt2020"),
    ((1, 1), 8, "rgb"),
    (None, 8, "bt709"),
]


@pytest.mark.parametrize(("chroma", "bits", "matrix"), LAYOUTS)
@pytest.mark.parametrize("size", [(64, 96), (33, 47)])
def test_the_compiled_way_agrees_with_the_plain_one_within_a_level(
    chroma: tuple[int, int] | None,
    bits: int,
    matrix: str,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    depth = np.uint8 if bits == 8 else np.uint16
    height, width = size
    x, y = chroma or (1, 1)
    sizes = [(height, width), *[(-(-height // y), -(-width // x))] * (2 if chroma else 0)]
    planes = [rng.integers(0, 1 << bits, one).astype(depth) for one in sizes]
    frame = PlanarFrame(planes, ColorEncoding(matrix, matrix == "rgb", bits), x, y)  # type: ignore[arg-type]  # a name of the list above
    matte = np.clip(rng.normal(0.4, 0.6, size), 0, 1).astype(np.float32)
    matte[:5], matte[:, :7], matte[20:23] = 0, 0, 0
    for change in (transform(scale=0.05), transform(cells=1), transform(scale=0.6)):
        fast, moved = render_planes(frame, matte, change)
        slow, expected = render_planes(frame, matte, change, plain=True)
        for index, (one, other) in enumerate(zip(fast.planes, slow.planes, strict=True)):
            assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
            assert (one != other).mean() < 0.01
            if index == 0:
                assert np.array_equal(one[matte == 0], frame.planes[0][matte == 0])
        assert moved == pytest.approx(expected, rel=1e-3)


def test_drawn_pixels_are_added_at_the_frames_size() -> None:
    frames, masks = moving_scene(1, 96, 64)
    matte = masks[0].astype(np.float32)
    rendered = render_rgb(frames[0], matte, PixelChange(np.full((16, 16, 3), 10 / 255, np.float32)))
    assert np.array_equal(rendered[masks[0]], np.clip(frames[0][masks[0]].astype(int) + 10, 0, 255))
    assert np.array_equal(rendered[~masks[0]], frames[0][~masks[0]])


def test_strength_scales_the_change() -> None:
    frames, masks = moving_scene(1, 64, 48)
    frame, matte = frames[0].astype(np.float32) / 255 * 0.5 + 0.25, masks[0].astype(np.float32)
    small = transform(scale=0.01)
    full, half = (render_rgb(frame, matte, small.scaled(s)) - frame for s in (1.0, 0.5))
    np.testing.assert_allclose(half, full / 2, atol=1e-5)
    assert np.array_equal(render_rgb(frame, matte, small.scaled(0.0)), frame)


LOADED = """
import sys
import numpy as np
from vhmae.color.yuv import ColorEncoding
from vhmae.engine.rendering import FrameTransform, load_compiled, render_planes
from vhmae.video.planes import PlanarFrame
assert "numba" not in sys.modules, "imported before it is used"
bits = int(sys.argv[1])
load_compiled(bits)
from vhmae.engine import recoloring
assert recoloring._recolor.cache_info().misses == 1
from vhmae.engine.machine_code import links_here
assert "numba" not in sys.modules, "imported though its code is kept"
assert not (links_here() and "llvmlite.binding" in sys.modules), "imported though it is not needed"
codes = np.uint8 if bits == 8 else np.uint16
planes = [np.full(size, 40, codes) for size in ((36, 64), (18, 32), (18, 32))]
change = FrameTransform(np.full((3, 10), 0.1, np.float32), np.zeros((4, 4, 3, 4), np.float32))
matte = np.zeros((36, 64), np.uint8)
matte[3:30, 5:50] = 255
frame = PlanarFrame(planes, ColorEncoding("bt709", False, bits), 2, 2)
assert render_planes(frame, matte, change)[1] > 1
assert recoloring._recolor.cache_info().misses == 1, "what was loaded is of other types"
"""


@pytest.mark.parametrize("bits", [8, 10])
def test_what_is_loaded_beforehand_is_what_frames_need(bits: int) -> None:
    load_compiled(bits)  # and kept
    run = subprocess.run(
        [sys.executable, "-c", LOADED, str(bits)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_what_keeps_something_ends_at_white() -> None:
    """A red that is lifted and keeps its saturation would lie beyond what there is."""
    overall = np.zeros((3, 10), np.float32)
    overall[:, np.flatnonzero(rows_at(np.zeros(3))[0])] = 0.4
    lifted = FrameTransform(overall, np.zeros((2, 2, 3, 4), np.float32))
    rgb = np.broadcast_to(np.array([0.9, 0.5, 0.5], np.float32)[:, None, None], (3, 4, 4))
    changed = rgb + KeepingChange(lifted, ("saturation",)).change(rgb, Box(0, 0, 4, 4), 4, 4)
    assert changed.max() == pytest.approx(1.0)
    assert 0.7 < changed.min() < 0.9
