"""A look-up table from the frames around a frame: the closed form in CO2Net.

Lu, Huang, Niu, Cong, Zhang, IJCAI 2022. Every foreground pixel of the neighbors votes,
at the nodes around its color in the composite, for the color that it was given.
Letters: P pixels, T frames, n nodes along an axis.
"""

from __future__ import annotations

import torch
from torch import Tensor

NODES = 33
"""n, along each of red, green and blue."""
_STRETCH = 1.000001
"""Of a cell, so that white falls into the last cell and not behind it."""


def _nodes_around(colors: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """The eight nodes around colors (P, 3): numbers (P, 8) and trilinear weights (P, 8)."""
    place = colors.clamp(0.0, 1.0) * ((nodes - 1) / _STRETCH)
    lower = place.floor().clamp_max(nodes - 2)
    part = place - lower  # (P, 3)
    steps = torch.cartesian_prod(*[torch.arange(2, device=colors.device)] * 3)  # (8, 3)
    shares = torch.stack([1.0 - part, part])  # (2, P, 3)
    weights = shares[steps[:, 0], :, 0] * shares[steps[:, 1], :, 1] * shares[steps[:, 2], :, 2]
    strides = torch.tensor([nodes * nodes, nodes, 1], device=colors.device)
    numbers = ((lower.long().unsqueeze(1) + steps) * strides).sum(-1)
    return numbers, weights.T


def cast_votes(colors: Tensor, answers: Tensor, nodes: int = NODES) -> Tensor:
    """Let pixels vote.

    Args:
        colors: of the composite, (P, 3) in [0, 1].
        answers: what they were given, (P, 3).
    Returns:
        (n³, 4): sums of answers times weight, and of the weights. Tables of several frames add up.
    """
    numbers, weights = _nodes_around(colors, nodes)
    votes = torch.cat([answers, torch.ones_like(answers[:, :1])], dim=1)  # (P, 4)
    table = colors.new_zeros(nodes**3, 4)
    spread = weights.unsqueeze(-1) * votes.unsqueeze(1)  # (P, 8, 4)
    return table.index_add(0, numbers.flatten(), spread.flatten(0, 1))


def look_up(table: Tensor, colors: Tensor, nodes: int = NODES) -> tuple[Tensor, Tensor]:
    """Look colors up among the nodes that have votes.

    Args:
        table: (n³, 4), as :func:`cast_votes` gives.
        colors: (P, 3) in [0, 1].
    Returns:
        Colors (P, 3), trilinear over the nodes with votes; and (P,) bool, False where none of the
        nodes that count has any: the color is zero there.
    """
    numbers, weights = _nodes_around(colors, nodes)
    around = table[numbers]  # (P, 8, 4)
    weights = weights * (around[..., 3] > 0.0)
    values = around[..., :3] / around[..., 3:].clamp_min(torch.finfo(table.dtype).tiny)
    total = weights.sum(1, keepdim=True)  # (P, 1)
    found = total > 0.0
    mixed = (weights.unsqueeze(-1) * values).sum(1) / torch.where(found, total, 1.0)
    return mixed, found.squeeze(1)


def of_neighbors(
    composite: Tensor, answers: Tensor, mask: Tensor, reach: int = 8, nodes: int = NODES
) -> Tensor:
    """Give each frame of a clip what its neighbors' table says.

    Args:
        composite, answers: (T, 3, H, W) in [0, 1]; ``answers`` are the network's frames.
        mask: (T, 1, H, W); pixels over one half vote and are looked up.
        reach: frames before and after that count, as many as the clip has; never the frame itself.
    Returns:
        (T, 3, H, W): the table's colors inside the mask; where it has none, and outside the mask,
        the answers.
    """
    inside = mask[:, 0] > 0.5  # (T, H, W)
    colors = [frame.permute(1, 2, 0)[here] for frame, here in zip(composite, inside, strict=True)]
    said = [frame.permute(1, 2, 0)[here] for frame, here in zip(answers, inside, strict=True)]
    tables = [cast_votes(*pair, nodes) for pair in zip(colors, said, strict=True)]
    out = answers.clone()
    for index, here in enumerate(inside):
        near = range(max(0, index - reach), min(len(tables), index + reach + 1))
        table = torch.zeros_like(tables[index])
        for other in near:
            if other != index:
                table += tables[other]
        mixed, found = look_up(table, colors[index], nodes)
        out[index].permute(1, 2, 0)[here] = torch.where(found[:, None], mixed, said[index])
    return out
