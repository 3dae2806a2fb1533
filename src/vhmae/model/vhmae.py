"""VHMAE: masking -> encoder -> pattern alignment -> decoder -> head (Fig. 3).

Letters: B batch, T frames, N patches in a row, L = T * N * N tokens, D embedding, P patch side.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor, nn

from vhmae.color import statistics
from vhmae.color.transform import QUADRATIC
from vhmae.errors import InputError, ShapeError
from vhmae.model.heads import HEADS, Change, Head, Transform, blend, head_class
from vhmae.model.look import LookConfig, LookPath, LookReading, MemberLinear, recolor_foreground
from vhmae.model.masking import (
    MaskingStrategy,
    foreground_masking,
    mask_tokens,
    patchify,
    tokens_to_pixels,
)
from vhmae.model.pattern_alignment import LearnedToken, PatternAlignment
from vhmae.model.transformer import Transformer, position_code


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
        if ":" not in self.head and self.head not in HEADS:
            head_class(self.head, None)
        if (
            min(
                patch,
                self.image_size,
                self.embed_dim,
                self.decoder_dim,
                self.encoder_heads,
                self.decoder_heads,
            )
            < 1
        ):
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


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What the network says of a window of frames, and what the losses need."""

    change: Change
    """What is to be done to the frames, as the head says it."""
    masked: Tensor
    """(B, L) bool: what the encoder does not see."""
    foreground: Tensor
    """(B, L) bool: patches that a foreground pixel touches; the masked ones under foreground
    masking."""
    foreground_features: Tensor
    """F_fore (B, L, D), valid in the foreground's patches."""
    background_features: Tensor
    """F_back (B, L, D), valid where visible."""

    @property
    def visible_background(self) -> Tensor:
        """(B, L) bool: background patches that the encoder saw."""
        return ~(self.masked | self.foreground)

    look: LookReading | None


@dataclasses.dataclass(frozen=True)
class Harmonized(Prediction):
    """What a forward pass gives."""

    frames: Tensor
    """(B, T, 3, H, W): prediction inside the mask, composite outside; not clipped."""
    drawn: Tensor
    """(B, T, 3, H, W): prediction in the whole of each foreground patch, composite in the others:
    what Eq. 1 and 4 count."""


