"""Huang et al. and CO2Net: what they add to a network for pictures."""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.comparators.networks import clip, tiny
from vhmae.comparators.co2net import Co2Net
from vhmae.comparators.comparator import FRAMES_AT_ONCE, IMAGENET, FrameComparator
from vhmae.comparators.huang import Huang, agreement, dis_flow, warp


def textured(side: int = 64) -> torch.Tensor:
    """A picture (1, 3, S, S) with something to follow everywhere."""
    generator = torch.Generator().manual_seed(0)
    rough = torch.rand(1, 3, side // 4, side // 4, generator=generator)
    return torch.nn.functional.interpolate(rough, (side, side), mode="bicubic").clamp(0.0, 1.0)


def test_warping_matches_the_loop() -> None:
    torch.manual_seed(0)
    frames, flow = torch.rand(1, 2, 5, 6), 3.0 * torch.randn(1, 2, 5, 6)
    out = warp(frames, flow)
    for y, x in itertools.product(range(5), range(6)):
        across = min(max(x + float(flow[0, 0, y, x]), 0.0), 5.0)
        down = min(max(y + float(flow[0, 1, y, x]), 0.0), 4.0)
        left, top = min(int(across), 4), min(int(down), 3)
        right_share, lower_share = across - left, down - top
        for channel in range(2):
            cell = frames[0, channel, top : top + 2, left : left + 2]
            upper = cell[0, 0] * (1 - right_share) + cell[0, 1] * right_share
            lower = cell[1, 0] * (1 - right_share) + cell[1, 1] * right_share
            expected = float(upper * (1 - lower_share) + lower * lower_share)
            assert float(out[0, channel, y, x]) == pytest.approx(expected, abs=1e-4)


def test_flow_brings_the_frame_before_to_the_current_one() -> None:
    before = textured()
    current = before.roll((2, 3), dims=(-2, -1))
    flow = dis_flow(current, before)
    middle = (..., slice(16, -16), slice(16, -16))
    assert float((warp(before, flow) - current)[middle].abs().mean()) < 0.02
    assert float(flow[0, 0][16:-16, 16:-16].median()) == pytest.approx(-3.0, abs=0.3)
    assert float(flow[0, 1][16:-16, 16:-16].median()) == pytest.approx(-2.0, abs=0.3)
    agreed = agreement(flow, dis_flow(before, current))
    assert float(agreed[middle].mean()) > 0.9


def test_huang_harmonizes_as_its_backbone_does() -> None:
    composite, mask, _ = clip()
    model = tiny("huang-is2am").eval()
    assert isinstance(model, Huang)
    assert torch.equal(model(composite, mask), model.backbone(composite, mask))


@pytest.mark.parametrize("name", ["huang-is2am", "huang-rainnet"])
def test_huangs_loss_is_the_backbones_and_a_hundredth_of_the_difference(name: str) -> None:
    composite, mask, target = clip(batch=1, frames=3)
    model = tiny(name).eval()  # no dropout: what is drawn is the same each time
    assert isinstance(model, Huang)
    losses = model.losses(composite, mask, target)
    own = model.backbone.losses(composite, mask, target)["loss"]
    drawn = model.backbone.predict(composite[0], mask[0].float()).frames
    drawn = torch.where(mask[0], drawn, composite[0])
    deviation = torch.tensor(model.backbone.value_scale.deviation).view(3, 1, 1)
    differences = []
    for index in (1, 2):
        flow = dis_flow(composite[:, index], composite[:, index - 1])
        moved = warp(drawn[index - 1 : index], flow)[0]
        differences.append(((drawn[index] - moved) / deviation).square().mean())
    expected = sum(differences) / 2
    torch.testing.assert_close(losses["consistency"], expected)
    torch.testing.assert_close(losses["loss"], own + 0.01 * expected)


def test_a_still_clip_is_consistent_and_a_single_frame_costs_nothing_more() -> None:
    composite, mask, target = (part.expand(-1, 2, -1, -1, -1) for part in clip(1, 1))
    model = tiny("huang-is2am").eval()
    assert float(model.losses(composite, mask, target)["consistency"].detach()) < 1e-4
    alone = model.losses(composite[:, :1], mask[:, :1], target[:, :1])
    assert float(alone["consistency"]) == 0.0


def test_checked_flow_counts_less_of_the_frame() -> None:
    composite, mask, target = clip(batch=1, frames=2)
    model = tiny("huang-is2am").eval()
    assert isinstance(model, Huang)
    whole = model.losses(composite, mask, target)["consistency"]
    model.checks_flow = True
    assert not torch.equal(whole, model.losses(composite, mask, target)["consistency"])


def co2net() -> Co2Net:
    model = tiny("co2net-is2am")
    assert isinstance(model, Co2Net)
    return model


def test_co2nets_backbone_stays_as_it_is() -> None:
    model = co2net().train()
    assert model.refinement.training
    assert not model.backbone.training
    before = {key: value.clone() for key, value in model.backbone.state_dict().items()}
    composite, mask, target = clip()
    model.losses(composite, mask, target)["loss"].backward()
    after = model.backbone.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_what_is_prepared_is_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    composite, mask, _ = clip(2, 3)
    model = co2net().eval()
    whole = model.prepare(composite, mask)
    monkeypatch.setattr("vhmae.comparators.co2net.FRAMES_AT_ONCE", 4)
    parts = model.prepare(composite, mask)
    assert FRAMES_AT_ONCE >= 6
    torch.testing.assert_close(whole.answers, parts.answers)
    torch.testing.assert_close(whole.looked_up, parts.looked_up)
    assert not whole.answers.requires_grad


def test_the_refinement_blends_the_composite_as_the_released_code_does() -> None:
    """In [0, 1], while all else is normalised; what comes out is taken back from normalised."""
    composite, mask, _ = clip(1, 2)
    model = co2net().eval()
    prepared = model.prepare(composite, mask)
    torch.nn.init.constant_(model.refinement.keep.bias, 100.0)  # type: ignore[arg-type]
    out = model.refinement(prepared, composite[0])
    torch.testing.assert_close(out, IMAGENET.unscale(composite[0]), atol=1e-4, rtol=1e-4)


def test_co2net_reads_clips_apart() -> None:
    composite, mask, _ = clip(2, 3)
    model = co2net().eval()
    with torch.no_grad():
        together = model(composite, mask)
        alone = torch.cat([model(composite[:1], mask[:1]), model(composite[1:], mask[1:])])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_co2net_over_rainnet_enlarges_its_features() -> None:
    composite, mask, _ = clip(1, 2)
    model = tiny("co2net-rainnet").eval()
    assert isinstance(model, Co2Net)
    assert isinstance(model.backbone, FrameComparator)
    features = model.prepare(composite, mask).features
    assert features.shape[1:] == (8, 16, 16)
    assert model(composite, mask).shape == composite.shape
