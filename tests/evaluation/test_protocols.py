"""Every protocol against a slow loop written from its description."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from vhmae.arrays import Array
from vhmae.errors import InputError
from vhmae.evaluation.protocols import FRAME_METRICS, Frame, find_protocol


def frame_of(result: Array, composite: Array, target: Array, *masks: Array) -> Frame:
    pictures = [np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in (result, composite, target)]
    return Frame(pictures[0], pictures[1], pictures[2], *masks)


@pytest.fixture
def frame(rng: np.random.Generator) -> Frame:
    """A smooth picture, its recolored composite and a result between them, 96x80."""
    y, x = np.mgrid[0:80, 0:96]
    target = np.stack([100 + x, 60 + y, 140 - x / 2 + y / 3], -1) + rng.normal(0, 3, (80, 96, 3))
    mask = (x - 45) ** 2 + (y - 35) ** 2 < 22**2
    shifted = target * [1.2, 0.9, 0.8] + 12
    composite = np.where(mask[..., None], shifted, target + rng.integers(-1, 2, target.shape))
    result = np.where(mask[..., None], 0.4 * shifted + 0.6 * target, composite)
    return frame_of(result, composite, target, mask)


def gaussian_window() -> Array:
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line)
    return window / window.sum()


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
    options = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 255,
        "channel_axis": 2,
        "full": True,
    }
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
    stored = cv2.imdecode(cv2.imencode(".jpg", frame.result[..., ::-1])[1], cv2.IMREAD_COLOR)
    assert stored is not None
    a, b = stored[..., ::-1].copy(), frame.target.copy()
    a[~frame.mask] = 0
    b[~frame.mask] = 0
    return clean(Frame(a, frame.composite, b, frame.mask))


def hinet(frame: Frame) -> dict[str, float]:
    pasted = frame.result.copy()
    pasted[~frame.mask] = frame.target[~frame.mask]
    values = clean(Frame(pasted, frame.composite, frame.target, frame.mask))
    return {**values, "psnr": 10 * math.log10(float(frame.target.max()) ** 2 / values["mse"])}


def steps(length: int) -> tuple[Array, Array]:
    """Of each of 256 places along a side: the neighbor before it, and how far it is from there."""
    places = [np.float32((place + 0.5) * (length / 256) - 0.5) for place in range(256)]
    before = np.array([math.floor(place) for place in places])
    return before, np.array(places, np.float32) - before.astype(np.float32)


def bilinear(picture: Array) -> Array:
    """OpenCV's INTER_LINEAR to 256x256, row by row: two neighbors a side whatever the scale,
    edges repeated, no antialiasing.

    Whole levels are interpolated in fixed point, with weights of 11 bits and the lower bits of each
    step cut off; floats as they are.
    """
    height, width = picture.shape[:2]
    out = np.zeros((256, 256, *picture.shape[2:]))
    left, along = steps(width)
    along = np.where((left < 0) | (left >= width - 1), np.float32(0.0), along)
    left = left.clip(0, width - 1)
    right = (left + 1).clip(0, width - 1)
    along = along.reshape(256, *[1] * (picture.ndim - 2))
    for row, (top, down) in enumerate(zip(*steps(height), strict=True)):
        both = [picture[min(max(line, 0), height - 1)] for line in (top, top + 1)]
        if picture.dtype == np.uint8:
            near, far, above, below = (
                np.rint(np.float64(weight) * 2048).astype(int)
                for weight in (1 - along, along, 1 - down, down)
            )
            lines = [
                (line[left].astype(int) * near + line[right].astype(int) * far) >> 4
                for line in both
            ]
            out[row] = (((lines[0] * above) >> 16) + ((lines[1] * below) >> 16) + 2) >> 2
        else:
            lines = [line[left] * (1 - along) + line[right] * along for line in both]
            out[row] = lines[0] * (1 - down) + lines[1] * down
    return out


def co2net(frame: Frame) -> dict[str, float]:
    """CO2Net's script by the letter: frames as whole levels, the mask as a float, the blend not
    rounded."""
    cover = bilinear(frame.mask.astype(float))
    result, composite, target = (
        bilinear(picture) for picture in (frame.result, frame.composite, frame.target)
    )
    share = cover[..., None]
    blended = (share * result + (1 - share) * composite).clip(0.0, 255.0)
    error = float(np.square(blended - target).sum()) / (3 * 256 * 256)
    area = int((cover > 1.0 - 1e-6).sum())
    similarity = slow_similarity(blended, target)
    return {
        "mse": error,
        "fmse": error * 65536 / area,
        "psnr": 10 * math.log10(float(np.ptp(blended)) ** 2 / error),
        "fssim": float((similarity * cover).sum() / cover.sum()),
    }


def slow_similarity(x: Array, y: Array) -> Array:
    """SSIM with zeros outside the picture and constants that are not scaled to 255, mean over
    channels: (256, 256)."""
    window = gaussian_window()
    sums = np.zeros((5, 256, 256, 3))
    pictures = [np.pad(p, ((5, 5), (5, 5), (0, 0))) for p in (x, y, x * x, y * y, x * y)]
    for i in range(11):
        for j in range(11):
            for place, padded in enumerate(pictures):
                sums[place] += window[i, j] * padded[i : i + 256, j : j + 256]
    mx, my, xx, yy, xy = sums
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    return (top / ((mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2))).mean(-1)


@pytest.mark.parametrize("reference", [clean, vtt, hinet])
def test_a_protocol_agrees_with_its_loop(
    reference: Callable[[Frame], dict[str, float]], frame: Frame
) -> None:
    found = find_protocol(reference.__name__).score(frame, FRAME_METRICS)
    expected = reference(frame)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=2e-3 if name == "fssim" else 1e-6), name


@pytest.fixture
def large_frame(rng: np.random.Generator) -> Frame:
    """A sharp picture, 700x500: where filters with and without antialiasing part."""
    y, x = np.mgrid[0:500, 0:700]
    target = np.stack(
        [120 + 50 * np.sin(x / 1.7), 110 + 40 * np.cos(y / 1.3), 100 + 30 * np.sin((x + y) / 2.1)],
        -1,
    )
    target = target + rng.normal(0, 12, target.shape)
    mask = (x - 350) ** 2 + (y - 250) ** 2 < 160**2
    gain = (
        1.15 + 0.2 * np.sin(x / 1.9)[..., None]
    )  # light through leaves: the error itself is fine-grained
    composite = np.where(mask[..., None], target * gain, target)
    result = np.where(mask[..., None], 0.5 * composite + 0.5 * target, composite)
    return frame_of(result, composite, target, mask)


def test_the_rule_is_opencvs(frame: Frame, large_frame: Frame) -> None:
    for picture in (frame.result, large_frame.result):
        resized = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_LINEAR)
        assert (
            np.abs(bilinear(picture) - resized).mean() < 1e-3
        )  # another build of OpenCV may round a level elsewhere


@pytest.mark.parametrize("name", ["frame", "large_frame"])
def test_co2net_agrees_with_the_published_rule(name: str, request: pytest.FixtureRequest) -> None:
    frame: Frame = request.getfixturevalue(name)
    found, expected = find_protocol("co2net").score(frame, FRAME_METRICS), co2net(frame)
    for metric, value in expected.items():
        assert found[metric] == pytest.approx(value, rel=1e-4), metric


def test_co2net_is_harder_than_with_antialiasing(large_frame: Frame) -> None:
    small = [
        cv2.resize(p, (256, 256), interpolation=cv2.INTER_AREA)
        for p in (large_frame.composite, large_frame.target)
    ]
    untouched = Frame(
        large_frame.composite, large_frame.composite, large_frame.target, large_frame.mask
    )
    found = find_protocol("co2net").score(untouched, ["mse"])["mse"]
    assert found > 1.02 * float(np.square(small[0].astype(float) - small[1]).mean())


def test_co2net_takes_a_soft_mask_as_it_is(frame: Frame) -> None:
    """At --size 256 frames and matte come resized: the same numbers as from the full size, and grey
    stays grey."""
    protocol = find_protocol("co2net")
    matte = cv2.resize(frame.mask.astype(np.float32), (256, 256), interpolation=cv2.INTER_LINEAR)
    small = [
        cv2.resize(p, (256, 256), interpolation=cv2.INTER_LINEAR)
        for p in (frame.result, frame.composite, frame.target)
    ]
    resized = protocol.score(frame_of(*small, matte > 0, matte), FRAME_METRICS)
    assert resized == pytest.approx(protocol.score(frame, FRAME_METRICS), rel=1e-9)
    hard = protocol.score(frame_of(*small, matte > 0), FRAME_METRICS)
    assert hard["fmse"] < 0.97 * resized["fmse"]  # the edge counts as area once the mask is hard
    grey = np.where(frame.mask, 128, 0).astype(np.uint8)
    halved = protocol.score(
        Frame(frame.result, frame.composite, frame.target, frame.mask, grey), ["mse", "fmse"]
    )
    assert math.isnan(halved["fmse"])  # nowhere 1
    assert halved["mse"] > resized["mse"]  # the result is laid in by half


def test_protocols_pool_as_their_papers_do() -> None:
    assert {name: find_protocol(name).pooling for name in ("clean", "co2net", "vtt", "hinet")} == {
        "clean": "videos",
        "co2net": "frames",
        "vtt": "videos",
        "hinet": "videos",
    }
    with pytest.raises(InputError, match="did you mean co2net"):
        find_protocol("co2nett")
