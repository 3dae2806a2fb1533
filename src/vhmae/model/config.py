"""What a network is built by: importable without torch, so that weights can be read and named
without it."""

from __future__ import annotations

import dataclasses
from typing import Literal

from vhmae.errors import InputError

Basis = Literal["quadratic", "luma"]
MaskingStrategy = Literal["foreground", "random", "tube", "block", "none"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LikenessConfig:
    """Size of the encoder, and how many likes are read."""

    width: int = 96
    """Channels."""
    blocks: int = 3
    """Residual blocks at the last stride."""
    dim: int = 64
    """D: numbers of a cell's feature."""
    cells: int = 48
    """K: cells of the foreground that are read, evenly spaced over it."""
    likes: int = 4
    """N: most alike cells of the background for each."""
    read_width: int = 64
    """Hidden width of a member's reading of a pair."""
    heads: int = 4
    """Weighted means of the pairs that a member takes."""

    def __post_init__(self) -> None:
        if min(dataclasses.astuple(self)) < 1 or self.width % 4:
            raise InputError(
                "look.likeness: sizes must be at least 1, and the width a multiple of 4"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LookConfig:
    """Size of the look path."""

    members: int = 4
    """Networks whose answers are averaged."""
    width: int = 256
    """Hidden width of a member."""
    histogram_width: int = 128
    """Features that a member takes from the histograms."""
    dropout: float = 0.2
    """Share of hidden features that training leaves out."""
    histogram_dropout: float = 0.3
    """Share of the histograms' features that training leaves out."""
    again: float = 0.7
    """When harmonizing, the path is shown the frames once more, as harmonized so far; this share of
    what it says then is added (docs/decisions.md, "Shown again")."""
    basis: Basis = "quadratic"
    """What the members answer in: the ten terms of the transform, or affine maps at three levels of
    luma with straight lines between, told as the transform nearest to them on the foreground's
    colors (docs/decisions.md, "Affine along luma")."""
    background: bool = True
    """False hides the background and its ring: what can be told of a foreground alone, for
    comparisons."""
    likeness: LikenessConfig | None = None
    """What of the foreground has its like in the background is read, too; null is statistics
    alone."""

    def __post_init__(self) -> None:
        if self.members < 1 or self.width < 1:
            raise InputError(
                f"look: members={self.members}, width={self.width}; both must be at least 1"
            )
        if self.histogram_width < 1:
            raise InputError(f"look: histogram_width={self.histogram_width}; must be at least 1")
        for name in ("dropout", "histogram_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InputError(f"look: {name}={getattr(self, name)}; expected 0 to less than 1")
        if not 0.0 <= self.again <= 1.0:
            raise InputError(f"look: again={self.again}; expected 0 (shown once) to 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that a set of weights needs to be built again."""

    image_size: int = 256
    """Side of the square frames that the network sees."""
    patch_size: int = 16
    """P, in pixels."""
    clip_frames: int = 8
    """T: frames that the network sees at once; even, or 1."""
    embed_dim: int = 192
    """D, the encoder's width."""
    encoder_depth: int = 6
    """Blocks."""
    encoder_heads: int = 3
    """Heads of attention a block."""
    decoder_dim: int = 192
    """The decoder's width."""
    decoder_depth: int = 3
    """Blocks."""
    decoder_heads: int = 3
    """Heads of attention a block."""
    pattern_dim: int = 384
    """Hidden width of the Pattern Alignment Module."""
    drop_path: float = 0.1
    """Share of branches left out in training, at the deepest block."""
    head: str = "photometric"
    """What the decoder says: ``pixel`` (the paper), ``photometric`` (color transforms), or a class
    outside the package, module:Class, that the command line must name, too (--head)."""
    content: Literal["pattern", "token"] = "pattern"
    """What stands for masked patches: the Pattern Alignment Module, or MAE's one learned token
    (Table 2, row A)."""
    masking: MaskingStrategy = "foreground"
    """What the encoder does not see (Fig. 2)."""
    masking_ratio: float = 0.75
    """Masked share for the strategies other than foreground masking."""
    residual: bool = True
    """The photometric head gives a map for each patch, too, beside the one for the whole
    foreground."""
    trust: bool = False
    """The photometric head says, too, how far the look path's transform is to be followed."""
    look: LookConfig | None = dataclasses.field(default_factory=LookConfig)
    """The look path; null is the paper's plain model."""
    caution: float | None = None
    """Half of a change this small, in levels of 255, is left undone where the user does not say
    otherwise. null is the head's own: 16 for color maps, 0 for drawn pixels."""

    def __post_init__(self) -> None:
        patch = self.patch_size
        if not 0.0 <= self.masking_ratio < 1.0:
            raise InputError(
                f"model: masking_ratio={self.masking_ratio}; expected 0 to less than 1"
            )
        if not 0.0 <= self.drop_path < 1.0:
            raise InputError(f"model: drop_path={self.drop_path}; expected 0 to less than 1")
        if min(self.encoder_depth, self.decoder_depth) < 0:
            raise InputError("model: encoder_depth and decoder_depth must be 0 or more")
        sizes = (patch, self.image_size, self.embed_dim, self.decoder_dim, self.pattern_dim)
        if min(*sizes, self.encoder_heads, self.decoder_heads) < 1:
            raise InputError(
                "model: sizes, widths and heads must be at least 1; see configs/tiny.yaml"
            )
        if self.image_size % patch:
            near = self.image_size // patch * patch
            raise InputError(
                f"image_size={self.image_size} is not a multiple of patch_size={patch}; try {near} "
                f"or {near + patch}"
            )
        if self.clip_frames < 1 or (self.clip_frames > 1 and self.clip_frames % 2):
            raise InputError(
                f"clip_frames={self.clip_frames} is not even; try {self.clip_frames + 1} (or 1 for "
                "single frames)"
            )
        if self.caution is not None and not 0.0 <= self.caution <= 255.0:
            raise InputError(
                f"caution={self.caution} is out of range; expected 0 (bold) to 255 levels"
            )
        for part, dim, heads in (
            ("encoder", self.embed_dim, self.encoder_heads),
            ("decoder", self.decoder_dim, self.decoder_heads),
        ):
            if dim % heads or dim % 8:
                raise InputError(
                    f"model: the {part}'s width {dim} must be a multiple of 8 and of its heads "
                    f"{heads}"
                )
