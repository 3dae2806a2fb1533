"""Each loss against a slow loop written from its equation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vhmae.errors import ShapeError
from vhmae.model import losses


@pytest.fixture
def patches() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    masked = torch.rand(2, 2 * 9) < 0.4  # B 2, T 2, N 3
    return torch.rand(2, 18, 12), torch.rand(2, 18, 12), masked


def test_reconstruction_matches_the_loop_written_from_equation_1(
    patches: tuple[Tensor, Tensor, Tensor],
) -> None:
    predicted, target, masked = patches
    expected = 0.0
    for b in range(2):
        norms = [
            float(((predicted[b, i] - target[b, i]) ** 2).sum()) for i in range(18) if masked[b, i]
        ]
        expected += sum(norms) / (2 * 3**2) / 2
    assert float(losses.reconstruction_loss(predicted, target, masked, 2)) == pytest.approx(
        expected, rel=1e-5
    )


def test_reconstruction_does_not_see_visible_patches(
    patches: tuple[Tensor, Tensor, Tensor],
) -> None:
    predicted, target, masked = patches
    spoilt = torch.where(masked.unsqueeze(-1), predicted, 100.0)
    before = losses.reconstruction_loss(predicted, target, masked, 2)
    assert torch.equal(losses.reconstruction_loss(spoilt, target, masked, 2), before)


def loop_gram(features: Tensor, valid: Tensor) -> Tensor:
    """Eq. 2, token by token."""
    gram = torch.zeros(features.shape[1], features.shape[1])
    for token, counts in zip(features, valid, strict=True):
        if counts:
            gram += token[:, None] * token[None, :]
    return gram


def test_gram_matches_the_loop_written_from_equation_2(
    patches: tuple[Tensor, Tensor, Tensor],
) -> None:
    features, _, masked = patches
    for b in range(2):
        expected = loop_gram(features[b], masked[b])
        assert torch.allclose(
            losses.gram_matrix(features, masked, "literal")[b], expected, atol=1e-5
        )
        assert torch.allclose(
            losses.gram_matrix(features, masked)[b], expected / masked[b].sum(), atol=1e-5
        )


def test_alignment_matches_the_loop_written_from_equation_3(
    patches: tuple[Tensor, Tensor, Tensor],
) -> None:
    foreground, background, masked = patches
    literal = mean = 0.0
    for b in range(2):
        hidden, seen = int(masked[b].sum()), int((~masked[b]).sum())
        fore, back = loop_gram(foreground[b], masked[b]), loop_gram(background[b], ~masked[b])
        literal += float(((fore - back) ** 2).sum()) / (2 * (hidden / 2) * (seen / 2)) / 2
        mean += float(((fore / hidden - back / seen) ** 2).mean()) / 2
    assert float(
        losses.alignment_loss(foreground, background, masked, 2, "literal")
    ) == pytest.approx(literal, rel=1e-4)
    assert float(losses.alignment_loss(foreground, background, masked, 2)) == pytest.approx(
        mean, rel=1e-4
    )


def test_equal_patterns_are_aligned_at_no_cost() -> None:
    token = torch.rand(1, 1, 6).expand(1, 8, 6)
    masked = torch.tensor([[True] * 3 + [False] * 5])
    assert float(losses.alignment_loss(token, token, masked, 1)) == pytest.approx(0.0, abs=1e-10)


def test_a_sample_all_foreground_or_all_background_is_not_aligned() -> None:
    features = torch.rand(2, 4, 3)
    masked = torch.tensor([[True] * 4, [False] * 4])
    for reduction in ("mean", "literal"):
        assert float(losses.alignment_loss(features, features, masked, 1, reduction)) == 0.0


def loop_balance(video: Tensor, borders_of: int | None = None) -> float:
    """Eq. 4-5: the sum of squared differences along x and y."""
    batch, frames, channels, height, width = video.shape
    total = 0.0
    for b in range(batch):
        for t in range(frames):
            for c in range(channels):
                for i in range(height):
                    for j in range(width):
                        if i and (borders_of is None or i % borders_of == 0):
                            total += float(video[b, t, c, i, j] - video[b, t, c, i - 1, j]) ** 2
                        if j and (borders_of is None or j % borders_of == 0):
                            total += float(video[b, t, c, i, j] - video[b, t, c, i, j - 1]) ** 2
    return total


def test_balance_matches_the_loop_written_from_equations_4_and_5() -> None:
    torch.manual_seed(0)
    video = torch.rand(2, 2, 3, 8, 12)
    total = loop_balance(video)
    patches = 2 * 2 * (8 // 4) * (12 // 4)  # of all frames of both samples
    assert float(losses.patch_balancing_loss(video, 4)) == pytest.approx(total / patches, rel=1e-4)
    assert float(losses.patch_balancing_loss(video, 4, reduction="literal")) == pytest.approx(
        total / 2 / 2, rel=1e-4
    )


def test_border_balance_counts_pairs_across_patch_borders_only() -> None:
    torch.manual_seed(0)
    video = torch.rand(1, 1, 3, 8, 12)
    total = loop_balance(video, borders_of=4)
    assert float(losses.patch_balancing_loss(video, 4, "border")) == pytest.approx(
        total / 6, rel=1e-4
    )
    flat = torch.zeros(1, 1, 3, 8, 12)
    flat[..., 1, 1] = 1.0  # a step inside a patch
    assert float(losses.patch_balancing_loss(flat, 4, "border")) == 0.0


def test_one_wrong_pixel_costs_as_much_in_equation_1_as_in_equation_4() -> None:
    """Both count patches, so that a = b = 1 weighs a pixel's error and a step between pixels
    alike."""
    wrong = torch.zeros(1, 1, 3, 16, 16)
    wrong[0, 0, 0, 0, 0] = 0.5
    patches, target = wrong.reshape(1, 1, -1), torch.zeros(1, 1, 768)
    error = losses.reconstruction_loss(patches, target, torch.ones(1, 1, dtype=torch.bool), 1)
    assert float(error) == pytest.approx(0.25)
    assert float(losses.patch_balancing_loss(wrong, 16)) == pytest.approx(
        2 * 0.25
    )  # a step down, and one to the right


def test_alignment_leaves_out_background_that_the_encoder_did_not_see(
    patches: tuple[Tensor, Tensor, Tensor],
) -> None:
    foreground, background, masked = patches
    visible = ~masked & (torch.arange(18) % 2 == 0)
    spoilt = torch.where((masked | visible).unsqueeze(-1), background, 100.0)
    before = losses.alignment_loss(foreground, background, masked, 2, visible=visible)
    assert float(before) > 0.0
    assert torch.equal(
        losses.alignment_loss(foreground, spoilt, masked, 2, visible=visible), before
    )


def test_flat_frame_costs_nothing() -> None:
    assert float(losses.patch_balancing_loss(torch.full((1, 2, 3, 8, 8), 0.3))) == 0.0


def test_texture_of_the_target_costs_nothing_in_the_target_variant() -> None:
    target = torch.rand(1, 1, 3, 8, 8)
    assert float(losses.patch_balancing_loss(target + 0.1, 4, "target", target)) == pytest.approx(
        0.0, abs=1e-10
    )
    with pytest.raises(ShapeError, match="target frames"):
        losses.patch_balancing_loss(target, 4, "target")


def test_total_is_the_weighted_sum_of_equation_6() -> None:
    one, two, three = (torch.tensor(value) for value in (1.0, 2.0, 3.0))
    assert float(losses.total_loss(one, two, three)) == 6.0
    assert float(
        losses.total_loss(one, two, three, alignment_weight=0.5, balance_weight=0.1)
    ) == pytest.approx(2.3)


def test_relative_error_matches_a_loop() -> None:
    torch.manual_seed(0)
    predicted, composite, target = (torch.rand(3, 2, 3, 6, 6) for _ in range(3))
    region = torch.rand(3, 2, 1, 6, 6) < 0.5
    expected = 0.0
    for b in range(3):
        inside = region[b].expand(-1, 3, -1, -1)
        error = float((predicted[b] - target[b])[inside].square().mean())
        untouched = float((composite[b] - target[b])[inside].square().mean())
        expected += (error + 2.0 * max(0.0, error - untouched)) / (untouched + 0.05) / 3
    got = losses.relative_error(predicted, composite, target, region, floor=0.05, harm_weight=2.0)
    assert float(got) == pytest.approx(expected, rel=1e-5)
    plain = losses.relative_error(predicted, composite, target, region, floor=0.05)
    unharmed = losses.relative_error(
        predicted, composite, target, region, floor=0.05, harm_weight=0.0
    )
    assert float(plain) == float(unharmed) < float(got)


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ShapeError, match="do not match"):
        losses.reconstruction_loss(
            torch.rand(1, 4, 3), torch.rand(1, 5, 3), torch.ones(1, 4, dtype=torch.bool), 1
        )
    with pytest.raises(ShapeError, match=r"B, T, 3, H, W"):
        losses.patch_balancing_loss(torch.rand(3, 8, 8))
