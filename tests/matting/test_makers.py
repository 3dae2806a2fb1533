"""Ways to cut out, on scenes whose alpha is known."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import TensorProto

from tests.support.matting import write_rvm, write_salient
from tests.support.scenes import moving_scene
from vhmae.arrays import Array
from vhmae.data.clips import list_clips
from vhmae.errors import InputError
from vhmae.matting.chroma import ChromaKey
from vhmae.matting.edges import (
    foreground_colors,
    largest_part,
    refined,
    without_holes,
    without_specks,
)
from vhmae.matting.networks import find_network
from vhmae.matting.plate import CleanPlate
from vhmae.matting.rvm import WARM_UP, Rvm, inside_ratio
from vhmae.matting.salient import Salient
from vhmae.matting.steady import steadied


def over(
    screen: Array, frames: Array, masks: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Foregrounds over a screen (H, W, 3), with noise: frames, and their true alphas."""
    alphas = np.stack([cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0) for mask in masks])
    mixed = (
        alphas[..., None] * frames
        + (1.0 - alphas[..., None]) * screen
        + rng.normal(0.0, 1.5, frames.shape)
    )
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8), alphas


@pytest.mark.parametrize("color", [(40, 180, 60), (30, 60, 190)], ids=["green", "blue"])
def test_a_screen_with_uneven_light_is_keyed_and_its_color_leaves_the_edges(
    color: tuple[int, ...], rng: np.random.Generator
) -> None:
    frames, masks = moving_scene(4, 160, 120)
    frames[:] = (150, 140, 150)
    light = np.linspace(0.7, 1.0, 160)[None, :, None]
    shown, alphas = over(light * np.array(color) * np.ones((120, 1, 1)), frames, masks, rng)
    key = ChromaKey()
    for frame, alpha in zip(shown, alphas, strict=True):
        (matte,) = key.mattes([frame])
        assert np.abs(matte - alpha).mean() < 0.01
        colors = key.colors(frame, matte)
        edge = (alpha > 0.2) & (alpha < 0.8)
        assert (
            np.abs(colors[edge].astype(float) - (150, 140, 150)).mean()
            < np.abs(frame[edge].astype(float) - (150, 140, 150)).mean() / 2
        )


def test_a_garbage_mask_cuts_away_and_a_scene_without_screen_is_refused(
    rng: np.random.Generator,
) -> None:
    frames, masks = moving_scene(1, 96, 64)
    frames[masks] = (200, 120, 100)
    shown, _ = over(np.array([40.0, 180.0, 60.0]), frames, masks, rng)
    garbage = np.zeros((64, 96), np.float32)
    garbage[:, 40:] = 1.0
    (matte,) = ChromaKey(garbage=garbage).mattes(shown)
    assert matte[:, 45:].max() == 0.0
    with pytest.raises(InputError, match="garbage`: is 300x100, the video 96x64"):
        list(ChromaKey(garbage=np.zeros((100, 300), np.float32)).mattes(shown))
    key = ChromaKey()
    assert not np.any(list(key.mattes(np.full((1, 64, 96, 3), 120, np.uint8))))
    assert "no green or blue screen" in str(key.complaint)


@pytest.mark.parametrize("key", ["auto", "green"])
def test_a_fade_is_no_foreground_and_stops_nothing(key: str, rng: np.random.Generator) -> None:
    frames, masks = moving_scene(6, 96, 64)
    frames[masks] = (200, 120, 100)
    shown, alphas = over(np.array([40.0, 180.0, 60.0]), frames, masks, rng)
    shown[0] = shown[5] = 0
    made = list(ChromaKey(key).mattes(shown))
    assert not made[0].any()
    assert not made[5].any()
    for matte, alpha in zip(made[1:5], alphas[1:5], strict=True):
        assert ((matte > 0.5) == (alpha > 0.5)).mean() > 0.98


def test_a_greenish_shirt_that_fills_the_frame_is_no_screen(rng: np.random.Generator) -> None:
    frames, masks = moving_scene(4, 96, 64)
    frames[masks] = (200, 120, 100)
    shown, _ = over(np.array([40.0, 180.0, 60.0]), frames, masks, rng)
    shown[2:] = (130, 150, 110)
    shown[2:, 20:40, 30:60] = (150, 120, 100)
    made = list(ChromaKey().mattes(shown))
    assert made[1][:4].max() < 0.1
    assert min(matte.min() for matte in made[2:]) > 0.7


@pytest.mark.parametrize(
    "lights", [(1.0, 0.45, 0.45, 0.45), (1.0, 0.8, 0.6, 0.4, 0.2)], ids=["dimmed", "fading"]
)
def test_a_screen_in_less_light_is_the_same_screen(
    lights: tuple[float, ...], rng: np.random.Generator
) -> None:
    frames, masks = moving_scene(len(lights), 96, 64)
    frames[masks] = (200, 120, 100)
    shown, alphas = over(np.array([45.0, 180.0, 55.0]), frames, masks, rng)
    dimmed = np.rint(shown * np.array(lights)[:, None, None, None]).astype(np.uint8)
    for matte, alpha in zip(ChromaKey().mattes(dimmed), alphas, strict=True):
        assert ((matte > 0.5) == (alpha > 0.5)).mean() > 0.97


