"""Raw footage: its files, where they come from, and what is cut from them."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from vhmae.errors import DAMAGED_ARCHIVE, InputError
from vhmae.rcvh.job import Footage
from vhmae.rcvh.placement import Silhouette
from vhmae.video.containers import CONTAINERS
from vhmae.video.sequence import PICTURES
from vhmae.work.sheets import read_sheet

SOURCES = "sources.csv"
NO_MATTE = "without a matte"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RawClip:
    """A clip of 2-4 s (``--seconds``), cut from a raw file within a shot."""

    name: str
    raw: str
    """Its file, below the raw folder."""
    source: str
    """What it was shot for: two clips of one source are never put together."""
    licence: str
    first: int
    """Number of its first frame in the raw file."""
    frames: int
    fps: str
    """A fraction."""
    width: int
    height: int
    sha256: str
    """Of the cut clip."""
    prints: tuple[int, ...]
    """What three of its frames look like, 64 bits each."""
    matte_ratio: float | None = None
    """Mean share of the frame that its foreground fills; None without a foreground of use."""

    @property
    def rate(self) -> Fraction:
        return Fraction(self.fps)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A piece of footage that is not used, and why."""

    name: str
    part: str
    """"clip" (for nothing at all), "foreground" (as a background only), or "without a matte" (the
    same, until there is one)."""
    reason: str


def read_silhouette(footage: Footage, clip: RawClip) -> Silhouette:
    """The outline of a clip's foreground, kept since it was cut.

    Raises:
        InputError: where it is damaged.
    """
    path = footage.silhouette_file(clip.name)
    try:
        with np.load(path) as kept:
            mattes = kept["mattes"]
        if mattes.ndim != 3 or mattes.dtype != np.uint8 or not mattes.size:
            raise ValueError("holds no mattes")
    except DAMAGED_ARCHIVE as error:
        record = footage.out / "parts" / "cut" / f"{clip.name}.json"
        reason = " ".join(str(error).split())[:80]
        raise InputError(
            f"{path}: cannot be read ({reason}); remove {record}, and run it again to cut the "
            "clip anew"
        ) from None
    return Silhouette(mattes, clip.width, clip.height)


@dataclasses.dataclass(frozen=True)
class RawFile:
    """A file of the footage, by its path below the folder, and what ``sources.csv`` (file, source,
    licence) says of it."""

    path: str
    source: str
    licence: str
    stem: str
    """What the names of its clips begin with."""


def raw_files(footage: Footage) -> list[RawFile]:
    """The footage, without the set itself where it is built among it."""
    raw, out = footage.raw, footage.out.resolve()
    if not raw.is_dir():
        raise InputError(f"`raw` {raw}: is not a folder; expected one of videos")
    kinds = (*CONTAINERS, *PICTURES)
    # A link that leads nowhere, or to itself, is no footage.
    files = (
        path
        for path in raw.rglob("*")
        if path.suffix.lower() in kinds and not _is_hidden(path.relative_to(raw)) and path.exists()
    )
    apart = {out}  # neither the set itself nor mattes that lie among the footage are footage
    if footage.mattes is not None and footage.mattes.resolve() != raw.resolve():
        apart.add(footage.mattes.resolve())
    names = sorted(
        path.relative_to(raw).as_posix()
        for path in files
        if not apart & set(path.resolve().parents) and not path.stem.endswith(".mask")
    )
    if not names:
        raise InputError(f"`raw` {raw}: holds no videos; expected {', '.join(CONTAINERS)}")
    stems = {name: name.replace("/", "__").rpartition(".")[0] for name in names}
    shared = collections.Counter(stems.values())
    for name, stem in stems.items():
        if shared[stem] > 1:  # take.mov and take.mp4
            stems[name] = (
                f"{stem}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:6]}"
            )
    told = _read_sources(raw / SOURCES, names)
    return [
        RawFile(
            name,
            told.get(name, {}).get("source") or name.rpartition(".")[0],
            told.get(name, {}).get("licence") or "",
            stems[name],
        )
        for name in names
    ]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read_sources(table: Path, names: list[str]) -> dict[str, dict[str, str]]:
    if not table.exists():
        return {}
    sheet = read_sheet(table)
    if "file" not in sheet.names:
        raise InputError(
            f"{table}: has no column 'file'; its first line must be: file,source,licence"
        )
    rows = [{"file": "", **dict(zip(sheet.names, row, strict=False))} for _, row in sheet.rows]
    unknown = next((row["file"] for row in rows if row["file"] not in names), None)
    if unknown is not None:
        raise InputError(
            f"{table}: names {unknown}, which is not in {table.parent}; mend the column 'file'"
        )
    return {
        row["file"]: {key: row.get(key, "").strip() for key in ("source", "licence")}
        for row in rows
    }


def find_matte(footage: Footage, raw: str) -> Path | None:
    """The ready-made matte of a raw file: a file or a folder of its name."""
    assert footage.mattes is not None
    own = footage.raw / raw
    stem = footage.mattes / Path(raw).with_suffix("")
    places = [
        stem.with_name(stem.name + ending)
        for ending in (".mask.npz", ".mask.mp4", ".mask.mkv", ".npz", *CONTAINERS, *PICTURES, "")
    ]
    return next((path for path in places if path.exists() and not path.samefile(own)), None)
