"""Huang et al.: Temporally Coherent Video Harmonization.

VHMAE's Table 1 prints fMSE 373.17, MSE 43.94 over RainNet, and 199.89, 27.89 over iS2AM.
Huang, Xu, Tan, Liu, "Temporally Coherent Video Harmonization Using Adversarial Networks", TIP 2019,
as CO2Net's authors build it anew over RainNet and iS2AM for their table (Lu et al., IJCAI 2022): a
network for pictures that is trained to say of a frame what it says of the frame before, moved by
the flow of the composites. When harmonizing it is that network.
Differs from the publication: flow by DIS in the place of FlowNet2; no disharmony discriminator, as
in the version over other networks; the frame before is 1 to 3 frames of the pack away in the place
of 5, and stills, panned and zoomed, count as clips; each frame of a clip counts as the current one,
and the first one, which has no frame before it, has no part in the consistency; crops and
flips are the house's own. Not stated: whether
the frame before learns, too; it does here.
Two ways of training are of interest, since it is not stated which one was printed: from nothing,
and a short fine-tuning of the trained network for pictures.
Letters: B batch, T frames, F frames side by side, H and W rows and columns.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vhmae.comparators.comparator import Comparator, FrameComparator, check_clip

CONSISTENCY_WEIGHT = 0.01
CONSISTENT_PIXELS = 1.0
"""Flow there and back may miss its start by so much, where flow is checked."""


class Huang(Comparator):
    """A network for pictures under a loss of consistency over time."""

    def __init__(self, backbone: FrameComparator, checks_flow: bool = False) -> None:
        """Wrap a network.

        Args:
            checks_flow: leave out of the consistency what the flow there and back does not agree
                on; the publication counts the whole frame.
        """
        super().__init__()
        self.backbone = backbone
        self.checks_flow = checks_flow

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        harmonized: Tensor = self.backbone(composite, mask)
        return harmonized

    def losses(self, composite: Tensor, mask: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The network's own loss, and 0.01 times what differs from the moved frame before."""
        check_clip(composite, mask)
        backbone, frames, cover = self.backbone, composite.flatten(0, 1), mask.flatten(0, 1).float()
        predicted = backbone.predict(frames, cover)
        found = backbone.frame_losses(predicted, frames, cover, target.flatten(0, 1))
        drawn = backbone.judged(predicted, frames, cover).unflatten(0, composite.shape[:2])
        if composite.shape[1] > 1:
            consistency = self._consistency(drawn, composite)
        else:
            consistency = drawn.new_zeros(())
        loss = found["loss"] + CONSISTENCY_WEIGHT * consistency
        return {**found, "loss": loss, "consistency": consistency}

    def _consistency(self, drawn: Tensor, composite: Tensor) -> Tensor:
        """Mean squared difference to the moved frame before, in the network's values."""
        current, before = composite[:, 1:].flatten(0, 1), composite[:, :-1].flatten(0, 1)
        flow = dis_flow(current, before)
        moved = warp(drawn[:, :-1].flatten(0, 1), flow)
        deviation = drawn.new_tensor(self.backbone.value_scale.deviation).view(1, 3, 1, 1)
        squared = ((drawn[:, 1:].flatten(0, 1) - moved) / deviation).square()
        if not self.checks_flow:
            return squared.mean()
        counted = agreement(flow, dis_flow(before, current))
        return (squared * counted).sum() / (3.0 * counted.sum()).clamp_min(1.0)


def dis_flow(start: Tensor, end: Tensor) -> Tensor:
    """DIS flow between pictures, in pixels: where each pixel of ``start`` lies in ``end``.

    Args:
        start, end: (F, 3, H, W) in [0, 1].
    Returns:
        (F, 2, H, W): across, then down; without gradient.
    """
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def grey(frames: Tensor) -> list[np.ndarray]:
        levels = (frames.detach().clamp(0.0, 1.0) * 255.0).round().byte()
        pictures = levels.permute(0, 2, 3, 1).cpu().numpy()
        return [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]

    height, width = start.shape[-2:]
    found = np.stack(
        [
            np.asarray(finder.calc(here, there, np.zeros((height, width, 2), np.float32)))
            for here, there in zip(grey(start), grey(end), strict=True)
        ]
    )
    return torch.from_numpy(found).permute(0, 3, 1, 2).to(start.device)


def warp(frames: Tensor, flow: Tensor) -> Tensor:
    """Fetch each pixel from where the flow says that it lies; outside, from the nearest edge.

    Args:
        frames: (F, C, H, W).
        flow: (F, 2, H, W), in pixels, across and down.
    """
    height, width = frames.shape[-2:]
    across = torch.arange(width, device=flow.device) + flow[:, 0]
    down = torch.arange(height, device=flow.device).unsqueeze(1) + flow[:, 1]
    grid = torch.stack([across / max(width - 1, 1), down / max(height - 1, 1)], dim=-1) * 2.0 - 1.0
    return functional.grid_sample(
        frames, grid.to(frames.dtype), mode="bilinear", padding_mode="border", align_corners=True
    )


def agreement(forth: Tensor, back: Tensor) -> Tensor:
    """1 where the flow there and back returns to its start, (F, 1, H, W)."""
    miss = forth + warp(back, forth)
    return (miss.norm(dim=1, keepdim=True) <= CONSISTENT_PIXELS).float()
