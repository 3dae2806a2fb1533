"""What the Pattern Alignment Module says of patches, under the paper's own weights of the
losses."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from vhmae.data.synthesis import TrainingBatch
from vhmae.model.config import ModelConfig
from vhmae.model.vhmae import VHMAE
from vhmae.training.objective import batch_losses
from vhmae.training.recipe import LossConfig

SMALL = ModelConfig(
    image_size=64,
    clip_frames=1,
    embed_dim=48,
    encoder_depth=2,
    encoder_heads=3,
    decoder_dim=48,
    decoder_depth=1,
    decoder_heads=3,
    pattern_dim=96,
    head="pixel",
    look=None,
    drop_path=0.0,
)

SHARE = 0.25
"""Of the patches that are masked, about."""


def batch(seed: int) -> TrainingBatch:
    """Smooth pictures, with a square of each under another gain."""
    draws = torch.Generator().manual_seed(seed)
    colors = torch.rand(8, 3, 9, 9, generator=draws)
    target = functional.interpolate(colors, size=(64, 64), mode="bicubic").clamp(0.0, 1.0)[:, None]
    mask = torch.zeros(8, 1, 1, 64, 64, dtype=torch.bool)
    for sample in mask:
        top, left = torch.randint(0, 32, (2,), generator=draws).tolist()
        sample[..., top : top + 28, left : left + 28] = True
    gain = 0.5 + torch.rand(8, 1, 3, 1, 1, generator=draws)
    composite = torch.where(mask, (target * gain).clamp(0.0, 1.0), target)
    return TrainingBatch(composite, target, mask, mask, torch.zeros(8, dtype=torch.long))


@pytest.mark.parametrize(
    ("alignment", "balance", "collapses"), [(1.0, 1.0, False), (768.0 * SHARE, SHARE, True)]
)
def test_content_does_not_collapse_at_the_papers_weights(
    alignment: float, balance: float, collapses: bool
) -> None:
    """With Eq. 1 in patches, a = b = 1 leaves the patches' content apart; the others are what a
    mean over the values of masked patches made of it, with Eq. 4 in a unit of its own."""
    torch.manual_seed(0)
    network = VHMAE(SMALL)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, betas=(0.9, 0.95))
    for step in range(100):
        values = batch_losses(
            network,
            batch(step),
            LossConfig(alignment_weight=alignment, balance_weight=balance),
            16,
        )
        optimizer.zero_grad()
        values["loss"].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        unseen = batch(9999)
        said = network(unseen.composite, unseen.mask)
    content = said.foreground_features[said.foreground]
    varies = (content - content.mean(dim=0)).square().sum() / content.square().sum()
    assert (varies < 0.05) if collapses else (varies > 0.2)


def test_equation_1_counts_the_whole_of_a_patch_as_it_was_drawn() -> None:
    """A patch that the foreground only touches is drawn whole: its visible pixels are restored in
    the output, after the loss."""
    torch.manual_seed(0)
    network = VHMAE(SMALL).eval()
    scene = batch(0)
    with torch.no_grad():
        said = network(scene.composite, scene.mask)
        patches = (
            functional.max_pool2d(scene.mask.flatten(0, 1).float(), 16)
            .repeat_interleave(16, -1)
            .repeat_interleave(16, -2)
        )
        inside = patches.reshape(scene.mask.shape).bool()
        expected = (
            torch.where(inside, said.change.apply(scene.composite), scene.target) - scene.target
        ).square().sum() / (8 * 16)
        found = batch_losses(network, scene, LossConfig(), 16)["reconstruction"]
    assert bool((inside & ~scene.mask).any())
    assert float(found) == pytest.approx(float(expected), rel=1e-4)
    assert torch.equal(
        said.frames[~scene.mask.expand_as(said.frames)],
        scene.composite[~scene.mask.expand_as(said.frames)],
    )
