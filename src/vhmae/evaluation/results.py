"""Results as folders of frames: ``VIDEO/object_k/00000.png``, named as the composite's frames are.

Whoever has results lays them out so; ``vhmae evaluate --write`` does.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType

import numpy as np

from vhmae.arrays import Array, Frames
from vhmae.data.hyoutube import Sample, find_picture, read_picture
from vhmae.data.pairs import PICTURES
from vhmae.digest import file_digest
from vhmae.errors import InputError
from vhmae.evaluation.clip import Clip, Method
from vhmae.partial_output import whole_folder
from vhmae.video.stills import write_levels


def folder_method(label: str, folder: Path) -> Method:
    """Results that lie in a folder.

    Raises:
        InputError: if there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(
            f"`methods` folder:{folder}: is not a folder; expected results as "
            "VIDEO/object_k/00000.png"
        )
    return Method(
        label,
        lambda clip: _read_results(folder, clip),
        takes_other_backgrounds=False,
        facts={"folder": str(folder), "results_sha256": results_digest(folder)},
    )


def results_digest(folder: Path) -> str:
    """SHA-256 of the names and bytes of all pictures below a folder of results."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.suffix.lower() in PICTURES:
            total.update(f"{file.relative_to(folder).as_posix()} {file_digest(file)}\n".encode())
    return total.hexdigest()


def _read_results(folder: Path, clip: Clip) -> Array:
    sample = clip.sample
    if sample is None:
        raise InputError(
            f"folder:{folder}: holds results of a list, not of other clips; use a method that runs"
        )
    pictures = [find_picture(folder / sample.name, name) for name in sample.frame_names()]
    results = np.stack([read_picture(picture) for picture in pictures])
    if results.shape != clip.composite.shape:
        shapes = f"{results.shape[1:3]}, the composite's are {clip.composite.shape[1:3]}"
        raise InputError(
            f"{folder / sample.name}: frames are {shapes} (height, width); give the `size` they "
            "were made at"
        )
    return results


class ResultWriter:
    """Writes results without loss into a folder, which appears whole at the end or not at all."""

    def __init__(self, folder: Path) -> None:
        """Begin.

        Raises:
            InputError: if the folder holds something already, or cannot be made where it is to lie.
        """
        self.folder = folder
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError("exists already; choose a new folder", field="write", value=folder)
        parent = folder.absolute().parent
        if not parent.is_dir():
            raise InputError(
                f"the folder {parent} does not exist; make it first", field="write", value=folder
            )
        self._growing = whole_folder(folder)
        self._part = folder

    def write(self, sample: Sample, frames: Frames) -> None:
        """Write the frames (T, H, W, 3) uint8 RGB of a composite as PNG."""
        folder = self._part / sample.name
        folder.mkdir(parents=True)
        for name, frame in zip(sample.frame_names(), frames, strict=True):
            write_levels(folder / f"{name}.png", frame)

    def __enter__(self) -> ResultWriter:
        self._part = self._growing.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._growing.__exit__(kind, error, trace)
