"""ComfyUI's VIDEO as files: harmonized from file to file, so that length costs no memory."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import folder_paths
import numpy as np
import torch
from comfy_api.latest import InputImpl

import vhmae
from vhmae.video.containers import container_for

from .batches import array_of


def new_folder() -> Path:
    """A folder of ComfyUI's temporary ones, which ComfyUI clears."""
    parent = Path(folder_paths.get_temp_directory())
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="vhmae-", dir=parent))


def file_of(video: Any, folder: Path, name: str) -> Path:
    """The file of a VIDEO; one that is cut, edited or made of frames is written first."""
    source = video.get_stream_source()
    cut = getattr(video, "get_active_trim_window", lambda: (0.0, 0.0))() != (0.0, 0.0)
    edited = getattr(video, "has_pending_frame_edits", lambda: False)()
    if isinstance(source, str) and not cut and not edited:
        return Path(source)
    path = folder / f"{name}.mp4"
    video.save_to(str(path))
    return path


def mask_file(mask: torch.Tensor, video: Any, folder: Path) -> Path:
    """A MASK [B, H, W] as a lossless video of the VIDEO's rate; one matte stands for all frames.

    Raises:
        InputError: for another shape, size or length than the video's.
    """
    masks = mask[None] if mask.ndim == 2 else mask
    width, height = video.get_dimensions()
    if masks.ndim != 3 or tuple(masks.shape[1:]) != (height, width):
        raise vhmae.InputError(
            f"mask: expected a MASK [B, {height}, {width}] for this VIDEO, got {list(mask.shape)}; "
            "resize one of them"
        )
    if len(masks) == 1:
        path = folder / "mask.png"
        with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
            stream = container.add_stream("png", width=width, height=height, pix_fmt="gray")
            for packet in itertools.chain(stream.encode(_gray(masks[0])), stream.encode(None)):
                container.mux(packet)
        return path
    path = folder / "mask.mkv"
    with av.open(str(path), "w") as container:
        rate = video.get_frame_rate()
        stream = container.add_stream("ffv1", rate=rate, width=width, height=height)
        stream.pix_fmt = "gray"
        for packet in itertools.chain.from_iterable(map(stream.encode, map(_gray, masks))):
            container.mux(packet)
        container.mux(stream.encode(None))
    return path


def _gray(matte: torch.Tensor) -> av.VideoFrame:
    levels = np.rint(array_of(matte).clip(0.0, 1.0) * 255.0).astype(np.uint8)
    return av.VideoFrame.from_ndarray(levels, format="gray")


def harmonized_file(
    video: Any,
    mask: Any,
    tell: Callable[[int, int | None], None],
    **options: Any,
) -> tuple[Any, dict[str, Any]]:
    """A VIDEO harmonized, with its sound, and the report.

    Args:
        mask: a MASK, a VIDEO that is white where the foreground is, or None: the video's own alpha.
        options: of :func:`vhmae.harmonize_video`.
    """
    folder = new_folder()
    source = file_of(video, folder, "composite")
    if mask is None:
        masks = []
    elif isinstance(mask, torch.Tensor):
        masks = [mask_file(mask, video, folder)]
    else:
        masks = [file_of(mask, folder, "mask")]
    output = folder / f"harmonized{container_for(source.suffix.lower())}"
    report = vhmae.harmonize_video(source, output, mask=masks, on_progress=tell, **options)
    return InputImpl.VideoFromFile(str(output)), report
