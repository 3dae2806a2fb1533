"""Composites: two looks, the clean edge, scenes for training."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.support.looks import luts
from tests.support.scenes import moving_scene, write_video
from vhmae.data.clips import ClipFiles, Pack, write_mask_bits
from vhmae.data.looks import LookMixture, LookSampler
from vhmae.data.synthesis import (
    SceneRecipe,
    SceneSampler,
    StackedScenes,
    close_edge,
    compose,
    make_batch,
    move_edge,
)
from vhmae.errors import InputError


def packs() -> list[Pack]:
    """A clip with its masks, a still with labels, a still without."""
    frames, masks = moving_scene(6, 128, 96)

    def encode(picture: np.ndarray, suffix: str = ".jpg") -> np.ndarray:
        return cv2.imencode(suffix, picture)[1].ravel()

    labels = np.zeros((96, 128), np.uint8)
    labels[20:60, 30:80] = 3
    none = np.zeros(0, np.uint8)
    clip = Pack(
        ["clip"],
        np.zeros(6, int),
        [encode(f) for f in frames],
        [encode(m.astype(np.uint8), ".png") for m in masks],
    )
    still = Pack(["still"], np.zeros(1, int), [encode(frames[0])], [encode(labels, ".png")])
    scene = Pack(["scene"], np.zeros(1, int), [encode(frames[1])], [none])
    return [clip, still, scene]


def test_a_clean_edge_leaves_no_surface_under_both_looks() -> None:
    frame, mask = (array[0] for array in moving_scene(1, 120, 90))
    frame = np.where(mask[..., None], [200, 30, 30], [30, 30, 200]).astype(np.uint8)
    closed, smaller = close_edge(frame, mask, 4)
    assert smaller.sum() < mask.sum()
    assert not (smaller & ~mask).any()
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    assert np.array_equal(smaller, cv2.erode(mask.astype(np.uint8), kernel) > 0)
    assert (closed[~smaller] == [30, 30, 200]).all()  # everything outside is background now
    assert np.array_equal(closed[smaller], frame[smaller])


def test_a_clean_edge_is_filled_from_beyond_what_the_subject_has_tinted() -> None:
    mask = moving_scene(1, 120, 90)[1][0]
    tinted = (
        cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))) > 0
    )  # 4 pixels around it
    frame = np.where(
        mask[..., None], [200, 30, 30], np.where(tinted[..., None], [30, 200, 30], [30, 30, 200])
    ).astype(np.uint8)
    closed, smaller = close_edge(frame, mask, 4)
    assert (closed[~smaller] == [30, 30, 200]).all()


def test_no_edge_to_close_changes_nothing() -> None:
    frame, mask = (array[0] for array in moving_scene(1, 64, 48))
    for pixels, hole in ((0, mask), (3, np.zeros_like(mask))):
        closed, same = close_edge(frame, hole, pixels)
        assert np.array_equal(closed, frame)
        assert np.array_equal(same, hole)


def test_an_edge_without_a_background_to_fill_it_from_is_shrunk_alone() -> None:
    frame = moving_scene(1, 64, 48)[0][0]
    mask = np.ones((48, 64), bool)
    mask[20, 30] = False  # closed up by the band
    closed, inner = close_edge(frame, mask, 3)
    assert np.array_equal(closed, frame)
    assert not inner[20, 33]
    assert inner[20, 34]


def test_edges_move_in_and_out() -> None:
    mask = moving_scene(1, 64, 48)[1][0]
    assert move_edge(mask, 2).sum() > mask.sum() > move_edge(mask, -2).sum()
    assert np.array_equal(move_edge(mask, 0), mask)


def test_target_is_one_look_and_the_composite_is_two() -> None:
    torch.manual_seed(0)
    frames = torch.rand(2, 1, 3, 8, 8)
    region = torch.rand(2, 1, 1, 8, 8) < 0.5
    a, b = (
        torch.stack([lut.resampled(9).table for lut in pair]) for pair in (luts(4)[:2], luts(4)[2:])
    )
    composite, target = compose(frames, region, a, b)
    for index in range(2):
        colors = frames[index, 0].permute(1, 2, 0)
        under_a, under_b = (luts(4)[k + index](colors).permute(2, 0, 1) for k in (0, 2))
        assert torch.allclose(target[index, 0], under_a, atol=1e-5)
        expected = torch.where(region[index, 0], under_b, under_a)
        assert torch.allclose(composite[index, 0], expected, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_scenes_have_the_size_and_share_asked_for(frames: int) -> None:
    recipe = SceneRecipe(foreground=(0.05, 0.7))
    sampler = SceneSampler(packs(), [1.0, 1.0, 1.0], recipe)
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(30):
        scene = sampler.draw(rng, frames, 64)
        assert scene.frames.shape == (frames, 64, 64, 3)
        assert scene.region.shape == scene.mask.shape == (frames, 64, 64)
        shares.append(scene.region.mean())
    assert min(shares) >= 0.04
    assert max(shares) <= 0.9


def leaping_block() -> Pack:
    """A white block on black that leaps by its own width from frame to frame, with its masks: a
    mask out of place is seen at once."""
    masks = np.zeros((10, 96, 240), np.uint8)
    for number, mask in enumerate(masks):
        mask[30:62, 24 * number : 24 * number + 24] = 1
        mask[62:70, 24 * number : 24 * number + 6] = 1  # another shape in a mirror, or turned
    pictures = [
        cv2.imencode(".png", np.repeat(mask[..., None] * 255, 3, axis=-1))[1].ravel()
        for mask in masks
    ]
    return Pack(
        ["clip"],
        np.zeros(10, int),
        pictures,
        [cv2.imencode(".png", mask)[1].ravel() for mask in masks],
    )


@pytest.mark.parametrize("frames", [1, 4])
def test_a_mask_lies_on_what_it_covers_in_every_frame_turned_and_mirrored_as_it_is(
    frames: int,
) -> None:
    recipe = SceneRecipe(clean_edge=0.0, mask_jitter_pixels=0, inverted=0.0, block=0.0)
    sampler = SceneSampler([leaping_block()], [1.0], recipe)
    rng = np.random.default_rng(0)
    for _ in range(25):
        scene = sampler.draw(rng, frames, 64)
        assert (scene.frames == 255).any()
        for picture, *masks in zip(scene.frames[..., 0], scene.region, scene.mask, strict=True):
            # The edge is soft in the picture and hard in the mask: a pixel on either side of it may
            # be either.
            white, black = (
                cv2.erode((picture == level).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
                for level in (255, 0)
            )
            assert all(mask[white].all() and not mask[black].any() for mask in masks)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"foreground": (2.0, 80.0)}, r"scenes.foreground: \[2, 80\] is no range of shares"),
        ({"foreground": (0.0, 0.8)}, "0 < LOW <= HIGH <= 1"),
        ({"large_foreground": (0.8, 0.3)}, "scenes.large_foreground"),
        ({"block": math.nan}, "scenes.block: nan is no share"),
        ({"inverted": 8.0}, "scenes.inverted: 8.0 is no share"),
        ({"clean_edge_pixels": (6, 2)}, "scenes.clean_edge_pixels"),
        ({"mask_jitter_pixels": -1}, "scenes.mask_jitter_pixels: -1"),
        ({"stretch": 0.5}, "scenes.stretch: 0.5; expected a ratio of 1 or more"),
    ],
)
def test_scenes_that_cannot_be_cut_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        SceneRecipe(**values)


def test_data_without_a_usable_mask_is_told_instead_of_tried_for_ever() -> None:
    picture = cv2.imencode(".png", np.zeros((60, 60, 3), np.uint8))[1].ravel()
    labels = cv2.imencode(".png", np.ones((60, 60), np.uint8))[1].ravel()
    full = Pack(["whole"], np.array([0, 0]), [picture] * 2, [labels] * 2)
    sampler = SceneSampler([full], [1.0], SceneRecipe(block=0.0, inverted=0.0))
    with pytest.raises(InputError, match=r"1000 crops, the last of whole, .*widen scenes.foregr"):
        sampler.draw(np.random.default_rng(0), 1, 32)


def test_a_batch_touches_only_the_region() -> None:
    sampler = SceneSampler(packs(), [1.0, 1.0, 1.0], SceneRecipe())
    rng = np.random.default_rng(1)
    scenes = [sampler.draw(rng, 2, 48) for _ in range(6)]
    looks = LookSampler.from_luts(luts(), LookMixture(lighting=1.0), pool_size=16)
    batch = make_batch(StackedScenes.of(scenes), looks, np.random.default_rng(2))
    outside = ~batch.region.expand_as(batch.composite)
    assert torch.equal(batch.composite[outside], batch.target[outside])
    assert batch.composite.min() >= 0
    assert batch.composite.max() <= 1
    again = make_batch(StackedScenes.of(scenes), looks, np.random.default_rng(2))
    assert torch.equal(again.composite, batch.composite)


def test_a_clips_masks_have_the_size_of_its_frames(tmp_path: Path) -> None:
    frames, masks = moving_scene(3, 96, 64)
    clip = ClipFiles("a", tmp_path / "a.mkv", tmp_path / "a.mask.npz")
    write_video(clip.video, frames)
    write_mask_bits(masks[:, ::2, ::2], clip.mask)
    with pytest.raises(InputError, match="masks of 48x32 for frames of 96x64"):
        clip.read(2)
    write_mask_bits(masks, clip.mask)
    assert clip.read(2)[1].shape == (2, 64, 96)


def still_of_two_objects() -> SceneSampler:
    """A photograph with two objects that touch nothing, far from each other."""
    picture, labels = np.zeros((96, 160, 3), np.uint8), np.zeros((96, 160), np.uint8)
    labels[20:60, 10:40], labels[30:80, 110:150] = 1, 2
    coded = [cv2.imencode(".png", one)[1].ravel() for one in (picture, labels)]
    pack = Pack(["a"], np.zeros(1, int), coded[:1], coded[1:])
    return SceneSampler([pack], [1.0], SceneRecipe(block=0.0, inverted=0.0))


def test_one_or_more_of_a_photographs_objects_are_drawn() -> None:
    sampler, rng = still_of_two_objects(), np.random.default_rng(0)
    [pack] = sampler.packs
    drawn = [sampler._still_mask(rng, pack.labels(0), (96, 160)) for _ in range(200)]
    both = sum(mask[40, 20] and mask[40, 120] for mask in drawn)
    assert 0.05 < both / 200 < 0.3  # .3 take one or two, evenly
    assert not any(mask[:, 60:100].any() for mask in drawn)


def test_a_still_is_set_in_motion_by_a_little() -> None:
    sampler, rng = still_of_two_objects(), np.random.default_rng(1)
    mask = np.zeros((96, 160), bool)
    mask[60:90, 120:150] = True
    moves = []
    for _ in range(60):
        boxes = sampler._boxes(rng, [mask] * 4, still=True)
        assert boxes is not None
        for before, after in itertools.pairwise(boxes):
            moves.append((after[0] - before[0], after[1] - before[1], after[3] - before[3]))
    tops, lefts, widths = np.abs(moves).T
    assert 0.0 < tops.mean() < 6.0
    assert 0.0 < lefts.mean() < 8.0
    assert 0.0 < widths.max() < 8.0


def test_a_narrow_range_of_large_foregrounds_is_drawn_from() -> None:
    recipe = SceneRecipe(foreground=(0.6, 0.8), inverted=0.0, block=0.0)
    picture, labels = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    labels[8:56, 8:56] = 1
    coded = [cv2.imencode(".png", one)[1].ravel() for one in (picture, labels)]
    pack = Pack(["a"], np.zeros(1, int), coded[:1], coded[1:])
    sampler = SceneSampler([pack], [1.0], recipe)
    scene = sampler.draw(np.random.default_rng(0), 1, 32)
    assert 0.48 < scene.region.mean() < 0.9
