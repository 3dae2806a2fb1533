"""The stream: order, latency, shots, frames without foreground or background."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.networks import changing_model, model, window
from tests.support.scenes import moving_scene
from vhmae.engine.estimation import KeyFrame, _changes, share_kept
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.networks import Answer
from vhmae.engine.rendering import FrameTransform, PixelChange
from vhmae.engine.settings import STRIDES
from vhmae.engine.sight import thumbnail_of
from vhmae.engine.smoothing import SMOOTHING_FRAMES, Estimate, smoothed
from vhmae.errors import InputError, ShapeError
from vhmae.model.vhmae import VHMAE
from vhmae.model.window import answer_window, squared_change


@pytest.fixture(scope="module")
def network() -> VHMAE:
    return changing_model()


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 20),
    lookahead=st.integers(0, 12),
    quality=st.sampled_from(sorted(STRIDES)),
    empty=st.sets(st.integers(0, 19)),
)
def test_every_frame_comes_out_once_and_in_order(
    count: int, lookahead: int, quality: str, empty: set[int]
) -> None:
    harmonizer = Harmonizer(model(), precision="fp32", quality=quality, lookahead=lookahead)  # type: ignore[arg-type]
    frames, masks = moving_scene(count, 48, 32)
    frames[:, 0, 0, 0] = np.arange(count)  # a number on each frame, outside the mask
    masks = masks & ~np.isin(np.arange(count), list(empty))[:, None, None]
    out = []
    for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        ready = harmonizer.step(frame, mask)
        assert (ready is not None) == (index >= lookahead)
        out += [] if ready is None else [ready]
    out += harmonizer.flush()
    assert [int(frame[0, 0, 0]) for frame in out] == list(range(count))
    assert harmonizer.flush() == []


@pytest.mark.parametrize("lookahead", [0, 1, 5])
def test_frames_leave_after_the_lookahead_and_none_is_left_untouched(
    network: VHMAE, lookahead: int
) -> None:
    harmonizer = Harmonizer(network, precision="fp32", lookahead=lookahead)
    assert harmonizer.latency_frames == lookahead
    frames, masks = moving_scene(9, 48, 32)
    out = [harmonizer.step(frame, mask) for frame, mask in zip(frames, masks, strict=True)]
    assert [ready is not None for ready in out] == [index >= lookahead for index in range(9)]
    for frame, ready in zip(frames, [*out[lookahead:], *harmonizer.flush()], strict=True):
        assert ready is not None
        assert not np.array_equal(ready, frame)


@pytest.mark.parametrize("lookahead", [0, 4])
@pytest.mark.parametrize("left", ["amid a shot", "where nothing can be read"])
def test_another_stream_begins_as_if_there_had_been_none(
    network: VHMAE, lookahead: int, left: str
) -> None:
    """Nothing of the stream before is kept: no answer, no shot, no frame that waits."""
    frames, masks = moving_scene(14, 48, 32)
    fresh = Harmonizer(network, precision="fp32", lookahead=lookahead)
    expected = list(fresh.harmonize(frames, masks))
    used = Harmonizer(network, precision="fp32", lookahead=lookahead)
    other = 255 - frames[::-1]
    for index, frame in enumerate(other):
        is_covered = left == "where nothing can be read" and index > 8
        used.step(frame, np.ones_like(masks[0]) if is_covered else masks[index])
    used.reset()
    assert np.array_equal(list(used.harmonize(frames, masks)), expected)
    # Its first frames hold nothing that can be read: they may borrow of what comes, not of before.
    unread = masks.copy()
    unread[:3] = True
    used.reset()
    again = Harmonizer(network, precision="fp32", lookahead=lookahead)
    assert np.array_equal(
        list(used.harmonize(frames, unread)), list(again.harmonize(frames, unread))
    )


def test_only_the_inside_of_the_mask_changes(network: VHMAE) -> None:
    frames, masks = moving_scene(10, 64, 48)
    out = np.stack(list(Harmonizer(network, precision="fp32").harmonize(frames, masks)))
    assert np.array_equal(out[~masks], frames[~masks])
    assert np.abs(out[masks].astype(int) - frames[masks]).mean() > 1


def test_a_still_clip_gives_a_still_result(network: VHMAE) -> None:
    frames, masks = moving_scene(1, 64, 48)
    clip, still = np.repeat(frames, 20, axis=0), np.repeat(masks, 20, axis=0)
    out = np.stack(list(Harmonizer(network, precision="fp32").harmonize(clip, still)))
    assert np.abs(out.astype(int) - out[:1]).max() <= 1


def test_frames_without_foreground_pass_untouched(network: VHMAE) -> None:
    frames, masks = moving_scene(8, 64, 48)
    masks[3:5] = False
    out = np.stack(list(Harmonizer(network, precision="fp32").harmonize(frames, masks)))
    assert np.array_equal(out[3:5], frames[3:5])
    assert not np.array_equal(out[2], frames[2])


def test_a_frame_without_background_borrows_the_nearest_transform(network: VHMAE) -> None:
    frames, masks = moving_scene(8, 64, 48)
    masks[4:] = True
    harmonizer = Harmonizer(network, precision="fp32", quality="best")
    out = np.stack(list(harmonizer.harmonize(frames, masks)))
    assert harmonizer.borrowed == 4
    assert not np.array_equal(out[7], frames[7])
    assert np.isfinite(out).all()


def test_a_shot_without_background_stays_untouched(network: VHMAE) -> None:
    frames, _ = moving_scene(4, 64, 48)
    harmonizer = Harmonizer(network, precision="fp32")
    out = np.stack(list(harmonizer.harmonize(frames, np.ones((4, 48, 64), bool))))
    assert np.array_equal(out, frames)
    assert harmonizer.unread == 4


def test_a_cut_keeps_the_transforms_of_two_shots_apart(network: VHMAE) -> None:
    frames, masks = moving_scene(8, 64, 48)
    other = (255 - frames[:, ::-1]) // 2
    both, holes = np.concatenate([frames, other]), np.concatenate([masks, masks])

    def run(clip: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.stack(list(Harmonizer(network, precision="fp32").harmonize(clip, mask)))

    joined = run(both, holes)
    assert np.array_equal(joined[:8], run(frames, masks))
    assert np.array_equal(joined[8:], run(other, masks))


def shots_of(
    harmonizer: Harmonizer, frames: np.ndarray, masks: np.ndarray, cuts: tuple[int, ...] = ()
) -> list[int]:
    """The number of the shot that each frame is taken for, as far as the stream has got."""
    released = []
    for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        released += harmonizer.push(
            None, functools.partial(thumbnail_of, frame), mask, index in cuts
        )
    return [one.shot for one in released]


def test_a_cut_that_is_named_and_found_is_one_cut(network: VHMAE) -> None:
    frames, masks = moving_scene(4, 64, 48)
    both, holes = (
        np.concatenate([frames, (255 - frames[:, ::-1]) // 2]),
        np.concatenate([masks, masks]),
    )
    expected = [0] * 4 + [1] * 4
    for cuts in ((), (4,)):  # found; named as well
        assert (
            shots_of(Harmonizer(network, precision="fp32", lookahead=0), both, holes, cuts)
            == expected
        )


def test_a_stream_that_goes_on_finds_the_cut_that_comes_next(network: VHMAE) -> None:
    frames, masks = moving_scene(4, 64, 48)
    begun = Harmonizer(network, precision="fp32", lookahead=0)
    assert shots_of(begun, frames, masks) == [0] * 4
    resumed = Harmonizer(network, precision="fp32", lookahead=0)
    resumed.restore(begun.snapshot(), begun.waiting)
    # The cut lies between the last frame before the stop and the first one after it.
    assert shots_of(resumed, (255 - frames[:, ::-1]) // 2, masks) == [1] * 4


def test_the_network_runs_once_a_window(network: VHMAE, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    predict = VHMAE.predict

    def counted(self: VHMAE, *given: Any, **named: Any) -> Any:
        calls.append(given[0].shape[1])
        return predict(self, *given, **named)

    monkeypatch.setattr(VHMAE, "predict", counted)
    frames, masks = moving_scene(24, 48, 32)
    list(Harmonizer(network, precision="fp32", quality="balanced").harmonize(frames, masks))
    assert calls == [2, 2]  # 24 frames, a key frame every 6, two key frames a window


def test_the_look_path_is_asked_again_of_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, masks = moving_scene(6, 48, 32)
    made = changing_model()
    assert made.look_path is not None
    torch.nn.init.normal_(made.look_path.answer.weight, std=0.1)
    once = np.stack(list(Harmonizer(made, precision="fp32", caution=0.0).harmonize(frames, masks)))
    monkeypatch.setattr(VHMAE, "look_again", lambda self, change, *seen: change)
    assert not np.array_equal(
        once,
        np.stack(list(Harmonizer(made, precision="fp32", caution=0.0).harmonize(frames, masks))),
    )


def test_caution_is_what_the_weights_say_unless_the_user_does() -> None:
    assert Harmonizer(model(), precision="fp32").caution == 16.0
    assert Harmonizer(model(head="pixel", look=None), precision="fp32").caution == 0.0
    assert Harmonizer(model(caution=5.0), precision="fp32").caution == 5.0
    assert Harmonizer(model(caution=5.0), precision="fp32", caution=2.0).caution == 2.0


def test_caution_leaves_small_changes_undone_and_strong_ones_alone() -> None:
    mask = torch.ones(1, 1, 1, 8, 8, dtype=torch.bool)

    def kept(levels: float, caution: float) -> float:
        made = torch.full((1, 1, 3, 8, 8), levels / 255.0)
        return share_kept(float(squared_change(made, mask)), caution)

    assert kept(6.0, 6.0) == pytest.approx(0.5)
    assert kept(1.0, 6.0) < 0.03
    assert kept(60.0, 6.0) > 0.98
    assert kept(3.0, 0.0) == 1.0
    assert kept(0.0, 0.0) == 1.0
    assert kept(0.0, 6.0) == 0.0


def test_caution_looks_inside_the_mask_alone() -> None:
    mask = torch.zeros(1, 2, 1, 8, 8, dtype=torch.bool)
    mask[:, :, :, 2:4, 2:4] = True  # a small subject: 4 of 64 pixels

    def kept(inside: float, outside: float) -> float:
        levels = torch.where(mask, inside, outside).expand(1, 2, 3, 8, 8)
        return share_kept(float(squared_change(levels / 255.0, mask)), 6.0)

    assert kept(6.0, 0.0) == pytest.approx(0.5)
    assert kept(6.0, 200.0) == pytest.approx(0.5)
    assert kept(0.0, 200.0) == 0.0


def test_a_window_counts_what_changes_inside_the_mask_alone(network: VHMAE) -> None:
    frames, masks = window()
    frames = torch.where(masks, 0.2 * frames, frames)
    with torch.no_grad():
        change, squared = answer_window(network, frames, masks)
        moved = (change.apply(frames) - frames).square().mean(dim=2, keepdim=True)
    inside = [float(one[mask].mean()) for one, mask in zip(moved, masks, strict=True)]
    whole = [float(one.mean()) for one in moved]
    assert squared.tolist() == pytest.approx(inside, rel=0.1)  # it looks at some of the pixels
    assert min(abs(a - b) / a for a, b in zip(inside, whole, strict=True)) > 0.3


def test_strength_is_applied_once(network: VHMAE) -> None:
    frames, masks = moving_scene(5, 64, 48)
    shown = (
        frames.astype(np.float32) / 255.0 * 0.6 + 0.2
    )  # far from the limits, where nothing is clipped

    def change(strength: float) -> np.ndarray:
        harmonizer = Harmonizer(network, precision="fp32", strength=strength, caution=0.0)
        return np.stack(list(harmonizer.harmonize(shown, masks))) - shown

    assert np.abs(change(1.0)).max() > 0.01
    np.testing.assert_allclose(change(0.5), change(1.0) / 2, atol=1e-5)


def test_strength_zero_is_the_composite(network: VHMAE) -> None:
    frames, masks = moving_scene(5, 48, 32)
    out = np.stack(
        list(Harmonizer(network, precision="fp32", strength=0.0).harmonize(frames, masks))
    )
    assert np.array_equal(out, frames)


def test_the_papers_pixel_head_runs_frame_by_frame() -> None:
    frames, masks = moving_scene(6, 64, 64)
    drawing = model(head="pixel", look=None)
    harmonizer = Harmonizer(drawing, precision="fp32", caution=0.0)
    out = np.stack(list(harmonizer.harmonize(frames, masks)))
    assert harmonizer.stride == 1
    assert np.array_equal(out[~masks], frames[~masks])
    assert np.abs(out - drawn_one_by_one(drawing, frames, masks)).max() <= 1.0


def drawn_one_by_one(network: VHMAE, frames: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Fig. 3, frame by frame: t is drawn from t - (T/2 - 1) .. t + T/2; at the ends of the shot the
    window stands still."""
    count = network.config.clip_frames
    drawn = []
    for t in range(len(frames)):
        first = min(max(t - (count // 2 - 1), 0), max(0, len(frames) - count))
        window = slice(first, first + count)
        composite = torch.from_numpy(frames[window]).permute(0, 3, 1, 2)[None].float() / 255
        with torch.no_grad():
            result = network(composite, torch.from_numpy(masks[window])[None, :, None]).frames[
                0, t - first
            ]
        drawn.append((result.clamp(0, 1) * 255).permute(1, 2, 0).numpy())
    return np.stack(drawn)


@pytest.mark.parametrize("count", [2, 5, 9])
def test_a_drawn_frame_stands_in_the_middle_of_its_window(count: int) -> None:
    """Also in shots that are shorter than a window, where no frame is repeated."""
    frames, masks = moving_scene(count, 64, 64)
    network = model(head="pixel", look=None, clip_frames=4)
    out = np.stack(list(Harmonizer(network, precision="fp32").harmonize(frames, masks)))
    assert np.abs(out - drawn_one_by_one(network, frames, masks)).max() <= 1.0


def test_overlapping_windows_ask_once_a_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[int], list[int]]] = []

    def note(
        self: Harmonizer, shot: int, key_frames: list[KeyFrame], wanted: range
    ) -> list[Estimate]:
        asked.append(([index for index, *_ in key_frames], list(wanted)))
        change = FrameTransform(np.zeros((3, 10), np.float32), np.zeros((1, 1, 3, 4), np.float32))
        return [Estimate(shot, key_frames[place][0], change) for place in wanted]

    monkeypatch.setattr(Harmonizer, "_estimate", note)
    harmonizer = Harmonizer(
        model(clip_frames=4), precision="fp32", quality="best", windows="overlapping"
    )
    list(harmonizer.harmonize(*moving_scene(18, 48, 32)))
    assert asked == [
        ([0, 3, 6, 9], [0, 1]),
        ([3, 6, 9, 12], [1]),
        ([6, 9, 12, 15], [1]),
        ([6, 9, 12, 15], [2, 3]),
    ]


def test_wrong_values_are_refused(network: VHMAE) -> None:
    with pytest.raises(InputError, match="did you mean balanced"):
        Harmonizer(network, quality="balance")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="out of range"):
        Harmonizer(network, strength=1.5)
    with pytest.raises(ShapeError, match="same size"):
        Harmonizer(network).step(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9), bool))
    frame, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool)
    for odd_frame, odd_mask, told in (
        (frame, mask.astype(np.int64) * 255, "mask of bool, uint8, uint16 or float32"),
        (frame, mask + 2.0, "mask in .0, 1., got values from 2 to 2"),
        (frame + np.float32(128), mask, "frame in .0, 1., got values from 128 to 128"),
        (np.full((8, 8, 3), np.nan, np.float32), mask, "frame in .0, 1."),
        (frame.astype(np.uint16), mask, "frame of uint8 or float32"),
    ):
        with pytest.raises(ShapeError, match=told):
            Harmonizer(network).step(odd_frame, odd_mask)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_gives_the_frames_of_the_cpu() -> None:
    frames, masks = moving_scene(12, 96, 64)
    results = []
    for device in ("cpu", "cuda"):
        results.append(
            list(
                Harmonizer(changing_model(), device=device, precision="fp32").harmonize(
                    frames, masks
                )
            )
        )
    assert np.abs(np.stack(results[0]).astype(int) - np.stack(results[1])).max() <= 1


