"""Heads by name, behind one protocol: frames in, a change of color for each of them out.

``HEADS`` is the one place where a head is made known. The paper's draws pixels; ours says color
transforms, which keep every detail. Nothing else in the package asks for a head's name.
Letters: B batch, T frames, N patches in a row, L tokens, D decoder embedding, P patch side.
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.color.basis import AFFINE, QUADRATIC, apply_transform
from vhmae.color.transform import apply_grid
from vhmae.errors import InputError, did_you_mean
from vhmae.model.config import ModelConfig
from vhmae.model.masking import unpatchify

_SOFTPLUS_OF_ONE = math.log(math.e - 1.0)


class Change:
    """What is to be done to a window of frames: what a head says."""

    def apply(self, frames: Tensor) -> Tensor:
        """Apply to frames (B, T, 3, H, W), sRGB-encoded in [0, 1]; not clipped, differentiable.

        Training calls it at the size that the network saw, and so does the engine; a change that
        has color maps is applied to parts of frames, too.
        """
        raise NotImplementedError

    def maps(self) -> Transform | None:
        """The change as color maps, which hold at any size and are averaged over time; None where
        it has none: the difference that it makes to the frames seen is interpolated then."""
        return None


@dataclasses.dataclass(frozen=True)
class Transform(Change):
    """Color maps: add both residuals to the composite's colors."""

    overall: Tensor
    """(B, 3, QUADRATIC): one map for the whole foreground of the window."""
    local: Tensor
    """(B, T, N, N, 3, AFFINE): residual maps per patch, upsampled smoothly to pixels."""

    def maps(self) -> Transform:
        return self

    def apply(self, frames: Tensor) -> Tensor:
        """Apply to frames (B, T, 3, H, W) of any size; not clipped."""
        colors = frames.permute(0, 1, 3, 4, 2)
        overall = (
            apply_transform(colors.flatten(1, 3), self.overall)
            .reshape(colors.shape)
            .permute(0, 1, 4, 2, 3)
        )
        return apply_grid(frames, self.local) - frames + overall


@dataclasses.dataclass(frozen=True)
class Drawing(Change):
    """What the pixel head says: frames drawn anew, moved by the look path's transform."""

    patches: Tensor
    """(B, L, 3 P P)."""
    patch_size: int
    overall: Tensor
    """(B, 3, QUADRATIC): added to what is drawn, as a change of the composite's colors."""

    def apply(self, frames: Tensor) -> Tensor:
        """Draw the frames (B, T, 3, H, W) that the network saw; not clipped."""
        shape = (frames.shape[0], frames.shape[1], 3, frames.shape[3], frames.shape[4])
        drawn = unpatchify(self.patches, shape, self.patch_size)
        colors = frames.permute(0, 1, 3, 4, 2)
        change = apply_transform(colors.flatten(1, 3), self.overall).reshape(colors.shape) - colors
        return drawn + change.permute(0, 1, 4, 2, 3)


class Head(nn.Module):
    """What turns decoded tokens into a change: the base of every head, also of those outside."""

    holds_between_key_frames: ClassVar[bool]
    """True: the network looks at key frames alone, and the change's ``maps`` are averaged between
    them. False: each frame needs a change of its own, drawn in the middle of its window."""
    usual_caution: ClassVar[float] = 0.0
    """Half of a change this small, in levels of 255, is left undone where neither the weights nor
    the user say otherwise."""

    def __init__(self, dim: int, config: ModelConfig) -> None:
        """Make a head.

        Args:
            dim: D, the decoder's width.
            config: of the whole network.
        """
        super().__init__()

    def forward(
        self, tokens: Tensor, scene: Tensor, grid: tuple[int, int, int], overall: Tensor
    ) -> Change:
        """Say what is to be done.

        Args:
            tokens: decoded (B, L, D), L = T N N, frames first, then rows.
            scene: the decoder's scene token (B, D).
            grid: frames, rows and columns of patches.
            overall: the look path's transform (B, 3, QUADRATIC); zeros where there is none.
        """
        raise NotImplementedError

    def silence(self) -> bool:
        """Take the tokens' answer out, so that the look path's transform is all that is said; False
        where a head cannot."""
        return False


