"""Windows around a subject, in which it takes a share of the frame."""

from __future__ import annotations

import numpy as np
import pytest

from vhmae.data.evaluation_sets import SMALLEST_CROP, find_crop


def subject(top: int, left: int, rows: int = 60, columns: int = 80) -> np.ndarray:
    masks = np.zeros((2, 240, 320), bool)
    masks[:, top : top + rows, left : left + columns] = True
    return masks


@pytest.mark.parametrize(("top", "left"), [(90, 120), (0, 0), (180, 240), (10, 200)])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_a_window_holds_the_subject_at_the_share(top: int, left: int, share: float) -> None:
    masks = subject(top, left)
    window = find_crop(masks, share, (share - 0.05, share + 0.05))
    assert window is not None
    inside = masks[:, *window]
    rows, columns = inside.shape[1:]
    assert columns / rows == pytest.approx(320 / 240, abs=0.02)
    assert inside.mean() == pytest.approx(share, abs=0.03)
    assert inside.sum() == masks.sum()  # nothing of it is cut off
    # around its middle, as far as the frame reaches
    for axis, (begin, size, whole) in enumerate(((top, 60, 240), (left, 80, 320))):
        middle = min(max(begin + size / 2, inside.shape[axis + 1] / 2), whole)
        middle = min(middle, whole - inside.shape[axis + 1] / 2)
        assert (window[axis].start + window[axis].stop) / 2 == pytest.approx(middle, abs=1.0)


def test_what_no_window_can_hold_is_left_out() -> None:
    assert find_crop(subject(90, 120, 4, 4), 0.5, (0.4, 0.6)) is None  # it would be too small
    assert find_crop(np.ones((1, 240, 320), bool), 0.5, (0.4, 0.6)) is None  # is everywhere
    assert find_crop(subject(20, 20, 200, 280), 0.1, (0.0, 0.2)) is None  # fills the whole frame
    least = find_crop(subject(100, 140, 20, 30), 0.5, (0.0, 1.0))
    assert least is not None
    assert least[0].stop - least[0].start >= SMALLEST_CROP
