"""What the network leaves to be done on composites whose truth is known: the stuff that a prior is
fitted to, and that simulated users point at.

Letters: T frames, P pixels drawn of the foreground, Q places that a user could point at, B places
of the background.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from vhmae.arrays import Array, ColorMap, Colors, Covariance, Frames, Mask, Numbers
from vhmae.data.hyoutube import read_list, require_foreground
from vhmae.digest import file_digest
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.sight import thumbnail_of
from vhmae.errors import InputError
from vhmae.guide.colors import LEVELS, basis, fit_added, rows_at
from vhmae.guide.fitting import LEFT_OUT, LIKELY, RIDGE, fit_prior
from vhmae.guide.prior import Prior
from vhmae.guide.update import MAP_LEVELS
from vhmae.model.files import find_card
from vhmae.progress import tracked
from vhmae.video.planes import Box

PIXELS_A_FRAME = 300
"""Foreground pixels on which errors are measured."""
PLACES_A_FRAME = 60
"""Places that a user could point at, on either side."""
TOLD = 6
"""Places a composite that decide how often each scale of a prior holds."""
TOLD_LEVELS = 10.0
"""How far what they say is taken to be off: between what maps leave of looks and of real light."""
INDEPENDENT = 160
"""So many places of a composite count in full."""
DISK_LINES = 288
DISK_RADIUS = 3
"""A place is the mean of a disk this large, in pixels of a frame of ``DISK_LINES`` lines."""


@dataclasses.dataclass(frozen=True)
class Leftover:
    """A composite with its answer and its truth; colors are sRGB-encoded float64 in [0, 1]."""

    name: str
    video: str
    composite: Colors
    """(P, 3)."""
    answer: Colors
    """(P, 3): what the network makes of it, not clipped."""
    target: Colors
    """(P, 3)."""
    places: Numbers
    """(Q, 3, 3): for places of the foreground, the color of the composite, of the answer and of
    the target."""
    background: Colors
    """(B, 3): the composite's colors at places of the background."""
    overall: ColorMap
    """(3, 10): the answer's overall map, mean over the frames."""

    def missing(self) -> Numbers:
        """The change of the overall map that brings the answer nearest to the truth: (30,)."""
        return fit_added(self.composite, self.target - self.answer, RIDGE)

    def told(self, rng: np.random.Generator) -> tuple[Numbers, Numbers, Numbers]:
        """What a person whose eye does not err would say of a few places: rows (M, 30), values and
        variances (M,)."""
        picks = rng.choice(len(self.places), min(TOLD, len(self.places)), replace=False)
        rows, values = self._said(self.places[picks])
        return rows, values, np.full(len(values), (TOLD_LEVELS / LEVELS) ** 2)

    def told_everywhere(self) -> tuple[Covariance, Numbers]:
        """What all places say, summed up: H'R^-1 H (30, 30) and H'R^-1 r (30,). Neighbors say much
        the same, so that many places count as fewer."""
        rows, values = self._said(self.places)
        sure = min(1.0, INDEPENDENT / len(self.places)) * (LEVELS / MAP_LEVELS) ** 2
        return sure * (rows.T @ rows), sure * (rows.T @ values)

    @staticmethod
    def _said(places: Numbers) -> tuple[Numbers, Numbers]:
        """What places (n, 3, 3) say of the change: H (3 n, 30) and r (3 n,)."""
        rows = np.concatenate([rows_at(composite) for composite in places[:, 0]])
        return rows, (places[:, 2] - places[:, 1]).ravel()


def read_leftovers(data: Path, harmonizer: Harmonizer, seed: int = 0) -> Iterator[Leftover]:
    """Run a harmonizer over an evaluation set and tell what it leaves.

    Args:
        data: a set in the HYouTube layout, with targets.
        harmonizer: with a photometric head; a composite counts as one shot.
        seed: of the pixels and places that are drawn.
    Raises:
        InputError: where the set cannot be read, or a composite has no foreground.
    """
    for number, sample in enumerate(read_list(data)):
        composite, target, mask = sample.read()
        require_foreground(sample, mask)
        rng = np.random.default_rng([seed, number])
        yield _leftover(sample.name, sample.video, composite, target, mask, harmonizer, rng)