def require_complete(head: type[Head]) -> None:
    """Refuse a head that leaves open what every head must say, before it is trained.

    Raises:
        InputError: for the first such thing.
    """
    if not isinstance(getattr(head, "holds_between_key_frames", None), bool):
        raise InputError(
            f"{head.__name__}: does not say holds_between_key_frames: True where the network "
            "looks at key frames alone, False where each frame needs a change of its own"
        )


class PixelHead(Head):
    """The paper's head: reconstructs the pixels of each patch."""

    holds_between_key_frames = False
    usual_caution = 0.0

    def __init__(self, dim: int, config: ModelConfig) -> None:
        super().__init__(dim, config)
        self.patch_size = config.patch_size
        self.project = nn.Linear(dim, 3 * config.patch_size**2)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(
        self, tokens: Tensor, scene: Tensor, grid: tuple[int, int, int], overall: Tensor
    ) -> Drawing:
        return Drawing(self.project(tokens).float(), self.patch_size, overall)


class PhotometricHead(Head):
    """Color transforms: one for the whole foreground plus a residual per patch, the identity to
    start from."""

    holds_between_key_frames = True
    usual_caution = 16.0  # small changes are as often wrong as right (docs/decisions.md, "caution")

    def __init__(self, dim: int, config: ModelConfig) -> None:
        super().__init__(dim, config)
        self.overall = nn.Linear(dim, 3 * QUADRATIC)
        self.local = nn.Linear(dim, 3 * AFFINE) if config.residual else None
        self.trust = nn.Linear(dim, 1) if config.trust else None
        for layer in (self.overall, self.local, self.trust):
            if layer is not None:
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(
        self, tokens: Tensor, scene: Tensor, grid: tuple[int, int, int], overall: Tensor
    ) -> Transform:
        if self.trust is not None:  # 1 to start from, never below 0
            overall = overall * functional.softplus(
                self.trust(scene).float() + _SOFTPLUS_OF_ONE
            ).unsqueeze(-1)
        local = (
            tokens.new_zeros(*tokens.shape[:2], 3 * AFFINE)
            if self.local is None
            else self.local(tokens)
        )
        return Transform(
            overall=overall + self.overall(scene).float().reshape(-1, 3, QUADRATIC),
            local=local.float().reshape(-1, *grid, 3, AFFINE),
        )

    @torch.no_grad()
    def silence(self) -> bool:
        for layer in (self.overall, self.local, self.trust):
            if layer is not None:
                layer.weight.zero_()
                layer.bias.zero_()
        return True


HEADS: dict[str, type[Head]] = {"pixel": PixelHead, "photometric": PhotometricHead}
"""The package's heads. A class outside goes by ``module:Class`` or ``FILE.py:Class``, and whoever
builds its network hands it over: the name is for messages alone."""


def head_class(name: str, given: type[Head] | None) -> type[Head]:
    """The class of a head.

    Args:
        name: a key of ``HEADS``, or where a class outside the package stands.
        given: that class, where the caller has it.
    Raises:
        InputError: for an unknown name, and for a class outside that was not handed over.
    """
    if name in HEADS:
        return HEADS[name]
    if given is not None:
        return given
    if ":" in name:
        place, _, own = name.rpartition(":")
        module = place.removesuffix(".py").rpartition("/")[2]
        raise InputError(
            f"the head {name} stands outside the package, and what a file names is never imported; "
            f"pass `head` {name} to vhmae train, or in Python: import {module}; "
            f"vhmae.load_model(PATH, head={module}.{own})"
        )
    raise InputError(
        f"model.head is {name!r}: unknown{did_you_mean(name, HEADS)}; expected {', '.join(HEADS)}, "
        "module:Class or FILE.py:Class"
    )


def blend(prediction: Tensor, composite: Tensor, mask: Tensor) -> Tensor:
    """Prediction inside the mask, composite outside.

    That the visible pixels of masked patches are restored is our choice of the output; Eq. 1 counts
    patches as they were drawn.
    """
    return torch.where(mask, prediction, composite)
