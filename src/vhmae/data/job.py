"""The jobs of ``vhmae synthesize``, ``aligned`` and ``pack-mask``, importable without torch."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Literal

from vhmae.color.cube import Split
from vhmae.errors import InputError, did_you_mean
from vhmae.options import NATURAL, RANGE, WORDS, Form, option

CameraSplit = Literal["train", "dev", "val", "all"]
Looks = Literal["one", "two"]
IN_DATA = ("videos", "luts", "cameras", "stills")
"""Fields of a recipe that are paths below the data."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetJob:
    """An evaluation set to make, by a recipe, by options, or by both."""

    config: Path | None = option(None, metavar="FILE")
    """A set by its recipe, see configs/benchmarks/; options overrule it."""
    data: Path | None = option(None, metavar="DIR")
    """Where the recipe's paths begin (VHMAE_DATA)."""
    output: Path = option(flag="-o/--output", metavar="SET")
    """Folder to make."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PackMaskJob:
    """Masks to pack."""

    masks: tuple[Path, ...] = option(positional=True, metavar="MASK")
    """White where the foreground is: a video, pictures, a folder or sequence of pictures."""
    output: Path = option(flag="-o/--output", metavar="FILE.mask.npz")
    """Beside FILE.mp4."""
    mask_label: int | None = option(None, metavar="N")
    """Number of the object that is the foreground, in masks that hold labels (all but 0)."""


def _error(text: str) -> float:
    value = float(text)
    if not 0.0 <= value < math.inf:
        raise ValueError
    return value


@dataclasses.dataclass(frozen=True, kw_only=True)
class SynthesisRecipe:
    """What ``vhmae synthesize`` writes; the same values give the same files."""

    videos: Path = option(metavar="DIR")
    """Clips with masks: NAME.mp4 beside NAME.mask.npz."""
    luts: Path | None = option(None, metavar="FILE")
    """.npz bank or a folder of .cube files."""
    lut_split: Split = "heldout"
    """Which LUTs are drawn: those kept for testing, or those of training."""
    looks: Looks = "two"
    """one: B inside the mask; two: A outside, B inside."""
    shifts: tuple[str, ...] = option(
        ("lut", "parametric"), metavar="lut,parametric,...", form=WORDS
    )
    """What looks are made of: lut, parametric, camera, photo, enhanced_lut, ...; on the foreground
    alone lighting, hue, haze, noise, blur, compression."""
    cameras: Path | None = option(None, metavar="FILE")
    """.npz bank of camera renderings, for --shifts camera."""
    camera_split: CameraSplit = "val"
    """Which of its scenes are drawn: those of training, or those kept for measuring, dev
    and val."""
    stills: Path | None = option(None, metavar="DIR")
    """NAME.jpg beside NAME.png (labels): clips of one frame, after the videos."""
    skin: bool = False
    """Keep where the foreground is skin, found before the looks: its error is then scored apart."""
    per_video: int = option(2, metavar="N")
    """Composites a video."""
    strength: tuple[float, float] | None = option(None, metavar="LOW:HIGH", form=RANGE)
    """Share of the way from the identity (one look 1, two 0.3:1)."""
    clean_edge: int | None = option(None, metavar="N", form=NATURAL)
    """Pixels of a 288-line frame (one look 0, two 4)."""
    foreground_ratio: tuple[float, float] = option((0.0, 1.0), metavar="LOW:HIGH", form=RANGE)
    """Clips whose mean foreground has another share are left out."""
    crop: tuple[float, float] | None = option(None, metavar="LOW:HIGH", form=RANGE)
    """Crop around the subject where it has such a share, and leave out where it has none (whole
    frames)."""
    clips: Path | None = option(None, metavar="FILE")
    """Names of the clips that are taken, one a line (all)."""
    frames: int = option(20, metavar="N")
    """Frames a video, spread over it."""
    seed: int = option(0, metavar="N", form=NATURAL)
    """The same seed gives the same files."""

    def __post_init__(self) -> None:
        from vhmae.data.looks import LOOKS  # these load torch
        from vhmae.data.looks.spatial import ADDED

        known = (*LOOKS, *ADDED)  # as they are now: a user may have added a kind
        for shift in self.shifts:
            if shift not in known:
                raise InputError(
                    f"unknown shift {shift}{did_you_mean(shift, known)}; known: {', '.join(known)}",
                    field="shifts",
                )
        low, high = self.strengths
        if not 0.0 <= low <= high <= 1.0:
            raise InputError(
                f"`strength` {low}:{high}: expected LOW:HIGH with 0 <= LOW <= HIGH <= 1"
            )
        if self.crop is not None and not 0.0 < self.crop[0] <= self.crop[1] < 1.0:
            raise InputError(
                f"`crop` {self.crop[0]}:{self.crop[1]}: expected LOW:HIGH with 0 < LOW <= HIGH < 1"
            )
        if self.seed < 0 or (self.clean_edge or 0) < 0:
            raise InputError("`seed` and `clean_edge` must be 0 or more")
        if self.frames < 1 or self.per_video < 1:
            raise InputError("`frames` and `per_video` must be at least 1")
        for shift in self.shifts:  # a set may draw a look late, or not at all
            needs = LOOKS[shift].needs if shift in LOOKS else ""
            if needs and getattr(self, needs, None) is None:
                what = {"luts": "a LUT bank", "cameras": "camera renderings"}[needs]
                raise InputError(
                    f"`shifts` {shift}: needs {what}; pass `{needs}` FILE or use other `shifts`"
                )

    def below(self, root: str | Path | None) -> SynthesisRecipe:
        """The recipe with its relative paths taken from a data folder."""
        paths: dict[str, Path] = {
            name: path for name in IN_DATA if (path := getattr(self, name)) is not None
        }
        relative = [path for path in paths.values() if not path.is_absolute()]
        if not relative:
            return self
        if not root:
            raise InputError(
                f"{relative[0]}: is relative to the data, which is not known; pass `data` DIR or "
                "set VHMAE_DATA"
            )
        return dataclasses.replace(self, **{name: Path(root, path) for name, path in paths.items()})  # type: ignore[arg-type]  # all are paths

    @property
    def strengths(self) -> tuple[float, float]:
        return self.strength or ((1.0, 1.0) if self.looks == "one" else (0.3, 1.0))

    @property
    def edge_pixels(self) -> int:
        default = 0 if self.looks == "one" else 4
        return default if self.clean_edge is None else self.clean_edge


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlignedRecipe:
    """What ``vhmae aligned`` writes; the same values give the same files."""

    takes: Path = option(metavar="DIR")
    """VIEW/TIME.jpg: the same view at other times, aligned to a pixel."""
    masks: Path = option(metavar="DIR")
    """VIEW/NAME.png: regions of the view in white, the foreground."""
    pairs: Path = option(metavar="FILE")
    """VIEW MASK A B a line: MASK of time B over time A; three words, MASK A B, where the pictures
    lie in the folder itself; lines that begin with # are remarks."""
    views: tuple[str, ...] = option((), metavar="VIEW,...", form=WORDS)
    """Which views (all)."""
    least_fmse: float = option(20.0, metavar="N", form=Form("a number from 0 up", _error))
    """Leave out what differs less from its answer: there is nothing to mend."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.least_fmse < math.inf:
            raise InputError("expected a number from 0 up", field="least_fmse")

    def below(self, root: str | Path | None) -> AlignedRecipe:
        """The recipe with its relative paths taken from a data folder."""
        paths = {name: getattr(self, name) for name in ("takes", "masks", "pairs")}
        if root:
            paths = {name: Path(root, path) for name, path in paths.items()}
        elif not all(path.is_absolute() for path in paths.values()):
            raise InputError(
                f"{self.takes}: is relative to the data, which is not known; pass `data` DIR or "
                "set VHMAE_DATA"
            )
        return dataclasses.replace(self, **paths)