def fit_prior_to(
    folders: Sequence[Path],
    harmonizer: Harmonizer,
    weights: str,
    command: str,
    progress: bool = False,
) -> Prior:
    """Fit a prior to what a harmonizer leaves on several sets, each composite counting the same.

    Args:
        weights, command: name or path, and what fits it, for the prior's provenance.
        progress: show on stderr which set is read.
    Raises:
        InputError: for weights that draw pixels.
    """
    if not harmonizer.network.holds_between_key_frames:
        raise InputError(
            "draws pixels, of which no prior can be fitted", field="weights", value=weights
        )
    sha = file_digest(find_card(weights).path)
    missing, told, everywhere = [], [], []
    counts: dict[str, int] = {}
    for folder in folders:
        rng = np.random.default_rng(0)
        lefts = read_leftovers(folder, harmonizer)
        shown = tracked(lefts, folder.name, None, progress)
        for left in shown:
            missing.append(left.missing())
            told.append(left.told(rng))
            everywhere.append(left.told_everywhere())
            counts[folder.name] = counts.get(folder.name, 0) + 1
    provenance = {
        "command": command,
        "weights": Path(weights).name,
        "weights_sha256": sha,
        "caution": harmonizer.caution,
        "composites": len(missing),
        "sets": counts,
        "ridge": RIDGE,
        "left_out": LEFT_OUT,
        "likely": LIKELY,
    }
    return fit_prior(np.stack(missing), told, everywhere, provenance)


def _leftover(
    name: str,
    video: str,
    composite: Array,
    target: Array,
    mask: Mask,
    harmonizer: Harmonizer,
    rng: np.random.Generator,
) -> Leftover:
    drawn, places, background, maps = [], [], [], []
    for index, change in _changes(harmonizer, composite, mask):
        pictures = [frames[index].astype(np.float64) / 255.0 for frames in (composite, target)]
        pictures.insert(1, pictures[0] + _added(pictures[0], change))
        inside = mask[index]
        picks = _drawn(inside, PIXELS_A_FRAME, rng)
        drawn.append([picture[picks] for picture in pictures])
        picks = _drawn(inside, PLACES_A_FRAME, rng)
        places.append([_disk_means(picture, inside)[picks] for picture in pictures])
        picks = _drawn(~inside, PLACES_A_FRAME, rng)
        background.append(_disk_means(pictures[0], ~inside)[picks])
        maps.append(change.overall)
    if not drawn:
        raise InputError(
            f"{name}: its mask covers every frame whole, so that nothing can be said of it; leave "
            "it out of the set's list"
        )
    colors = [np.concatenate(parts) for parts in zip(*drawn, strict=True)]
    shown = [np.concatenate(parts) for parts in zip(*places, strict=True)]
    return Leftover(
        name,
        video,
        colors[0],
        colors[1],
        colors[2],
        np.stack(shown, axis=1),
        np.concatenate(background),
        np.stack(maps).astype(np.float64).mean(axis=0),
    )


def _changes(
    harmonizer: Harmonizer, composite: Frames, mask: Mask
) -> Iterator[tuple[int, FrameTransform]]:
    """The transform of each frame that has a foreground, as it would be rendered."""
    harmonizer.reset()
    released = []
    for index, (frame, matte) in enumerate(zip(composite, mask, strict=True)):
        released += harmonizer.push(index, functools.partial(thumbnail_of, frame), matte)
    for one in [*released, *harmonizer.drain()]:
        if isinstance(one.change, FrameTransform):
            yield one.payload, one.change


def _added(picture: Array, change: FrameTransform) -> Array:
    """What a transform adds to a picture (H, W, 3), not clipped."""
    height, width = picture.shape[:2]
    maps, steps, lower, share = change.maps(Box(0, 0, height, width), height, width)
    terms = basis(picture)
    added = terms[..., 4:] @ change.overall[:, 4:].T.astype(np.float64)
    for channel in range(3):
        for term in range(4):
            index = channel * 4 + term
            factor = maps[lower, index] + share[:, None] * steps[lower, index]
            added[..., channel] += factor * terms[..., term]
    return added


def _drawn(where: Array, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    rows, columns = np.nonzero(where)
    picks = rng.choice(len(rows), min(count, len(rows)), replace=False) if len(rows) else slice(0)
    return rows[picks], columns[picks]


def _disk_means(picture: Array, inside: Array) -> Array:
    """At each pixel, the mean of the part of a disk that lies inside."""
    radius = max(1, round(DISK_RADIUS * picture.shape[0] / DISK_LINES))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    kernel = disk.astype(np.float64)
    sums = cv2.filter2D(picture * inside[..., None], -1, kernel, borderType=cv2.BORDER_CONSTANT)
    counts = cv2.filter2D(inside.astype(np.float64), -1, kernel, borderType=cv2.BORDER_CONSTANT)
    return sums / np.maximum(counts, 1.0)[..., None]
