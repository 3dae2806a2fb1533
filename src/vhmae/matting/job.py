"""The job of ``vhmae matte``, importable without torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from vhmae.options import POSITIVE, option

Way = Literal["chroma", "rvm", "salient", "plate", "file"]
Key = Literal["auto", "green", "blue"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatteJob:
    """A video to cut out."""

    video: Path = option(positional=True, metavar="VIDEO")
    """Video, folder or sequence (shot.%04d.png)."""
    output: Path | None = option(None, flag="-o/--output", metavar="MATTE")
    """Video (.mkv is exact) or pictures (matte.%04d.png)."""
    foreground: Path | None = option(None, metavar="FILE")
    """The foreground with alpha and its own colors at the edge: .mov, .webm, .mkv or .png
    pictures."""
    way: Way = option(flag="--with")
    """People: rvm; any object: salient; screens: chroma."""
    weights: Path | None = option(None, metavar="FILE", ways=("rvm", "salient"))
    """rvm, salient: the network's .onnx file (VHMAE_RVM, VHMAE_ISNET)."""
    ratio: float | None = option(None, flag="--matte-ratio", metavar="N", ways=("rvm",))
    """rvm: size inside, of the frame's; more for whole bodies (512 pixels on the longer side)."""
    threads: int | None = option(None, metavar="N", form=POSITIVE, ways=("rvm", "salient"))
    """rvm, salient: CPU threads (all)."""
    keep_largest: bool = False
    """Leave out all but the largest part."""
    refine: bool = False
    """Let the edge follow the picture (guided filter)."""
    steady: bool = option(
        True, ways=("salient",), without="salient: do not steady the mattes over time"
    )
    """salient: the median of five frames that are brought over each other."""
    key: Key = option("auto", ways=("chroma",))
    """chroma: the screen's color."""
    garbage: Path | None = option(None, metavar="PICTURE", ways=("chroma",))
    """chroma: white where nothing is to be kept."""
    despill: bool = option(
        True, ways=("chroma",), without="chroma: leave the screen's light on the foreground"
    )
    """chroma: take the screen's light off the foreground."""
    plate: Path | None = option(None, metavar="PICTURE", ways=("plate",))
    """plate: the scene without its subject; a picture or a video."""
    matte: Path | None = option(None, ways=("file",))
    """file: the matte that is there already; video, pictures or .npz."""
    cuts: Path | None = option(None, metavar="FILE")
    """Numbers of the frames that begin a shot, one a line."""
    cut_detection: bool = option(True, without="Take the video as one shot")
    """Begin a new shot at each cut that is detected."""
    progress: bool = False
    """Show a bar on stderr."""
