"""A trained comparator as a callable: frames and masks of any size in, frames out.

The network sees squares of the size that it was trained at; what it changes there is carried up to
the frames, so that they keep their detail. A network that draws at any size by itself (PCT-Net) is
given the frames as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from vhmae.arrays import Array, Frames, Mask
from vhmae.comparators.comparator import Comparator, FrameComparator
from vhmae.comparators.weights import load_comparator
from vhmae.errors import InputError, ShapeError
from vhmae.model.precision import choose_device


def load_harmonizer(
    path: Path, device: str = "auto", threads: int | None = None
) -> Callable[[Array, Array], Array]:
    """A weights file as a callable: what :func:`harmonize_clip` takes and gives, without the model.

    Args:
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        threads: CPU threads of torch, for the whole process; None leaves them as they are.
    Raises:
        InputError: if the file holds something else or does not say what size it was trained at,
            or for a device that is not there.
    """
    where = choose_device(device)
    model, card = load_comparator(path)
    image_size = card.facts.get("image_size")
    if not isinstance(image_size, int) or not 8 <= image_size <= 4096:
        raise InputError(f"{path}: does not say the size that it was trained at; train it again")
    if threads:
        torch.set_num_threads(threads)
    return functools.partial(harmonize_clip, model.to(where), image_size=image_size)


@torch.no_grad()
def harmonize_clip(model: Comparator, composite: Frames, mask: Mask, image_size: int) -> Frames:
    """Harmonize a clip.

    Args:
        model: in evaluation mode.
        composite: (T, H, W, 3) uint8 RGB.
        mask: (T, H, W) bool.
        image_size: side of the square that the model was trained at.
    Returns:
        (T, H, W, 3) uint8; pixels outside the mask are the composite's.
    Raises:
        ShapeError: if mask and composite do not belong together.
    """
    if composite.ndim != 4 or mask.shape != composite.shape[:3]:
        raise ShapeError(
            f"expected (T, H, W, 3) and (T, H, W), got {composite.shape} and {mask.shape}"
        )
    height, width = mask.shape[1:]
    draws_large = isinstance(model, FrameComparator) and model.takes_any_size
    if draws_large and max(height, width) > image_size:
        return _at_full_size(model, composite, mask)
    side = (image_size, image_size)
    small = np.stack([cv2.resize(one, side, interpolation=cv2.INTER_AREA) for one in composite])
    holes = np.stack([_small_mask(one, side) for one in mask])
    frames = torch.from_numpy(small).permute(0, 3, 1, 2)[None].float() / 255.0
    device = next(model.parameters()).device
    told = torch.from_numpy(holes > 0)[None, :, None]
    drawn = model(frames.to(device), told.to(device))[0].cpu()
    change = (drawn - frames[0]).permute(0, 2, 3, 1).numpy()
    out = composite.copy()
    for result, moved, hole, inside in zip(out, change, holes, mask, strict=True):
        grown = _beyond_the_edge(moved, hole)
        carried = cv2.resize(grown, (width, height), interpolation=cv2.INTER_LINEAR)
        wanted = result[inside].astype(np.float32) + carried[inside] * 255.0
        result[inside] = np.rint(np.clip(wanted, 0.0, 255.0)).astype(np.uint8)
    return out


def _at_full_size(model: Comparator, composite: Frames, mask: Mask) -> Frames:
    """One frame after the other, as it is: large ones would not fit the memory together."""
    device = next(model.parameters()).device
    out = composite.copy()
    for result, inside in zip(out, mask, strict=True):
        frame = torch.from_numpy(result).permute(2, 0, 1).float() / 255.0
        told = torch.from_numpy(inside)
        drawn = model(frame[None, None].to(device), told[None, None, None].to(device))[0, 0].cpu()
        levels = (drawn.permute(1, 2, 0) * 255.0).round().byte().numpy()
        result[inside] = levels[inside]
    return out


def _small_mask(mask: Array, side: tuple[int, int]) -> Array:
    """A mask (H, W) bool at another size, uint8: by its nearest pixels, and where a foreground
    falls between those, whatever it touches."""
    found = cv2.resize(mask.astype(np.uint8), side, interpolation=cv2.INTER_NEAREST)
    if found.any() or not mask.any():
        return found
    share = cv2.resize(mask.astype(np.float32), side, interpolation=cv2.INTER_AREA)
    return (share > 0.0).astype(np.uint8)


def _beyond_the_edge(change: Array, hole: Array) -> Array:
    """Continue a change (S, S, 3) outside its mask by the nearest change inside.

    Nothing changes outside; enlarged with that, the foreground's edge would keep half of its old
    color.
    """
    if not hole.any() or hole.all():
        return change
    _, label = cv2.distanceTransformWithLabels(
        1 - hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    ys, xs = np.nonzero(hole)
    nearest = np.zeros(int(label.max()) + 1, np.int64)
    nearest[label[ys, xs]] = np.arange(len(ys))
    return change[ys, xs][nearest[label]]
