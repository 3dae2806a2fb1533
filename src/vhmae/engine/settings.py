"""How to harmonize, and where: the settings that every way of running the harmonizer shares.

Importable without torch: the command line reads its flags off these fields.
"""

from __future__ import annotations

import dataclasses
import numbers
from typing import Literal

from vhmae.engine.moving import Move
from vhmae.errors import InputError
from vhmae.options import option, options_of

Quality = Literal["fast", "balanced", "best"]
Windows = Literal["auto", "disjoint", "overlapping"]
Kept = Literal["hue", "luma", "saturation"]
PrecisionChoice = Literal["auto", "fp32", "bf16", "fp16"]
BackendChoice = Literal["auto", "onnx", "torch"]

STRIDES: dict[str, int] = {"fast": 12, "balanced": 6, "best": 3}
"""Frames from one key frame to the next."""


FOR_EVERYONE = {"weights": "free"}
"""What the demo and the app start with: weights that may be used for anything."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarmonizerSettings:
    """How to harmonize, and where."""

    quality: Quality = "balanced"
    """How often the network looks: every 12, 6 or 3 frames; best looks at whole shots first."""
    strength: float = option(1.0, metavar="0..1")
    """How far to go: 0 is untouched, 1 all of the way."""
    caution: float | None = option(None, metavar="LEVELS")
    """Half of a change this small, in levels of 255, is left undone; 0 is bold (what the weights
    say)."""
    windows: Windows = "auto"
    """How key frames are gathered for the network: disjoint asks once for each; overlapping puts
    each in the middle of its window (Fig. 3), at so many times the cost; auto is overlapping for
    drawn pixels, disjoint for color maps."""
    keep: tuple[Kept, ...] = option((), metavar="hue,luma,saturation")
    """What of the foreground's colors stays as it is."""
    skin: bool = False
    """Pull the hue of skin in the foreground weakly towards hues that skin has; on portraits whose
    truth is known this did not help (docs/decisions.md)."""
    move: str = option("foreground", metavar="foreground|background|both[:SHARE]")
    """Who moves: the foreground to the background, the background to the foreground (nothing
    outside the mask stays as it was then), or both, the foreground by SHARE of the way (.5)."""
    cut_detection: bool = option(
        True,
        without="Begin no shot but at cuts that are named: else the video is one shot",
    )
    """Begin a new shot at each cut that is detected."""
    weights: str = option(
        "default",
        metavar="NAME|PATH|hf:owner/name",
        group="where the model runs",
        same_frames=True,
    )
    """Packaged weights, a .safetensors file, or one of the hub."""
    backend: BackendChoice = option("auto", group="where the model runs")
    """ONNX Runtime or torch; auto is ONNX Runtime where it can run the weights, torch where only
    torch uses the GPU."""
    device: str = option("auto", group="where the model runs")
    """auto, cpu, cuda[:N], mps (torch), directml[:N] or coreml (ONNX Runtime)."""
    precision: PrecisionChoice = option("auto", group="where the model runs")
    """Of products; auto measures which one is fast."""
    threads: int | None = option(None, metavar="N", group="where the model runs", same_frames=True)
    """CPU threads (all)."""

    def __post_init__(self) -> None:
        check_options(self)
        Move.parse(self.move)
        if not 0.0 <= self.strength <= 1.0:
            raise InputError(
                "out of range; expected 0 (untouched) to 1 (full)",
                field="strength",
                value=self.strength,
            )
        if self.caution is not None and not 0.0 <= self.caution <= 255.0:
            raise InputError(
                "out of range; expected 0 (bold) to 255 levels", field="caution", value=self.caution
            )
        if self.threads is not None and self.threads < 1:
            raise InputError("expected a number from 1 up", field="threads", value=self.threads)


def check_options(settings: HarmonizerSettings) -> None:
    """Refuse words that are unknown."""
    for one in options_of(type(settings)):
        if hasattr(settings, one.name):  # those of a field that is a dataclass check themselves
            one.check(getattr(settings, one.name))


def check_lookahead(frames: object) -> None:
    """Refuse what is no number of frames to look ahead."""
    count = float(frames) if isinstance(frames, numbers.Real) else -1.0
    if frames is not None and not (count >= 0.0 and count.is_integer()):
        told = "expected 0 (live) or a number of frames"
        raise InputError(told, field="lookahead", value=frames)
