"""Evaluation sets on disk: real clips under drawn looks, in the HYouTube layout."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch

from vhmae.color.lut import Lut3D, Split, read_lut_bank
from vhmae.data.clips import Clip, list_clips, read_names
from vhmae.data.hyoutube import COMPOSITE, MASK, REAL, TEST_LIST, write_jpeg, write_mask
from vhmae.data.looks import IDENTITY, SHIFTS, Lighting, Look, ParametricLook, draw_hue_shifts, draw_look
from vhmae.data.synthesis import REFERENCE_LINES, close_edge
from vhmae.errors import InputError, did_you_mean

Array = np.ndarray
SMALLEST_CROP = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class SynthesisRecipe:
    """What ``vhmae synthesize`` writes; the same values give the same files."""

    videos: Path
    """Folder of clips with masks."""
    luts: Path | None = None
    """Folder of .cube files."""
    lut_split: Split = "heldout"
    """Which LUTs are drawn: those kept for testing, or those of training."""
    looks: Literal["one", "two"] = "two"
    """one: B inside the mask. two: A outside, B inside."""
    shifts: tuple[str, ...] = ("lut", "parametric")
    """What looks are made of: lut, parametric, lighting, hue."""
    per_video: int = 2
    """Composites a clip."""
    strength: tuple[float, float] | None = None
    """Without a value: 1 for one look, 0.3 to 1 for two."""
    clean_edge: int | None = None
    """In pixels of a 288-line frame; without a value: 0 for one look, 4 for two."""
    foreground_ratio: tuple[float, float] = (0.0, 1.0)
    """Clips whose mean foreground lies outside are left out."""
    crop: tuple[float, float] | None = None
    """Each composite is a crop around the subject, in which it takes a share drawn from this range; left out where none does."""
    clips: Path | None = None
    """A file with the names of the clips that are taken, one a line; without it, all."""
    frames: int = 20
    """Frames a composite, spread over the clip."""
    seed: int = 0
    """The same seed gives the same files."""

    def __post_init__(self) -> None:
        for shift in self.shifts:
            if shift not in SHIFTS:
                raise InputError(f"--shifts: unknown shift {shift}{did_you_mean(shift, SHIFTS)}; known: {', '.join(SHIFTS)}")
        low, high = self.strengths
        if not 0.0 <= low <= high <= 1.0:
            raise InputError(f"--strength {low}:{high}: expected LOW:HIGH with 0 <= LOW <= HIGH <= 1")
        if self.crop is not None and not 0.0 < self.crop[0] <= self.crop[1] < 1.0:
            raise InputError(f"--crop {self.crop[0]}:{self.crop[1]}: expected LOW:HIGH with 0 < LOW <= HIGH < 1")
        if self.frames < 1 or self.per_video < 1:
            raise InputError("--frames and --per-video must be at least 1")
        if "lut" in self.shifts and self.luts is None:
            raise InputError("--shifts lut: needs a LUT bank; pass --luts FILE or use --shifts parametric")

    def below(self, root: str | Path | None) -> SynthesisRecipe:
        """The recipe with its relative paths taken from a data folder."""
        relative = [path for path in (self.videos, self.luts) if path is not None and not path.is_absolute()]
        if not relative:
            return self
        if not root:
            raise InputError(f"{relative[0]}: is relative to the data, which is not known; pass --data DIR or set VHMAE_DATA")
        return dataclasses.replace(self, videos=Path(root, self.videos), luts=None if self.luts is None else Path(root, self.luts))

    @property
    def strengths(self) -> tuple[float, float]:
        return self.strength or ((1.0, 1.0) if self.looks == "one" else (0.3, 1.0))

    @property
    def edge_pixels(self) -> int:
        default = 0 if self.looks == "one" else 4
        return default if self.clean_edge is None else self.clean_edge


def synthesize(recipe: SynthesisRecipe, output: Path) -> int:
    """Write an evaluation set; returns the number of composites.

    The folder must be missing or empty; the list is written last, so that a set without one is incomplete.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give a new folder")
    if output.exists() and any(output.iterdir()):
        raise InputError(f"{output}: is not empty; give a new folder, so that no old frames stay in the set")
    luts = read_lut_bank(recipe.luts, recipe.lut_split) if recipe.luts and "lut" in recipe.shifts else []
    lines: list[str] = []
    journal: list[dict[str, object]] = []
    clips = list_clips(recipe.videos)
    wanted = read_names(recipe.clips, "--clips") if recipe.clips is not None else {clip.name for clip in clips}
    unknown = wanted - {clip.name for clip in clips}
    if unknown:
        raise InputError(f"--clips {recipe.clips}: names {min(unknown)}, which is not in {recipe.videos}; mend the list")
    for number, clip in enumerate(clips):
        if clip.name not in wanted:
            continue
        # One generator a clip: leaving a clip out does not change the looks of the others.
        rng = np.random.default_rng([recipe.seed, number])
        frames, masks = clip.read(recipe.frames)
        if recipe.edge_pixels:
            pixels = max(1, round(recipe.edge_pixels * frames.shape[1] / REFERENCE_LINES))
            closed = [close_edge(frame, mask, pixels) for frame, mask in zip(frames, masks, strict=True)]
            frames, masks = np.stack([f for f, _ in closed]), np.stack([m for _, m in closed])
            keep = masks.any(axis=(1, 2))
            frames, masks = frames[keep], masks[keep]
        low, high = recipe.foreground_ratio
        if not len(frames) or not low <= masks.mean() <= high:
            continue
        for index in range(recipe.per_video):
            box = (slice(None), slice(None)) if recipe.crop is None else find_crop(masks, float(rng.uniform(*recipe.crop)), recipe.crop)
            if box is not None:
                cut = (slice(None), *box)
                lines.append(_write_composite(recipe, output, clip, index, frames[cut], masks[cut], luts, rng, journal))
    if not lines:
        raise InputError(f"{recipe.videos}: no clip has a foreground share in the range asked for; widen --foreground-ratio or --crop")
    described = {key: value for key, value in dataclasses.asdict(recipe).items() if key not in ("videos", "luts")}
    (output / "synthesis.json").write_text(json.dumps({"recipe": described, "composites": journal}, indent=1, default=str) + "\n")
    (output / TEST_LIST).write_text("\n".join(lines) + "\n")
    return len(lines)


