"""What a user may choose: another reference than the background, and what of the foreground
stays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import moving_scene
from vhmae.arrays import Array
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.rendering import LUMA
from vhmae.errors import InputError


def harmonized(frames: Array, masks: Array, **options: object) -> Array:
    harmonizer = Harmonizer(changing_model(), precision="fp32", caution=0.0, **options)  # type: ignore[arg-type]
    return np.stack(list(harmonizer.harmonize(frames, masks)))


def test_with_a_reference_the_background_says_nothing() -> None:
    frames, masks = moving_scene(6, 64, 64)
    picture = np.random.default_rng(1).random((90, 160, 3), np.float32)
    other = np.where(masks[..., None], frames, 255 - frames)
    one, same = (harmonized(shown, masks, reference=picture) for shown in (frames, other))
    inside = masks[..., None] & np.ones(3, bool)
    assert np.abs(one[inside].astype(int) - same[inside]).max() <= 1
    assert np.array_equal(one[~inside], frames[~inside])
    plain = harmonized(frames, masks)
    assert np.abs(one[inside].astype(int) - plain[inside]).max() > 3


def test_with_a_reference_no_background_is_needed() -> None:
    frames, masks = moving_scene(4, 64, 64)
    picture = np.full((8, 8, 3), 0.3, np.float32)
    assert not np.array_equal(harmonized(frames, np.ones_like(masks), reference=picture), frames)
    assert np.array_equal(harmonized(frames, np.ones_like(masks)), frames)


PARTS = ("hue", "luma", "saturation")


@pytest.mark.parametrize(
    "keep",
    [names for count in (1, 2, 3) for names in itertools.combinations(PARTS, count)],
    ids=" ".join,
)
def test_what_is_kept_stays_as_it_is(keep: tuple[str, ...]) -> None:
    frames, masks = moving_scene(3, 64, 64)
    shown = (
        frames.astype(np.float32) / 255.0 * 0.6 + 0.2
    )  # far from the limits, where nothing is clipped
    plain, kept = harmonized(shown, masks), harmonized(shown, masks, keep=keep)

    def parts(colors: Array) -> dict[str, Array]:
        luma = colors @ LUMA
        chroma = colors - luma[..., None]
        length = np.linalg.norm(chroma, axis=-1)
        return {
            "luma": luma,
            "saturation": length,
            "hue": chroma / np.maximum(length, 1e-3)[..., None],
        }

    before, after, without = (
        parts(colors[masks].astype(np.float64)) for colors in (shown, kept, plain)
    )
    colored = before["saturation"] > 0.05
    for name in PARTS:
        assert np.abs(without[name] - before[name])[colored].max() > 0.02
        assert (np.abs(after[name] - before[name])[colored].max() < 0.01) == (name in keep), name


def test_an_unknown_thing_to_keep_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean luma"):
        Harmonizer(changing_model(), keep=("lumma",))  # type: ignore[arg-type]