@pytest.mark.parametrize("quality", sorted(STRIDES))
def test_what_comes_into_sight_comes_in_without_a_step(
    quality: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)

    def noise(
        self: Harmonizer, shot: int, key_frames: list[KeyFrame], wanted: range
    ) -> list[Estimate]:
        local = np.zeros((1, 1, 3, 4), np.float32)
        places = [key_frames[place][0] for place in wanted]
        return [
            Estimate(
                shot, index, FrameTransform(rng.normal(size=(3, 10)).astype(np.float32), local)
            )
            for index in places
        ]

    monkeypatch.setattr(Harmonizer, "_estimate", noise)
    harmonizer = Harmonizer(model(), precision="fp32", quality=quality, cut_detection=False)  # type: ignore[arg-type]
    frames, masks = moving_scene(1, 48, 32)
    released = [
        one
        for _ in range(400)
        for one in harmonizer.push(None, functools.partial(thumbnail_of, frames[0]), masks[0])
    ]
    maps = np.stack(
        [one.change.overall for one in released if isinstance(one.change, FrameTransform)]
    )[100:]
    steps = np.sqrt(np.square(np.diff(maps, axis=0)).mean(axis=(1, 2)))
    assert steps.max() < 4.0 * np.median(steps)


def estimates(
    overall: tuple[float, ...], local: tuple[float, ...], step: int = 24
) -> list[Estimate]:
    """Maps of one value each, ``step`` frames apart from frame 0 on."""
    maps = [
        FrameTransform(np.full((3, 10), one, np.float32), np.full((2, 2, 3, 4), other, np.float32))
        for one, other in zip(overall, local, strict=True)
    ]
    return [Estimate(0, step * number, change) for number, change in enumerate(maps)]


