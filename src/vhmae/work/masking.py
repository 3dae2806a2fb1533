"""Jobs whose mask the work itself makes (``--matte``)."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.guide.document import Guide
from vhmae.guide.options import GuideOptions
from vhmae.video.pictures import write_still
from vhmae.video.source import frames_between
from vhmae.work.job import HarmonizeJob, MaskMaker
from vhmae.work.named import AROUND
from vhmae.work.sources import check_composite, check_fits


@contextlib.contextmanager
def masked_job(
    job: HarmonizeJob, way: MaskMaker, beside: Path, guide: Guide | None = None
) -> Iterator[HarmonizeJob]:
    """A job with its mask made, in a file beside an output that is gone afterwards.

    Args:
        guide: what is said of frames of its video. The mask is of the frames that the job keeps;
            where one of those lies outside of them, of all that is looked at to hear of it.
    Raises:
        InputError: for what a guide says of places, frames or objects that there are not.
    """
    from vhmae.matting.run import made_matte  # its networks' library is an extra

    options: dict[str, Any] = {
        "within": _looked_at(job, guide or Guide()),
        "weights": job.matte_weights,
        "threads": job.threads,
        "cuts": job.cuts,
        "cut_detection": job.cut_detection,
        "progress": job.progress != "none" and sys.stderr.isatty(),
    }
    with made_matte(job.composite, way, beside, **options) as mask:
        yield dataclasses.replace(job, matte=None, matte_weights=None, masks=(mask,))


def _looked_at(job: HarmonizeJob, guide: Guide) -> range:
    info = check_composite(job)
    check_fits(guide, info)
    kept = frames_between(info, job.start, job.end)
    outside = [frame for frame in guide.frames if frame not in kept]
    if not outside:
        return kept
    return range(min(info.frames, max(kept.stop, max(outside) + AROUND + 1)))


@contextlib.contextmanager
def half_masked(job: HarmonizeJob, way: MaskMaker) -> Iterator[HarmonizeJob]:
    """The same for a check, which makes no mask: half of the frame stands for it, and no word is
    heard, since words speak of the mask."""
    from vhmae.matting.run import make_network  # its library is an extra

    make_network(way, job.matte_weights, job.threads)
    info = check_composite(job)
    half = np.zeros((info.height, info.width, 3), np.uint8)
    half[:, : max(1, info.width // 2)] = 255
    with tempfile.TemporaryDirectory(prefix="vhmae-") as folder:
        mask = Path(folder) / "half.png"
        write_still(mask, half)
        bare: dict[str, Any] = {"matte": None, "matte_weights": None, "words": GuideOptions()}
        yield dataclasses.replace(job, **bare, masks=(mask,))