class VHMAE(nn.Module):
    """Video harmonization masked autoencoder."""

    def __init__(self, config: ModelConfig, head: type[Head] | None = None) -> None:
        """Build an untrained network.

        Args:
            head: the class that ``config.head`` names, where it stands outside the package.
        Raises:
            InputError: where the configuration names such a class and none is given.
        """
        super().__init__()
        self.config = config
        self.packed = True
        """Whether the encoder runs over the visible tokens alone, on a CPU; False is the key-masked
        reference. A GPU takes that in any
        case: its kernels are faster on whole rows than on samples of all lengths, one after the
            other."""
        patch_dim = 3 * config.patch_size**2
        dim, decoder_dim = config.embed_dim, config.decoder_dim
        self.embed = nn.Linear(patch_dim, dim)
        self.scene_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.encoder = Transformer(
            dim, config.encoder_depth, config.encoder_heads, config.drop_path
        )
        self.pattern_alignment = (
            PatternAlignment(patch_dim, config.pattern_dim, dim)
            if config.content == "pattern"
            else LearnedToken(dim)
        )
        self.to_decoder = nn.Linear(dim, decoder_dim)
        self.look_path = LookPath(config.look) if config.look else None
        self.look_to_decoder = (
            nn.Linear(config.look.members * config.look.width, decoder_dim) if config.look else None
        )
        self.decoder = Transformer(
            decoder_dim, config.decoder_depth, config.decoder_heads, config.drop_path
        )
        self._initialize()
        self.head: Head = head_class(config.head, head)(decoder_dim, config)

    @property
    def usual_caution(self) -> float:
        """What the configuration's ``caution`` says, or the head's own: levels of 255."""
        own = self.config.caution
        return self.head.usual_caution if own is None else own

    def _initialize(self) -> None:
        """MAE's initialisation: Xavier for linear layers, small normal tokens."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and not name.startswith("look_path"):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.scene_token, std=0.02)

    def hold_at(self, dtype: torch.dtype) -> VHMAE:
        """Hold the weights of products in the type that autocast takes them to at each call: as
        exact, and a fifth faster on a CPU.

        For inference under autocast alone.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear | MemberLinear):
                module.to(dtype)
        return self

    def forward(
        self,
        composite: Tensor,
        mask: Tensor,
        jitter: Tensor | None = None,
        source: Tensor | None = None,
        masking_seed: int = 0,
    ) -> Harmonized:
        """Harmonize a window of frames; takes what :meth:`predict` does."""
        prediction = self.predict(composite, mask, jitter, source, masking_seed=masking_seed)
        changed = prediction.change.apply(composite)
        patches = tokens_to_pixels(prediction.foreground, composite, self.config.patch_size)
        return Harmonized(
            **vars(prediction),
            frames=blend(changed, composite, mask),
            drawn=torch.where(patches, changed, composite),
        )

    def predict(
        self,
        composite: Tensor,
        mask: Tensor,
        jitter: Tensor | None = None,
        source: Tensor | None = None,
        sets: statistics.PixelSets | None = None,
        masking_seed: int = 0,
    ) -> Prediction:
        """Say what is to be done to a window of frames.

        Args:
            composite: (B, T, 3, H, W) in [0, 1], sRGB-encoded RGB.
            mask: (B, T, 1, H, W) bool, True = foreground.
            jitter: random places of the look path's pixel draws, (B, sum(statistics.PIXELS)) in [0,
                1) (training only).
            source: (B,) numbers of the scenes' sources: the look path's member that has not seen
                them answers alone (training only).
            sets: what the look path reads in the place of the window's own colours: those of a
                whole shot.
            masking_seed: of the maskings that draw; the same seed hides the same tokens.
        Raises:
            ShapeError: if the shapes do not belong together or do not divide into patches.
        """
        if (
            composite.ndim != 5
            or composite.shape[2] != 3
            or mask.shape != (*composite.shape[:2], 1, *composite.shape[3:])
        ):
            raise ShapeError(
                f"expected (B, T, 3, H, W) and (B, T, 1, H, W), got {tuple(composite.shape)} and "
                f"{tuple(mask.shape)}"
            )
        config = self.config
        batch, frames, _, height, width = composite.shape
        rows, columns = int(height) // config.patch_size, int(width) // config.patch_size
        patches = patchify(composite, config.patch_size) * 2.0 - 1.0  # (B, L, 3 P P)
        drawn = torch.Generator().manual_seed(masking_seed)
        foreground = foreground_masking(mask, config.patch_size)  # (B, L)
        masked = mask_tokens(
            config.masking, mask, config.patch_size, config.masking_ratio, drawn
        )  # (B, L)

        background = self._encode(patches, ~masked, (int(frames), rows, columns))
        scene, background_features = background[:, :1], background[:, 1:]
        foreground_features = self.pattern_alignment(patches)  # (B, L, D)
        look = (
            None
            if self.look_path is None
            else self.look_path(composite, mask, jitter, sets, source)
        )

        # Maskings change the encoder's view alone: what stands for the foreground is its content in
        # all of them.
        redrawn = masked | foreground
        tokens = torch.where(
            redrawn.unsqueeze(-1),
            foreground_features.to(background_features.dtype),
            background_features,
        )
        decoded = self._decode(
            torch.cat([scene, tokens], dim=1), redrawn, look, (int(frames), rows, columns)
        )
        overall = composite.new_zeros(batch, 3, QUADRATIC) if look is None else look.coefficients
        return Prediction(
            change=self.head(decoded[:, 1:], decoded[:, 0], (int(frames), rows, columns), overall),
            masked=masked,
            foreground=foreground,
            foreground_features=foreground_features,
            background_features=background_features,
            look=look,
        )

    def look_again(
        self,
        change: Change,
        composite: Tensor,
        mask: Tensor,
        sets: statistics.PixelSets | None = None,
    ) -> Change:
        """Show the look path what color maps make of the frames, and add what it finds still wrong;
        takes what :meth:`predict` does. A change without maps stays as it is."""
        maps = change.maps()
        if maps is None or self.look_path is None or self.look_path.config.again == 0.0:
            return change
        if sets is not None:
            more = self.look_path.read(
                recolor_foreground(sets[0], maps.overall.float()), sets[1]
            ).coefficients
            return dataclasses.replace(
                maps, overall=maps.overall + self.look_path.config.again * more
            )
        if statistics.shows_enough(mask[..., ::2, ::2]):
            composite, mask = composite[..., ::2, ::2], mask[..., ::2, ::2]
        return self.shown_again(maps, composite, mask)

    def shown_again(self, maps: Transform, composite: Tensor, mask: Tensor) -> Transform:
        """:meth:`look_again` at frames of any size, for a network that has a look path."""
        assert self.look_path is not None
        shown = blend(maps.apply(composite), composite, mask).clamp(0.0, 1.0)
        more = self.look_path(shown, mask).coefficients
        return dataclasses.replace(maps, overall=maps.overall + self.look_path.config.again * more)

    def _encode(self, patches: Tensor, visible: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """Encode the visible tokens: scene token first, (B, 1 + L, D). Masked tokens are seen by
        none and stay zero."""
        position = position_code(*shape, self.config.embed_dim, patches.device)
        if self.packed and patches.device.type == "cpu":
            tokens = (
                self.embed(patches[visible]) + position.expand(len(patches), -1, -1)[visible]
            )  # (S, D)
            return self.encoder.encode_packed(tokens, visible, self.scene_token[0])
        return self.encoder.encode_masked(
            self.embed(patches) + position, visible, self.scene_token[0]
        )

    def _decode(
        self, tokens: Tensor, masked: Tensor, look: LookReading | None, shape: tuple[int, int, int]
    ) -> Tensor:
        """Decode scene, visible and mask tokens together: (B, 1 + L, D)."""
        position = position_code(*shape, self.config.decoder_dim, tokens.device)
        position = torch.cat(
            [torch.zeros_like(position[:1]), position]
        )  # the scene token has no place
        embedded = self.to_decoder(tokens) + position
        if look is not None and self.look_to_decoder is not None:
            # The look joins the mask tokens and the scene token; the background needs no
            # harmonizing.
            receives = torch.cat([torch.ones_like(masked[:, :1]), masked], dim=1).unsqueeze(-1)
            embedded = embedded + receives * self.look_to_decoder(
                look.hidden.to(embedded.dtype)
            ).unsqueeze(1)
        decoded: Tensor = self.decoder(embedded)
        return decoded
