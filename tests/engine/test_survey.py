"""Whole shots: which frames stand for them, and that the harmonizer reads them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.networks import changing_model, maps
from tests.support.scenes import moving_scene
from vhmae.color.pixels import PIXELS, merge_sets, read_frame
from vhmae.color.statistics import draw_pixel_sets
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.sight import shows_background, small_mask, thumbnail_of
from vhmae.engine.survey import FRAMES_FULL as FULL
from vhmae.engine.survey import FRAMES_KEPT as KEPT
from vhmae.engine.survey import Survey

SIZE = 32


def see(thumbnail: object, matte: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return thumbnail(SIZE, SIZE), small_mask(matte, SIZE)  # type: ignore[operator]


def shot(levels: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Grey frames of these levels, each half covered."""
    frames = np.stack([np.full((48, 64, 3), level, np.uint8) for level in levels])
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, :, :32] = True
    return frames, masks


def surveyed(frames: np.ndarray, masks: np.ndarray, cuts: tuple[int, ...] = ()) -> Survey:
    survey = Survey(see, cut_detection=False)
    for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        survey.look_at(functools.partial(thumbnail_of, frame), mask, index in cuts)
    return survey


def levels_of(survey: Survey, number: int) -> list[int]:
    sets = survey.sets_of(number)
    assert sets is not None
    return sorted({round(float(value) * 255) for value in sets[0][1][0, :, 0]})  # of the background


def test_a_long_shot_is_seen_by_frames_that_are_spread_evenly() -> None:
    for count in (1, 10, 31, 32, 100, 200):
        kept = levels_of(surveyed(*shot(list(range(count)))), 0)
        steps = set(np.diff(kept).tolist())
        assert kept[0] == 0
        assert len(steps) <= 1
        assert count - kept[-1] <= (steps.pop() if steps else 1)
        assert min(count, KEPT) <= len(kept) < 2 * KEPT


def test_shots_are_kept_apart_and_numbered_by_their_cuts() -> None:
    survey = surveyed(*shot([10] * 5 + [200] * 4), cuts=(5,))
    assert [levels_of(survey, number) for number in (0, 1)] == [[10], [200]]
    assert survey.sets_of(2) is None


def test_a_shot_after_a_long_one_is_read_from_all_its_frames_again() -> None:
    survey = surveyed(*shot([*range(100), *range(100, 130)]), cuts=(100,))
    assert levels_of(survey, 1) == list(range(100, 130))


def test_half_covered_pixels_count_as_subject_and_fainter_ones_do_not() -> None:
    matte = np.zeros(
        (16, 16), np.uint8
    )  # seen at half the size: each pixel of the mask is the mean of four
    matte[:2, :8] = [[0, 0, 255, 0, 255, 255, 255, 255], [0, 0, 0, 0, 0, 0, 255, 255]]
    assert small_mask(matte, 8)[0].tolist() == [False, False, True, True] + [False] * 4
    assert small_mask(matte, 8).sum() == 2
    assert np.array_equal(small_mask(matte.astype(np.float32) / 255.0, 8), small_mask(matte, 8))
    matte[:2, 4:8] = 0
    assert (
        small_mask(matte, 8).sum() == 1
    )  # nothing but a quarter: it is the subject, thin as it is


def test_a_shot_that_has_ended_takes_the_room_of_a_few_frames() -> None:
    sets = surveyed(*shot([10] * 100 + [200]), cuts=(100,)).sets_of(0)
    assert sets is not None
    assert FULL * PIXELS[0] <= sets[0][0].shape[1] < 2 * FULL * PIXELS[0]


def test_frames_that_show_one_side_alone_do_not_count() -> None:
    frames, masks = shot([10, 60, 110, 160])
    masks[0], masks[2] = False, True
    assert levels_of(surveyed(frames, masks), 0) == [60, 160]
    assert surveyed(frames[:1], masks[:1]).sets_of(0) is None


@pytest.mark.parametrize(("lines", "strip"), [(2160, 7), (2160, 6), (512, 2), (96, 2)])
def test_a_thin_strip_of_background_is_found_between_the_rows_of_the_coarse_look(
    lines: int, strip: int
) -> None:
    for top in range(8):
        matte = np.full((lines, 96), 255, np.uint8)
        matte[lines // 2 + top : lines // 2 + top + strip] = 0
        assert shows_background(matte)
    assert not shows_background(np.full((lines, 96), 255, np.uint8))


def test_best_reads_the_whole_shot_at_every_frame_of_it() -> None:
    frames, masks = moving_scene(30, 64, 48)
    frames[15:] = np.where(
        masks[15:, ..., None], frames[15:], 255 - frames[15:] // 2
    )  # another background is seen later on
    network = changing_model()
    assert network.look_path is not None
    torch.nn.init.normal_(network.look_path.answer.weight, std=0.1)
    best = Harmonizer(network, precision="fp32", quality="best", cut_detection=False, caution=0.0)
    whole = list(best.harmonize(frames, masks))
    assert best.surveyed is None  # the stream is over
    unaware = list(best.harmonize(iter(frames), iter(masks)))  # cannot be gone through twice
    assert not np.array_equal(whole[0], unaware[0])

    read = []
    looked = network.look_path.read

    def reading(sets: Any, shares: Any, likes: Any) -> Any:
        read.append(shares)
        return looked(sets, shares, likes)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(network.look_path, "read", reading)
        list(best.harmonize(frames, masks))
    assert len({tuple(shares.flatten().tolist()) for shares in read}) == 1


def test_the_survey_of_a_window_says_what_the_window_says() -> None:
    frames, masks = moving_scene(2, 64, 48)
    network = changing_model()
    composite = torch.from_numpy(
        np.stack([thumbnail_of(frame, SIZE, SIZE) for frame in frames])
    ).permute(0, 3, 1, 2)[None]
    mask = torch.from_numpy(np.stack([small_mask(hole, SIZE) for hole in masks]))[None, :, None]
    with torch.no_grad():
        told = network.predict(composite, mask, sets=draw_pixel_sets(composite, mask)).change
        plain = network.predict(composite, mask).change
        assert torch.equal(maps(told).overall, maps(plain).overall)
        alone = [draw_pixel_sets(composite[:, t : t + 1], mask[:, t : t + 1]) for t in range(2)]
    small = [thumbnail_of(frame, SIZE, SIZE) for frame in frames]
    read = [read_frame(one, small_mask(hole, SIZE)) for one, hole in zip(small, masks, strict=True)]
    for (theirs, _), (ours, _) in zip(alone, read, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(theirs, ours, strict=True))
    sets, shares = merge_sets(read)
    assert [colors.shape[1] for colors in sets] == [1024, 1024, 512, 512]
    assert shares[0, 0] == pytest.approx(float(mask.float().mean()))
