"""ComfyUI's batches as frames, one at a time: nothing but the batches themselves is held whole.

IMAGE is float [B, H, W, C] in [0, 1] with C = 3, or 4 with alpha; MASK is float [B, H, W], 1 is
foreground here. Letters: B frames, H and W height and width, C channels.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from vhmae import InputError
from vhmae.engine.sight import shows_background

LARGEST_IN_MEMORY = 2 << 30
"""Bytes of a batch that is made in memory; a larger one lies in a file that the system pages in
and out, so that the memory need not hold the batch that came and the one that goes."""


class Frames:
    """The frames of an IMAGE, gone through as often as one likes: (H, W, 3) float32 in [0, 1]."""

    def __init__(self, images: torch.Tensor, before_each: Callable[[], None]) -> None:
        """Check a batch.

        Args:
            before_each: is called before each frame; what it raises ends the work.
        Raises:
            InputError: for another shape.
        """
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[3] not in (3, 4) or 0 in shape:
            raise InputError(
                f"frames: expected an IMAGE [B, H, W, 3 or 4] with frames in it, got "
                f"{list(shape)}; connect the output of a node that gives IMAGE"
            )
        self.images = images
        self.before_each = before_each

    def __len__(self) -> int:
        return int(self.images.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.images.shape[1]), int(self.images.shape[2])

    @property
    def has_alpha(self) -> bool:
        return int(self.images.shape[3]) == 4

    def __iter__(self) -> Iterator[np.ndarray]:
        for image in self.images:
            self.before_each()
            # ComfyUI's own nodes overshoot, and clip where they save.
            yield array_of(image[..., :3]).clip(0.0, 1.0)


class Masks:
    """The mattes of a MASK for so many frames: (H, W) float32 in [0, 1]; one stands for all."""

    def __init__(self, mask: torch.Tensor, frames: Frames) -> None:
        """Check a batch.

        Raises:
            InputError: for another shape, or another size or length than the frames'.
        """
        masks = mask[None] if mask.ndim == 2 else mask
        shape = tuple(masks.shape)
        if len(shape) != 3:
            raise InputError(
                f"mask: expected a MASK [B, H, W], got {list(shape)}; connect the output of a node "
                "that gives MASK"
            )
        if shape[1:] != frames.size:
            (height, width), (rows, columns) = frames.size, shape[1:]
            raise InputError(
                f"mask: is {columns}x{rows} but the frames are {width}x{height}; resize one of them"
            )
        if shape[0] not in (1, len(frames)):
            raise InputError(
                f"mask: has {shape[0]} mattes for {len(frames)} frames; give one for each, or one "
                "for all"
            )
        self.masks, self.count = masks, len(frames)

    def check_shown(self) -> None:
        """Refuse a mask that marks nothing, or everything: nothing could be harmonized.

        Raises:
            InputError: where no matte shows a foreground, or none a background beside it.
        """
        mattes = map(array_of, self.masks)
        marked = (matte for matte in mattes if (matte > 0.0).any())
        first = next(marked, None)
        if first is None:
            raise InputError(
                "mask: has no foreground in any frame; 1 (white) must mark the foreground, check "
                "the MASK: Load Image gives an empty one for pictures without alpha"
            )
        if not any(map(shows_background, itertools.chain([first], marked))):
            raise InputError(
                "mask: covers every frame whole, so nothing of the background is seen; check the "
                "MASK: Load Image gives an empty one for pictures without alpha, which is full "
                "once it is inverted"
            )

    def check_shown_in(self, frames: Iterable[int]) -> None:
        """Refuse frames that a guide names and that show no foreground: no word of them is heard.

        Raises:
            InputError: naming the first of them.
        """
        for number in frames:
            if not (self._matte(number) > 0.0).any():
                raise InputError(f"points: frame {number} has no foreground; name another (@FRAME)")

    def _matte(self, number: int) -> np.ndarray:
        return array_of(self.masks[number if len(self.masks) > 1 else 0])

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[np.ndarray]:
        for number in range(self.count):
            yield self._matte(number).clip(0.0, 1.0)


def masks_for(frames: Frames, mask: torch.Tensor | None) -> Masks:
    """The mask that is connected, or else the frames' own alpha."""
    if mask is not None:
        return Masks(mask, frames)
    if not frames.has_alpha:
        raise InputError("mask: nothing is connected, and the frames have no alpha; connect a MASK")
    return Masks(frames.images[..., 3], frames)


def array_of(tensor: torch.Tensor) -> np.ndarray:
    """A frame or a matte as float32, wherever and in whatever precision ComfyUI holds it."""
    return np.asarray(tensor.detach().to("cpu", torch.float32).numpy())


def new_batch(*shape: int) -> torch.Tensor:
    """A float32 batch to be filled, in memory or in a file that goes when the batch does."""
    count = int(np.prod(shape))
    if 4 * count <= LARGEST_IN_MEMORY:
        return torch.empty(shape, dtype=torch.float32)
    with tempfile.TemporaryFile() as file:  # the map holds it for as long as the batch lives
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=shape))
