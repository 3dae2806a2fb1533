"""What is minimised: the losses of a batch (Eq. 6), and those of the look path on drawn pixels."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.color import statistics
from vhmae.color.basis import QUADRATIC, apply_transform
from vhmae.color.lut import apply_luts
from vhmae.data.looks import LookMixture, LookSampler, Placed, draw_blendings, draw_layers
from vhmae.data.synthesis import TrainingBatch
from vhmae.guide.colors import LUMA
from vhmae.model import losses
from vhmae.model.likeness import LikenessEncoder, Likes
from vhmae.model.look import LookPath, recolor_foreground, recolor_likes
from vhmae.model.precision import Precision, autocast
from vhmae.training.recipe import LikenessStage, LossConfig
from vhmae.training.sources import LookBank
from vhmae.training.terms import TERMS, WHOLE_PATCHES, Made, Term, find_term


def batch_losses(
    model: nn.Module,
    batch: TrainingBatch,
    config: LossConfig,
    patch_size: int,
    precision: Precision = "fp32",
    jitter: Tensor | None = None,
    cross_fit: bool = False,
    masked: Tensor | None = None,
    given: Mapping[str, Term] = MappingProxyType({}),
) -> dict[str, Tensor]:
    """The losses of one batch (Eq. 6 and its terms), in fp32; ``loss`` is what is minimised.

    Args:
        masked: (B, L) bool, what a masking that draws hides; None leaves it to the model.
        given: terms from outside the package that ``config.more`` names.
    """
    with autocast(batch.composite.device, precision):
        source = batch.source if cross_fit else None
        result = model(batch.composite, batch.mask, jitter, source, masked=masked)
    whole = config.reconstruction in WHOLE_PATCHES
    harmonized = (result.drawn if whole else result.frames).float()
    made = Made(batch, result, harmonized, patch_size, config)
    terms = {
        "reconstruction": find_term(config.reconstruction, given)(made),
        "alignment": TERMS["alignment"](made),
        "balance": TERMS["balance"](made),
    }
    loss = losses.total_loss(
        terms["reconstruction"],
        terms["alignment"],
        terms["balance"],
        config.alignment_weight,
        config.balance_weight,
    )
    for more in config.more:
        terms[more.term] = find_term(more.term, given)(made)
        loss = loss + more.weight * terms[more.term]
    return {"loss": loss, **terms}


def look_losses(
    path: LookPath,
    bank: LookBank,
    looks: LookSampler,
    rows: Tensor,
    rng: np.random.Generator,
    config: LossConfig,
    cross_fit: bool = False,
    shown: int = 1,
) -> dict[str, Tensor]:
    """The look path's loss on drawn pixels under freshly drawn looks: each member answers for
    itself.

    Args:
        bank: drawn pixels of scenes, of which ``rows`` (B,) are taken.
        looks: draws a background's and a foreground's look for each of them, by ``rng``.
        config: its ``floor``, ``harm_weight`` and ``luma_weight`` are those of the loss.
        cross_fit: no member learns from the scenes of its own fold; ``unseen_ratio`` is what it
            makes of them.
        shown: times that a foreground is shown: from the second on as the members' mean has
            harmonized it so far. Each time counts the same.
    Returns:
        ``loss`` and what is told of it besides, scalars.
    """
    pixels = bank.pixels[rows].float() / 255.0
    region = bank.region[rows]
    background, foreground = looks.draw_pairs(rng, len(rows))
    target = apply_luts(pixels, background).clamp(0.0, 1.0)
    drawn = sum(statistics.PIXELS)
    own = (
        apply_luts(pixels, foreground).clamp(0.0, 1.0)
        if bank.layers is None
        else _with_layers(pixels, bank.layers[rows].float(), foreground, looks.mixture, rng, drawn)
    )
    composite = torch.where(region.unsqueeze(-1), own, target)
    sets = list(composite[:, :drawn].split(statistics.PIXELS, dim=1))
    likes = likes_of(bank, rows, composite[:, drawn:])
    count = statistics.PIXELS[0]
    weight = region[:, :count].float()
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1.0)
    untouched = ((sets[0] - target[:, :count]).square().mean(-1) * weight).sum(-1)  # (B,)
    so_far = sets[0].new_zeros(len(rows), 3, QUADRATIC)
    found = []
    for time in range(shown):
        seen = recolor_foreground(sets, so_far) if time else sets
        paired = recolor_likes(likes, so_far) if time else likes
        said = path.read(seen, bank.shares[rows], paired)
        coefficients = so_far + said.member_coefficients  # (M, B, 3, 10)
        harmonized = apply_transform(sets[0].expand(len(coefficients), -1, -1, -1), coefficients)
        deviation = harmonized - target[:, :count]
        error = (deviation.square().mean(-1) * weight).sum(-1)  # (M, B)
        luma = ((deviation @ deviation.new_tensor(LUMA)) * weight).sum(-1)  # (M, B)
        exposure = config.luma_weight * luma.square()
        unseen = path.unseen_by(bank.source[rows].to(error.device)) if cross_fit else None
        found.append(_relative_losses(error, exposure, untouched, config, unseen))
        so_far = coefficients.mean(dim=0).detach()
    return {key: torch.stack([losses[key] for losses in found]).mean() for key in found[0]}


def _with_layers(
    pixels: Tensor,
    planes: Tensor,
    foreground: Tensor,
    mixture: LookMixture,
    rng: np.random.Generator,
    drawn: int,
) -> Tensor:
    """Drawn pixels (B, P, 3) under the foreground's look, with what is laid over some of them.

    Args:
        planes: (B, P, 5) of the same pixels (``training.sources.layer_planes``).
        foreground: tables of B, (B, n, n, n, 3).
        drawn: how many of them are pixels; the rest are means of cells.
    """
    layers = draw_layers(rng, mixture.layers, len(pixels))
    blendings = draw_blendings(rng, mixture.poisson, len(pixels))
    amount = pixels.new_tensor([one.amount if one is not None else 0.0 for one in blendings])
    blended = (pixels + amount.view(-1, 1, 1) * planes[..., 2:]).clamp(0.0, 1.0)
    seen = apply_luts(blended, foreground).clamp(0.0, 1.0)
    for row, laid in enumerate(layers):
        for one in laid:
            if isinstance(one, Placed):
                upto = drawn if one.averages_out else len(seen[row])
                seen[row, :upto] = one.at(seen[row, :upto], planes[row, :upto, :2])
    return seen.clamp(0.0, 1.0)


def likes_of(bank: LookBank, rows: Tensor, colors: Tensor) -> Likes | None:
    """The bank's likes under the looks of a step.

    Args:
        colors: (B, K + K * likes, 3) of the rows' cells.
    """
    if bank.likeness is None:
        return None
    likeness = bank.likeness[rows].float()
    cells, count = likeness.shape[1:]
    return Likes(colors[:, :cells], colors[:, cells:].unflatten(1, (cells, count)), likeness)


def likeness_losses(
    encoder: LikenessEncoder,
    views: tuple[Tensor, Tensor],
    stage: LikenessStage,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """InfoNCE (van den Oord et al. 2018) between two showings of the same scenes, whose cells are
    one another's rivals.

    Args:
        views: (B, 3, S, S) in [0, 1] each, under two looks.
    Returns:
        ``loss``, and ``found``: the share of cells that find themselves.
    """
    told = [encoder(view).flatten(2).transpose(1, 2) for view in views]  # (B, C, D)
    picked = torch.randperm(told[0].shape[1], generator=generator)[: stage.places]
    first, second = (features[:, picked.to(features.device)] for features in told)
    logits = first @ second.transpose(1, 2) / stage.temperature  # (B, places, places)
    right = torch.arange(stage.places, device=logits.device).expand(len(logits), -1)
    loss = 0.5 * (
        functional.cross_entropy(logits.flatten(0, 1), right.flatten())
        + functional.cross_entropy(logits.transpose(1, 2).flatten(0, 1), right.flatten())
    )
    return {"loss": loss, "found": (logits.argmax(dim=-1) == right).float().mean()}


def _relative_losses(
    error: Tensor, more: Tensor, untouched: Tensor, config: LossConfig, unseen: Tensor | None
) -> dict[str, Tensor]:
    """Of the members' errors (M, B): what is minimised, with what counts more, and ratios to the
    untouched composites'."""
    harm = config.harm_weight * (error - untouched).clamp_min(0.0)
    relative = (error + harm + more) / (untouched + config.floor)  # (M, B)
    base = untouched.mean().clamp_min(1e-9)
    if unseen is None:
        return {"loss": relative.mean(), "ratio": error.mean() / base}
    learned = torch.ones_like(relative).scatter_(0, unseen[None], 0.0)
    return {
        "loss": (relative * learned).sum() / learned.sum(),
        "ratio": (error * learned).sum() / learned.sum() / base,
        "unseen_ratio": error.gather(0, unseen[None]).mean() / base,
    }
