"""ASC CDL: ten numbers that most suites read. out = clamp(slope in + offset) ^ power, then
saturation about Rec. 709 luma."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vhmae.engine.rendering import LUMA
from vhmae.errors import InputError

FORMATS = {
    ".cc": "ColorCorrection",
    ".ccc": "ColorCorrectionCollection",
    ".cdl": "ColorDecisionList",
}
"""Suffixes, and OpenColorIO's names of what they hold."""


@dataclasses.dataclass(frozen=True)
class Cdl:
    """The ten numbers."""

    slope: tuple[float, float, float]
    offset: tuple[float, float, float]
    power: tuple[float, float, float]
    saturation: float

    def apply(self, rgb: Tensor) -> Tensor:
        """(P, 3) in [0, 1] -> (P, 3), clipped to [0, 1]."""
        values = (
            rgb.new_tensor(part)
            for part in (self.slope, self.offset, self.power, [self.saturation])
        )
        return _apply(rgb, *values).clamp(0.0, 1.0)


def _apply(rgb: Tensor, slope: Tensor, offset: Tensor, power: Tensor, saturation: Tensor) -> Tensor:
    graded = (rgb * slope + offset).clamp(1e-6, 1.0) ** power
    luma = (graded @ rgb.new_tensor(LUMA.tolist())).unsqueeze(-1)
    return luma + saturation * (graded - luma)


def fit_cdl(before: Tensor, after: Tensor, pixels: int = 20_000) -> Cdl:
    """Fit the numbers to pixels (P, 3) in [0, 1] before and after: least squares, from the identity
    on."""
    step = max(1, len(before) // pixels)
    source, target = before[::step].double(), after[::step].double()
    logs = torch.zeros(
        7, dtype=torch.float64, requires_grad=True
    )  # of slope, power and saturation: these stay above zero
    offset = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [logs, offset], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        slope, power, saturation = logs.exp().split([3, 3, 1])
        loss = (_apply(source, slope, offset, power, saturation) - target).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    numbers = torch.cat([logs[:3].exp(), offset, logs[3:].exp()]).detach()
    # What the text forms can carry: six places, and in an EDL no power of ten, as Python writes
    # less than .0001.
    values: list[Any] = [
        round(value, 6) if abs(value) >= 1e-4 else 0.0 for value in numbers.tolist()
    ]
    return Cdl((*values[:3],), (*values[3:6],), (*values[6:9],), values[9])


def write_cdls(cdls: dict[str, Cdl], note: str, path: Path) -> None:
    """Write corrections by their names as .ccc or .cdl, or one as .cc, by OpenColorIO."""
    ocio = require_ocio()
    transforms = []
    for name, cdl in cdls.items():
        transform = ocio.CDLTransform()
        transform.setSlope(cdl.slope)
        transform.setOffset(cdl.offset)
        transform.setPower(cdl.power)
        transform.setSat(cdl.saturation)
        transform.setID(name)
        transform.setFirstSOPDescription(note)
        transforms.append(transform)
    text = ocio.GroupTransform(transforms).write(
        formatName=FORMATS[path.suffix.lower()], config=ocio.Config.CreateRaw()
    )
    path.write_text(text, encoding="utf-8")


def require_ocio() -> Any:
    try:
        import PyOpenColorIO
    except ImportError:
        raise InputError(
            "export cdl: OpenColorIO is not installed; run: pip install 'vhmae[grade]'"
        ) from None
    return PyOpenColorIO
