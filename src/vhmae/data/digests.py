"""Digests of what a figure rests on: they tell one of before from one of today."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vhmae.data.hyoutube import Sample, is_picture
from vhmae.digest import file_digest


def settings_digest(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings that JSON can hold, whatever their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def set_digest(samples: Sequence[Sample]) -> str:
    """SHA-256 of a set: the names of its composites in their order, and every picture's name and
    bytes.

    Where the set lies does not count, nor what lies beside the listed pictures.
    """
    total = hashlib.sha256()
    known: dict[Path, str] = {}  # the composites of a video share their target
    for sample in samples:
        total.update(f"{sample.name}\n".encode())
        for part in (sample.composite, sample.mask, sample.real):
            if part is not None and part not in known:
                known[part] = _folder_digest(part)
            total.update(f"{known[part] if part is not None else '-'}\n".encode())
    return total.hexdigest()


def _folder_digest(folder: Path) -> str:
    total = hashlib.sha256()
    pictures = (entry for entry in folder.iterdir() if is_picture(entry))
    for file in sorted(pictures):
        total.update(f"{file.name} {file_digest(file)}\n".encode())
    return total.hexdigest()
