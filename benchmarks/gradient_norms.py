"""How hard each term of Eq. 6 pulls over a run, and what patch balancing does to the seam.

python benchmarks/gradient_norms.py [--steps N] [--json FILE]

The paper's plain model at a toy's size (64 pixels, one frame, 48 features), on made pictures whose
squares stand under another gain: a figure of how the terms weigh against each other, not of how
well a network harmonizes. Two runs of one seed, with b = 1 and b = 0. About half a minute.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hardware import describe
from torch.nn import functional

from vhmae.data.synthesis import TrainingBatch
from vhmae.evaluation.metrics import seam_ratio
from vhmae.model.config import ModelConfig
from vhmae.model.vhmae import VHMAE
from vhmae.partial_output import write_text_whole
from vhmae.training.fitting import gradient_norms
from vhmae.training.objective import batch_losses
from vhmae.training.recipe import LossConfig

SIZE, PATCH, BATCH = 64, 16, 8
UNSEEN = 1_000_000
"""Number of a batch that no step draws."""


def made_batch(number: int) -> TrainingBatch:
    """Smooth pictures (8, 1, 3, 64, 64), with a square of each under another gain."""
    draws = torch.Generator().manual_seed(number)
    colors = torch.rand(BATCH, 3, 9, 9, generator=draws)
    target = functional.interpolate(colors, size=(SIZE, SIZE), mode="bicubic")
    target = target.clamp(0.0, 1.0)[:, None]
    mask = torch.zeros(BATCH, 1, 1, SIZE, SIZE, dtype=torch.bool)
    for sample in mask:
        top, left = torch.randint(0, SIZE // 2, (2,), generator=draws).tolist()
        sample[..., top : top + 28, left : left + 28] = True
    gain = 0.5 + torch.rand(BATCH, 1, 3, 1, 1, generator=draws)
    composite = torch.where(mask, (target * gain).clamp(0.0, 1.0), target)
    return TrainingBatch(composite, target, mask, mask, torch.zeros(BATCH, dtype=torch.long))


def seam_of(network: VHMAE) -> float:
    """Mean ``seam_ratio`` of what the network draws on pictures that it was not trained on."""
    batch = made_batch(UNSEEN)
    with torch.no_grad():
        drawn = network.eval()(batch.composite, batch.mask).frames
    network.train()
    frames = [
        (255.0 * one[:, 0]).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        for one in (drawn, batch.composite)
    ]
    masks = batch.mask[:, 0, 0].numpy()
    ratios = [seam_ratio(r, c, m, SIZE // PATCH) for r, c, m in zip(*frames, masks, strict=True)]
    return float(np.nanmean(ratios))


def run(balance_weight: float, steps: int) -> list[dict[str, Any]]:
    """Losses and gradient norms at five places of a run, and the seam there."""
    torch.manual_seed(0)
    network = VHMAE(
        ModelConfig(
            image_size=SIZE,
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
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, betas=(0.9, 0.95))
    config = LossConfig(balance_weight=balance_weight)
    rows = []
    for step in range(steps + 1):
        losses = batch_losses(network, made_batch(step), config, PATCH)
        if step % (steps // 4) == 0:
            norms = gradient_norms(losses, network.parameters())
            told = {"b": balance_weight, "step": step, "seam": round(seam_of(network), 3)}
            values = {key: round(float(value.detach()), 4) for key, value in losses.items()}
            rounded = {key: round(value, 3) for key, value in norms.items()}
            rows.append({**told, "losses": values, "norms": rounded})
            print(rows[-1], flush=True)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200, help="a multiple of 4")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "gradient_norms.json"
    )
    args = parser.parse_args()
    if args.steps < 4 or args.steps % 4:
        parser.error("--steps: expected a multiple of 4")
    rows = [row for weight in (1.0, 0.0) for row in run(weight, args.steps)]
    report = {"schema": 1, "hardware": describe(), "rows": rows}
    write_text_whole(args.json, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
