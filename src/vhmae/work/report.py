"""The report of a run (docs/cli.md): what was written, how long it took, and what the user should
know."""

from __future__ import annotations

import dataclasses
from typing import Any

from vhmae.engine.networks import WindowNetwork


def where_it_runs(network: WindowNetwork) -> dict[str, Any]:
    """What a report says of a network."""
    return {
        "backend": network.backend,
        "device": network.device,
        "precision": network.precision,
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What is said of a run."""

    frames: int
    """Frames written, those before a resumed run's stop included."""
    fps: float
    """Frames a second of this run alone."""
    seconds: float
    size_bytes: int
    """Of the file, or of all pictures."""
    seconds_by_stage: dict[str, float]
    """Work of each stage, without waiting for the others."""
    mean_change: float
    """Mean change inside the matte, in levels of 255, of the frames that have a foreground."""
    passed_through: int
    """Frames without foreground; where the background moves, those in which nothing did."""
    skipped: int
    """Frames outside the part that was asked for."""
    warnings: list[str]
    backend: str
    """What ran the network: onnx or torch."""
    device: str
    precision: str
    quality: str
    latency_frames: int
    """Frames by which the output lags behind the input."""
    input_space: str
    """What the composite's values stand for."""
    output_space: str
    """What those of the output stand for."""
    job: dict[str, Any]
    """The options of the run: what a job file holds."""

    outside_change: float | None = None
    """Mean change outside the matte, likewise, where the background moves."""
    guide: dict[str, Any] | None = None
    """What a person said, as a guide file holds it."""
    guided: list[dict[str, Any]] | None = None
    """For each point of the guide: what was asked, what came out, what is left."""
    needed: list[dict[str, Any]] | None = None
    """For each shot, where one guide rules all of them: what it still needed beside the guide."""

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        told = dataclasses.asdict(self)
        optional = ("outside_change", "guide", "guided", "needed")
        unsaid = [name for name in optional if told[name] is None]
        return {"schema": 1, **{name: value for name, value in told.items() if name not in unsaid}}


@dataclasses.dataclass
class Tally:
    """Counts over the frames that were written."""

    passed_through: int = 0
    changed_frames: int = 0
    damaged: int = 0
    cut: int = 0
    """Frames of OpenEXR with light above 1."""
    change: float = 0.0
    """Sum over frames of the mean change inside the matte, in levels of 255."""
    outside_frames: int = 0
    """Those whose background was changed."""
    change_outside: float = 0.0
    """Sum over these of the mean change outside the matte."""

    @property
    def mean_change(self) -> float:
        return round(self.change / max(1, self.changed_frames), 3)

    @property
    def outside_change(self) -> float | None:
        """Mean change outside the matte; None where no background was changed."""
        frames = self.outside_frames
        return round(self.change_outside / frames, 3) if frames else None

    def count(self, levels: float | None, outside: float | None = None) -> None:
        """Count a frame by its mean changes inside and outside the matte; None is one without
        foreground, or whose background stays as it is."""
        if outside is not None:
            self.outside_frames += 1
            self.change_outside += outside
        if levels is None:
            self.passed_through += outside is None
        else:
            self.changed_frames += 1
            self.change += levels