def averages(found: list[Estimate], index: int, window: int, reach: int) -> tuple[float, float]:
    change = smoothed(found, index, window, reach)
    assert isinstance(change, FrameTransform)
    assert len({*change.overall.flat}) == len({*change.local.flat}) == 1
    return float(change.overall[0, 0]), float(change.local[0, 0, 0, 0])


ONE, TWO = math.exp(-0.5), math.exp(-2.0)
"""A Gaussian's weights one and two deviations away."""


def test_the_overall_map_takes_gaussian_weights() -> None:
    assert SMOOTHING_FRAMES == 24.0
    three = estimates((1.0, 4.0, 10.0), (0.0, 0.0, 0.0))
    assert averages(three, 0, 12, 0)[0] == pytest.approx(
        (1.0 + 4.0 * ONE + 10.0 * TWO) / (1.0 + ONE + TWO)
    )
    assert averages(three, 24, 12, 0)[0] == pytest.approx(
        (1.0 * ONE + 4.0 + 10.0 * ONE) / (1.0 + 2.0 * ONE)
    )


def test_estimates_that_come_into_sight_count_more_and_more() -> None:
    three = estimates((1.0, 4.0, 10.0), (0.0, 0.0, 0.0))
    # With a reach of 30 frames and a window of 12, what lies 24 ahead has come in by half: (30 -
    # 24) / 12.
    assert averages(three, 24, 12, 30)[0] == pytest.approx(
        (1.0 * ONE + 4.0 + 10.0 * ONE / 2.0) / (1.5 * ONE + 1.0)
    )
    assert averages(three, 24, 12, 24)[0] == pytest.approx((1.0 * ONE + 4.0) / (ONE + 1.0))


