"""Label maps of photographs: which lie beside them, and what they mean."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vhmae.arrays import Codes, Mask, Picture
from vhmae.errors import InputError
from vhmae.video.stills import picture_bytes, read_levels, read_stored

LABEL_SUFFIX = ".mask.png"
"""Of the mask of one subject; NAME.png beside another kind of picture numbers objects."""
FEW_LABELS = 3
"""A mask of more values than these has soft edges."""


def label_of(picture: Path) -> Path | None:
    """The label map of a picture; None where it has none."""
    suffixes = (LABEL_SUFFIX, LABEL_SUFFIX.upper(), ".png", ".PNG")
    beside = [picture.with_name(f"{picture.stem}{suffix}") for suffix in suffixes]
    # Where case is ignored, the picture itself is found by its other name.
    return next((path for path in beside if path.exists() and not path.samefile(picture)), None)


def read_labels(label: Path, picture: Path, data: Codes) -> Codes:
    """The label map of a picture as the bytes of a PNG: of one subject, 1 where it is.

    Args:
        data: the picture's bytes.
    Raises:
        InputError: where one of them cannot be read, or they differ in size.
    """
    labels = np.frombuffer(picture_bytes(label, "label map"), np.uint8)
    _check_sizes(picture, data, label, labels)
    return _subject_of(labels) if label.name.lower().endswith(LABEL_SUFFIX) else labels


def _subject_of(codes: Codes) -> Codes:
    """The mask of one subject, white or soft, as a map of one label; colors by their brightest
    channel."""
    levels = cv2.imdecode(codes, cv2.IMREAD_UNCHANGED)
    assert levels is not None, "it was looked at before"
    return cv2.imencode(".png", np.asarray(subject_of(levels), np.uint8))[1].ravel()


def labelled(label: Path) -> Mask:
    """The pixels (H, W) bool that a label map marks: all that are numbered, or one subject.

    Raises:
        InputError: where it cannot be read.
    """
    if label.name.lower().endswith(LABEL_SUFFIX):
        return subject_of(read_stored(label, "label map"))
    return np.asarray(read_levels(label, "label map", color=False) > 0)


def subject_of(levels: Picture) -> Mask:
    """The pixels (H, W) bool of the mask of one subject, white or soft; colors by their brightest
    channel."""
    if levels.ndim == 3:
        levels = levels[..., :3].max(axis=2)
    shown = np.unique(levels[levels > 0])
    # A few values number parts; more are the levels of a soft edge.
    least = 0.5 * float(levels.max()) if len(shown) > FEW_LABELS else 1.0
    return np.asarray(levels >= least)


def _check_sizes(picture: Path, data: Codes, label: Path, labels: Codes) -> None:
    """Refuse a label map of another size than its picture, as it lies after its EXIF turn."""
    sizes = []
    for path, codes in ((picture, data), (label, labels)):
        # Grey: a JPEG's chroma need not be decoded.
        decoded = cv2.imdecode(codes, cv2.IMREAD_GRAYSCALE) if len(codes) else None
        if decoded is None:
            raise InputError(f"{path}: cannot be read as a picture; take it out of the folder")
        sizes.append(decoded.shape[:2])
    if sizes[0] != sizes[1]:
        (rows, columns), (height, width) = sizes[1], sizes[0]
        raise InputError(
            f"{label}: is {columns}x{rows} but its picture {width}x{height}; leave this picture out"
        )
