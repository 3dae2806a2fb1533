"""VHMAE: masking -> encoder -> pattern alignment -> decoder -> head (Fig. 3).

Letters: B batch, T frames, N patches in a row, L = T * N * N tokens, D embedding, P patch side.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from vhmae.color import statistics
from vhmae.color.basis import QUADRATIC
from vhmae.color.recording import either, sizes
from vhmae.errors import ShapeError
from vhmae.model.config import ModelConfig
from vhmae.model.heads import Change, Head, blend, head_class
from vhmae.model.likeness import Likes
from vhmae.model.look import (
    LookPath,
    LookReading,
    MemberLinear,
    recolor_foreground,
    recolor_likes,
)
from vhmae.model.masking import (
    foreground_masking,
    mask_tokens,
    patchify,
    tokens_to_pixels,
)
from vhmae.model.pattern_alignment import LearnedToken, PatternAlignment
from vhmae.model.transformer import Transformer, position_code


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
    """What the look path says; None in a model without one."""


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
        reference. A GPU takes that in any case: its kernels are faster on whole rows than on
        samples of all lengths, one after the other."""
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
        masked: Tensor | None = None,
    ) -> Harmonized:
        """Harmonize a window of frames; takes what :meth:`predict` does."""
        prediction = self.predict(
            composite, mask, jitter, source, masking_seed=masking_seed, masked=masked
        )
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
        surveyed: Tensor | None = None,
        masked: Tensor | None = None,
    ) -> Prediction:
        """Say what is to be done to a window of frames.

        Args:
            composite: (B, T, 3, H, W) in [0, 1], sRGB-encoded RGB.
            mask: (B, T, 1, H, W) bool, True = foreground.
            jitter: random places of the look path's pixel draws, (B, sum(statistics.PIXELS)) in [0,
                1) (training only).
            source: (B,) numbers of the scenes' sources: the look path's member that has not seen
                them answers alone (training only).
            sets: what the look path reads in the place of the window's own colors: those of a
                whole shot.
            masking_seed: of the maskings that draw; the same seed hides the same tokens.
            masked: (B, L) bool, tokens that were drawn to be hidden for these very windows: rows of
                a larger batch; None draws them by ``masking_seed``.
            surveyed: () bool: whether ``sets`` are read, where a graph is recorded that does
                either; None reads them where there are any.
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
        batch, frames, _, height, width = sizes(composite)
        rows, columns = height // config.patch_size, width // config.patch_size
        patches = patchify(composite, config.patch_size) * 2.0 - 1.0  # (B, L, 3 P P)
        foreground = foreground_masking(mask, config.patch_size)  # (B, L)
        if masked is None:
            drawn = torch.Generator().manual_seed(masking_seed)
            masked = mask_tokens(
                config.masking, mask, config.patch_size, config.masking_ratio, drawn
            )  # (B, L)

        background = self._encode(patches, ~masked, (frames, rows, columns))
        scene, background_features = background[:, :1], background[:, 1:]
        foreground_features = self.pattern_alignment(patches)  # (B, L, D)
        look = (
            None
            if self.look_path is None
            else self.look_path(composite, mask, jitter, sets, source, surveyed)
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
            torch.cat([scene, tokens], dim=1), redrawn, look, (frames, rows, columns)
        )
        overall = composite.new_zeros(batch, 3, QUADRATIC) if look is None else look.coefficients
        return Prediction(
            change=self.head(decoded[:, 1:], decoded[:, 0], (frames, rows, columns), overall),
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
        surveyed: Tensor | None = None,
        likes: Likes | None = None,
    ) -> Change:
        """Show the look path what color maps make of the frames, and add what it finds still wrong;
        takes what :meth:`predict` does. A change without maps stays as it is.

        Args:
            likes: those that :meth:`predict` found, where the path reads any: what is alike stays
                so, whatever its color.
        """
        maps, path = change.maps(), self.look_path
        if maps is None or path is None or path.config.again == 0.0:
            return change
        overall = maps.overall.float()
        alike = recolor_likes(path.find_likes(composite, mask) if likes is None else likes, overall)

        def shown(frames: Tensor, covered: Tensor) -> Tensor:
            made = blend(maps.apply(frames), frames, covered).clamp(0.0, 1.0)
            return path.read(*statistics.draw_pixel_sets(made, covered), alike).coefficients

        def of_frames() -> Tensor:
            part = mask[..., ::2, ::2]
            inside = part.sum()
            # enough to draw from on either side
            enough = torch.minimum(inside, part.numel() - inside) >= statistics.PIXELS[0] // 4
            return either(
                enough,
                lambda: shown(composite[..., ::2, ::2], part),
                lambda: shown(composite, mask),
            )

        def of_sets(read: statistics.PixelSets) -> Tensor:
            made = recolor_foreground(read[0], overall)
            return path.read(made, read[1], alike).coefficients

        if sets is None:
            more = of_frames()
        elif surveyed is None:
            more = of_sets(sets)
        else:
            more = either(surveyed, lambda: of_sets(sets), of_frames)
        return dataclasses.replace(maps, overall=maps.overall + path.config.again * more)

    def _encode(self, patches: Tensor, visible: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """Encode the visible tokens: scene token first, (B, 1 + L, D). Masked tokens are seen by
        none and stay zero."""
        position = position_code(*shape, self.config.embed_dim, patches.device)
        recorded = torch.compiler.is_exporting()
        if self.packed and patches.device.type == "cpu" and not recorded:
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
        # The scene token has no place.
        position = torch.cat([torch.zeros_like(position[:1]), position])
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
