"""Look paths of several trainings joined into one: their members answer together.

Members that learned on other pictures and other looks err in other places, and the mean of their
answers errs less than either (docs/decisions.md, "Members of two trainings"). Encoder, tokens and
decoder are the first network's; they hear its own members, and the new ones once they are trained
on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vhmae.digest import file_digest
from vhmae.errors import InputError
from vhmae.model.files import WeightsCard, only_of
from vhmae.model.look import LookPath
from vhmae.model.vhmae import VHMAE


def join_look_paths(networks: Sequence[VHMAE], members: Sequence[int] | None = None) -> VHMAE:
    """Join networks that differ in nothing but their numbers, and how many members they have.

    Args:
        members: how many of each network's members join, the first ones; None takes all.

    The paths read statistics on one common scale; each member's first layer takes its own scale
    back, so that it answers as before, but for statistics that lay outside four deviations of its
    training.

    Raises:
        InputError: if one has no look path, or another one is built differently, or has fewer
            members than are wanted.
    """
    paths = [_path_of(network) for network in networks]
    counts = [path.config.members for path in paths] if members is None else [*members]
    if len(counts) != len(paths) or any(
        not 1 <= count <= path.config.members for count, path in zip(counts, paths, strict=False)
    ):
        there = ", ".join(str(path.config.members) for path in paths)
        raise InputError(
            f"expected one number for each of the weights, at most {there}",
            field="members",
            value=",".join(map(str, counts)),
        )
    first = networks[0]
    alike = [_but_for_members(network) for network in networks]
    if any(one != alike[0] for one in alike):
        raise InputError(
            "weights: are of other architectures, which cannot be joined; give trainings of "
            "networks that differ in their members alone"
        )
    joined = VHMAE(
        dataclasses.replace(
            first.config, look=dataclasses.replace(paths[0].config, members=sum(counts))
        ),
        type(first.head),
    )
    state = {
        **first.state_dict(),
        **{f"look_path.{k}": v for k, v in _joined(paths, counts).items()},
    }
    assert joined.look_to_decoder is not None
    heard = joined.look_to_decoder.weight.new_zeros(joined.look_to_decoder.weight.shape)
    own = first.state_dict()["look_to_decoder.weight"][:, : counts[0] * paths[0].config.width]
    heard[:, : own.shape[1]] = own
    state["look_to_decoder.weight"] = heard
    joined.load_state_dict(state)
    return joined.eval()


def joined_facts(cards: Sequence[WeightsCard], licence: str | None = None) -> dict[str, Any]:
    """What joined weights say of themselves: the digests of what went in, and its facts together.

    Args:
        licence: of the result; None names all that went in.
    """
    facts: list[dict[str, Any]] = [{**card.facts, **only_of(card)} for card in cards]
    licences = [str(one.get("licence", "licence not stated")) for one in facts]
    tables = [one.get("only") for one in facts]
    alike = tables[0] is not None and all(one == tables[0] for one in tables)
    return {
        **({"only": tables[0]} if alike else {}),
        "joined": [file_digest(card.path) for card in cards],
        "steps": sum(int(one.get("steps", 0)) for one in facts),
        "trained_seconds": sum(int(one.get("trained_seconds", 0)) for one in facts),
        "seed": ", ".join(str(one.get("seed", "not stated")) for one in facts),
        **{
            key: list(dict.fromkeys(part for one in facts for part in one.get(key, ())))
            for key in ("data", "recipes")
        },
        "licence": licence or "; ".join(dict.fromkeys(licences)),
    }


def _path_of(network: VHMAE) -> LookPath:
    if network.look_path is None:
        raise InputError("weights: have no look path to join; give others")
    if network.look_path.config.likeness is not None:
        raise InputError("weights: read likes, by an encoder of their own; give others")
    return network.look_path


def _but_for_members(network: VHMAE) -> object:
    look = network.config.look
    assert look is not None
    return (
        dataclasses.replace(
            network.config, look=dataclasses.replace(look, members=1), drop_path=0.0, clip_frames=2
        ),
        type(network.head),
    )


def _joined(paths: Sequence[LookPath], counts: Sequence[int]) -> dict[str, Tensor]:
    """The state of a path with the first members of each."""
    scales = [path.normalize.state_dict() for path in paths]
    means, variances = (
        torch.stack([scale[name] for scale in scales]) for name in ("running_mean", "running_var")
    )
    mean, variance = means.mean(0), variances.amax(0)
    eps = paths[0].normalize.eps
    spread = (variance + eps).sqrt()
    state: dict[str, Tensor] = {
        name: torch.cat(
            [path.state_dict()[name][:count] for path, count in zip(paths, counts, strict=True)]
        )
        for name in paths[0].state_dict()
        if not name.startswith("normalize.")
    }
    numbers = len(mean)
    firsts, biases = [], []
    for path, count, own_mean, own_variance in zip(paths, counts, means, variances, strict=True):
        # Own numbers from the common ones n: n spread / own spread + (mean - own mean) / own spread
        own_spread = (own_variance + eps).sqrt()
        weight = path.first.weight.detach()[:count].clone()  # (M, in, width)
        moved = ((mean - own_mean) / own_spread) @ weight[:, :numbers]  # (M, width)
        weight[:, :numbers] *= (spread / own_spread)[:, None]
        firsts.append(weight)
        biases.append(path.first.bias.detach()[:count] + moved.unsqueeze(1))
    return {
        **state,
        "first.weight": torch.cat(firsts),
        "first.bias": torch.cat(biases),
        "normalize.running_mean": mean,
        "normalize.running_var": variance,
        "normalize.num_batches_tracked": scales[0]["num_batches_tracked"],
    }
