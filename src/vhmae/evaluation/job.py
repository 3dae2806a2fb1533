"""The jobs of ``vhmae evaluate``, ``compare``, ``fit-constant`` and ``fit-prior``, importable
without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vhmae.data.job import Looks
from vhmae.engine.settings import HarmonizerSettings
from vhmae.errors import InputError
from vhmae.options import NATURAL, POSITIVE, WORDS, option

METHOD_FORMS = (
    "NAME|vhmae:WEIGHTS|comparator:WEIGHTS|folder:PATH|module:function|FILE.py:function|LABEL=ANY"
)
"""How a method is written, as vhmae.evaluation.methods reads it."""
ProtocolName = Literal["clean", "co2net", "vtt", "hinet"]
ALL_BUT_TEMPORAL = ("fmse", "mse", "psnr", "fssim")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateJob:
    """Methods to score on a data set."""

    data: Path = option(metavar="DIR")
    """The set."""
    methods: tuple[str, ...] = option(("vhmae",), flag="--method", metavar=METHOD_FORMS)
    """NAME is one of composite, constant, reinhard, histogram, mkl, gain, vhmae, vhmae-look (its
    look path alone), oracle-affine, oracle-quadratic; repeatable (vhmae)."""
    mix: float = option(1.0, metavar="0..1")
    """How far reinhard, histogram and mkl go; of gain the power of the gains."""
    protocol: ProtocolName = "clean"
    """How results become numbers: docs/conventions.md."""
    metrics: tuple[str, ...] = option(
        ALL_BUT_TEMPORAL, metavar="fmse,mse,psnr,fssim,temporal", form=WORDS
    )
    """What is measured (all but temporal)."""
    cache: Path | None = option(None, metavar="DIR")
    """Keep decoded pictures here: the next evaluation is faster."""
    size: int | None = option(None, metavar="N", form=POSITIVE)
    """Resize pictures to N x N first, masks stay soft (as they are)."""
    write: Path | None = option(None, metavar="DIR")
    """Leave the frames in a new folder, as folder: and study create read them."""
    swap_background: bool = False
    """Put another video's background behind each foreground."""
    list_file: Path | None = option(None, flag="--list", metavar="FILE")
    """Three folders a line (test_list.txt)."""
    natural: Path | None = option(None, metavar="DIR")
    """Clips with masks, untouched: how far the method moves them."""
    settings: HarmonizerSettings = dataclasses.field(default_factory=HarmonizerSettings)
    """How the network harmonizes, and where."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is shown side by side; either ``composite`` and ``mask``, or ``data``."""

    composite: Path | None = option(None, positional=True, metavar="COMPOSITE")
    """A clip of your own."""
    mask: Path | None = None
    """Its mask."""
    target: Path | None = option(None, metavar="VIDEO")
    """What it should look like, where that is known."""
    data: Path | None = option(None, metavar="DIR")
    """Instead of a clip: a set in the HYouTube layout."""
    name: str | None = option(None, metavar="VIDEO/object_k")
    """Which composite of the set (the first)."""
    methods: Sequence[str] = option(("vhmae",), flag="--method", metavar=METHOD_FORMS)
    """A method as in evaluate, or LABEL=VIDEO for a finished result; repeatable (vhmae)."""
    frame: int | None = option(None, metavar="N", form=NATURAL)
    """Which frame, from 0 (the middle)."""
    output: Path = option(flag="-o/--output", metavar="SHEET.png")
    """Picture to write."""
    settings: HarmonizerSettings = dataclasses.field(default_factory=HarmonizerSettings)
    """Where the network runs."""

    def __post_init__(self) -> None:
        own = (self.composite, self.mask, self.target)
        unheeded = next((one for one in own if one is not None), None)
        if self.data is not None and unheeded is not None:
            told = "is of a clip of your own, and `data` of a set; leave one of both out"
            raise InputError(f"{unheeded}: {told}")
        if self.data is None and self.name is not None:
            told = "is of a set; give its `data`, or leave it out"
            raise InputError(told, field="name", value=self.name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConstantJob:
    """A color map to fit that never looks at the background."""

    data: Path = option(metavar="DIR")
    """A set of training composites."""
    looks: Looks = option()
    """The mode that the set was made in."""
    output: Path = option(flag="-o/--output", metavar="FILE")
    """JSON file; other modes in it are kept."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PriorJob:
    """What guided harmonizing knows beforehand, to be fitted."""

    data: tuple[Path, ...] = option(metavar="DIR", together=True)
    """Sets of composites with targets, of several kinds of look."""
    output: Path = option(flag="-o/--output", metavar="FILE")
    """JSON file to write."""
