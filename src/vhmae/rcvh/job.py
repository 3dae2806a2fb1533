"""The jobs of ``vhmae rcvh``, importable without the libraries of its pages."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from vhmae.matting.job import Key
from vhmae.options import NATURAL, POSITIVE, RANGE, option
from vhmae.web.job import ServeOptions

MatteWay = Literal["rvm", "salient", "chroma", "file"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Footage:
    """Where raw footage lies and how it is cut."""

    raw: Path = option(metavar="DIR")
    """Footage; sources.csv in it (file, source, licence) is read."""
    out: Path = option(metavar="DIR")
    """The set; what is there already is not made again."""
    way: MatteWay = option(flag="--matte")
    """How foregrounds are cut out."""
    mattes: Path | None = option(None, metavar="DIR", ways=("file",))
    """file: the mattes by the names of the raw files."""
    weights: Path | None = option(None, metavar="FILE", ways=("rvm", "salient"))
    """rvm, salient: the network's .onnx file (VHMAE_RVM, VHMAE_ISNET)."""
    key: Key = option("auto", ways=("chroma",))
    """chroma: the screen's color."""
    seconds: tuple[float, float] = option((2.0, 4.0), metavar="LOW:HIGH", form=RANGE)
    """Length of a clip."""
    lines: int = option(480, metavar="N", form=POSITIVE)
    """Lines of a composite at most, on the shorter side."""
    threads: int | None = None
    """Of a network, where several processes run: not for users, who say how many processes."""

    def clip_file(self, name: str) -> Path:
        return self.out / "parts" / "clips" / f"{name}.mp4"

    def matte_file(self, name: str) -> Path:
        return self.out / "parts" / "mattes" / f"{name}.mkv"

    def foreground_file(self, name: str) -> Path:
        return self.out / "parts" / "foregrounds" / f"{name}.mkv"

    def silhouette_file(self, name: str) -> Path:
        return self.out / "parts" / "silhouettes" / f"{name}.npz"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildJob:
    """A set to build."""

    footage: Footage
    """What it is built of."""
    count: int = option(3148, metavar="N", form=POSITIVE)
    """Composites."""
    seed: int = option(0, metavar="N", form=NATURAL)
    """Draws pairs and placements."""
    ratios: tuple[float, float] = option(
        (0.3, 0.8), flag="--foreground-ratio", metavar="LOW:HIGH", form=RANGE
    )
    """Share of the frame that is covered, in the mean."""
    workers: int | None = option(None, metavar="N", form=POSITIVE)
    """Processes (one a core; salient: fewer where memory is short)."""
    ray: bool = False
    """Spread the work over a Ray cluster that shares these folders."""
    sheet: Path | None = option(None, metavar="PICTURE")
    """Draw a sheet of the first 60 composites."""
    progress: bool = False
    """Show bars on stderr."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReviewJob(ServeOptions):
    """A set to look through."""

    set: Path = option(positional=True, metavar="DIR")
    """A set that vhmae rcvh build made."""
    export: bool = False
    """Write the decisions into the manifest, and serve nothing."""
