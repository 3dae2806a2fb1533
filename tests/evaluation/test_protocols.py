"""Every protocol against a slow loop written from its description."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from vhmae.errors import InputError
from vhmae.evaluation.protocols import FRAME_METRICS, Frame, find_protocol

Array = np.ndarray


@pytest.fixture
def frame(rng: np.random.Generator) -> Frame:
    """A smooth picture, its recoloured composite and a result between them, 96x80."""
    y, x = np.mgrid[0:80, 0:96]
    target = np.stack([100 + x, 60 + y, 140 - x / 2 + y / 3], -1) + rng.normal(0, 3, (80, 96, 3))
    mask = (x - 45) ** 2 + (y - 35) ** 2 < 22**2
    shifted = target * [1.2, 0.9, 0.8] + 12
    composite = np.where(mask[..., None], shifted, target + rng.integers(-1, 2, target.shape))
    result = np.where(mask[..., None], 0.4 * shifted + 0.6 * target, composite)
    pictures = [np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in (result, composite, target)]
    return Frame(*pictures, mask)


def gaussian_window() -> Array:
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line)
    return window / window.sum()


def ssim_at(x: Array, y: Array, row: int, column: int, constants: tuple[float, float]) -> float:
    """SSIM of one channel at one pixel, zeros outside the picture."""
    window = gaussian_window()
    sums = np.zeros(5)
    for i in range(11):
        for j in range(11):
            r, c = row + i - 5, column + j - 5
            inside = 0 <= r < x.shape[0] and 0 <= c < x.shape[1]
            a, b = (float(x[r, c]), float(y[r, c])) if inside else (0.0, 0.0)
            sums += window[i, j] * np.array([a, b, a * a, b * b, a * b])
    mx, my, xx, yy, xy = sums
    c1, c2 = constants
    return ((2 * mx * my + c1) * (2 * (xy - mx * my) + c2)) / ((mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2))


def masked_error(a: Array, b: Array, mask: Array) -> tuple[float, float]:
    """Sum of squared errors inside the mask and over everything, by loops."""
    inside = everywhere = 0.0
    for row in range(a.shape[0]):
        for column in range(a.shape[1]):
            for channel in range(3):
                squared = (float(a[row, column, channel]) - float(b[row, column, channel])) ** 2
                everywhere += squared
                inside += squared * bool(mask[row, column])
    return inside, everywhere


def skimage_fssim(a: Array, b: Array, mask: Array) -> float:
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255, "channel_axis": 2, "full": True}
    return float(structural_similarity(a, b, **options)[1][mask].mean())


def clean(frame: Frame) -> dict[str, float]:
    inside, everywhere = masked_error(frame.result, frame.target, frame.mask)
    error = everywhere / frame.result.size
    psnr = 10 * math.log10(255**2 / error)
    return {
        "fmse": inside / (3 * frame.mask.sum()),
        "mse": error,
        "psnr": psnr,
        "fssim": skimage_fssim(frame.result, frame.target, frame.mask),
    }


def vtt(frame: Frame) -> dict[str, float]:
    stored = cv2.imdecode(cv2.imencode(".jpg", frame.result[..., ::-1])[1], cv2.IMREAD_COLOR)[..., ::-1]
    a, b = stored.copy(), frame.target.copy()
    a[~frame.mask] = 0
    b[~frame.mask] = 0
    return clean(Frame(a, frame.composite, b, frame.mask))


def hinet(frame: Frame) -> dict[str, float]:
    pasted = frame.result.copy()
    pasted[~frame.mask] = frame.target[~frame.mask]
    values = clean(Frame(pasted, frame.composite, frame.target, frame.mask))
    return {**values, "psnr": 10 * math.log10(float(frame.target.max()) ** 2 / values["mse"])}


def triangle_resize(picture: Array, rounded: bool) -> Array:
    """Pillow's bilinear filter to 256x256, row by row from its definition."""
    out = picture.astype(float)
    for axis in (0, 1):
        length = out.shape[axis]
        scale = length / 256
        reach = max(scale, 1.0)
        rows = []
        for index in range(256):
            center = (index + 0.5) * scale
            low, high = max(0, int(center - reach + 0.5)), min(length, int(center + reach + 0.5))
            weights = np.array([max(0.0, 1 - abs((k + 0.5 - center) / reach)) for k in range(low, high)])
            rows.append(np.tensordot(weights / weights.sum(), np.take(out, range(low, high), axis), (0, axis)))
        out = np.moveaxis(np.stack(rows), 0, axis)
    return np.rint(out) if rounded else out


def co2net(frame: Frame) -> dict[str, float]:
    composite, target, mask = (triangle_resize(p, True) for p in (frame.composite, frame.target, frame.mask.astype(np.uint8) * 255))
    cover = mask[..., None] / 255
    blended = np.clip(triangle_resize(frame.result, False) * cover + composite * (1 - cover), 0, 255)
    error = masked_error(blended, target, mask > 0)[1] / blended.size
    psnr = 10 * math.log10((blended.max() - blended.min()) ** 2 / error)
    return {"mse": error, "fmse": error * 65536 / (mask == 255).sum(), "psnr": psnr}


@pytest.mark.parametrize("reference", [clean, vtt, hinet, co2net])
def test_a_protocol_agrees_with_its_loop(reference: Callable[[Frame], dict[str, float]], frame: Frame) -> None:
    found = find_protocol(reference.__name__).score(frame, FRAME_METRICS)
    expected = reference(frame)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=2e-3 if name == "fssim" else 1e-6), name


def test_co2nets_ssim_agrees_with_its_loop(frame: Frame) -> None:
    found = find_protocol("co2net").score(frame, ["fssim"])["fssim"]
    from vhmae.evaluation import metrics

    composite, target, mask = (triangle_resize(p, True) for p in (frame.composite, frame.target, frame.mask.astype(np.uint8) * 255))
    cover = mask / 255
    blended = np.clip(triangle_resize(frame.result, False) * cover[..., None] + composite * (1 - cover[..., None]), 0, 255)
    constants = (0.01**2, 0.03**2)
    fast = metrics.ssim_map(blended, target, constants, cv2.BORDER_CONSTANT)
    for row, column in ((0, 0), (3, 250), (120, 130), (255, 255)):
        slow = [ssim_at(blended[..., c], target[..., c], row, column, constants) for c in range(3)]
        assert fast[row, column] == pytest.approx(slow, rel=1e-6)
    assert found == pytest.approx((fast.mean(-1) * cover).sum() / cover.sum(), rel=1e-9)


def test_the_resize_is_pillows(frame: Frame) -> None:
    from vhmae.evaluation import protocols

    np.testing.assert_allclose(protocols._shrunk(frame.target, rounded=False), triangle_resize(frame.target, False), atol=1e-9)
    large = torch.rand(600, 700, 3).mul(255).byte().numpy()
    np.testing.assert_allclose(protocols._shrunk(large, rounded=False), triangle_resize(large, False), atol=1e-9)


def test_protocols_pool_as_their_papers_do() -> None:
    assert {name: find_protocol(name).pooling for name in ("clean", "co2net", "vtt", "hinet")} == {
        "clean": "videos", "co2net": "frames", "vtt": "videos", "hinet": "videos",
    }  # fmt: skip
    with pytest.raises(InputError, match="did you mean co2net"):
        find_protocol("co2nett")