def _write_composite(
    recipe: SynthesisRecipe, output: Path, clip: Clip, index: int, frames: Array, masks: Array,
    luts: list[Lut3D], rng: np.random.Generator, journal: list[dict[str, object]],
) -> str:  # fmt: skip
    background = IDENTITY if recipe.looks == "one" else draw_look(rng, luts, recipe.shifts, recipe.strengths)
    foreground = draw_look(rng, luts, recipe.shifts, recipe.strengths)
    lighting = Lighting.draw(rng) if "lighting" in recipe.shifts else None
    hue = ParametricLook(hue_shifts=draw_hue_shifts(rng)) if "hue" in recipe.shifts else None
    target_name = clip.name if background is IDENTITY else f"{clip.name}-look{index + 1}"
    real = output / REAL / target_name
    mask = output / MASK / clip.name / f"object_{index + 1}"
    composite = output / COMPOSITE / clip.name / f"object_{index + 1}"
    for folder in (real, mask, composite):
        folder.mkdir(parents=True, exist_ok=True)
    for number, (frame, hole) in enumerate(zip(frames, masks, strict=True)):
        target = _seen(frame, background)
        pasted = _seen(frame, foreground, lighting, hue)
        write_jpeg(real / f"{number:05d}.jpg", target)
        write_mask(mask / f"{number:05d}.png", hole)
        write_jpeg(composite / f"{number:05d}.jpg", np.where(hole[..., None], pasted, target))
    journal.append({"composite": f"{clip.name}/object_{index + 1}", "A": _describe(background), "B": _describe(foreground)})
    return " ".join(folder.relative_to(output).as_posix() for folder in (real, mask, composite))


def _describe(look: Look) -> dict[str, object]:
    return {"name": look.name, "strength": round(look.strength, 4)}


def find_crop(masks: Array, share: float, allowed: tuple[float, float]) -> tuple[slice, slice] | None:
    """A window of the frames' aspect around the subject, in which it takes as near to a share as can be.

    Args:
        masks: (T, H, W) bool; the window stands still.
        allowed: range of the mean share; None is returned where no window of at least ``SMALLEST_CROP`` lines lies within.
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
        taken = float(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]) / (rows * columns)
        if best is None or abs(taken - share) < abs(best[0] - share):
            best = taken, slice(top, bottom), slice(left, right)
    return best[1:] if best is not None and allowed[0] <= best[0] <= allowed[1] else None


def _seen(frame: Array, look: Look, lighting: Lighting | None = None, hue: ParametricLook | None = None) -> Array:
    """A frame under a look: uint8 RGB."""
    colors = look(torch.from_numpy(frame).float() / 255.0)
    if hue is not None:
        colors = hue(colors)
    if lighting is not None:
        colors = colors * lighting.gain(*frame.shape[:2]).permute(1, 2, 0)
    rounded: Array = (colors.clamp(0.0, 1.0) * 255.0).round().byte().numpy()
    return rounded
