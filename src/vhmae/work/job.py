"""The jobs of a user: what is harmonized, how, and what is written.

Importable without torch. The flags of the commands, the columns of ``vhmae batch``, the keywords of
:func:`vhmae.harmonize_video`, job files and the report are read off these fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypedDict

from vhmae.engine.moving import Move
from vhmae.engine.settings import (
    BackendChoice,
    HarmonizerSettings,
    Kept,
    PrecisionChoice,
    Quality,
    Windows,
)
from vhmae.errors import InputError
from vhmae.guide.document import Guide
from vhmae.guide.options import GuideOptions
from vhmae.options import POSITIVE, option
from vhmae.progress import ProgressMode
from vhmae.video.pairing import Pairing
from vhmae.video.placement import KEEPS_TURN, Placement

Audio = Literal["copy", "aac", "none"]
Matrix = Literal["bt601", "bt709", "bt2020"]
Layer = Literal["composite", "foreground", "background"]
MaskMaker = Literal["rvm", "salient"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnalysisJob(HarmonizerSettings):
    """A video to look at."""

    composite: Path = option(metavar="COMPOSITE", role="input")
    """Video, picture, folder or sequence (shot.%04d.png)."""
    masks: tuple[Path, ...] = option((), flag="--mask", metavar="MASK", role="input")
    """White where the foreground is, grey where it is soft: a video, picture, folder, sequence or
    .npz; several times for several objects (the composite's own alpha)."""
    foreground: Path | None = option(
        None, metavar="VIDEO", group="two layers in the place of a composite", role="input"
    )
    """Video or pictures to lay over the composite, which is the background alone then: by their
    alpha channel, or the mask."""
    placement: Placement = dataclasses.field(default_factory=Placement)
    """How the foreground is laid."""
    words: GuideOptions = dataclasses.field(default_factory=GuideOptions)
    """What a person says."""
    start: float = option(0.0, metavar="SECONDS")
    """From when on frames are kept, counted from the first one."""
    end: float | None = option(None, metavar="SECONDS")
    """Up to when frames are kept (the end)."""
    cuts: Path | None = option(None, metavar="FILE", role="input")
    """Numbers of the frames that begin a shot, one a line."""
    colorspace: Matrix | None = None
    """Overrules the input's color matrix."""
    input_space: str | None = option(None, metavar="NAME")
    """What the composite's values stand for, which is kept: PQ, HLG, or a space of OpenColorIO's
    built-in configuration, as ACEScg, ARRI LogC4, S-Log3 S-Gamut3.Cine (what the file says)."""
    foreground_space: str | None = option(
        None, metavar="NAME", group="two layers in the place of a composite"
    )
    """As --input-space, of the foreground (what the file says)."""
    rate: Fraction | None = option(None, metavar="N")
    """Frames a second of pictures, which do not say (24)."""
    reference: Path | None = option(None, metavar="PICTURE", role="input")
    """A picture to harmonize to, in the place of the background."""
    hold_last_mask: bool = False
    """Let a mask that is too short stand still at its end."""
    mask_label: int | None = option(None, metavar="N")
    """Number of the object that is the foreground, in masks that hold labels (all but 0)."""
    mask_rate: Fraction | None = option(None, metavar="N")
    """Frames a second of masks that do not say and are not those of the video: each frame takes the
    mask of its time."""
    pair: Pairing = "number"
    """How pictures of two sequences go together: by the numbers in their names, in their order, or
    by number those alone that both have."""
    strict: bool = option(False, same_frames=True)
    """Treat warnings as errors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate is not None and self.rate <= 0:
            raise InputError("expected more than 0 frames a second", field="rate", value=self.rate)
        if self.mask_rate is not None and self.mask_rate <= 0:
            told = "expected more than 0 frames a second"
            raise InputError(told, field="mask_rate", value=self.mask_rate)
        if self.foreground_space is not None and self.foreground is None:
            told = "says what a foreground's values are; give a `foreground`, or leave it out"
            raise InputError(told, field="foreground_space", value=self.foreground_space)
        if self.reference is not None and Move.parse(self.move).background:
            told = "goes without `reference`, which is no side; leave one of both out"
            raise InputError(told, field="move", value=self.move)
        if self.mask_label is not None and self.mask_label < 0:
            raise InputError("expected 0 or more", field="mask_label", value=self.mask_label)

    @property
    def keeps_turn(self) -> bool:
        """Whether what is made of the video tells players how it is turned, as the video does;
        else its pixels are turned."""
        return self.foreground is None

    def inputs(self) -> dict[str, Path]:
        """The files that the work depends on, by their part in it."""
        masks = {f"mask {place}": mask for place, mask in enumerate(self.masks)}
        named = {
            "cuts": self.cuts,
            "reference": self.reference,
            "foreground": self.foreground,
            "guide": self.words.guide,
        }
        others = {name: path for name, path in named.items() if path is not None}
        return {"composite": self.composite, **masks, **others}


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarmonizeJob(AnalysisJob):
    """A video to harmonize."""

    output: Path = option(flag="-o/--output", metavar="OUT", role="output", same_frames=True)
    """Video or picture to write, or pictures (frame.%04d.png); it appears whole or not at all."""
    matte: MaskMaker | None = None
    """Make the mask here where none is given: people (rvm), or whatever stands out (salient); look
    at it."""
    matte_weights: Path | None = option(None, metavar="FILE")
    """The network of --matte (VHMAE_RVM, VHMAE_ISNET)."""
    layer: Layer = "composite"
    """What to write: foreground is the harmonized foreground alone, with the matte as its alpha;
    background is the whole frame in the grade of the background, where that moves: the former laid
    over it is the composite."""
    codec: str | None = option(None, metavar="NAME")
    """Output codec or encoder (the input's family)."""
    crf: int | None = option(None, metavar="N")
    """Quality of x264, x265, VP9 and AV1 (16)."""
    preset: str | None = option(None, metavar="NAME")
    """Speed preset of the encoder."""
    pix_fmt: str | None = option(None, metavar="NAME")
    """Output pixel format (the input's)."""
    resume: bool = option(False, same_frames=True)
    """Write so that a stopped run can be resumed, and resume one that was stopped."""
    audio: Audio = "copy"
    """What becomes of the sound: copied as it is, made AAC, or left out."""
    overwrite: bool = option(
        True, same_frames=True, without="Refuse, before the work, an output that is there already"
    )
    """Put the whole file in the place of one that is there already."""
    check: bool = option(False, same_frames=True)
    """Read everything once, refuse what the work would, say what will be written, and stop."""
    verify: bool = option(
        True, same_frames=True, without="Do not read the written file again to check it"
    )
    """Read the written file again and compare its frames, time stamps and audio with what was
    meant."""
    progress: ProgressMode = option("none", same_frames=True)
    """How it is told how far the work is: auto is a bar on a terminal and lines elsewhere."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.matte is None:
            if self.matte_weights is not None:
                told = "is the network of `matte`; name that, or leave it out"
                raise InputError(told, field="matte_weights", value=self.matte_weights)
            return
        if self.masks or self.foreground is not None or self.resume:
            told = (
                "makes a mask where none is given, and anew each time; leave out `masks`, "
                "`foreground` and `resume`"
            )
            raise InputError(told, field="matte", value=self.matte)

    @property
    def keeps_turn(self) -> bool:
        return super().keeps_turn and self.output.suffix.lower() in KEEPS_TURN


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreviewJob(AnalysisJob):
    """A frame to preview."""

    output: Path = option(flag="-o/--output", metavar="SHEET", role="output")
    """Picture to write (.png, .jpg)."""
    frame: int | None = option(None, metavar="N")
    """Number of the frame, from 0 (the middle one)."""

    @property
    def keeps_turn(self) -> bool:
        return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlternativesJob(AnalysisJob):
    """Takes of a shot to choose from."""

    output: Path = option(flag="-o/--output", metavar="SHEET", role="output")
    """Picture to write (.png, .jpg); the guide of take N lies beside it, SHEET.takeN.json."""
    count: int = option(6, metavar="N")
    """Takes: the answer (or the one chosen last), the untouched composite, and two a direction in
    which the answer is not certain."""
    chosen: int | None = option(None, metavar="N")
    """Choose this take of the last sheet, and show finer ones about it; 0 takes back the last
    choice of the guide."""
    frame: int | None = option(None, metavar="N")
    """Number of the frame to show, from 0 (that of the last choice, or the middle one)."""
    object: int | None = option(None, metavar="N")
    """Which mask's foreground it is about, from 1 (that of the guide's last choice, or the
    first)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamJob(HarmonizerSettings):
    """A stream to harmonize, from a pipe into a pipe."""

    masks: tuple[Path, ...] = option((), flag="--mask", metavar="MASK", role="input")
    """The mask of the stream: a video, picture, folder, sequence or .npz."""
    words: GuideOptions = dataclasses.field(default_factory=GuideOptions)
    """What a person says; a word acts from the frame that it names on."""
    raw: str | None = option(None, metavar="WxH:PIX_FMT:RATE", group="pipes")
    """The pipe carries raw video, as 1920x1080:yuv420p:25 (Y4M)."""
    lookahead: int | None = option(None, metavar="N", group="pipes")
    """Frames that the output may lag behind; 0 is live (what the smoothing can use)."""
    colorspace: Matrix | None = None
    """Overrules the stream's color matrix."""
    input_space: str | None = option(None, metavar="NAME")
    """What the stream's values stand for, which is kept: PQ, HLG, or a space of OpenColorIO's
    built-in configuration (SDR)."""
    hold_last_mask: bool = False
    """Let a mask that is too short stand still at its end."""
    strict: bool = False
    """Treat warnings as errors."""
    progress: ProgressMode = option("none", same_frames=True)
    """How it is told on stderr how far the work is: auto is a bar on a terminal and lines
    elsewhere."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchJob:
    """A table of videos to harmonize."""

    table: Path = option(positional=True, metavar="JOBS.csv")
    """Columns composite, mask, out; and options by their names."""
    workers: int = option(1, metavar="N", form=POSITIVE)
    """Videos at once, each in a process."""
    ray: bool = False
    """Spread the videos over a Ray cluster that shares their folders."""
    again: bool = False
    """Do what is done, too."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoJob:
    """The demo."""

    output: Path = option(Path("demo"), flag="-o/--output", metavar="DIR")
    """Folder to make."""


class HarmonizeOptions(TypedDict, total=False):
    """The keywords of :func:`vhmae.harmonize_video`, for editors: those of :class:`HarmonizeJob`
    and no others (under test)."""

    quality: Quality
    strength: float
    caution: float | None
    windows: Windows
    keep: Kept | Sequence[Kept]
    skin: bool
    move: str
    cut_detection: bool
    weights: str
    backend: BackendChoice
    device: str
    precision: PrecisionChoice
    threads: int | None
    foreground: str | Path | None
    position: tuple[float, float]
    scale: float
    premultiplied: bool
    guide: str | Path | Guide | None
    match: Sequence[str]
    target: Sequence[str]
    keep_color: Sequence[str]
    neutral: Sequence[str]
    brightness: Sequence[str]
    dial: Sequence[str]
    start: float
    end: float | None
    cuts: str | Path | None
    colorspace: Matrix | None
    input_space: str | None
    foreground_space: str | None
    rate: Fraction | float | None
    reference: str | Path | None
    hold_last_mask: bool
    mask_label: int | None
    mask_rate: Fraction | float | None
    pair: Pairing
    strict: bool
    matte: MaskMaker | None
    matte_weights: str | Path | None
    layer: Layer
    codec: str | None
    crf: int | None
    preset: str | None
    pix_fmt: str | None
    resume: bool
    audio: Audio
    overwrite: bool
    check: bool
    verify: bool
    progress: ProgressMode
