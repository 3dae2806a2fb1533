"""What a harmonizer is made with, refused where it is made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.networks import changing_model
from vhmae.engine.harmonizer import Harmonizer
from vhmae.errors import InputError, ShapeError


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        (np.full((4, 4, 3), np.nan, np.float32), "from nan to nan"),
        (np.full((4, 4, 3), 200.0, np.float32), r"reference in \[0, 1\], got values from 200"),
        (np.zeros((4, 4), np.float32), r"a reference \(H, W, 3\), got \(4, 4\)"),
    ],
)
def test_references_that_are_no_pictures_are_refused(reference: Any, told: str) -> None:
    with pytest.raises(ShapeError, match=told):
        Harmonizer(changing_model(), reference=reference)


@pytest.mark.parametrize("frames", ["a", -1, 1.5, float("nan")])
def test_what_is_no_number_of_frames_ahead_is_refused(frames: Any) -> None:
    with pytest.raises(InputError, match=r"expected 0 \(live\) or a number of frames"):
        Harmonizer(changing_model(), lookahead=frames)
    ahead: Any = np.int64(2)
    assert Harmonizer(changing_model(), lookahead=ahead).latency_frames == 2
