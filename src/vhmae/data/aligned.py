"""Composites with true answers out of pictures of one view, taken at other times.

A camera that stands still, a tripod series or a multi-illumination set shows the same surfaces
under another light. A region of time B laid over time A is a composite whose true answer is known:
time A itself. No look is made up.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path, PurePath

import numpy as np

from vhmae.arrays import Array
from vhmae.data.hyoutube import (
    COMPOSITE,
    MASK,
    REAL,
    TEST_LIST,
    folder_name,
    read_picture,
    write_jpeg,
    write_mask,
)
from vhmae.data.job import AlignedRecipe
from vhmae.errors import InputError, did_you_mean
from vhmae.memory import bounded
from vhmae.partial_output import filled_folder

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
LEADING_BELOW = 3000.0
"""Night against day is beyond any grade: composites under this fMSE are the row that leads."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """One line of the list of pairs."""

    line: int
    view: str
    """Empty where the pictures lie in the folder itself."""
    mask: str
    background: str
    foreground: str


def read_pairs(path: Path) -> list[Pair]:
    """Read a list of pairs.

    Raises:
        InputError: where it cannot be read, a line has another number of words, leads out of the
            folder or lays a time over itself, or none is left.
    """
    try:
        lines = bounded(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(
            f"cannot be read ({reason}); give lines of VIEW MASK A B", field="pairs", value=path
        ) from None
    pairs = []
    known: dict[tuple[str, ...], int] = {}
    for number, text in enumerate(lines, 1):
        where = f"`pairs` {path}: line {number}"
        if text.lstrip().startswith("#"):
            continue
        try:
            words = _words(text)
        except ValueError as error:
            raise InputError(f"{where}: {error}; close it, or leave quotes out") from None
        if not words:
            continue
        if len(words) not in (3, 4):
            raise InputError(
                f"{where} has {len(words)} words; expected VIEW MASK A B (or MASK A B), names with "
                "spaces in quotes"
            )
        if any(".." in Path(word).parts or Path(word).is_absolute() for word in words):
            raise InputError(f"{where} leads out of the folder; name views, masks and times alone")
        view = "" if len(words) == 3 else PurePath(words[0]).as_posix()  # room/ is room
        pair = Pair(number, view, *words[-3:])
        if pair.background == pair.foreground:
            raise InputError(f"{where} lays {pair.foreground} over itself; name two times")
        words = [view, *words[-3:]]
        if (before := known.setdefault(tuple(words), number)) != number:
            raise InputError(f"{where} is that of line {before} again; leave one out")
        pairs.append(pair)
    if not pairs:
        raise InputError("names no pair; expected VIEW MASK A B a line", field="pairs", value=path)
    return pairs


def _words(line: str) -> list[str]:
    """The words of a line, names with spaces in quotes; a backslash is a folder's on Windows, and
    takes nothing's meaning away."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=False)
    reader.whitespace_split, reader.commenters, reader.escape = True, "", ""
    return list(reader)


def write_aligned(recipe: AlignedRecipe, output: Path) -> tuple[int, int]:
    """Write a set in the HYouTube layout, one frame a composite.

    The folder must be missing or empty, and stays so where anything fails.

    A view and mask together are a *video* of the set (intervals are taken over these), and its
    pairs are the objects.

    Returns:
        Numbers of composites that were written and that were left out.
    Raises:
        InputError: where a folder, picture or mask is missing, sizes differ, or nothing is left.
    """
    with filled_folder(output) as folder:
        return _fill(recipe, folder)


