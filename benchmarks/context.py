"""How much of a shot the packaged network needs to see: frame size, frames at once, their distance,
crop or whole frame.

python benchmarks/context.py --sets SETS [--cache FOLDER] [--json FILE]

Scored on the dev sets (configs/benchmarks), at the settings that ship; a row changes what its
block names (frames at once: with a key frame at every frame). The network was trained on two
frames of 160 and 256 pixels: other sizes and lengths are what it makes of them untrained. About 20
    minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from hardware import describe
from provenance import facts_of

from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.settings import Quality
from vhmae.evaluation.methods import Clip, Method
from vhmae.evaluation.runner import evaluate
from vhmae.model.weights import load_model

SETS = ("dev-two", "dev-large", "dev-mild")
SIZES = (96, 160, 256, 384)
FRAMES = (1, 2, 4, 8)
STRIDES = (1, 3, 6, 12)
MARGINS = (0.25, 0.5, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """What the network is shown."""

    size: int = 256
    frames: int = 2
    """T: frames at once."""
    stride: int = 6
    """Frames from one key frame to the next."""
    quality: Quality = "balanced"
    """``best`` looks at whole shots first."""
    margin: float | None = None
    """A crop around the foreground's box, wider by this share of it on each side; None shows the
    whole frame."""


def views() -> dict[str, list[tuple[str, View]]]:
    """The rows by what they change."""
    return {
        "size": [(f"{size} pixels", View(size=size)) for size in SIZES],
        "frames at once": [(f"{count} frames", View(frames=count, stride=1)) for count in FRAMES],
        "stride": [(f"every {stride}", View(stride=stride)) for stride in STRIDES],
        "whole shots": [("whole shots first", View(stride=6, quality="best"))],
        "crop": [
            ("whole frame", View()),
            *((f"box and {margin:.0%}", View(margin=margin)) for margin in MARGINS),
        ],
    }


def crop_of(mask: np.ndarray, margin: float) -> tuple[slice, slice]:
    """Rows and columns of a box around the foreground of all frames (T, H, W), wider by a share of
    it."""
    found = []
    for other in (2, 1):
        line = np.asarray(mask.any(axis=(0, other)))
        places = np.flatnonzero(line)
        first, last = int(places[0]), int(places[-1]) + 1
        more = round(margin * (last - first))
        found.append(slice(max(0, first - more), min(len(line), last + more)))
    return found[0], found[1]


def method_of(view: View) -> Method:
    model = load_model("default")
    model.config = dataclasses.replace(model.config, image_size=view.size, clip_frames=view.frames)
    harmonizer = Harmonizer(model, quality=view.quality, cut_detection=False)
    harmonizer.stride = view.stride
    harmonizer.latency_frames = 1000  # every clip is seen whole before its first frame is due

    def harmonize(clip: Clip) -> np.ndarray:
        if view.margin is None:
            return np.stack(list(harmonizer.harmonize(clip.composite, clip.mask)))
        rows, columns = crop_of(clip.mask, view.margin)
        result = clip.composite.copy()
        part = clip.composite[:, rows, columns], clip.mask[:, rows, columns]
        result[:, rows, columns] = np.stack(list(harmonizer.harmonize(*part)))
        return result

    return Method("vhmae", harmonize, facts=facts_of("default", **dataclasses.asdict(view)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder that keeps decoded sets")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "context.json"
    )
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    known: dict[View, dict[str, Any]] = {}
    for what, listed in views().items():
        for name, view in listed:
            if view not in known:
                method = method_of(view)
                reports = {
                    one: evaluate(args.sets / one, method, ("fmse",), cache=args.cache)
                    for one in SETS
                }
                known[view] = {
                    one: {
                        "ratio": report["ratio"]["fmse"],
                        "worse": report["worse_share"],
                        **{key: report[key] for key in ("settings", "method_facts", "digests")},
                    }
                    for one, report in reports.items()
                }
            rows.append(
                {"changes": what, "name": name, **dataclasses.asdict(view), "scores": known[view]}
            )
            print(
                what, name, {one: score["ratio"] for one, score in known[view].items()}, flush=True
            )
    args.json.write_text(
        json.dumps({"schema": 1, "hardware": describe(), "rows": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
