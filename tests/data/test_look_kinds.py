"""Kinds of looks: camera renderings, photographic looks, HYouTube's enhancement, what is added."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.looks import camera_maps, luts
from vhmae.color.lut import Lut3D, apply_luts
from vhmae.data.looks import (
    ADDED,
    IDENTITY,
    LOOKS,
    Blur,
    CameraRendering,
    CameraScene,
    Compression,
    Enhancement,
    Haze,
    Look,
    LookMixture,
    LookSampler,
    LookSources,
    Noise,
    ParametricLook,
    PhotographicLook,
    draw_look,
    read_cameras,
)
from vhmae.data.looks.spatial import draw_added
from vhmae.errors import InputError


def cameras(scenes: int = 4) -> list[CameraScene]:
    return [CameraScene(number, maps) for number, maps in enumerate(camera_maps(scenes))]


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    np.savez(tmp_path / "maps.npz", maps=camera_maps(21).numpy())
    return tmp_path / "maps.npz"


def test_a_rendering_is_the_polynomial_of_its_rows() -> None:
    coefficients = torch.zeros(9, 3)
    coefficients[0, 0] = 0.5  # red from r
    coefficients[4, 1] = 1.0  # green from g^2
    coefficients[8, 2] = 2.0  # blue from gb
    coefficients[6, 2] = 3.0  # and from rg
    rendering = CameraRendering(coefficients, cameras()[0], 0)
    rgb = torch.tensor([0.4, 0.5, 0.6])
    red, green, blue = rendering(rgb).tolist()
    assert (red, green) == pytest.approx((0.2, 0.25))
    assert blue == 1.0  # 2 * 0.3 + 3 * 0.2 = 1.2, clipped
    assert rendering(0.5 * rgb)[2] == pytest.approx(2 * 0.075 + 3 * 0.05)


def test_scenes_of_measuring_are_never_those_of_training(bank: Path) -> None:
    numbers = {split: [s.number for s in read_cameras(bank, split)] for split in SPLITS}  # type: ignore[arg-type]
    assert numbers["val"] == [0, 10, 20]
    assert numbers["dev"] == [5, 15]
    assert not [number for number in numbers["train"] if number % 5 == 0]
    assert sorted(number for split in SPLITS for number in numbers[split]) == list(range(21))


SPLITS = ("train", "dev", "val")


def test_what_is_no_bank_of_renderings_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", maps=np.zeros((3, 4)))
    np.savez(tmp_path / "few.npz", maps=camera_maps(5).numpy())
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match=r"its maps are \(3, 4\)"):
        read_cameras(tmp_path / "other.npz")
    with pytest.raises(InputError, match="no scene of the split 'dev'"):
        read_cameras(tmp_path / "few.npz", "dev")
    with pytest.raises(InputError, match="is not a bank"):
        read_cameras(tmp_path / "text.npz")
    broken = camera_maps(5)
    broken[3, 2, 1, 0] = torch.nan
    np.savez(tmp_path / "broken.npz", maps=broken.numpy())
    with pytest.raises(InputError, match=r"broken.npz: the maps of scene 3 are not finite"):
        read_cameras(tmp_path / "broken.npz")
    alike = camera_maps(5)
    alike[4] = alike[4, :1]
    np.savez(tmp_path / "alike.npz", maps=alike.numpy())
    with pytest.raises(InputError, match=r"alike.npz: all maps of scene 4 are the same"):
        read_cameras(tmp_path / "alike.npz")
    with pytest.raises(InputError, match="no such bank"):
        read_cameras(tmp_path / "none.npz")


def test_another_rendering_is_one_with_another_map() -> None:
    maps = camera_maps(1)[0]
    maps[5:] = maps[:5]  # both picture styles are the same maps
    maps[1] = maps[0]
    scene, plain = CameraScene(0, maps), CameraScene(0, camera_maps(1)[0])
    met = 0
    for seed in range(40):
        rng, other = np.random.default_rng(seed), np.random.default_rng(seed)
        for named in range(10):
            drawn = scene.draw(rng, other_than=named)
            expected = plain.draw(other, other_than=named).index
            while torch.equal(maps[expected], maps[named]):
                expected, met = (expected + 1) % 10, met + 1
            assert drawn.index == expected
            assert not torch.equal(drawn.coefficients, maps[named])
        assert rng.random() == other.random()  # as many draws as without twins
    assert met > 40


def test_both_sides_of_a_composite_show_one_scene_in_two_renderings() -> None:
    sources, rng = LookSources(cameras=cameras()), np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        first = draw_look(rng, sources, ("camera",), (1.0, 1.0))
        second = draw_look(rng, sources, ("camera",), (1.0, 1.0), beside=first)
        assert isinstance(first.map, CameraRendering)
        assert isinstance(second.map, CameraRendering)
        assert first.map.scene is second.map.scene
        assert first.map.index != second.map.index
        seen.add((first.map.index, second.map.index))
    assert len(seen) > 60  # of the 90 that there are
    alone = draw_look(rng, sources, ("camera",), (1.0, 1.0), beside=IDENTITY)
    assert alone.name.startswith("scene ")


def test_a_photographic_look_of_no_settings_changes_nothing() -> None:
    colors = torch.rand(200, 3)
    assert torch.allclose(PhotographicLook()(colors), colors, atol=1e-5)


def test_a_stop_doubles_the_light() -> None:
    grey = torch.tensor([0.5, 0.5, 0.5])  # a light of ((.5 + .055) / 1.055)^2.4 = .21404
    expected = 1.055 * (2 * 0.21404) ** (1 / 2.4) - 0.055
    assert PhotographicLook(stops=1.0)(grey).tolist() == pytest.approx([expected] * 3, abs=1e-4)
    warm = PhotographicLook(temperature=1.0)(grey)  # half a stop up and half a stop down
    for value, factor in zip(warm.tolist(), (2**0.5, 1.0, 2**-0.5), strict=True):
        assert value == pytest.approx(1.055 * (factor * 0.21404) ** (1 / 2.4) - 0.055, abs=1e-4)


def test_haze_lifts_black_and_a_shoulder_keeps_highlights_apart() -> None:
    black = torch.zeros(3)
    veiled = PhotographicLook(haze=0.1, haze_color=(0.5, 0.5, 0.5))(black)
    assert veiled.tolist() == pytest.approx([1.055 * 0.05 ** (1 / 2.4) - 0.055] * 3, abs=1e-5)
    bright = torch.tensor([[0.8] * 3, [0.9] * 3])
    assert torch.equal(*PhotographicLook(stops=1.5)(bright))  # both clipped
    rolled = PhotographicLook(stops=1.5, knee=0.6)(bright)
    assert rolled[0, 0] < rolled[1, 0] < 1.0


def test_curve_black_level_and_saturation_act_on_what_is_displayed() -> None:
    color = torch.tensor([0.6, 0.5, 0.4])
    look = PhotographicLook(contrast=1.5, pivot=0.4, black=0.1, saturation=0.5)
    step = 0.1 + 0.9 * ((np.array([0.6, 0.5, 0.4]) - 0.4) * 1.5 + 0.4)
    grey = step @ [0.299, 0.587, 0.114]
    assert look(color).tolist() == pytest.approx((grey + (step - grey) * 0.5).tolist(), abs=1e-5)


def test_drawn_exposures_have_the_deviation_that_is_said() -> None:
    rng = np.random.default_rng(0)
    stops = [PhotographicLook.draw(rng).stops for _ in range(2000)]
    assert np.std(stops) == pytest.approx(0.8, abs=0.04)


def test_half_of_the_drawn_looks_have_haze_and_the_others_either_contrast_or_gamma() -> None:
    rng = np.random.default_rng(0)
    drawn = [PhotographicLook.draw(rng) for _ in range(400)]
    hazes = np.array([look.haze for look in drawn])
    assert 0.4 < (hazes == 0.0).mean() < 0.6
    assert hazes.min() == 0.0
    assert 0.2 < hazes.max() <= 0.3
    assert all((look.contrast == 1.0) != (look.gamma == 1.0) for look in drawn)
    tinted = np.std([np.log2(look.haze_color[0] / look.haze_color[2]) for look in drawn])
    assert tinted == pytest.approx(0.25 * math.sqrt(2.0), rel=0.15)
    for name, low, high in (("contrast", 0.75, 1.3), ("gamma", 0.8, 1.25), ("knee", 0.5, 1.0)):
        values = [getattr(look, name) for look in drawn]
        assert low <= min(values) < 0.9 * high
        assert 1.1 * low < max(values) <= high


def test_the_enhancement_is_that_of_the_steps_written_out() -> None:
    color = np.array([0.6, 0.4, 0.2])
    step = (color - 0.5) * 1.1 + 0.5  # .61, .39, .17
    luma = 0.2126 * step[0] + 0.7152 * step[1] + 0.0722 * step[2]
    step = step + (step - step.max()) * (step.max() - luma) * 1.0
    step = (1.0 - (1.0 - step) ** 2**0.2) ** 1.3
    exact = Enhancement().exactly(torch.tensor(color, dtype=torch.float32))
    assert exact.tolist() == pytest.approx(step.tolist(), abs=1e-6)
    # These three lie on the table's points, where it is exact; between them it is near.
    assert Enhancement()(torch.tensor(color).float()).tolist() == pytest.approx(step.tolist())
    colors = torch.rand(500, 3)
    near = (Enhancement()(colors) - Enhancement().exactly(colors).clamp(0, 1)).abs()
    assert near.mean() < 0.004


def test_every_kind_can_be_drawn_and_stays_in_range() -> None:
    sources, rng = LookSources(luts=luts(), cameras=cameras()), np.random.default_rng(1)
    colors = torch.rand(100, 3)
    for kind in LOOKS:
        look = draw_look(rng, sources, (kind,), (1.0, 1.0))
        seen = look(colors)
        assert seen.min() >= -1e-6
        assert seen.max() <= 1 + 1e-6
        assert look.name
        if LOOKS[kind].needs:
            with pytest.raises(InputError, match=f"no {LOOKS[kind].needs} were given"):
                draw_look(rng, LookSources(), (kind,), (1.0, 1.0))


def test_what_is_added_is_laid_on_in_the_order_of_the_world() -> None:
    added = draw_added(np.random.default_rng(0), ("noise", "lighting", "lut", "haze", "hue"))
    assert [type(one).__name__ for one in added] == ["HueShift", "Lighting", "Haze", "Noise"]
    again = draw_added(np.random.default_rng(0), tuple(ADDED))
    names = [type(one).__name__ for one in again]
    assert names == ["HueShift", "Lighting", "Haze", "Blur", "Noise", "Compression"]
    # Kinds that came later are drawn last: those of before are what they were.
    assert added == [one for one in again if not isinstance(one, (Blur, Compression))]


def test_haze_thickens_across_the_frame_towards_its_color() -> None:
    colors = torch.zeros(20, 30, 3)
    hazy = Haze(angle=0.0, near=0.0, far=0.4, color=(0.5, 0.5, 0.5))(colors)
    assert (hazy[:, 1:] > hazy[:, :-1]).all()
    assert torch.allclose(hazy[0], hazy[-1], atol=1e-6)


def test_noise_is_new_in_each_frame_and_grows_with_the_light() -> None:
    noise = Noise(shot=0.0, read=0.01, seed=3)
    grey = torch.full((60, 60, 3), 0.5)
    assert torch.equal(noise(grey, 1), noise(grey, 1))
    assert not torch.equal(noise(grey, 1), noise(grey, 2))
    # sRGB's slope at .5: 1.055 / 2.4 * .21404^(1 / 2.4 - 1) = 1.0798.
    assert float(noise(grey, 0).std()) == pytest.approx(0.010798, rel=0.05)


def test_the_mixture_draws_as_before_where_no_new_kind_is_asked_for() -> None:
    """The loop that drew the pool before: recipes that have been trained must not change."""
    mixture, bank = LookMixture(), luts()
    tables = [lut.resampled(17).table.clamp(0, 1) for lut in bank]
    grid = Lut3D.identity(17).table
    rng = np.random.default_rng([5, 40])

    def lut() -> Tensor:
        return tables[int(rng.integers(len(tables)))]

    expected = []
    for _ in range(40):
        kind = rng.random()
        if kind < 0.35:
            expected.append(lut())
        elif kind < 0.35 + 0.2:
            blend = torch.lerp(lut(), lut(), float(rng.uniform(-0.3, 1.3)))
            expected.append(blend.clamp(0, 1))
        else:
            parametric = ParametricLook.draw(rng)
            if kind < 0.35 + 0.2 + 0.15:
                mild = Look(parametric, float(rng.uniform(0.2, 0.7)))(grid)
                graded = apply_luts(mild.reshape(1, -1, 3), lut()[None])
                expected.append(graded.reshape(grid.shape).clamp(0, 1))
            else:
                expected.append(parametric(grid))
    assert torch.equal(LookSampler.from_luts(bank, mixture, 40, 5).pool, torch.stack(expected))


def test_a_share_of_composites_shows_one_scene_in_two_renderings() -> None:
    mixture = LookMixture(
        camera=0.5, photo=0.3, lut=0.1, blended_lut=0, graded_lut=0, one_scene=0.4
    )
    assert mixture.shares["parametric"] == pytest.approx(0.1)
    sampler = LookSampler.from_luts(luts(), mixture, 32, 0, cameras())
    background, _ = sampler.draw_pairs(np.random.default_rng(0), 1000)
    pairs = sampler.scene_pairs
    assert pairs is not None
    assert (pairs[:, 0] != pairs[:, 1]).flatten(1).any(1).all()  # each of them, not one of all
    paired = torch.stack([(background == pair).flatten(1).all(1) for pair in pairs[:, 0]]).any(0)
    assert float(paired.float().mean()) == pytest.approx(0.4, abs=0.05)


def test_mixtures_of_computed_looks_need_no_luts() -> None:
    with pytest.raises(InputError, match=r"looks.one_look, looks.lut, .* need LUTs"):
        LookSampler.from_luts([], LookMixture(), pool_size=4)
    computed = LookMixture(lut=0.0, blended_lut=0.0, graded_lut=0.0, photo=0.5, one_look=0.0)
    looks = LookSampler.from_luts([], computed, pool_size=4)
    first, second = looks.draw_pairs(np.random.default_rng(0), 6)
    assert first.shape == second.shape == (6, 17, 17, 17, 3)
    with pytest.raises(InputError, match=r"looks.one_look: needs LUTs"):
        looks.with_mixture(LookMixture(one_look=0.5))


def test_mixtures_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(InputError, match="at most 1 in all"):
        LookMixture(lut=0.8, camera=0.4)
    with pytest.raises(InputError, match="0 or more"):
        LookMixture(photo=-0.1)
    with pytest.raises(InputError, match="0 or more"):
        LookMixture(photo=math.nan)
    for share in (5.0, -0.1, math.nan):
        with pytest.raises(InputError, match=r"looks.lighting: .* is no share"):
            LookMixture(lighting=share)
    for strength in ((-1.0, 3.0), (0.9, 0.1), (0.0, math.nan)):
        with pytest.raises(InputError, match=r"looks.strength: .* 0 <= LOW <= HIGH <= 1"):
            LookMixture(strength=strength)
    with pytest.raises(InputError, match=r"set data\.cameras"):
        LookSampler.from_luts(luts(), LookMixture(camera=0.2), 4)
