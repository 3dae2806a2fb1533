"""Output of more bits than the source: finer steps inside the matte, the same colors outside."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import moving_scene, write_video
from vhmae.cli import main
from vhmae.color.yuv import ColorEncoding, Matrix
from vhmae.data.clips import write_mask_bits
from vhmae.model.weights import save_model
from vhmae.video.delivery import Delivery
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.recode import deepened, recoded

TARGETS = ["yuv444p10le", "yuv420p10le", "yuv422p12le", "gbrp16le", "gbrp10le", "gray16le"]


def planes(encoding: ColorEncoding, kind: str, rng: np.random.Generator) -> PlanarFrame:
    """Any code values but 0, whose chroma in full range lies beyond what more bits can tell."""
    across, down = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}[kind]
    depth = np.uint8 if encoding.bits == 8 else np.uint16
    shapes = [(16, 32), (16 // down, 32 // across), (16 // down, 32 // across)]
    codes = [rng.integers(1, 1 << encoding.bits, shape).astype(depth) for shape in shapes]
    return PlanarFrame(codes, encoding, across, down)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(("matrix", "kind"), [("bt709", "444"), ("bt601", "420"), ("rgb", "444")])
def test_what_is_not_changed_is_written_as_before(
    matrix: Matrix, kind: str, full: bool, target: str, rng: np.random.Generator
) -> None:
    before = ColorEncoding(matrix, full or matrix == "rgb", 8)
    image = planes(before, kind, rng)
    bits = av.VideoFormat(target, 2, 2).components[0].bits
    after = (
        ColorEncoding("rgb", True, bits)
        if target.startswith("gb")
        else ColorEncoding("bt709" if matrix == "rgb" else matrix, False, bits)
    )
    delivery = Delivery("ffv1", target, target, after, "left", before, "left", False)
    straight, deep = recoded(image, delivery), recoded(deepened(image), delivery)
    for one, other in zip(straight.planes, deep.planes, strict=True):
        assert one.dtype == other.dtype
        # A half is rounded to either side, where floating point falls.
        assert np.abs(one.astype(int) - other).max() <= 1
        assert (one != other).mean() < 0.02
    # Chroma that is smaller than its picture is interpolated in whole codes.
    step = 1e-5 if kind == "444" else 2.0 / 255.0
    assert np.abs(deepened(image).rgb() - image.rgb()).max() < step


@pytest.mark.parametrize(
    "encoding", [ColorEncoding("bt709", False, 8), ColorEncoding("rgb", True, 8)]
)
def test_alpha_and_greys_are_deepened_too(
    encoding: ColorEncoding, rng: np.random.Generator
) -> None:
    image = planes(encoding, "444", rng)
    image.planes = [*image.planes, rng.integers(0, 256, (16, 32)).astype(np.uint8)]
    assert np.array_equal(deepened(image).planes[3], image.planes[3].astype(int) * 257)
    grey = PlanarFrame([image.planes[0]], ColorEncoding("bt601", encoding.full_range, 8))
    assert np.abs(deepened(grey).rgb() - grey.rgb()).max() < 1e-5


def test_ten_bits_have_the_steps_between_inside_the_matte(tmp_path: Path) -> None:
    frames, masks = moving_scene(3, 64, 48)
    write_video(tmp_path / "in.mkv", frames, pix_fmt="yuv444p", codec="ffv1")
    write_mask_bits(masks, tmp_path / "m.npz")
    save_model(changing_model(), tmp_path / "w.safetensors", {})
    run = ["harmonize", str(tmp_path / "in.mkv"), "--mask", str(tmp_path / "m.npz"), "--weights"]
    run += [str(tmp_path / "w.safetensors"), "--precision", "fp32", "-q"]
    assert main([*run, "-o", str(tmp_path / "8.mkv")]) == 0
    assert main([*run, "-o", str(tmp_path / "10.mkv"), "--pix-fmt", "yuv444p10le"]) == 0
    read = [
        list(read_frames(probe_video(tmp_path / name))) for name in ("in.mkv", "8.mkv", "10.mkv")
    ]
    between = 0.0
    for source, coarse, fine, mask in zip(*read, masks, strict=True):
        inside = mask > 0
        for place in range(3):
            own, eight, ten = (
                one.image.planes[place].astype(int) for one in (source, coarse, fine)
            )
            assert np.array_equal(ten[~inside], 4 * own[~inside])
            assert np.abs(ten - 4 * eight)[inside].max() <= 3
            between = max(between, float((ten[inside] % 4 != 0).mean()))
    assert between > 0.4