def test_two_subjects_before_a_plate_are_kept_and_specks_are_not(rng: np.random.Generator) -> None:
    plate = rng.integers(80, 90, (120, 160, 3)).astype(np.uint8)
    shown = plate.copy()
    shown[30:90, 20:60] = shown[30:90, 100:140] = (220, 40, 40)
    shown[5:8, 5:8] = 255
    (matte,) = CleanPlate(plate).mattes(shown[None])
    assert matte[60, 40] == matte[60, 120] == 1.0
    assert not matte[:15, :15].any()


def test_what_differs_from_a_plate_is_cut_out(rng: np.random.Generator) -> None:
    frames, masks = moving_scene(3, 160, 120)
    plate = moving_scene(1, 160, 120)[0][0].copy()
    plate[:] = cv2.GaussianBlur(
        rng.integers(0, 120, plate.shape).astype(np.float32), (0, 0), 5
    ).astype(np.uint8)
    frames[masks] = (230, 200, 180)
    shown, alphas = over(plate.astype(np.float32), frames, masks, rng)
    for matte, alpha in zip(CleanPlate(plate).mattes(shown), alphas, strict=True):
        found, true = matte > 0.5, alpha > 0.5
        assert (found & true).sum() / (found | true).sum() > 0.93
    with pytest.raises(InputError, match="`plate`"):
        list(CleanPlate(plate[:, :60]).mattes(shown))


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_rvm_carries_its_state_and_begins_each_shot_afresh(tmp_path: Path, kind: int) -> None:
    maker = Rvm(write_rvm(tmp_path / "rvm.onnx", kind))
    frames, _ = moving_scene(9, 48, 32)
    seen: list[float] = []
    step = maker._step

    def watched(frame: Array, state: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        seen.append(float(state["r1i"].max()))
        return step(frame, state)

    maker._step = watched  # type: ignore[method-assign]
    mattes = list(maker.mattes(frames))
    assert np.allclose(mattes, frames[..., 0] / 255.0, atol=2e-3)
    # Five frames, four of them backwards first; then all nine forwards.
    assert seen == [float(number) for number in range(WARM_UP - 1 + 9)]
    seen.clear()
    list(maker.mattes(frames[:1]))
    assert seen == [0.0]


def test_the_size_inside_keeps_bodies_large_enough() -> None:
    assert inside_ratio(512, 288) == 1.0
    assert inside_ratio(1920, 1080) == pytest.approx(512 / 1920)
    assert inside_ratio(3840, 1000) == pytest.approx(0.256)


def test_a_salient_object_is_found_and_never_stretched(tmp_path: Path) -> None:
    maker = Salient(write_salient(tmp_path / "net.onnx"))
    frames = np.full((6, 40, 60, 3), 60, np.uint8)
    frames[:, 10:30, 15:45] = 220
    mattes = np.stack(list(maker.mattes(frames)))
    assert mattes[:, 15:25, 22:38].min() > 0.95
    assert mattes[:, :5].max() < 0.05
    dark = np.full((1, 40, 60, 3), 20, np.uint8)
    assert next(maker.mattes(dark)).max() < 0.01


def test_steadied_mattes_lose_a_dropped_frame_and_follow_motion() -> None:
    frames, masks = moving_scene(12, 160, 120)
    mattes = masks.astype(np.float32)
    broken = mattes.copy()
    broken[5] = 0.0
    steady = np.stack(list(steadied(zip(frames, broken, strict=True))))
    assert len(steady) == 12
    overlap = [
        ((s > 0.5) & (m > 0.5)).sum() / ((s > 0.5) | (m > 0.5)).sum()
        for s, m in zip(steady, mattes, strict=True)
    ]
    assert overlap[5] > 0.85
    assert min(overlap) > 0.8
    for count in (1, 2, 3):
        assert len(list(steadied(zip(frames[:count], mattes[:count], strict=True)))) == count


def test_edges() -> None:
    matte = np.zeros((60, 80), np.float32)
    matte[10:40, 10:40] = 1.0
    matte[50:55, 60:70] = 1.0
    assert largest_part(matte)[50:55, 60:70].max() == 0.0
    assert np.array_equal(largest_part(matte)[10:40, 10:40], matte[10:40, 10:40])
    ring = matte > 0.5
    ring[20:25, 20:25] = False
    assert without_holes(ring)[20:25, 20:25].all()
    frame = np.zeros((60, 80, 3), np.uint8)
    frame[10:40, 10:42] = 200  # the subject reaches two pixels further than its mask
    soft = refined(frame, matte)
    assert soft[25, 41] > 0.2
    assert soft[25, 50] < 0.1


def test_edge_colors_lose_what_was_behind_them() -> None:
    alpha: Array = cv2.GaussianBlur(np.pad(np.ones((40, 40), np.float32), 30), (0, 0), 2.0)
    mixed = alpha[..., None] * np.array([200.0, 80.0, 60.0]) + (1.0 - alpha[..., None]) * np.array(
        [20.0, 160.0, 220.0]
    )
    colors = foreground_colors(np.rint(mixed).astype(np.uint8), alpha)
    edge = (alpha > 0.3) & (alpha < 0.9)
    before = np.abs(np.rint(mixed)[edge] - (200, 80, 60)).mean()
    assert np.abs(colors[edge].astype(float) - (200, 80, 60)).mean() < before / 3


def test_edge_colors_come_of_a_wide_blur_and_then_a_narrow_one(rng: np.random.Generator) -> None:
    """Forte 2021 by its equations, before a background that varies: in the other order the colors
    are others."""
    alpha: Array = cv2.GaussianBlur(np.pad(np.ones((30, 50), np.float32), 15), (0, 0), 3.0)
    behind = cv2.resize(
        rng.integers(0, 256, (6, 8, 3)).astype(np.float32), (80, 60), interpolation=cv2.INTER_CUBIC
    )
    frame = np.rint(
        np.clip(
            alpha[..., None] * np.array([200.0, 80.0, 60.0]) + (1.0 - alpha[..., None]) * behind,
            0,
            255,
        )
    ).astype(np.uint8)

    def fused(sizes: tuple[int, int]) -> Array:
        image, a = frame.astype(np.float32), alpha[..., None]
        foreground = background = image
        for size in sizes:
            share = cv2.blur(alpha, (size, size))[..., None]
            near = cv2.blur(foreground * a, (size, size)) / (share + 1e-5)
            background = cv2.blur(background * (1.0 - a), (size, size)) / (1.0 - share + 1e-5)
            foreground = np.clip(near + a * (image - a * near - (1.0 - a) * background), 0.0, 255.0)
        return foreground

    found = foreground_colors(frame, alpha)
    assert np.abs(found - fused((90, 6))).max() <= 1.0
    assert np.abs(found - fused((6, 90))).max() > 20.0


@pytest.mark.parametrize("chosen", [largest_part, without_specks])
def test_a_faint_haze_does_not_make_one_part_of_two(chosen: Callable[[Array], Array]) -> None:
    matte = np.zeros((60, 80), np.float32)
    matte[10:40, 10:40] = 1.0
    matte[22:25, 60:63] = 1.0  # a speck of 9 pixels beside 900
    matte[23, 40:60] = 0.2  # and haze that joins them
    kept = chosen(matte)
    assert np.array_equal(kept[10:40, 10:40], matte[10:40, 10:40])
    assert not kept[:, 44:].any()


def test_files_that_are_no_networks_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("VHMAE_RVM", raising=False)
    with pytest.raises(InputError, match="make rvm-weights"):
        find_network("rvm")
    monkeypatch.setenv("VHMAE_RVM", str(tmp_path / "gone.onnx"))
    with pytest.raises(InputError, match=r"gone\.onnx: no such file"):
        find_network("rvm")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    for name, said in (("bad.onnx", "cannot be opened"), ("bad.pt", "may run code")):
        with pytest.raises(InputError, match=said):
            Rvm(tmp_path / name)
    with pytest.raises(InputError, match="another network"):
        Rvm(write_salient(tmp_path / "salient.onnx"))
    with pytest.raises(InputError, match="one picture of a fixed size"):
        Salient(write_rvm(tmp_path / "rvm.onnx"))
    with pytest.raises(InputError, match="`ratio`"):
        Rvm(tmp_path / "rvm.onnx", ratio=2.0)


def real(variable: str) -> Path:
    path = os.environ.get(variable)
    if not path:
        assert not (os.environ.get("CI") and variable == "VHMAE_ISNET"), (
            "VHMAE_ISNET names no file; .ci/run fetches it"
        )
        pytest.skip(f"{variable} names no network file (docs/matting.md)")
    return Path(path)


def overlap_on(data_dir: Path, name: str, maker: Rvm | Salient, frames: int) -> float:
    clip = next(clip for clip in list_clips(data_dir / "val") if clip.name == name)
    pictures, masks = clip.read(frames)
    found = np.stack(list(maker.mattes(pictures))) > 0.5
    return float((found & masks).sum() / (found | masks).sum())


def test_the_real_rvm_finds_people_and_people_only(data_dir: Path) -> None:
    maker = Rvm(real("VHMAE_RVM"))
    assert overlap_on(data_dir, "liveportrait__s18", maker, 6) > 0.9
    assert overlap_on(data_dir, "davis__camel", maker, 3) < 0.05


def test_the_real_isnet_finds_any_object(data_dir: Path) -> None:
    maker = Salient(real("VHMAE_ISNET"))
    assert overlap_on(data_dir, "davis__camel", maker, 1) > 0.85
