"""Composites with their answers as others have made them: HYouTube, iHarmony4, any list of three
files.

A sample is a frame with its neighbors (Fig. 3), read from the disk when it is drawn. Letters: T
frames, S side of the square frames.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vhmae.data.hyoutube import is_picture, place_of, read_list, read_picture
from vhmae.errors import InputError
from vhmae.memory import bounded
from vhmae.video.matte import ASPECT_TOLERANCE
from vhmae.video.pairing import natural_order

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


@dataclasses.dataclass(frozen=True)
class PairedClip:
    """The frames of one composite: a still is a clip of one."""

    name: str
    composite: tuple[Path, ...]
    target: tuple[Path, ...]
    mask: tuple[Path, ...]


@dataclasses.dataclass(frozen=True)
class PairWindow:
    """A frame with its neighbors."""

    composite: NDArray[np.uint8]
    """(T, S, S, 3) RGB."""
    target: NDArray[np.uint8]
    """(T, S, S, 3) RGB."""
    mask: NDArray[np.bool_]
    """(T, S, S): every non-zero pixel."""
    source: int
    """Number of the clip."""


def read_pairs(root: Path, list_file: Path) -> list[PairedClip]:
    """Read a list of composites with their answers.

    A line names three folders or three pictures (real, mask, composite, as in HYouTube's lists;
    numbered pictures in folders that are called after a video are the frames of one clip), or one
    composite of iHarmony4 (``HCOCO/composite_images/c1_2_3.jpg``), whose real picture and mask
    follow from its name. Paths count from ``root``.

    Raises:
        InputError: where the list or a file is missing, or clips do not have as many masks as
            frames.
    """
    try:
        text = bounded(list_file).read_text(encoding="utf-8-sig")
        lines = [line.split() for line in text.replace("\\", "/").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(
            f"{list_file}: cannot be read ({told}); give a list of composites"
        ) from None
    words = [line for line in lines if line]
    if words and len(words[0]) == 3 and not _is_picture(root, words[0][2].lstrip("/")):
        return [_of_folders(*parts) for parts in _folders(root, list_file)]
    clips: dict[tuple[Path, ...], list[tuple[str, list[Path]]]] = {}
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        if len(line) == 1 and "/composite_images/" in f"/{line[0]}":
            parts = _of_iharmony(line[0])
            if parts is None:
                raise InputError(
                    f"{list_file}: line {number}: {line[0]} is no name of iHarmony4; expected "
                    "SET/composite_images/NAME_OBJECT_LOOK.jpg"
                )
            real, mask, composite = parts
        elif len(line) == 3:
            real, mask, composite = line
        else:
            told = (
                f"line {number} has {len(line)} entries; expected real, mask and composite, or one "
                "of iHarmony4"
            )
            raise InputError(f"{list_file}: {told}")
        files = [place_of(root, one.lstrip("/")) for one in (real, mask, composite)]
        missing = next((file for file in files if not file.is_file()), None)
        if missing is not None:
            raise InputError(
                f"{missing}: no such picture, but {list_file} names it in line {number}"
            )
        key = tuple(one.parent for one in files) if _are_frames(*files) else (Path(str(number)),)
        clips.setdefault(key, []).append((composite, files))
    if not clips:
        raise InputError(
            f"{list_file}: lists no composite; expected real, mask and composite a line"
        )
    return [_of_frames(*zip(*frames, strict=True)) for frames in clips.values()]


def _are_frames(real: Path, mask: Path, composite: Path) -> bool:
    """Whether pictures are frames of a clip, as in HYouTube's lists of frames: numbers, in folders
    that are called after the video; numbered stills of a folder are not."""
    numbers = all(one.stem.isascii() and one.stem.isdecimal() for one in (real, mask, composite))
    of_video = real.parent.name in composite.parent.parts[-2:]
    return numbers and of_video and mask.parent.name == composite.parent.name


def _of_frames(names: tuple[str, ...], files: tuple[list[Path], ...]) -> PairedClip:
    """A clip of frames, in the order of their numbers; or of one picture."""
    if len(names) == 1:
        real, mask, composite = files[0]
        return PairedClip(names[0], (composite,), (real,), (mask,))
    ordered = sorted(files, key=lambda one: int(one[2].stem))
    reals, masks, composites = zip(*ordered, strict=True)
    return PairedClip(str(Path(names[0]).parent), composites, reals, masks)


def _folders(root: Path, list_file: Path) -> list[tuple[str, Path, Path, Path]]:
    found = []
    for sample in read_list(root, list_file):
        if sample.real is None:
            raise InputError(
                f"{sample.name}: is a real composite without a target; training needs one"
            )
        found.append((sample.name, sample.real, sample.mask, sample.composite))
    return found


def _of_folders(name: str, real: Path, mask: Path, composite: Path) -> PairedClip:
    frames = {
        file.stem: file
        for file in sorted(composite.iterdir(), key=natural_order)
        if is_picture(file, PICTURES)
    }
    if not frames:
        raise InputError(f"{composite}: holds no pictures; unpack the set again")
    others = []
    for folder in (real, mask):
        own = {file.stem: file for file in folder.iterdir() if is_picture(file, PICTURES)}
        missing = next((stem for stem in frames if stem not in own), None)
        if missing is not None:
            raise InputError(
                f"{folder}: lacks frame {missing}, which {composite} has; unpack the set again"
            )
        others.append(tuple(own[stem] for stem in frames))
    return PairedClip(name, tuple(frames.values()), others[0], others[1])


def _is_picture(root: Path, entry: str) -> bool:
    """Whether a list is one of pictures: by what lies there, and by the name where nothing does."""
    place = place_of(root, entry)
    return not place.is_dir() and (place.is_file() or Path(entry).suffix.lower() in PICTURES)


def _of_iharmony(composite: str) -> tuple[str, str, str] | None:
    """The real picture and the mask of ``SET/composite_images/NAME_OBJECT_LOOK.jpg``; None for
    other names."""
    folder, _, file = composite.rpartition("composite_images/")
    name, *rest = Path(file).stem.rsplit("_", 2)
    if len(rest) != 2:
        return None
    thing = rest[0]
    return f"{folder}real_images/{name}.jpg", f"{folder}masks/{name}_{thing}.png", composite


class PairSampler:
    """Draws frames of paired clips, each frame as often as any other."""

    def __init__(self, clips: Sequence[PairedClip], augment: bool = True) -> None:
        """Take clips.

        Args:
            augment: flip and turn windows by quarters, as CO2Net's training does.
        """
        self.clips = list(clips)
        self.augment = augment
        self._ends = np.cumsum([len(clip.composite) for clip in self.clips])

    def __len__(self) -> int:
        """Samples: the frames of all clips."""
        return int(self._ends[-1])

    def draw(self, rng: np.random.Generator, frames: int, size: int) -> PairWindow:
        """Draw a window of ``frames`` frames, whole, at ``size`` x ``size``."""
        window = self.window(int(rng.integers(len(self))), frames, size)
        return (
            _turned(window, int(rng.integers(4)), bool(rng.integers(2))) if self.augment else window
        )

    def window(self, sample: int, frames: int, size: int) -> PairWindow:
        """A sample: frame t in the middle of t - (T/2 - 1) .. t + T/2; at a clip's ends the window
        stands."""
        source = int(np.searchsorted(self._ends, sample, side="right"))
        clip = self.clips[source]
        at = sample - (int(self._ends[source]) - len(clip.composite))
        first = min(max(at - max(0, frames // 2 - 1), 0), max(0, len(clip.composite) - frames))
        places = [min(first + step, len(clip.composite) - 1) for step in range(frames)]
        rows = [_alike(clip, place) for place in places]
        composite, target = (
            np.stack([_resized(row[part], size) for row in rows]) for part in range(2)
        )
        mask = np.stack([_resized(row[2], size, mask=True) for row in rows])
        return PairWindow(composite, target, mask > 0, source)


def _alike(clip: PairedClip, place: int) -> list[NDArray[np.uint8]]:
    """Composite, target and mask of a frame.

    Raises:
        InputError: where they are not of one shape, so that they would be laid over one another
            askew.
    """
    files = clip.composite[place], clip.target[place], clip.mask[place]
    found = [read_picture(file, color=file is not files[2]) for file in files]
    (height, width), others = found[0].shape[:2], found[1:]
    for file, other in zip(files[1:], others, strict=True):
        rows, columns = other.shape[:2]
        if abs(columns * height / (rows * width) - 1.0) > ASPECT_TOLERANCE:
            raise InputError(
                f"{file}: is {columns}x{rows} but its composite {width}x{height}; leave it out of "
                "the list, or mend it"
            )
    return found


def _resized(picture: NDArray[np.uint8], size: int, mask: bool = False) -> NDArray[np.uint8]:
    """Whole frames, whatever their aspect, as the paper takes them (Sec. 4.1)."""
    if mask:
        picture = (picture > 0).astype(np.uint8)
    way = cv2.INTER_NEAREST if mask else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size, size), interpolation=way), np.uint8)


def _turned(window: PairWindow, quarters: int, mirrored: bool) -> PairWindow:
    def turn(frames: NDArray[np.generic]) -> NDArray[np.generic]:
        turned = np.rot90(frames, quarters, axes=(1, 2))
        return np.ascontiguousarray(turned[:, :, ::-1] if mirrored else turned)

    parts = (turn(window.composite), turn(window.target), turn(window.mask))
    return PairWindow(*parts, window.source)  # type: ignore[arg-type]  # a turn keeps the type
