"""How steady results are over time, at patch borders and along the mask's edge, and what each
quality costs (docs/results.md).

python benchmarks/steadiness.py --sets SETS [--cache FOLDER] [--json FILE]

On val-two: every quality, and the network run on each frame by itself. About 8 minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hardware import describe
from provenance import facts_of, rests_on

from vhmae.color.basis import apply_transform, fit_transform
from vhmae.data.decoded import read_decoded
from vhmae.data.hyoutube import read_list
from vhmae.engine.harmonizer import Harmonizer
from vhmae.evaluation import metrics

Array = np.ndarray
WAYS = ("frame by frame", "fast", "balanced", "best")


def way_of(name: str, weights: str) -> tuple[Callable[[Array, Array], Array], int]:
    """A way to harmonize a clip, and the patches in a row of the network's frames."""
    quality: Any = "balanced" if name == "frame by frame" else name
    # The sets' samples are one shot each.
    harmonizer = Harmonizer.from_pretrained(weights, quality=quality, cut_detection=False)

    def whole(frames: Array, masks: Array) -> Array:
        return np.stack(list(harmonizer.harmonize(frames, masks)))

    def alone(frames: Array, masks: Array) -> Array:
        return np.concatenate(
            [whole(frames[i : i + 1], masks[i : i + 1]) for i in range(len(frames))]
        )

    config = harmonizer.network.config
    return (alone if name == "frame by frame" else whole), config.image_size // config.patch_size


def one_map(result: Array, composite: Array, mask: Array) -> Array:
    """The nearest result that one color map for the whole foreground gives: what it shows at patch
    borders is the picture's own."""
    source, target = (
        torch.from_numpy(frame[mask]).double() / 255.0 for frame in (composite, result)
    )
    fitted = composite.astype(np.float64)
    fitted[mask] = 255.0 * apply_transform(source, fit_transform(source, target)).numpy()
    return fitted


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--weights", default="default")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "steadiness.json"
    )
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in WAYS:
        harmonize, grid = way_of(name, args.weights)
        found: dict[str, list[float]] = {}
        for sample in read_list(args.sets / "val-two"):
            composite, target, mask, _ = read_decoded(sample, args.cache)
            result = harmonize(composite, mask)
            clip = list(zip(result, composite, target, mask, strict=True))
            bands = np.nanmean([metrics.edge_errors(r, t, m) for r, _, t, m in clip], axis=0)
            ours, own = metrics.temporal_losses((result, target), target, mask)
            values = {
                "fmse": float(np.nanmean([metrics.fmse(r, t, m) for r, _, t, m in clip])),
                "composite_fmse": float(np.nanmean([metrics.fmse(c, t, m) for _, c, t, m in clip])),
                "tl_dis": ours,
                "target_tl_dis": own,
                "frtc": metrics.foreground_tone_change(result, target, mask),
                "flicker": metrics.flicker(result, composite, target, mask),
                "seam": float(
                    np.nanmean([metrics.seam_ratio(r, c, m, grid) for r, c, _, m in clip])
                ),
                "seam_global": float(
                    np.nanmean(
                        [metrics.seam_ratio(one_map(r, c, m), c, m, grid) for r, c, _, m in clip]
                    )
                ),
                "edge_band": float(bands[0]),
                "interior": float(bands[1]),
            }
            for key, value in values.items():
                found.setdefault(key, []).append(value)
        means = {key: round(float(np.nanmean(values)), 4) for key, values in found.items()}
        told = rests_on(args.sets / "val-two", facts_of(args.weights, way=name))
        rows.append({"way": name, **means, **told})
        print({"way": name, **means}, flush=True)
    args.json.write_text(
        json.dumps({"schema": 1, "hardware": describe(), "set": "val-two", "rows": rows}, indent=1)
        + "\n"
    )


if __name__ == "__main__":
    main()
