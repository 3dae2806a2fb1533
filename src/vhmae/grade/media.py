"""The clip that a time line is of: what it is called, and the number of its first frame."""

from __future__ import annotations

import dataclasses
import os
import re
import urllib.parse
from pathlib import Path

from vhmae.errors import InputError
from vhmae.video.encoders import is_even
from vhmae.video.probe import VideoInfo
from vhmae.video.timecode import Counting, read_timecode, told_in

RATES = (*(1000 * base / 1001 for base in (24, 30, 48, 60)), 24.0, 25.0, 30.0, 48.0, 50.0, 60.0)
"""Rates that time code can count."""


@dataclasses.dataclass(frozen=True)
class Numbering:
    """How the pictures of a sequence are named."""

    prefix: str
    suffix: str
    digits: int
    first: int
    """Number of the first picture."""
    step: int
    """From one number to the next."""


@dataclasses.dataclass(frozen=True)
class Media:
    """A clip, as a time line names it."""

    name: str
    """Of the file, or of a sequence as ``plate.[1001-1012].png``."""
    address: str
    """Of the file or the sequence's folder, from where the time line is written."""
    rate: float
    counting: Counting
    start: int
    """Number of the first frame: by the clip's own time code, else the first picture's number."""
    frames: int
    reel: str
    """In eight letters: the clip's own, else its name."""
    full_reel: str | None
    """As the clip says it; None where it does not."""
    numbering: Numbering | None
    """None for a file."""
    warnings: tuple[str, ...] = ()


def media_of(info: VideoInfo, beside: Path) -> Media:
    """Find out what a time line must say of a clip.

    Args:
        beside: the time line.
    Raises:
        InputError: where it cannot say it.
    """
    edl = beside.suffix.lower() == ".edl"
    rate = _rate(info, edl)
    # A still that stands for as long as a layer over it is one file, again and again.
    is_still = info.files is None or info.numbers is None or len({*info.files}) == 1
    numbering = None if is_still else _numbering(info)
    if numbering is None:
        path = info.path if info.files is None else info.files[0]
        name, address, called, first = path.name, _address(path, beside), path.stem, 0
    else:
        if edl and numbering.step != 1:
            raise InputError(
                f"{info.path}: its numbers go up by {numbering.step}, which an EDL cannot say; "
                "export otio"
            )
        assert info.files is not None
        assert info.numbers is not None
        ends = "-".join(_digits(info.numbers[end], numbering) for end in (0, -1))
        name = f"{numbering.prefix}[{ends}]{numbering.suffix}"
        address = _address(info.files[0].parent, beside) + "/"
        called, first = numbering.prefix, numbering.first
    told = told_in(info)
    start, counting, warnings = _started(info, told, rate, first)
    uneven: tuple[str, ...] = ()
    if not is_even(info):
        told_rate = f"the list counts them at {rate:g} a second"
        uneven = (f"{info.path}: its frames are not evenly spaced; {told_rate}",)
    reel, cut = _reel(info, told, called, edl)
    return Media(
        name=plain(name),
        address=address,
        rate=rate,
        counting=counting,
        start=start,
        frames=info.frames,
        reel=reel,
        full_reel=told.get("reel_name"),
        numbering=numbering,
        warnings=(*warnings, *cut, *uneven),
    )


def _started(
    info: VideoInfo, told: dict[str, str], rate: float, otherwise: int
) -> tuple[int, Counting, tuple[str, ...]]:
    """The number of a clip's first frame by its time code, how it counts, and what was in the way.

    Args:
        otherwise: the number where there is no time code of this rate.
    """
    base = max(1, round(rate))
    if "timecode" not in told:
        return otherwise, Counting(base), ()
    read = read_timecode(told["timecode"], base)
    if read is None:
        counting = Counting(base)
        warning = (
            f"{info.path}: its time code {told['timecode'][:20]} is none of {rate:g} frames a "
            f"second; took {counting.text(otherwise)}"
        )
        return otherwise, counting, (warning,)
    start, drop = read
    return start, Counting(base, drop), ()


def _rate(info: VideoInfo, edl: bool) -> float:
    rate = float(info.fps)
    nearest = min(RATES, key=lambda known: abs(known - rate))
    if abs(nearest - rate) < 0.01:
        return nearest
    if edl:
        raise InputError(
            f"{info.path}: has {rate:.3f} frames a second, which time code cannot count; "
            "export otio, or conform the clip"
        )
    return rate


def _numbering(info: VideoInfo) -> Numbering:
    """The one number in the names of pictures that runs from the first to the last."""
    assert info.files is not None
    assert info.numbers is not None
    names = [file.name for file in info.files]
    steps = {after - before for before, after in zip(info.numbers, info.numbers[1:], strict=False)}
    for match in reversed(list(re.finditer(r"[0-9]+", names[0]))):
        step = min(steps)
        found = Numbering(
            names[0][: match.start()],
            names[0][match.end() :],
            len(match[0]),
            info.numbers[0],
            max(1, step),
        )
        made = [f"{found.prefix}{_digits(number, found)}{found.suffix}" for number in info.numbers]
        if made != names:
            continue
        if len(steps) > 1 or step < 1:
            lost = next(
                before + step
                for before, after in zip(info.numbers, info.numbers[1:], strict=False)
                if after - before != step
            )
            raise InputError(
                f"{info.path}: number {lost} is missing, and a time line counts every number; "
                "make it again, or number the pictures anew"
            )
        return found
    raise InputError(
        f"{info.path}: its pictures have no running number, by which a time line names them; "
        "name them as in plate.1001.png"
    )


def _digits(number: int, numbering: Numbering) -> str:
    return f"{number:0{numbering.digits}d}"


def _address(path: Path, beside: Path) -> str:
    """A file's address from where the time line lies; bytes that are no text are kept."""
    try:
        relative = os.path.relpath(path.absolute(), beside.absolute().parent)
    except ValueError:  # they lie on two drives of Windows
        return path.absolute().as_uri()
    return quoted(relative.replace(os.sep, "/"))


def quoted(name: str) -> str:
    """A name as a part of an address; bytes that are no text are kept."""
    return urllib.parse.quote(os.fsencode(name))


def _reel(
    info: VideoInfo, told: dict[str, str], otherwise: str, edl: bool
) -> tuple[str, tuple[str, ...]]:
    """A reel's name in eight letters, as CMX 3600 has room for, and what is said where the clip's
    own does not fit an EDL.

    Args:
        otherwise: what it is called where the clip does not say.
    """
    name = told.get("reel_name", otherwise)
    short = re.sub(r"[^A-Za-z0-9_]", "", name)[:8] or "AX"
    if not edl or "reel_name" not in told or short == name:
        return short, ()
    warning = (
        f"{info.path}: its reel is {plain(name)[:64]}, and an EDL's column holds eight letters and "
        f"digits: wrote {short} there, and all of it as SOURCE FILE"
    )
    return short, (warning,)


def plain(text: str) -> str:
    """A name in one line that every text form can hold: what is no text becomes a question mark."""
    shown = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "?" for letter in shown)
