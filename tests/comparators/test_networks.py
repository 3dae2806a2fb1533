"""Every compared method: its size, its shapes, its mask, and what its loss counts."""

from __future__ import annotations

import pytest
import torch

from tests.comparators.networks import FRAME_METHODS, SIDE, clip, tiny
from vhmae.comparators.catalogue import COMPARATORS
from vhmae.comparators.comparator import IMAGENET, SIGNED, FrameComparator, blend
from vhmae.comparators.critic import Critic
from vhmae.comparators.idih import Idih, IdihConfig
from vhmae.comparators.losses import foreground_normalized_mse
from vhmae.comparators.pct_net import PctNet, PctNetConfig
from vhmae.comparators.unet import UNetConfig
from vhmae.errors import InputError, ShapeError
from vhmae.model.weights import count_parameters

PUBLISHED_MILLIONS = {
    "is2am": "2.185",
    "rainnet": "54.76",
    "dovenet": "54.76",
    "ht": "6.45",
    "ht-plus": "4.77",
    "idih": "8.301",
    "pct-net": "2.19",
    "huang-rainnet": "54.76",
    "huang-is2am": "2.185",
}


@pytest.mark.parametrize("name", PUBLISHED_MILLIONS)
def test_at_256_pixels_it_has_the_published_size(name: str) -> None:
    entry = COMPARATORS[name]
    with torch.device("meta"):
        count = count_parameters(entry.build(entry.config.for_size(256)))
    published = PUBLISHED_MILLIONS[name]
    assert f"{count / 1e6:.{len(published.partition('.')[2])}f}" == published


@pytest.mark.parametrize(("name", "millions"), [("co2net-is2am", 0.060), ("co2net-rainnet", 0.115)])
def test_co2nets_refinement_has_the_published_size(name: str, millions: float) -> None:
    entry = COMPARATORS[name]
    with torch.device("meta"):
        model = entry.build(entry.config.for_size(256))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained / 1e6 == pytest.approx(millions, abs=0.001)  # 59,396 and 114,692


def test_the_critic_has_the_published_size() -> None:
    with torch.device("meta"):
        assert f"{count_parameters(Critic()) / 1e6:.2f}" == "17.79"


@pytest.mark.parametrize("name", COMPARATORS)
def test_frames_keep_their_shape_and_their_background(name: str) -> None:
    composite, mask, _ = clip()
    with torch.no_grad():
        harmonized = tiny(name).eval()(composite, mask)
    assert harmonized.shape == composite.shape
    assert 0.0 <= harmonized.min() <= harmonized.max() <= 1.0
    outside = ~mask.expand_as(composite)
    assert torch.equal(harmonized[outside], composite[outside])
    assert not torch.equal(harmonized, composite)


@pytest.mark.parametrize("name", COMPARATORS)
def test_what_is_trained_has_gradients_and_the_rest_has_none(name: str) -> None:
    composite, mask, target = clip()
    model = tiny(name).train()
    losses = model.losses(composite, mask, target)
    losses["loss"].backward()
    for key, parameter in model.named_parameters():
        frozen = name.startswith("co2net") and key.startswith("backbone")
        assert (parameter.grad is None) == frozen, key
        assert frozen or torch.isfinite(parameter.grad).all(), key  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FRAME_METHODS)
def test_frames_of_a_clip_are_seen_alone(name: str) -> None:
    composite, mask, _ = clip(batch=1, frames=3)
    model = tiny(name).eval()
    with torch.no_grad():
        together = model(composite, mask)
        alone = torch.cat([model(composite[:, t : t + 1], mask[:, t : t + 1]) for t in range(3)], 1)
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", FRAME_METHODS)
def test_the_mask_is_told_with_one_for_the_foreground(name: str) -> None:
    """The mask changes what is drawn; a mask that is true everywhere pastes nothing back."""
    composite, mask, _ = clip(batch=1, frames=1)
    model = tiny(name).eval()
    assert isinstance(model, FrameComparator)
    with torch.no_grad():
        drawn = model.predict(composite[0], mask[0].float()).frames
        other = model.predict(composite[0], 1.0 - mask[0].float()).frames
        whole = model(composite, torch.ones_like(mask))
        expected = model.predict(composite[0], torch.ones_like(mask[0].float())).frames
    assert not torch.allclose(drawn, other, atol=1e-6)
    torch.testing.assert_close(whole[0], expected.clamp(0.0, 1.0))


