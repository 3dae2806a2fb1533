"""A small set under review."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.databases import KINDS, fresh_database
from vhmae.rcvh.decisions import Review
from vhmae.rcvh.manifest import rewrite
from vhmae.video.browser import write_browser_video


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A set of four composites, as far as a review needs it."""
    out = tmp_path / "set"
    (out / "composites").mkdir(parents=True)
    lines = []
    for number, ratio in enumerate(RATIOS):
        name = f"{number:05d}"
        write_browser_video(
            out / "composites" / f"{name}.mp4",
            iter(np.full((10, 48, 64, 3), 60 * number, np.uint8)),
            Fraction(25),
        )
        for folder in ("synthetic_composite_videos", "foreground_mask"):
            (out / folder / name / "object_0").mkdir(parents=True)
        lines.append(
            {
                "name": name,
                "foreground_ratio": ratio,
                "frames": 10,
                "composite": f"composites/{name}.mp4",
            }
        )
    (out / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rewrite(out)
    return out


@pytest.fixture(params=KINDS)
def review(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[Review]:
    with fresh_database(request.param, tmp_path) as url:
        opened = Review(made, url)
        yield opened
        opened.database.close()


RATIOS = (0.3, 0.5, 0.7, 0.4)