def _fill(recipe: AlignedRecipe, output: Path) -> tuple[int, int]:
    for option, folder in (("`takes`", recipe.takes), ("`masks`", recipe.masks)):
        if not folder.is_dir():
            raise InputError(
                f"{option} {folder}: is not a folder; expected VIEW/NAME pictures in it"
            )
    pairs = read_pairs(recipe.pairs)
    known = {pair.view for pair in pairs}
    wanted = {PurePath(view).as_posix() for view in recipe.views}
    for view in sorted(wanted):
        if view not in known:
            hint = did_you_mean(view, known)
            raise InputError(
                f"is in no line of {recipe.pairs}{hint}; name others", field="views", value=view
            )
    lines: list[str] = []
    journal: list[dict[str, object]] = []
    numbers: dict[str, int] = {}
    regions: dict[str, tuple[str, str]] = {}
    lines_of: dict[tuple[Path, Path, Path], int] = {}
    left_out = 0
    for pair in pairs:
        if recipe.views and pair.view not in wanted:
            continue
        files = _files_of(recipe, pair)
        if (before := lines_of.setdefault(files, pair.line)) != pair.line:
            raise InputError(
                f"`pairs` {recipe.pairs}: line {pair.line} is that of line {before} again, by "
                "other names; leave one out"
            )
        target, pasted, mask = _read_pair(*files)
        composite = np.where(mask[..., None], pasted, target)
        error = float(np.square(composite[mask].astype(float) - target[mask]).mean())
        if error < recipe.least_fmse:
            left_out += 1
            continue
        name = pair.view or recipe.takes.resolve().name
        video = folder_name(f"{name}-{pair.mask}".replace("/", "__"))
        if regions.setdefault(video, (pair.view, pair.mask)) != (pair.view, pair.mask):
            other = " ".join(regions[video])
            raise InputError(
                f"`pairs` {recipe.pairs}: line {pair.line} would be one video, {video}, with the "
                f"region {other}; give a view or mask another name"
            )
        numbers[video] = numbers.get(video, 0) + 1
        item = f"{video}/object_{numbers[video]}"
        folders = [output / REAL / item, output / MASK / item, output / COMPOSITE / item]
        for folder in folders:
            folder.mkdir(parents=True)
        write_jpeg(folders[0] / "00000.jpg", target)
        write_mask(folders[1] / "00000.png", mask)
        write_jpeg(folders[2] / "00000.jpg", composite)
        lines.append(" ".join(folder.relative_to(output).as_posix() for folder in folders))
        times = {"mask": pair.mask, "A": pair.background, "B": pair.foreground}
        journal.append({"composite": item, "group": name, **times, "fmse": round(error, 2)})
    if not lines:
        raise InputError(
            f"leaves no composite of {recipe.least_fmse:g} fMSE or more; give pairs that differ "
            "more, or a lower `least_fmse`",
            field="pairs",
            value=recipe.pairs,
        )
    # "two": neither side is the natural look of the other, as in a set of two looks.
    described = {"looks": "two", "views": recipe.views, "least_fmse": recipe.least_fmse}
    report = {"recipe": described, "leading_below_fmse": LEADING_BELOW, "composites": journal}
    (output / "synthesis.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (output / TEST_LIST).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines), left_out


def _files_of(recipe: AlignedRecipe, pair: Pair) -> tuple[Path, Path, Path]:
    """The files of pictures A and B, and of the mask."""
    where = f"`pairs` {recipe.pairs}: line {pair.line}"
    return (
        _find(recipe.takes / pair.view, pair.background, f"{where}: A"),
        _find(recipe.takes / pair.view, pair.foreground, f"{where}: B"),
        _find(recipe.masks / pair.view, pair.mask, f"{where}: the mask"),
    )


def _read_pair(*paths: Path) -> tuple[Array, Array, Array]:
    """Pictures A and B (H, W, 3) uint8 RGB, and the mask (H, W) bool."""
    target, pasted = (read_picture(path) for path in paths[:2])
    mask = read_picture(paths[2], color=False) > 127
    for path, picture in ((paths[1], pasted), (paths[2], mask)):
        if picture.shape[:2] != target.shape[:2]:
            sizes = [f"{p.shape[1]}x{p.shape[0]}" for p in (picture, target)]
            raise InputError(
                f"{path}: is {sizes[0]} but {paths[0].name} is {sizes[1]}; all pictures and masks "
                "of a view must be aligned to a pixel"
            )
    if not mask.any() or mask.all():
        share = "no pixel" if not mask.any() else "every pixel"
        raise InputError(f"{paths[2]}: {share} is white; a region must leave both sides something")
    return target, pasted, mask


def _find(folder: Path, stem: str, where: str) -> Path:
    """A picture by its name without suffix; a name with its suffix is taken as it is."""
    for suffix in ("", *SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)):
        path = folder / f"{stem}{suffix}"
        if path.is_file():
            return path
    raise InputError(f"{where}: {folder / stem} is no picture (.jpg, .png, ...); mend the line")