def test_the_local_maps_take_a_triangle_that_is_mirrored_at_the_ends() -> None:
    three = estimates((0.0, 0.0, 0.0), (1.0, 4.0, 10.0))
    assert averages(three, 24, 36, 0)[1] == pytest.approx((1.0 / 3 + 4.0 + 10.0 / 3) / (5.0 / 3))
    # At frame 6 the first estimate weighs 30/36, the second 18/36, and once more 6/36 for its
    # mirror image at frame -24.
    assert averages(three, 6, 36, 0)[1] == pytest.approx((1.0 * 30 + 4.0 * (18 + 6)) / (30 + 24))
    assert averages(three, 42, 36, 0)[1] == pytest.approx((4.0 * (18 + 6) + 10.0 * 30) / (30 + 24))


@pytest.mark.parametrize("lookahead", [0, None])
def test_a_caller_may_use_its_buffers_again(lookahead: int | None) -> None:
    frames, masks = moving_scene(40, 48, 32)
    masks[20:24] = False  # frames that leave as they came
    kept = [*Harmonizer(changing_model(), lookahead=lookahead).harmonize(frames, masks)]
    own = Harmonizer(changing_model(), lookahead=lookahead)
    frame, mask, out = frames[0].copy(), masks[0].copy(), []
    for number in range(len(frames)):
        frame[...], mask[...] = frames[number], masks[number]
        if (done := own.step(frame, mask)) is not None:
            out.append(done)
            assert not np.shares_memory(done, frame)
    np.testing.assert_array_equal(np.stack(out + own.flush()), np.stack(kept))


def test_fewer_masks_than_frames_are_told() -> None:
    frames, masks = moving_scene(5, 48, 32)
    own = Harmonizer(changing_model(), lookahead=0)
    with pytest.raises(InputError, match="there are 3 masks and more frames"):
        list(own.harmonize(frames, masks[:3]))
    with pytest.raises(ShapeError, match="a frame as a NumPy array, got list"):
        own.step([[1, 2]], masks[0])  # type: ignore[arg-type]


def test_what_has_no_maps_of_cells_is_what_is_drawn() -> None:
    drawn = np.zeros((2, 8, 8, 3), np.float32)
    for overall in (None, np.zeros((3, 10), np.float32)):
        changes = _changes(Answer(overall, None, drawn, 0.0))
        assert [type(one) for one in changes] == [PixelChange, PixelChange]
