"""The HYouTube layout on disk: read real HYouTube, or a set that ``vhmae synthesize`` wrote.

``real_videos/VIDEO/00000.jpg``, ``foreground_mask/VIDEO/object_k/00000.png``,
``synthetic_composite_videos/VIDEO/object_k/00000.jpg``; lists hold three folders a line (real,
mask, composite).
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from vhmae.arrays import Array, Codes, Frame, Frames, Mask, Picture, Plane
from vhmae.errors import InputError
from vhmae.memory import bounded
from vhmae.video.pairing import natural_order
from vhmae.video.stills import read_levels, write_levels

TEST_LIST, TRAIN_LIST = "test_list.txt", "train_list.txt"
REAL, MASK, COMPOSITE = "real_videos", "foreground_mask", "synthetic_composite_videos"
SKIN = "skin_mask"
"""Beside the masks in sets that know where skin is, which is ours alone."""
# The data set's README prints other names than its archive holds; both occur.
_OBJECT = re.compile(r"object_?\d+", re.IGNORECASE)
FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")
ALIASES = {
    REAL: ("Ground-truth", "real_video"),
    MASK: ("Mask",),
    COMPOSITE: ("Composite", "synthetic_composite_video"),
}


@dataclasses.dataclass(frozen=True)
class Sample:
    """One composite video with its target and mask, as folders of pictures."""

    name: str
    video: str
    """The source video: intervals are taken over these."""
    real: Path | None
    """None in a set of real composites, whose target nobody knows; its list says ``-``."""
    mask: Path
    composite: Path

    def frame_names(self) -> list[str]:
        files = filter(is_picture, self.composite.iterdir())
        names = [file.stem for file in sorted(files, key=natural_order)]
        if not names:
            raise InputError(
                f"{self.composite}: holds no frames; synthesize or unpack the set again"
            )
        return names

    def read(self) -> tuple[Frames, Frames, Mask]:
        """Read the clip: composite and target (T, H, W, 3) uint8 RGB, mask (T, H, W) bool (every
        non-zero pixel).

        Raises:
            InputError: if there is no target, or pictures are missing or do not fit each other.
        """
        composite, target, matte = self.read_soft()
        return composite, target, matte > 0

    def read_soft(self) -> tuple[Frames, Frames, Codes]:
        """As :meth:`read`, with the mask as the file has it: (T, H, W) uint8, 0-255, grey = soft.

        A file with one value besides 0 (object numbers, palettes) is a hard mask: that value reads
        as 255.
        """
        if self.real is None:
            raise InputError(
                f"{self.name}: is a real composite without a target; use vhmae compare or vhmae "
                "study, which need none"
            )
        composite, matte = self._read_soft_composite()
        target = np.stack(
            [read_picture(find_picture(self.real, name)) for name in self.frame_names()]
        )
        if target.shape != composite.shape:
            raise InputError(
                f"{self.real}: frames are {target.shape} but the composite's are "
                f"{composite.shape}; unpack the set again"
            )
        return composite, target, matte

    def read_composite(self) -> tuple[Frames, Mask]:
        """Read composite and mask alone."""
        composite, matte = self._read_soft_composite()
        return composite, matte > 0

    def _read_soft_composite(self) -> tuple[Array, Array]:
        names = self.frame_names()
        composite = np.stack([read_picture(find_picture(self.composite, name)) for name in names])
        matte = np.stack(
            [read_picture(find_picture(self.mask, name), color=False) for name in names]
        )
        if matte.shape != composite.shape[:3]:
            raise InputError(
                f"{self.mask}: frames are {matte.shape} but the composite's are "
                f"{composite.shape[:3]}; unpack the set again"
            )
        if np.count_nonzero(np.bincount(matte.ravel(), minlength=2)[1:]) == 1:
            matte[matte > 0] = 255
        return composite, matte


def is_picture(path: Path, suffixes: tuple[str, ...] = FRAME_SUFFIXES) -> bool:
    """Whether a file is a picture, or what else has these suffixes, by its name. What a file
    manager leaves beside one has a name that begins with a dot."""
    return path.suffix.lower() in suffixes and not path.name.startswith(".")


def find_picture(folder: Path, stem: str) -> Path:
    """The picture of a frame, whatever its suffix."""
    for suffix in (".jpg", ".png", ".jpeg", ".JPG", ".PNG"):
        path = folder / f"{stem}{suffix}"
        if path.exists():
            return path
    raise InputError(f"{folder}: lacks frame {stem}, which the composite has; unpack the set again")


def read_picture(path: Path, color: bool = True) -> Picture | Plane:
    """Read a picture as RGB (H, W, 3) or grey (H, W) uint8."""
    return read_levels(path, "picture of the set", color)


def write_jpeg(path: Path, picture: Frame) -> None:
    """Write RGB as JPEG, quality 97, 4:4:4."""
    flags = [
        cv2.IMWRITE_JPEG_QUALITY,
        97,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    write_levels(path, picture, flags)


def write_mask(path: Path, mask: Mask) -> None:
    """Write a mask (H, W) bool as PNG, 0 or 255."""
    write_levels(path, mask.astype(np.uint8) * np.uint8(255))


def folder_name(name: str) -> str:
    """A clip's name as a folder of a set, whose lists part folders by white space and take a
    backslash for a slash."""
    return re.sub(r"[\s\\]+", "_", name)


def read_list(root: Path | str, list_file: Path | str | None = None) -> list[Sample]:
    """Read a list of composites.

    Args:
        root: the data set's folder.
        list_file: three folders a line (real, mask, composite), relative to ``root``; without it
            ``test_list.txt``.
    Raises:
        InputError: where the list cannot be read, names what is not there, or names a composite
            twice.
    """
    root = Path(root)
    path = root / TEST_LIST if list_file is None else Path(list_file)
    if not root.is_dir():
        raise InputError(f"{root}: is not a folder; expected a data set in the HYouTube layout")
    try:
        lines = bounded(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'}); give a "
            "list by `list_file`"
        ) from None
    samples: list[Sample] = []
    lines_of: dict[Path, int] = {}
    places: list[str] = []
    side_by_side = True
    for number, line in enumerate(lines, 1):
        words = line.replace("\\", "/").split()
        if not words:
            continue
        if len(words) != 3:
            raise InputError(
                f"{path}: line {number} has {len(words)} entries; expected three folders (real, "
                "mask, composite)"
            )
        real = None if words[0] == "-" else _existing(root, words[0].strip("/"))
        mask, composite = (_existing(root, word.strip("/")) for word in words[1:])
        if composite in lines_of:
            raise InputError(
                f"{path}: line {number} names {words[2]} again, after line {lines_of[composite]}; "
                "take one of them out"
            )
        lines_of[composite] = number
        parts = Path(words[2].strip("/")).parts
        # VIDEO/OBJECT stands in several places; VIDEO alone has the set's own folder above it.
        others = [Path(word.strip("/")).parts for word in words[:2]]
        is_object = len(parts) > 1 and bool(_OBJECT.fullmatch(parts[-1]))
        is_of_video = is_object or (len(parts) > 1 and any(parts[-2] in one for one in others))
        source = parts[-2] if is_of_video else parts[-1]
        side_by_side &= not is_object and parts[:-1] == others[1][:-1]
        samples.append(Sample("/".join(parts[-2:]), source, real, mask, composite))
        places.append("/".join(parts))
    if not samples:
        raise InputError(f"{path}: lists no composite; expected three folders a line")
    if side_by_side and len({sample.video for sample in samples}) == 1:  # in the set's own folder
        samples = [dataclasses.replace(one, video=one.composite.name) for one in samples]
    counts = Counter(sample.name for sample in samples)
    return [  # of two sets of the same clips, each is called by its whole place
        dataclasses.replace(sample, name=place) if counts[sample.name] > 1 else sample
        for sample, place in zip(samples, places, strict=True)
    ]


def require_foreground(sample: Sample, mask: Mask) -> None:
    """Refuse a composite whose mask (T, H, W) bool is empty: there is nothing to measure.

    Raises:
        InputError: naming the mask's folder.
    """
    if not mask.any():
        raise InputError(
            f"{sample.mask}: has no foreground in any frame; leave this composite out of the list"
        )


def place_of(root: Path, relative: str) -> Path:
    """Where a list's entry lies, by either naming of the set; as it is written, where it lies
    nowhere."""
    top, _, rest = relative.partition("/")
    places = [root / relative, *(root / alias / rest for alias in ALIASES.get(top, ()))]
    return next((path for path in places if path.exists()), places[0])


def _existing(root: Path, relative: str) -> Path:
    path = place_of(root, relative)
    if path.is_dir():
        return path
    raise InputError(f"{path}: no such folder; the list and the data do not belong together")