@pytest.mark.parametrize("name", FRAME_METHODS)
def test_the_loss_counts_what_the_publication_counts(name: str) -> None:
    """Blended or as drawn: errors outside the mask cost DoveNet and HT alone."""
    composite, mask, target = (part[0] for part in clip(batch=1, frames=1))
    model = tiny(name).eval()
    assert isinstance(model, FrameComparator)
    predicted = model.predict(composite, mask.float())
    elsewhere = type(predicted)(
        **{**vars(predicted), "frames": torch.where(mask, predicted.frames, 0.25)}
    )
    losses = [
        model.frame_losses(said, composite, mask.float(), target)["loss"].item()
        for said in (predicted, elsewhere)
    ]
    assert (losses[0] == pytest.approx(losses[1])) == model.blends_before_loss
    assert model.blends_before_loss == (name not in ("dovenet", "ht", "ht-plus"))


def test_l1_is_taken_in_the_networks_values_over_the_whole_frame() -> None:
    composite, mask, target = (part[0] for part in clip(batch=1, frames=2))
    for name, blended in (("rainnet", True), ("dovenet", False), ("ht", False)):
        model = tiny(name).eval()
        assert isinstance(model, FrameComparator)
        predicted = model.predict(composite, mask.float())
        seen = predicted.frames
        if blended:
            seen = torch.where(mask, seen, composite)
        total = 0.0
        for frame, truth in zip(seen, target, strict=True):
            for channel in range(3):
                total += ((frame[channel] * 2 - 1) - (truth[channel] * 2 - 1)).abs().sum().item()
        expected = 100.0 * total / seen.numel()
        loss = model.frame_losses(predicted, composite, mask.float(), target)["loss"]
        assert loss.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("minimum", [100.0, 60_000.0])
def test_fn_mse_matches_the_loop(minimum: float) -> None:
    composite, mask, target = (part.flatten(0, 1) for part in clip(batch=1, frames=2))
    mask = mask.float()
    predicted = blend(composite.flip(1), composite, mask)
    found = foreground_normalized_mse(predicted, target, mask, IMAGENET, minimum)
    values = []
    least = minimum * SIDE * SIDE / 256**2
    for frame, truth, cover in zip(predicted, target, mask, strict=True):
        total = 0.0
        for channel, deviation in enumerate((0.229, 0.224, 0.225)):
            for y in range(SIDE):
                for x in range(SIDE):
                    error = float(frame[channel, y, x] - truth[channel, y, x]) / deviation
                    total += error**2
        values.append(total / (3.0 * max(least, float(cover.sum()))))
    assert found.item() == pytest.approx(sum(values) / 2, rel=1e-4)


def test_values_come_back_from_either_scale() -> None:
    frames = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(SIGNED.scale(frames), frames * 2.0 - 1.0)
    for value_scale in (SIGNED, IMAGENET):
        torch.testing.assert_close(value_scale.unscale(value_scale.scale(frames)), frames)


@pytest.mark.parametrize("side", [256, 128])
def test_networks_fit_their_size(side: int) -> None:
    assert UNetConfig.for_size(side).levels == side.bit_length() - 1
    widths = {256: (64, 64, 128, 128, 256, 256, 512), 128: (64, 64, 128, 128, 256, 512)}
    assert IdihConfig.for_size(side).widths == widths[side]
    model = Idih(IdihConfig.for_size(side)).eval()
    composite, mask, _ = clip(1, 1, side)
    assert model.predict(composite[0], mask[0].float()).frames.shape == (1, 3, side, side)


@pytest.mark.parametrize("name", FRAME_METHODS)
def test_sizes_that_it_cannot_take_are_refused_with_the_remedy(name: str) -> None:
    composite, mask, _ = clip(1, 1, 34)
    if name == "pct-net":  # it shrinks what is larger than its own size
        with torch.no_grad():
            assert tiny(name).eval()(composite, mask).shape == composite.shape
        return
    with pytest.raises(ShapeError, match="resize the frames first"):
        tiny(name)(composite, mask)
    with pytest.raises(ShapeError, match="expected"):
        tiny(name)(composite, mask[:, :, 0])


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="power of two"):
        UNetConfig.for_size(100)
    with pytest.raises(InputError, match="iDIH"):
        IdihConfig.for_size(100)


def test_pct_net_works_on_a_small_picture_and_changes_the_large_one() -> None:
    torch.manual_seed(0)
    model = PctNet(PctNetConfig(width=4, image_size=16)).eval()
    composite, mask, _ = clip(1, 1, 48)
    predicted = model.predict(composite[0], mask[0].float())
    assert predicted.maps.shape == (1, 12, 16, 16)
    assert predicted.frames.shape == (1, 3, 48, 48)
