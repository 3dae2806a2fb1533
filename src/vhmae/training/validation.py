"""Validation on the dev clips: whole frames under fixed two-look and one-look pairs of training
looks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import torch

from vhmae.arrays import Array
from vhmae.color.lut import Lut3D
from vhmae.data.clips import Pack
from vhmae.data.looks import LookMixture, LookSampler
from vhmae.data.synthesis import REFERENCE_LINES, close_edge, compose
from vhmae.model.precision import Precision, autocast
from vhmae.model.vhmae import VHMAE


@dataclasses.dataclass(frozen=True)
class DevScene:
    """Frames of a dev clip with a pair of looks."""

    frames: torch.Tensor
    """(1, T, 3, S, S)."""
    region: torch.Tensor
    """(1, T, 1, S, S) bool."""
    background: torch.Tensor
    foreground: torch.Tensor


class DevSet:
    """A fixed set of composites of the dev clips, the same for a seed."""

    def __init__(
        self,
        pack: Pack,
        luts: Sequence[Lut3D],
        frames: int,
        size: int,
        pairs: int = 4,
        seed: int = 12345,
    ) -> None:
        # A pool of its own: the set is the same for every run, whatever its seed and its mixture.
        looks = LookSampler.from_luts(luts, LookMixture(), pool_size=512, seed=seed)
        self.scenes: dict[str, list[DevScene]] = {"two_look": [], "one_look": []}
        mixtures = {
            "two_look": LookMixture(strength=(0.3, 1.0), one_look=0.0, same_look=0.0),
            "one_look": LookMixture(one_look=1.0, same_look=0.0),
        }
        for number, rows in enumerate(pack.frames_of):
            rng = np.random.default_rng([seed, number])
            picks = [
                int(rows[i]) for i in np.linspace(0, len(rows) - 1, frames).round().astype(int)
            ]
            pictures = [pack.picture(pick) for pick in picks]
            masks = [labels > 0 for labels in map(pack.labels, picks) if labels is not None]
            if len(masks) < len(pictures):
                continue  # a photograph without a mask has nothing to be scored in
            for kind, mixture in mixtures.items():
                stack, region = _prepare(pictures, masks, size, closed=kind == "two_look")
                if not region.any():  # thinner than the edge that is taken off it
                    continue
                for _ in range(pairs if kind == "two_look" else max(1, pairs // 2)):
                    background, foreground = looks.with_mixture(mixture).draw_pairs(rng, 1)
                    self.scenes[kind].append(DevScene(stack, region, background, foreground))

    @torch.no_grad()
    def score(self, model: VHMAE, device: torch.device, precision: Precision) -> dict[str, float]:
        """The ratio of the masked errors to the untouched composites', and how many composites got
        worse."""
        was_training = model.training
        model.eval()
        scores: dict[str, float] = {}
        for kind, scenes in self.scenes.items():
            errors, untouched = [], []
            for scene in scenes:
                frames, region = scene.frames.to(device), scene.region.to(device)
                composite, target = compose(
                    frames, region, scene.background.to(device), scene.foreground.to(device)
                )
                with autocast(device, precision):
                    harmonized = model(composite, region).frames.float().clamp(0.0, 1.0)
                area = region.sum() * 3.0
                errors.append(float(((harmonized - target).square() * region).sum() / area))
                untouched.append(float(((composite - target).square() * region).sum() / area))
            error, base = np.array(errors), np.array(untouched)
            scores[f"{kind}_ratio"] = round(float(error.sum() / base.sum()), 4)
            scores[f"{kind}_worse_share"] = round(float((error > base).mean()), 4)
            if kind == "two_look":
                weakest = np.argsort(base)[: len(base) // 3]
                scores["weakest_third_ratio"] = round(
                    float(error[weakest].sum() / base[weakest].sum()), 4
                )
        model.train(was_training)
        return scores


def _prepare(
    pictures: list[Array], masks: list[Array], size: int, closed: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    frames, regions = [], []
    for picture, mask in zip(pictures, masks, strict=True):
        frame, region = close_edge(
            picture, mask, round(4 * picture.shape[0] / REFERENCE_LINES) if closed else 0
        )
        frames.append(cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA))
        regions.append(
            cv2.resize(region.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST) > 0
        )
    stack = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None].float() / 255.0
    return stack, torch.from_numpy(np.stack(regions))[None, :, None]
