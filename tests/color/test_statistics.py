"""Pixel sets and their statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vhmae.color import pixels, statistics
from vhmae.color import recording as color_recording
from vhmae.color.recording import recording
from vhmae.errors import ShapeError


def disc(size: int = 64) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return ((x - 30) ** 2 + (y - 34) ** 2 < 15**2)[None, None, None]


def test_sets_lie_where_they_should() -> None:
    mask = disc()
    sets = statistics.pixel_set_masks(mask)[0].reshape(4, 64, 64)
    foreground, background, inner, outer = sets
    assert torch.equal(foreground, mask[0, 0, 0])
    assert torch.equal(background, ~foreground)
    assert not (inner & ~foreground).any()
    assert not (outer & foreground).any()
    assert inner.any()
    assert outer.any()


@pytest.mark.parametrize(
    ("height", "width", "ring"), [(64, 128, 2), (128, 64, 2), (160, 320, 6), (320, 160, 6)]
)
def test_a_ring_is_as_wide_as_the_shorter_side_says(height: int, width: int, ring: int) -> None:
    mask = torch.zeros(1, 1, 1, height, width, dtype=torch.bool)
    mask[..., 20:44, 16:48] = True  # 24 rows of 32 pixels
    _, _, inner, outer = statistics.pixel_set_masks(mask)[0].sum(dim=1).tolist()
    assert inner == 24 * 32 - (24 - 2 * ring) * (32 - 2 * ring)
    assert outer == (24 + 2 * ring) * (32 + 2 * ring) - 24 * 32


def test_the_frame_border_is_no_edge() -> None:
    whole = torch.ones(1, 1, 1, 32, 32, dtype=torch.bool)
    assert not statistics.pixel_set_masks(whole)[0, 2:].any()


def test_drawn_pixels_belong_to_the_set_and_repeat_where_few() -> None:
    colors = torch.rand(2, 50, 3)
    members = torch.zeros(2, 50, dtype=torch.bool)
    members[0, 10:13] = True
    drawn = statistics.draw_pixels(colors, members, 7)
    own = {tuple(c.tolist()) for c in colors[0, 10:13]}
    assert {tuple(c.tolist()) for c in drawn[0]} == own
    assert not drawn[1].any()


@pytest.mark.parametrize("covered", ["a disc", "nothing", "everything"])
def test_what_numpy_reads_of_frames_is_what_torch_draws(covered: str) -> None:
    """And an empty set is black, whatever the frame holds."""
    frames = np.random.default_rng(4).uniform(0.1, 1.0, (2, 64, 64, 3)).astype(np.float32)
    masks = np.zeros((2, 64, 64), bool)
    if covered == "a disc":
        masks[0], masks[1] = disc()[0, 0, 0].numpy(), np.roll(disc()[0, 0, 0].numpy(), 9, axis=1)
    masks |= covered == "everything"
    parts = [pixels.read_frame(*one) for one in zip(frames, masks, strict=True)]
    for (sets, shares), frame, mask in zip(parts, frames, masks, strict=True):
        drawn, meant = statistics.draw_pixel_sets(
            torch.from_numpy(frame).permute(2, 0, 1)[None, None],
            torch.from_numpy(mask)[None, None, None],
        )
        for ours, theirs in zip(sets, drawn, strict=True):
            assert np.array_equal(ours, theirs.numpy())
        np.testing.assert_allclose(shares, meant.numpy(), rtol=1e-6)
    (sets, shares), (first, _), (second, _) = pixels.merge_sets(parts), *parts
    for both, one, other in zip(sets, first, second, strict=True):
        assert np.array_equal(both, np.concatenate([one, other], axis=1))
    np.testing.assert_allclose(shares, (parts[0][1] + parts[1][1]) / 2.0, rtol=1e-6)
    assert (sets[0].max() == 0.0) == (covered == "nothing")


def test_torch_draws_by_itself_what_it_draws_with_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it runs on a GPU, or is recorded."""
    mask = torch.cat([disc(), torch.zeros_like(disc()), ~disc()])
    frames = torch.rand(3, 1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    grown = [work(mask[:, :, 0], 3) for work in (statistics.dilate, statistics.erode)]
    drawn, shares = statistics.draw_pixel_sets(frames, mask)
    monkeypatch.setattr(statistics, "_by_numpy", lambda values: False)
    for work, expected in zip((statistics.dilate, statistics.erode), grown, strict=True):
        assert torch.equal(work(mask[:, :, 0], 3), expected)
    again, shares_again = statistics.draw_pixel_sets(frames, mask)
    assert torch.equal(shares_again, shares)
    for one, other in zip(again, drawn, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("by_numpy", [True, False])
def test_a_set_of_one_pixel_is_that_pixel(by_numpy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_by_numpy", lambda values: by_numpy)
    colors, members = torch.rand(1, 9, 3) + 0.1, torch.zeros(1, 9, dtype=torch.bool)
    members[0, 4] = True
    drawn = statistics.draw_pixels(colors, members, 3)
    assert torch.equal(drawn, colors[:, 4:5].expand(1, 3, 3))


@pytest.mark.parametrize("way", ["is_exporting", "is_tracing"])
def test_recorded_is_what_is_exported_or_traced(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not recording()
    place = torch.compiler if way == "is_exporting" else color_recording
    monkeypatch.setattr(place, way, lambda: True)
    assert recording()


def test_all_pixels_drawn_once_where_the_count_is_the_sets() -> None:
    colors = torch.rand(1, 30, 3)
    members = torch.rand(1, 30) < 0.5
    count = int(members.sum())
    assert torch.equal(statistics.draw_pixels(colors, members, count)[0], colors[0][members[0]])


def test_sets_of_one_size_worked_on_together_give_what_each_gives_alone() -> None:
    sets = [torch.rand(2, size, 3) for size in (40, 16, 40, 16)]
    for work in (statistics.set_statistics, statistics.set_histogram):
        for together, colors in zip(statistics.of_each_set(work, sets), sets, strict=True):
            assert torch.allclose(together, work(colors), atol=1e-6)


def test_statistics_match_numpy() -> None:
    torch.manual_seed(0)
    colors = torch.rand(1, 400, 3)
    numbers = statistics.set_statistics(colors)[0].numpy()
    assert len(numbers) == statistics.STATISTICS
    values = colors[0].numpy().astype(np.float64)
    np.testing.assert_allclose(numbers[:3], values.mean(0), atol=1e-5)
    np.testing.assert_allclose(numbers[3:6], values.std(0), atol=1e-4)
    correlation = np.asarray(np.corrcoef(values.T))
    np.testing.assert_allclose(
        numbers[6:9], [correlation[0, 1], correlation[1, 2], correlation[2, 0]], atol=1e-4
    )
    quantiles = np.sort(values, axis=0)[[round(q * 399) for q in statistics.QUANTILES]]
    np.testing.assert_allclose(numbers[18:53].reshape(5, 7)[:, :3], quantiles, atol=1e-6)


def test_quantiles_hold_the_chromas_over_green_saturation_and_luma() -> None:
    numbers = statistics.set_statistics(torch.tensor([0.47, 0.22, 0.07]).expand(1, 8, 3))[0].numpy()
    # With the 0.03 that is added before the logarithm, red is twice as bright as green, and blue
    # two fifths of it.
    chroma_red, chroma_blue = np.log(0.50 / 0.25), np.log(0.10 / 0.25)
    saturation, luma = (0.47 - 0.07) / 0.50, 0.299 * 0.47 + 0.587 * 0.22 + 0.114 * 0.07
    expected = [0.47, 0.22, 0.07, chroma_red, chroma_blue, saturation, luma]
    np.testing.assert_allclose(numbers[18:53].reshape(5, 7), [expected] * 5, atol=1e-5)


def test_bands_of_luma_tell_their_chroma_saturation_and_share() -> None:
    """Three of four pixels lie in the second band, one in the last; nobody in the others."""
    dark, bright = [0.47, 0.22, 0.07], [0.97, 0.97, 0.97]
    numbers = statistics.set_statistics(torch.tensor([[dark] * 3 + [bright]]))[0].numpy()
    means, shares, clipped = numbers[53:65].reshape(4, 3), numbers[65:69], numbers[71:]
    told = np.array([np.log(0.50 / 0.25), np.log(0.10 / 0.25), (0.47 - 0.07) / 0.50])
    np.testing.assert_allclose(shares, [0.0, 0.75, 0.0, 0.25])
    # A band's sums over the share of all pixels, 0.02 more, so that few pixels say little.
    np.testing.assert_allclose(means[1], told * 0.75 / 0.77, atol=1e-5)
    np.testing.assert_allclose(means[[0, 2, 3]], 0.0, atol=1e-6)  # nobody, nobody, and a grey
    spread = np.std(np.stack([*[told[:2]] * 3, np.zeros(2)]), axis=0, ddof=1)
    np.testing.assert_allclose(numbers[69:71], spread, atol=1e-5)
    np.testing.assert_allclose(clipped, 0.0)


def test_what_is_clipped_is_told_by_channel() -> None:
    colors = torch.tensor([[[0.0, 0.5, 1.0], [0.01, 0.5, 0.99], [0.03, 0.5, 0.97], [0.5] * 3]])
    numbers = statistics.set_statistics(colors)[0].numpy()
    np.testing.assert_allclose(numbers[71:], [0.5, 0.0, 0.0, 0.0, 0.0, 0.5])


def test_statistics_do_not_depend_on_the_order_of_pixels() -> None:
    colors = torch.rand(2, 256, 3)
    shuffled = colors[:, torch.randperm(256)]
    assert torch.allclose(
        statistics.set_statistics(colors), statistics.set_statistics(shuffled), atol=1e-4
    )
    assert torch.allclose(
        statistics.set_histogram(colors), statistics.set_histogram(shuffled), atol=1e-6
    )


def test_the_fast_sort_is_the_plain_sort() -> None:
    values = torch.rand(3, 40, 5)
    assert torch.equal(statistics._sort_pixels(values), values.sort(dim=1).values)


def test_a_histogram_has_unit_length() -> None:
    histogram = statistics.set_histogram(torch.rand(4, 300, 3))
    assert torch.allclose(histogram.square().sum(1), torch.ones(4), atol=1e-5)


def test_a_histogram_counts_red_by_planes_green_by_rows_and_blue_by_columns() -> None:
    colors = torch.tensor([[[0.9, 0.1, 0.5]] + [[0.0, 0.2, 1.0]] * 3])
    counts = (
        statistics.set_histogram(colors).square().reshape(6, 6, 6)
    )  # sixths of each channel: 0.9 lies in the last, 0.1 in the first
    assert counts[5, 0, 3] == pytest.approx(0.25)
    assert counts[0, 1, 5] == pytest.approx(0.75)
    assert counts.count_nonzero() == 2


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (2, 1, 1, 8), (1, 1, 3, 8, 8)])
def test_a_mask_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"B, T, 1, H, W"):
        statistics.pixel_set_masks(torch.ones(shape, dtype=torch.bool))
