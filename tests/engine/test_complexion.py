"""Skin heard as a word: weakly, in its hue, and only where it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.networks import model
from vhmae.engine.complexion import with_skin
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.smoothing import Estimate
from vhmae.guide.colors import LUMA, SIZE, added
from vhmae.guide.dials import Dials, dial_change
from vhmae.guide.prior import Prior, prior_beside, read_prior
from vhmae.guide.skin import MEAN
from vhmae.guide.update import CHROMA
from vhmae.model.files import DEFAULT, find_weights

PACKAGED = read_prior(prior_beside(find_weights(DEFAULT)))
FACE = np.array([0.72, 0.53, 0.44])
CLOTH = np.array([0.25, 0.35, 0.6])


def portrait(rng: np.random.Generator, face: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A foreground of skin and cloth, (64, 64, 3) float32, before grey, and its mask."""
    picture = np.full((64, 64, 3), 0.5)
    mask = np.zeros((64, 64), bool)
    mask[8:56, 16:48] = True
    picture[mask] = CLOTH
    if face:
        picture[10:30, 20:44] = FACE
    picture *= rng.uniform(0.92, 1.08, (64, 64, 1))
    return picture.astype(np.float32), mask


def answered(dials: Dials, picture: np.ndarray, mask: np.ndarray) -> FrameTransform:
    turned = dial_change(picture[mask].astype(np.float64), np.zeros(SIZE), dials)
    local = np.zeros((4, 4, 3, 4), np.float32)
    return FrameTransform(turned.reshape(3, 10).astype(np.float32), local)


def face_of(change: FrameTransform) -> np.ndarray:
    result: np.ndarray = FACE + added(FACE, change.overall.astype(np.float64))
    return result


def heard(change: FrameTransform, picture: np.ndarray, mask: np.ndarray) -> FrameTransform:
    (one,) = with_skin([Estimate(0, 7, change)], [(7, picture, mask)], PACKAGED)
    assert (one.shot, one.index) == (0, 7)
    assert isinstance(one.change, FrameTransform)
    return one.change


@pytest.mark.parametrize("dials", [Dials(tint=80.0), Dials(saturation=-3.0)])
def test_a_face_that_turns_green_or_gray_turns_a_part_of_the_way_back(
    dials: Dials, rng: np.random.Generator
) -> None:
    picture, mask = portrait(rng)
    change = answered(dials, picture, mask)
    before, after = face_of(change), face_of(heard(change, picture, mask))
    off = [np.linalg.norm(CHROMA @ one / (LUMA @ one) - MEAN) for one in (before, after)]
    assert off[1] < 0.88 * off[0]
    assert LUMA @ after == pytest.approx(LUMA @ before, abs=0.05)


def test_colored_light_is_followed(rng: np.random.Generator) -> None:
    """A warm scene's skin is warm: most of what the network says stays."""
    picture, mask = portrait(rng)
    change = answered(Dials(temperature=40.0), picture, mask)
    moves = [face_of(one) - FACE for one in (change, heard(change, picture, mask))]
    warmth = [move[0] - move[2] for move in moves]
    assert warmth[1] > 0.6 * warmth[0] > 0.0


def test_without_skin_nothing_is_said(rng: np.random.Generator) -> None:
    picture, mask = portrait(rng, face=False)
    change = answered(Dials(tint=80.0), picture, mask)
    assert heard(change, picture, mask) is change


def test_it_is_off_unless_it_is_asked_for(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, mask = portrait(rng)
    sure = Prior(np.eye(SIZE), np.ones(1), np.ones(1))
    monkeypatch.setattr("vhmae.engine.harmonizer.prior_of", lambda *whose: (sure, []))

    def made(**options: object) -> np.ndarray:
        own = Harmonizer(model(), precision="fp32", caution=0.0, **options)  # type: ignore[arg-type]
        return np.stack(list(own.harmonize([picture] * 3, [mask] * 3)))

    plain, asked = made(), made(skin=True)
    assert np.array_equal(plain, made(skin=False))
    assert np.abs(asked - plain)[:, mask].max() > 0.005
    assert np.array_equal(asked[:, ~mask], plain[:, ~mask])
    assert np.array_equal(asked[0], asked[2])  # no step
    behind = made(skin=True, move="background")
    assert np.array_equal(behind, made(move="background"))
