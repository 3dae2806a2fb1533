"""The network asked: a window of key frames in, what is to be done to each of them out."""

from __future__ import annotations

import numpy as np
import torch

from vhmae.arrays import Array
from vhmae.color.statistics import PixelSets
from vhmae.engine.rendering import FrameTransform, PixelChange
from vhmae.engine.smoothing import Estimate
from vhmae.errors import InputError
from vhmae.model.heads import Change
from vhmae.model.precision import DTYPES, Precision, autocast, choose_precision
from vhmae.model.vhmae import VHMAE

KeyFrame = tuple[int, Array, Array]
"""Index, frame (S, S, 3) float32 RGB in [0, 1] and mask (S, S) bool at the network's size."""


class Estimator:
    """A network on a device, in the precision that the device is fast in."""

    def __init__(
        self, model: VHMAE, device: torch.device | str, precision: str, caution: float
    ) -> None:
        """Take a model.

        Args:
            precision: "auto", "fp32", "bf16" or "fp16".
            caution: half of a change this small, in levels of 255, is left undone.
        """
        self.device = torch.device(device)
        self.precision: Precision = choose_precision(precision, self.device)
        self.model = model.to(self.device).eval()
        self.caution = caution
        if model.embed.weight.dtype not in (torch.float32, DTYPES[self.precision]):
            model.hold_at(DTYPES[self.precision])  # it was held for another precision

    @torch.no_grad()
    def estimate(
        self,
        shot: int,
        key_frames: list[KeyFrame],
        wanted: range,
        sets: PixelSets | None = None,
        fill: bool = True,
    ) -> list[Estimate]:
        """Ask the network once.

        Args:
            shot: number of the shot that the key frames are of.
            key_frames: a window of them, at most as many as the network sees at once.
            wanted: the places in the window of those whose estimates are returned.
            sets: the colours of the whole shot, where it has been surveyed.
            fill: repeat the last key frame where the window is not full.
        """
        if not key_frames:
            return []
        repeated = self.model.config.clip_frames - len(key_frames) if fill else 0
        window = key_frames + [key_frames[-1]] * max(0, repeated)
        frames = (
            torch.from_numpy(np.stack([frame for _, frame, _ in window]))
            .permute(0, 3, 1, 2)[None]
            .to(self.device)
        )
        masks = torch.from_numpy(np.stack([mask for _, _, mask in window]))[None, :, None].to(
            self.device
        )
        if sets is not None:
            sets = [colors.to(self.device) for colors in sets[0]], sets[1].to(self.device)
        with autocast(self.device, self.precision):
            prediction = self.model.predict(frames, masks, sets=sets)
            likes = None if prediction.look is None else prediction.look.likes
            predicted = self.model.look_again(prediction.change, frames, masks, sets, likes)
        # How much changes over all is seen on every fourth row and column as well.
        part, covered = (
            (frames, masks)
            if predicted.maps() is None
            else (frames[..., ::4, ::4], masks[..., ::4, ::4])
        )
        if not any(mask[::4, ::4].any() for _, _, mask in window):
            part, covered = frames, masks
        share = share_kept(predicted.apply(part) - part, covered, self.caution)
        if predicted.maps() is None and self.model.head.holds_between_key_frames:
            raise InputError(
                f"head {self.model.config.head}: says that its changes hold between key frames but "
                "has no color maps; let maps() return them, or set holds_between_key_frames = False"
            )
        changes = [change.scaled(share) for change in _changes(predicted, frames)]
        return [Estimate(shot, key_frames[place][0], changes[place]) for place in wanted]


def _changes(predicted: Change, frames: torch.Tensor) -> list[FrameTransform] | list[PixelChange]:
    """What the network says of each frame of a window: color maps where it has them, or what it
    makes of the pixels seen."""
    maps = predicted.maps()
    if maps is not None:
        overall = maps.overall[0].float().cpu().numpy()
        return [FrameTransform(overall, local) for local in maps.local[0].float().cpu().numpy()]
    drawn = (predicted.apply(frames) - frames)[0].float().permute(0, 2, 3, 1).cpu().numpy()
    return [PixelChange(np.ascontiguousarray(pixels)) for pixels in drawn]


def share_kept(change: torch.Tensor, mask: torch.Tensor, caution: float) -> float:
    """How much of a change is made: nearly all of a strong one, little of one that is smaller than
    ``caution`` levels.

    Args:
        change: (B, T, 3, H, W) in units of [0, 1].
        mask: (B, T, 1, H, W) bool.
    """
    squared = (
        float((change.float().square() * mask).sum() / (3 * mask.sum()).clamp_min(1)) * 255.0**2
    )
    return squared / (squared + caution**2) if squared + caution**2 > 0.0 else 1.0
