"""Evaluation sets on disk: real clips under drawn looks, in the HYouTube layout."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from vhmae.arrays import Array, Mask
from vhmae.color.lut import read_lut_bank
from vhmae.color.skin import find_skin
from vhmae.data.clips import (
    ClipFiles,
    NoBackground,
    Still,
    list_clips,
    list_stills,
    read_names,
    told_of_others,
)
from vhmae.data.hyoutube import (
    COMPOSITE,
    MASK,
    REAL,
    SKIN,
    TEST_LIST,
    folder_name,
    write_jpeg,
    write_mask,
)
from vhmae.data.job import IN_DATA, SynthesisRecipe
from vhmae.data.looks import (
    IDENTITY,
    LOOKS,
    Look,
    LookSources,
    draw_look,
    read_cameras,
)
from vhmae.data.looks.spatial import Added, draw_added
from vhmae.data.synthesis import REFERENCE_LINES, close_edge
from vhmae.errors import InputError, counted
from vhmae.partial_output import filled_folder

SMALLEST_CROP = 64
OUT_OF_RANGE = "the foreground's share of the frame does not fit `foreground_ratio`"
NO_CROP = "no part of the frame holds the share that `crop` asks for"
TOO_THIN = "`clean_edge` leaves nothing of the foreground"


def synthesize(
    recipe: SynthesisRecipe, output: Path, tell: Callable[[str], object] | None = None
) -> int:
    """Write an evaluation set; returns the number of composites.

    Args:
        output: a folder that must be missing or empty, and stays so where anything fails.
        tell: is called with each thing that a user should know of what was left out; None prints
            it on stderr.
    Raises:
        InputError: for an output that is full, a recipe that its data does not fit, or two clips of
            one name.
    """
    with filled_folder(output) as folder:
        return _fill(recipe, folder, tell or _on_stderr)


def _on_stderr(told: str) -> None:
    print(f"vhmae: warning: {told}", file=sys.stderr)


def _fill(recipe: SynthesisRecipe, output: Path, tell: Callable[[str], object]) -> int:
    needed = {LOOKS[shift].needs for shift in recipe.shifts if shift in LOOKS}
    sources = LookSources(
        luts=read_lut_bank(recipe.luts, recipe.lut_split)
        if recipe.luts and "luts" in needed
        else [],
        cameras=read_cameras(recipe.cameras, recipe.camera_split)
        if recipe.cameras and "cameras" in needed
        else [],
    )
    lines: list[str] = []
    journal: list[dict[str, object]] = []
    clips: list[ClipFiles | Still] = [
        *list_clips(recipe.videos),
        *(list_stills(recipe.stills) if recipe.stills else []),
    ]
    wanted = (
        read_names(recipe.clips, "`clips`")
        if recipe.clips is not None
        else {clip.name for clip in clips}
    )
    unknown = wanted - {clip.name for clip in clips}
    if unknown:
        raise InputError(
            f"names {min(unknown)}, which is not in {recipe.videos}; mend the list",
            field="clips",
            value=recipe.clips,
        )
    _refuse_twins([clip for clip in clips if clip.name in wanted])
    if recipe.clips is None:
        for told in told_of_others(recipe.videos):
            tell(told)
    without: dict[str, list[str]] = {}
    """Names of clips that are left out in whole or in part, by the cause."""
    for number, clip in enumerate(clips):
        if clip.name not in wanted:
            continue
        # One generator a clip: leaving a clip out does not change the looks of the others.
        rng = np.random.default_rng([recipe.seed, number])
        low, high = recipe.foreground_ratio
        try:
            frames, masks = clip.read(recipe.frames)
        except NoBackground:
            if high >= 1.0:
                raise
            without.setdefault(OUT_OF_RANGE, []).append(clip.name)
            continue
        if recipe.edge_pixels:
            pixels = max(1, round(recipe.edge_pixels * frames.shape[1] / REFERENCE_LINES))
            closed = [
                close_edge(frame, mask, pixels) for frame, mask in zip(frames, masks, strict=True)
            ]
            frames, masks = np.stack([f for f, _ in closed]), np.stack([m for _, m in closed])
            keep = masks.any(axis=(1, 2))
            frames, masks = frames[keep], masks[keep]
        if not len(frames) or not low <= masks.mean() <= high:
            cause = OUT_OF_RANGE if len(frames) else TOO_THIN
            without.setdefault(cause, []).append(clip.name)
            continue
        before = len(lines)
        for index in range(recipe.per_video):
            box = (
                (slice(None), slice(None))
                if recipe.crop is None
                else find_crop(masks, float(rng.uniform(*recipe.crop)), recipe.crop)
            )
            if box is not None:
                cut = (slice(None), *box)
                lines.append(
                    _write_composite(
                        recipe, output, clip, index, frames[cut], masks[cut], sources, rng, journal
                    )
                )
        if len(lines) < before + recipe.per_video:
            without.setdefault(NO_CROP, []).append(clip.name)
    whence = f"{recipe.videos}" + (f", {recipe.stills}" if recipe.stills else "")
    reasons = [
        f"{counted(len(names), 'clip')} left out in whole or in part, as {names[0]}: {cause}"
        for cause, names in without.items()
    ]
    if not lines:
        raise InputError(f"{whence}: nothing is left to compose: {'; '.join(reasons)}")
    for reason in reasons:
        tell(f"{whence}: {reason}")
    # Keys that a set makes no use of stay out, so that files of sets made before there were such
    # keys are the same.
    hidden = {
        *IN_DATA,
        *(("camera_split",) if recipe.cameras is None else ()),
        *(() if recipe.skin else ("skin",)),
    }
    described = {
        key: value for key, value in dataclasses.asdict(recipe).items() if key not in hidden
    }
    (output / "synthesis.json").write_text(
        json.dumps({"recipe": described, "composites": journal}, indent=1, default=str) + "\n",
        encoding="utf-8",
    )
    (output / TEST_LIST).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def _refuse_twins(clips: Sequence[ClipFiles | Still]) -> None:
    """Two clips of one name would lie in one folder."""
    known: dict[str, Path] = {}
    for clip in clips:
        path = clip.video if isinstance(clip, ClipFiles) else clip.picture
        try:
            clip.name.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{path}: its name is not UTF-8, in which a set's list is written; rename it"
            ) from None
        other = known.setdefault(folder_name(clip.name), path)
        if other != path:
            raise InputError(
                f"{path}: its composites would lie in one folder with those of {other}; give one "
                "of them another name"
            )


def _write_composite(
    recipe: SynthesisRecipe,
    output: Path,
    clip: ClipFiles | Still,
    index: int,
    frames: Array,
    masks: Array,
    sources: LookSources,
    rng: np.random.Generator,
    journal: list[dict[str, object]],
) -> str:
    background = (
        IDENTITY
        if recipe.looks == "one"
        else draw_look(rng, sources, recipe.shifts, recipe.strengths)
    )
    foreground = draw_look(rng, sources, recipe.shifts, recipe.strengths, beside=background)
    added = draw_added(rng, recipe.shifts)
    name = folder_name(clip.name)
    # Composites of one video have one target where nothing was done to it.
    is_whole = background is IDENTITY and recipe.crop is None
    target_name = name if is_whole else f"{name}-look{index + 1}"
    item = Path(name) / f"object_{index + 1}"
    real, mask, composite, skin = (
        output / REAL / target_name,
        output / MASK / item,
        output / COMPOSITE / item,
        output / SKIN / item,
    )
    for folder in (real, mask, composite, *((skin,) if recipe.skin else ())):
        folder.mkdir(parents=True, exist_ok=True)
    for number, (frame, hole) in enumerate(zip(frames, masks, strict=True)):
        target = _seen(frame, background)
        pasted = _seen(frame, foreground, added, number)
        write_jpeg(real / f"{number:05d}.jpg", target)
        write_mask(mask / f"{number:05d}.png", hole)
        write_jpeg(composite / f"{number:05d}.jpg", np.where(hole[..., None], pasted, target))
        if recipe.skin:
            write_mask(skin / f"{number:05d}.png", find_skin(frame, hole))
    told = {"composite": item.as_posix(), **({"clip": clip.name} if name != clip.name else {})}
    journal.append({**told, "A": _describe(background), "B": _describe(foreground)})
    return " ".join(folder.relative_to(output).as_posix() for folder in (real, mask, composite))


def _describe(look: Look) -> dict[str, object]:
    return {"name": look.name, "strength": round(look.strength, 4)}


def find_crop(
    masks: Mask, share: float, allowed: tuple[float, float]
) -> tuple[slice, slice] | None:
    """A window of the frames' aspect around the subject, in which it takes as near to a share as
    can be.

    Args:
        masks: (T, H, W) bool; the window stands still.
        allowed: range of the mean share; None is returned where no window of at least
            ``SMALLEST_CROP`` lines lies within.
    """
    _, height, width = masks.shape
    sums = cv2.integral(masks.mean(axis=0))
    ys, xs = np.nonzero(masks.any(axis=0))
    weights = masks.mean(axis=0)[ys, xs]
    center = float(np.average(ys, weights=weights)), float(np.average(xs, weights=weights))
    best: tuple[float, slice, slice] | None = None
    for scale in np.linspace(1.0, 0.05, 96):
        rows, columns = round(height * scale), round(width * scale)
        if rows < SMALLEST_CROP:
            break
        top = min(max(0, round(center[0] - rows / 2)), height - rows)
        left = min(max(0, round(center[1] - columns / 2)), width - columns)
        bottom, right = top + rows, left + columns
        taken = float(
            sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        ) / (rows * columns)
        if best is None or abs(taken - share) < abs(best[0] - share):
            best = taken, slice(top, bottom), slice(left, right)
    return best[1:] if best is not None and allowed[0] <= best[0] <= allowed[1] else None


def _seen(frame: Array, look: Look, added: Sequence[Added] = (), number: int = 0) -> Array:
    """A frame under a look and what is laid over it: uint8 RGB."""
    colors = look(torch.from_numpy(frame).float() / 255.0)
    for lay in added:
        colors = lay(colors, number)
    rounded: Array = (colors.clamp(0.0, 1.0) * 255.0).round().byte().numpy()
    return rounded
