"""Composites made of real pictures: a scene, a mask, two looks (Sec. 4.1 and docs/conventions.md,
"two looks").

target = A(frame); composite = B(frame) inside the mask, A(frame) outside. HYouTube's way (one look)
is A = identity. A *scene* is what stands before the looks: a crop of real frames, the region that B
will recolor, and the mask that the network is given (moved by a few pixels, as mattes in practice
are). Scenes are cut with OpenCV by the loader; looks are applied in batches wherever the model
trains.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from vhmae.arrays import Array, Frames, Mask, Picture
from vhmae.color.lut import apply_luts
from vhmae.data.clips import Pack
from vhmae.data.looks import (
    Added,
    Blending,
    Lighting,
    LookSampler,
    blend_changes,
    draw_blendings,
    draw_layers,
    lighting_gains,
)
from vhmae.errors import InputError

REFERENCE_LINES = 288
"""Clean edges and mask jitter are stated in pixels of a frame with this many lines."""
MOST_TRIES = 1000
"""Crops that are tried for one scene; of usual data one in two is usable."""


def close_edge(frame: Picture, mask: Mask, pixels: int) -> tuple[Picture, Mask]:
    """Shrink the foreground and fill the band around its old edge from the background side.

    Masks are a few pixels off; without this a strip of one surface would be seen under both looks,
    which tells the answer and never occurs in a real paste.

    Args:
        frame: (H, W, 3) uint8.
        mask: (H, W) bool.
        pixels: the shrinkage N; the band is 2 N wide.
    Returns:
        The frame with the band filled, and the smaller mask.
    """
    if pixels <= 0 or not mask.any():
        return frame, mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    flat = mask.astype(np.uint8)
    inner = cv2.erode(flat, kernel, borderType=cv2.BORDER_REPLICATE)
    outer = cv2.dilate(flat, kernel, borderType=cv2.BORDER_REPLICATE)
    band = (outer > 0) & (inner == 0)
    if not (outer == 0).any():
        return frame, inner.astype(bool)
    return _fill_from_background(frame, band, outer > 0), inner.astype(bool)


def _fill_from_background(frame: Array, band: Array, covered: Array) -> Array:
    """Copy to each pixel of the band the nearest pixel outside ``covered``, smoothed along the
    band."""
    _, label = cv2.distanceTransformWithLabels(
        covered.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    ys, xs = np.nonzero(~covered)
    source = np.zeros((int(label.max()) + 1, 2), np.int64)
    source[label[ys, xs]] = np.stack([ys, xs], axis=1)
    # All that is covered is filled before it is smoothed: nothing of the foreground may reach the
    # band.
    scenery = frame.copy()
    scenery[covered] = frame[source[label[covered], 0], source[label[covered], 1]]
    filled = frame.copy()
    filled[band] = cv2.blur(scenery, (3, 3))[band]
    return filled


def move_edge(mask: Mask, pixels: int) -> Mask:
    """Grow (positive) or shrink (negative) a mask (H, W) bool by a number of pixels."""
    if pixels == 0:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(pixels) + 1,) * 2)
    move = cv2.dilate if pixels > 0 else cv2.erode
    return move(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_REPLICATE).astype(bool)


@dataclasses.dataclass(frozen=True)
class Scene:
    """What stands before the looks."""

    frames: Frames
    """(T, S, S, 3) uint8 RGB."""
    region: Mask
    """(T, S, S) bool: what B recolors."""
    mask: Mask
    """(T, S, S) bool: what the network is told."""
    source: int = 0
    """Number of the clip (with its other takes) or still that the scene was cut from, as
    :class:`Pack` counts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SceneRecipe:
    """How scenes are cut."""

    foreground: tuple[float, float] = (0.02, 0.8)
    """Share of the crop that the foreground should take."""
    large: float = 0.0
    """Share of scenes whose foreground takes a share drawn evenly from ``large_foreground``; small
    ones lead otherwise."""
    large_foreground: tuple[float, float] = (0.3, 0.8)
    """Shares of the crop that ``large`` means."""
    clean_edge: float = 0.75
    """Share of scenes with the edge closed."""
    clean_edge_pixels: tuple[int, int] = (2, 6)
    """Range of the shrinkage, at 288 lines."""
    mask_jitter_pixels: int = 6
    """The given mask is moved in or out by up to this, at 288 lines."""
    inverted: float = 0.08
    """Share of scenes where foreground and background change places."""
    block: float = 0.1
    """Share of scenes with a random block or blob as foreground: of photographs, and of clips in
    windows of several frames."""
    stretch: float = 1.8
    """Largest ratio of a crop's sides before it is resized to a square."""
    whole_frames: bool = False
    """Take frames whole, resized to a square, as Sec. 4.1 does; the keys of crops then mean
    nothing."""

    def __post_init__(self) -> None:
        for name in ("large", "clean_edge", "inverted", "block"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(
                    f"scenes.{name}: {getattr(self, name)} is no share; expected 0 to 1"
                )
        for name in ("foreground", "large_foreground"):
            low, high = getattr(self, name)
            if not 0.0 < low <= high <= 1.0:
                raise InputError(
                    f"scenes.{name}: [{low:g}, {high:g}] is no range of shares; expected "
                    "[LOW, HIGH] with 0 < LOW <= HIGH <= 1"
                )
        low, high = self.clean_edge_pixels
        if not 0 <= low <= high:
            raise InputError(
                f"scenes.clean_edge_pixels: [{low}, {high}]; expected [LOW, HIGH] with 0 <= LOW <= "
                "HIGH"
            )
        if self.mask_jitter_pixels < 0:
            raise InputError(
                f"scenes.mask_jitter_pixels: {self.mask_jitter_pixels}; expected 0 or more"
            )
        if not 1.0 <= self.stretch < math.inf:
            raise InputError(f"scenes.stretch: {self.stretch}; expected a ratio of 1 or more")


class SceneSampler:
    """Cuts random scenes out of packs of frames: clips, stills with label maps, stills without."""

    def __init__(self, packs: list[Pack], weights: list[float], recipe: SceneRecipe) -> None:
        self.packs = packs
        self.weights = np.asarray(weights, dtype=float) / sum(weights)
        self.recipe = recipe

    def draw(self, rng: np.random.Generator, frames: int, size: int) -> Scene:
        """Draw a scene of ``frames`` frames of size x size pixels; tries again where a crop has no
        usable mask.

        Raises:
            InputError: where none of many crops has one.
        """
        for _ in range(MOST_TRIES):
            pack = self.packs[int(rng.choice(len(self.packs), p=self.weights))]
            chosen = int(rng.integers(len(pack.names)))
            scene = self._cut(rng, *self._window(rng, pack, chosen, frames), size)
            if scene is not None:
                return dataclasses.replace(scene, source=pack.source_numbers[chosen])
        raise InputError(
            f"scenes: {MOST_TRIES} crops, the last of {pack.names[chosen]}, had no mask of the "
            f"share asked for (foreground {list(self.recipe.foreground)}); widen "
            "scenes.foreground, or give data with other masks"
        )

    def _window(
        self, rng: np.random.Generator, pack: Pack, chosen: int, frames: int
    ) -> tuple[list[Array], list[Array]]:
        """Frames of one source with the mask of one foreground."""
        rows = pack.frames_of[chosen]
        if len(rows) == 1:  # a still: the same picture, moved by the crop
            picture = pack.picture(int(rows[0]))
            mask = self._still_mask(rng, pack.labels(int(rows[0])), picture.shape[:2])
            return [picture] * frames, [mask] * frames
        stride = int(rng.integers(1, 4))
        first = int(rng.integers(max(1, len(rows) - stride * (frames - 1))))
        picks = [int(rows[min(first + stride * step, len(rows) - 1)]) for step in range(frames)]
        masks = [pack.labels(pick) for pick in picks]
        return [pack.picture(pick) for pick in picks], [
            mask > 0 for mask in masks if mask is not None
        ]

    def _still_mask(
        self, rng: np.random.Generator, labels: Array | None, shape: tuple[int, int]
    ) -> Array:
        if labels is None or rng.random() < self.recipe.block:
            return _random_blob(rng, shape)
        present = np.unique(labels)
        objects = present[present > 0]
        if not len(objects):
            return _random_blob(rng, shape)
        if present[0] == 0:  # labelled objects on an unlabelled rest
            take = 1 if rng.random() < 0.7 else int(rng.integers(1, len(objects) + 1))
            return np.isin(labels, rng.choice(objects, take, replace=False))
        return _neighboring_regions(rng, labels, objects)

    def _cut(
        self, rng: np.random.Generator, pictures: list[Array], masks: list[Array], size: int
    ) -> Scene | None:
        recipe = self.recipe
        if rng.random() < recipe.inverted:
            masks = [~mask for mask in masks]
        elif len(pictures) > 1 and rng.random() < recipe.block:
            masks = [_random_blob(rng, masks[0].shape)] * len(masks)
        boxes = self._boxes(rng, masks, still=pictures[0] is pictures[-1])
        if boxes is None:
            return None
        frames, regions, given = [], [], []
        closed = rng.random() < recipe.clean_edge
        scale = size / REFERENCE_LINES
        shrink = round(float(rng.uniform(*recipe.clean_edge_pixels)) * scale)
        shift = round(float(rng.uniform(-1.0, 1.0)) * recipe.mask_jitter_pixels * scale)
        turn, flip = int(rng.choice(4, p=[0.7, 0.1, 0.1, 0.1])), rng.random() < 0.5
        for picture, mask, (top, left, height, width) in zip(pictures, masks, boxes, strict=True):
            part = cv2.resize(
                picture[top : top + height, left : left + width],
                (size, size),
                interpolation=cv2.INTER_AREA,
            )
            hole = mask[top : top + height, left : left + width].astype(np.uint8)
            region = cv2.resize(hole, (size, size), interpolation=cv2.INTER_NEAREST) > 0
            if closed:
                part, region = close_edge(part, region, shrink)
            moved = move_edge(region, shift)
            turned = [np.rot90(array, turn) for array in (part, region, moved)]
            turned = [array[:, ::-1] if flip else array for array in turned]
            frames.append(turned[0])
            regions.append(turned[1])
            given.append(turned[2])
        scene = Scene(np.stack(frames), np.stack(regions), np.stack(given))
        share, told = scene.region.mean(), scene.mask.mean()
        least, most = (0.0, 1.0) if recipe.whole_frames else (0.8 * recipe.foreground[0], 0.9)
        usable = least < share < most and (recipe.whole_frames or 0.005 <= told <= 0.95)
        return scene if usable else None

    def _boxes(
        self, rng: np.random.Generator, masks: list[Array], still: bool
    ) -> list[tuple[int, int, int, int]] | None:
        """Crops (top, left, height, width), one a frame, so that the foreground takes a share drawn
        from the recipe."""
        height, width = masks[0].shape
        if self.recipe.whole_frames:
            return [(0, 0, height, width)] * len(masks)
        ys, xs = np.nonzero(masks[len(masks) // 2])
        if len(ys) < 0.002 * height * width:
            return None
        low, high = self.recipe.foreground
        wanted = float(np.exp(rng.uniform(np.log(min(low * 1.5, high)), np.log(high))))
        if rng.random() < self.recipe.large:
            wanted = float(rng.uniform(*self.recipe.large_foreground))
        area = min(len(ys) / wanted, float(height * width))
        ratio = float(
            np.exp(rng.uniform(-np.log(self.recipe.stretch), np.log(self.recipe.stretch)))
        )
        crop_height = int(np.clip(np.sqrt(area / ratio), min(48, height), height))
        crop_width = int(np.clip(area / crop_height, min(48, width), width))
        pick = int(rng.integers(len(ys)))
        top = int(np.clip(ys[pick] - rng.uniform(0.2, 0.8) * crop_height, 0, height - crop_height))
        left = int(np.clip(xs[pick] - rng.uniform(0.2, 0.8) * crop_width, 0, width - crop_width))
        boxes = []
        for step in range(len(masks)):
            if still and step:  # stills are set in motion: pan and zoom
                zoom = float(rng.uniform(0.97, 1.0))
                crop_height, crop_width = (
                    max(32, int(crop_height * zoom)),
                    max(32, int(crop_width * zoom)),
                )
                top = int(np.clip(top + rng.normal(0, 0.02) * height, 0, height - crop_height))
                left = int(np.clip(left + rng.normal(0, 0.02) * width, 0, width - crop_width))
            boxes.append((top, left, crop_height, crop_width))
        return boxes


def _random_blob(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A block or an ellipse of random size and turn, as a mask."""
    height, width = shape
    mask = np.zeros(shape, np.uint8)
    center = (float(rng.uniform(0.2, 0.8) * width), float(rng.uniform(0.2, 0.8) * height))
    axes = (float(rng.uniform(0.15, 0.7) * width), float(rng.uniform(0.15, 0.7) * height))
    box = (center, axes, float(rng.uniform(0, 180)))
    if rng.random() < 0.5:
        cv2.ellipse(mask, box, 1, -1)
    else:
        cv2.fillPoly(mask, [cv2.boxPoints(box).astype(np.int32)], 1)
    return mask > 0


def _neighboring_regions(rng: np.random.Generator, labels: Array, present: Array) -> Array:
    """A union of regions that touch, up to a share drawn at random."""
    wanted = float(rng.uniform(0.05, 0.5)) * labels.size
    mask = labels == rng.choice(present)
    kernel = np.ones((3, 3), np.uint8)
    for _ in range(8):
        if mask.sum() >= wanted:
            break
        ring = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool) & ~mask
        touching = np.unique(labels[ring])
        if not len(touching):
            break
        mask |= labels == rng.choice(touching)
    return mask


@dataclasses.dataclass(frozen=True)
class TrainingBatch:
    """Composites with their targets, on the device that trains."""

    composite: Tensor
    """(B, T, 3, S, S) in [0, 1]."""
    target: Tensor
    """(B, T, 3, S, S) in [0, 1]."""
    mask: Tensor
    """(B, T, 1, S, S) bool: what the network is told."""
    region: Tensor
    """(B, T, 1, S, S) bool: what was recolored; the loss is taken here."""
    source: Tensor
    """(B,) int64: numbers of the sources."""

    def rows(self, index: slice) -> TrainingBatch:
        """Some of the samples."""
        return TrainingBatch(*(tensor[index] for tensor in vars(self).values()))

    def where(self, chosen: Tensor, other: TrainingBatch) -> TrainingBatch:
        """The samples that are chosen, (B,) bool, and another batch's in the place of the rest."""
        parts = zip(vars(self).values(), vars(other).values(), strict=True)
        return TrainingBatch(
            *(torch.where(chosen.view(-1, *(1,) * (a.ndim - 1)), a, b) for a, b in parts)
        )


def compose(
    frames: Tensor,
    region: Tensor,
    background: Tensor,
    foreground: Tensor,
    pasted: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Two-look synthesis with baked looks.

    Args:
        frames: (B, T, 3, H, W) in [0, 1].
        region: (B, T, 1, H, W) bool.
        background, foreground: tables of A and B, (B, n, n, n, 3).
        pasted: (B, T, 3, H, W), what B is applied to; None is the frames.
    Returns:
        composite and target, each (B, T, 3, H, W) in [0, 1].
    """
    batch, count, _, height, width = frames.shape

    def seen(shown: Tensor, tables: Tensor) -> Tensor:
        colors = shown.permute(0, 1, 3, 4, 2).reshape(batch, -1, 3)
        looked = apply_luts(colors, tables).clamp(0.0, 1.0)
        return looked.reshape(batch, count, height, width, 3).permute(0, 1, 4, 2, 3)

    target = seen(frames, background)
    own = seen(frames if pasted is None else pasted, foreground)
    return torch.where(region, own, target), target


@dataclasses.dataclass(frozen=True)
class StackedScenes:
    """Scenes side by side, as tensors of one device."""

    frames: Tensor
    """(N, T, S, S, 3) uint8."""
    region: Tensor
    """(N, T, S, S) bool."""
    mask: Tensor
    """(N, T, S, S) bool."""
    source: Tensor
    """(N,) int64."""

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def of(cls, scenes: Sequence[Scene]) -> StackedScenes:
        frames, region, mask = (
            np.stack([getattr(scene, name) for scene in scenes])
            for name in ("frames", "region", "mask")
        )
        source = torch.tensor([scene.source for scene in scenes])
        return cls(
            torch.from_numpy(frames), torch.from_numpy(region), torch.from_numpy(mask), source
        )

    def to(self, device: torch.device) -> StackedScenes:
        return StackedScenes(*(tensor.to(device) for tensor in vars(self).values()))

    def rows(self, index: Tensor | slice) -> StackedScenes:
        return StackedScenes(*(tensor[index] for tensor in vars(self).values()))


def make_batch(
    scenes: StackedScenes,
    looks: LookSampler,
    rng: np.random.Generator,
    rows: range | None = None,
    of: int = 0,
) -> TrainingBatch:
    """Turn scenes into a batch of composites under freshly drawn looks, where the scenes lie.

    Args:
        looks: on the same device.
        rows, of: the scenes are these rows of a larger batch, whose numbers are drawn as for the
            whole.
    """
    rows = rows if rows is not None else range(len(scenes))
    part = slice(rows.start, rows.stop)
    frames = scenes.frames.permute(0, 1, 4, 2, 3).float() / 255.0
    region, mask = scenes.region.unsqueeze(2), scenes.mask.unsqueeze(2)
    count = of or len(scenes)
    background, foreground = (table[part] for table in looks.draw_pairs(rng, count))
    layers = draw_layers(rng, looks.mixture.layers, count)[part]
    pasted = _blended(frames, region, draw_blendings(rng, looks.mixture.poisson, count)[part])
    composite, target = compose(frames, region, background, foreground, pasted)
    # Most have a gradient of light alone: these are lit at once.
    lights = {
        row: laid[0]
        for row, laid in enumerate(layers)
        if len(laid) == 1 and isinstance(laid[0], Lighting)
    }
    if lights:
        height, width = frames.shape[-2:]
        shaded = list(lights)
        gain = lighting_gains([*lights.values()], height, width, frames.device).unsqueeze(1)
        lighter = (composite[shaded] * gain).clamp(0.0, 1.0)
        composite[shaded] = torch.where(region[shaded], lighter, composite[shaded])
    for row, laid in enumerate(layers):
        if laid and row not in lights:
            layer = _layer(pasted[row], foreground[row], laid)
            composite[row] = torch.where(region[row], layer, composite[row])
    return TrainingBatch(composite, target, mask, region, scenes.source)


def _blended(frames: Tensor, region: Tensor, blendings: Sequence[Blending | None]) -> Tensor:
    """Frames (B, T, 3, S, S) for B to be applied to: some blended into another place."""
    rows = [row for row, one in enumerate(blendings) if one is not None]
    if not rows:
        return frames
    chosen = [one for one in blendings if one is not None]
    amount = frames.new_tensor([one.amount for one in chosen]).view(-1, 1, 1, 1, 1)
    change = amount * blend_changes(frames[rows], region[rows], chosen)
    blended = frames.clone()
    blended[rows] = (frames[rows] + change).clamp(0.0, 1.0)
    return blended


def _layer(frames: Tensor, table: Tensor, laid: Sequence[Added]) -> Tensor:
    """The foreground's own frames (T, 3, S, S) under its look, with what is laid over them."""
    count, _, height, width = frames.shape
    colors = frames.permute(0, 2, 3, 1).reshape(1, -1, 3)
    looked = apply_luts(colors, table[None]).clamp(0.0, 1.0).reshape(count, height, width, 3)
    seen = []
    for number, frame in enumerate(looked):
        for one in laid:
            frame = one(frame, number)
        seen.append(frame.clamp(0.0, 1.0))
    return torch.stack(seen).permute(0, 3, 1, 2)
