"""What answers windows of frames: a network, whatever runs it. Importable without torch."""

from __future__ import annotations

import dataclasses
from typing import Literal, Protocol, runtime_checkable

from vhmae.arrays import ColorMap, MapGrid, Mask, PixelSteps, UnitFrames
from vhmae.color.pixels import ReadSets
from vhmae.model.config import ModelConfig

Backend = Literal["onnx", "torch"]
Precision = Literal["fp32", "bf16", "fp16"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a network says of a window of T frames: color maps, or the pixels that it draws."""

    overall: ColorMap | None
    """(3, 10) float32: the residual map of the whole foreground; None where pixels are drawn."""
    local: MapGrid | None
    """(T, N, N, 3, 4) float32: residual maps per cell; None where pixels are drawn."""
    drawn: PixelSteps | None
    """(T, S, S, 3) float32: what is drawn minus the composite; None where there are maps."""
    squared: float
    """Mean squared change of color inside the mask, colors in [0, 1]."""


@runtime_checkable
class WindowNetwork(Protocol):
    """A network where it runs."""

    @property
    def backend(self) -> Backend: ...

    @property
    def device(self) -> str:
        """Where it runs, as ``--device`` names it."""

    @property
    def precision(self) -> Precision:
        """Of its products."""

    @property
    def config(self) -> ModelConfig: ...

    @property
    def holds_between_key_frames(self) -> bool:
        """Whether its changes are color maps, which hold between the frames that it sees."""

    @property
    def usual_caution(self) -> float:
        """Half of a change this small, in levels of 255, is left undone where nobody says
        otherwise."""

    def ask(self, frames: UnitFrames, masks: Mask, sets: ReadSets | None = None) -> Answer:
        """Ask the network once.

        Args:
            frames: (T, S, S, 3) float32 RGB in [0, 1], S the network's own size.
            masks: (T, S, S) bool, True = foreground.
            sets: the colors of the whole shot, where it has been surveyed.
        """

    def digest(self) -> str:
        """SHA-256 of the numbers that it answers by."""
