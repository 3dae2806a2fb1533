"""Reports of ``evaluate`` as benchmarks keep them, without an evaluation."""

from __future__ import annotations

from typing import Any

from vhmae.data.digests import settings_digest
from vhmae.evaluation.protocols import PROTOCOLS


def report(method: str, fmse: float, steps: float | None = None) -> dict[str, Any]:
    """What ``evaluate`` says of a method on a set of ten videos, as far as the tables ask."""
    settings = {"protocol": "clean", "version": PROTOCOLS["clean"].version, "size": None}
    told = {"mean": fmse, "ci95": [fmse, fmse]}
    over_time = None if steps is None else {"mean": steps, "ci95": [steps, steps]}
    detail = [
        {
            "name": f"v{video}/object_1",
            "video": f"v{video}",
            "frames": 1,
            "values": {"fmse": fmse + video},
            "untouched": {"fmse": 20.0},
        }
        for video in range(10)
    ]
    return {
        "method": method,
        "pooling": "videos",
        "overall": {"mse": told, "fmse": told, "psnr": told, "fssim": told},
        "ratio": {"fmse": fmse / 20.0},
        "ratio_ci95": {"fmse": [0.1, 0.9]},
        "worse_share": 0.0,
        "videos": 10,
        "composites": 10,
        "temporal": {key: {"method": over_time} for key in ("tl_dis", "frtc", "flicker")},
        "settings": settings,
        "method_facts": {},
        "digests": {
            "weights": None,
            "set": "s",
            "protocol": settings_digest(settings),
            "method": f"{method} {fmse}",
        },
        "composites_detail": detail,
    }
