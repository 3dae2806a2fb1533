"""Fades to white and black: the change of a shot fades with its pictures; flashes are no fades."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import moving_scene
from vhmae.engine.fading import Fading
from vhmae.engine.harmonizer import Harmonizer

SCENE = np.random.default_rng(3).uniform(0.05, 0.9, (36, 64, 3)).astype(np.float32)


def shares(levels: list[np.ndarray], ahead: int = 8) -> list[float]:
    """What is told of each frame, released some frames late, through a stop after each."""
    fading, told = Fading(), []
    for index, thumbnail in enumerate(levels):
        fading.see(0, index, thumbnail)
        again = Fading()
        again.restore(fading.state())
        fading = again
        if index >= ahead:
            told.append(fading.shown(0, index - ahead))
    return told + [fading.shown(0, index) for index in range(len(levels) - ahead, len(levels))]


def faded(weights: list[float], target: float) -> list[np.ndarray]:
    return [SCENE * weight + target * (1.0 - weight) for weight in weights]


OUT = [1.0] * 6 + [1.0 - step / 20 for step in range(1, 21)] + [0.0] * 4


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_what_a_frame_shows_goes_with_a_fade(target: float) -> None:
    told = shares(faded(OUT, target))
    assert told[:6] == [1.0] * 6
    assert told[-4:] == pytest.approx([0.0] * 4, abs=1e-6)
    assert all(later <= before + 1e-9 for before, later in itertools.pairwise(told))
    expected = [min(1.0, weight / (0.8 if target else 0.25)) for weight in OUT]
    assert told[:-8] == pytest.approx(expected[:-8], abs=1e-5)
    live = shares(faded(OUT, target), ahead=0)
    assert live[-4:] == pytest.approx([0.0] * 4, abs=1e-6)
    back = shares(faded(OUT[::-1], target), ahead=20)
    assert back[:4] == pytest.approx([0.0] * 4, abs=1e-6)
    assert back[-6:] == [1.0] * 6


@pytest.mark.parametrize("ahead", [0, 8])
def test_flashes_and_changes_of_light_are_no_fades(ahead: int) -> None:
    lit = np.clip(SCENE * 0.6 + 0.4, 0, 1)
    assert shares([SCENE] * 6 + [lit] * 4 + [SCENE] * 6, ahead) == [1.0] * 16
    assert shares([lit] * 2 + [SCENE] * 14) == [1.0] * 16
    darker = [SCENE * gain for gain in np.linspace(1.0, 0.4, 20)]
    assert shares(darker) == [1.0] * 20
    grey = [SCENE * w + 0.4 * (1 - w) for w in np.linspace(1.0, 0.3, 20)]  # fog
    assert min(shares(grey)) == 1.0


def test_plain_white_shows_nothing_however_fast_it_came() -> None:
    white = np.ones_like(SCENE)
    told = shares([SCENE] * 6 + [white] * 2 + [SCENE] * 6)
    assert told[6:8] == [0.0, 0.0]
    assert told[:6] + told[8:] == [1.0] * 12


@pytest.mark.parametrize("target", [0, 255])
def test_a_shot_that_fades_is_left_plain(target: int) -> None:
    """Where nothing of the shot is left, nothing is changed; before, all of it is."""
    pictures, masks = moving_scene(40, 64, 48)
    weights = [1.0] * 24 + [max(0.0, 1.0 - (step + 1) / 12) for step in range(16)]
    clip = [
        np.rint(picture * weight + target * (1.0 - weight)).astype(np.uint8)
        for picture, weight in zip(pictures, weights, strict=True)
    ]
    harmonizer = Harmonizer(changing_model(), quality="fast", precision="fp32", caution=0.0)
    done = list(harmonizer.harmonize(clip, list(masks)))
    moved = [
        float(np.abs(after.astype(int) - before)[mask > 0].mean())
        for after, before, mask in zip(done, clip, masks, strict=True)
    ]
    assert min(moved[:24]) > 2.0
    assert max(moved[-4:]) == 0.0
    if target:
        assert moved[33] < 0.75 * moved[23]


def test_a_clip_that_ends_within_a_fade_does_not_come_back() -> None:
    weights = [1.0] * 12 + [1.0 - step / 40 for step in range(1, 29)]
    levels = faded(weights, 1.0)
    fading = Fading()
    for index, thumbnail in enumerate(levels):
        fading.see(0, index, thumbnail)
    fading.end()
    told = [fading.shown(0, index) for index in range(len(levels) - 8, len(levels))]
    expected = [min(1.0, weight / 0.8) for weight in weights[-8:]]
    assert told == pytest.approx(expected, abs=1e-5)


def test_a_stream_tells_its_fades_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []
    monkeypatch.setattr(Fading, "end", lambda self: ended.append(self))
    pictures, masks = moving_scene(3, 64, 48)
    list(Harmonizer(changing_model()).harmonize(pictures, list(masks)))
    assert len(ended) == 1
