"""A run fits what guided harmonizing knows beforehand."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.looks import luts
from tests.support.networks import model
from tests.support.scenes import moving_scene, write_video
from tests.support.sets import data  # noqa: F401 - a fixture
from tests.support.training import journal, recipe
from vhmae.color.cube import write_cube
from vhmae.data.clips import write_mask_bits
from vhmae.data.hyoutube import read_list, read_picture, write_mask
from vhmae.engine.harmonizer import Harmonizer
from vhmae.errors import InputError
from vhmae.evaluation.leftovers import fit_prior_to
from vhmae.guide.prior import read_prior
from vhmae.model.weights import save_model
from vhmae.training.loop import Trainer
from vhmae.training.recipe import Stage


def test_a_run_fits_a_prior_at_its_end_where_sets_are_named(
    tmp_path: Path,
    data: Path,  # noqa: F811
) -> None:
    (tmp_path / "train").mkdir()
    frames, masks = moving_scene(4, 96, 72)
    write_video(tmp_path / "train" / "clip.mp4", frames, codec="libx264")
    write_mask_bits(masks, tmp_path / "train" / "clip.mask.npz")
    (tmp_path / "luts").mkdir()
    for number, lut in enumerate(luts(6), 1):
        write_cube(lut, tmp_path / "luts" / f"{number}.cube")
    short = recipe(tmp_path, stages=(Stage(steps=1, image_size=48, batch_size=2),), look=None)
    kept = dataclasses.replace(short.data, keep_dev=False, dev_list=None)
    named = dataclasses.replace(kept, prior_sets=(data.name,))
    run = tmp_path / "run"
    trainer = Trainer(dataclasses.replace(short, data=named), run, "cpu")
    trainer.run()
    assert not any("no weights.prior.json" in told for told in trainer.warnings)
    prior = read_prior(run / "weights.prior.json")
    weights = (run / "weights.safetensors").read_bytes()
    assert prior.provenance["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert prior.provenance["command"] == "vhmae train"
    assert prior.provenance["sets"] == {data.name: 4}
    assert journal(run, "prior")[0]["composites"] == 4
    wrong = dataclasses.replace(kept, prior_sets=("none",))
    with pytest.raises(InputError, match="none"):
        Trainer(dataclasses.replace(short, data=wrong), tmp_path / "other", "cpu").run()
    assert not (tmp_path / "other").exists()


def test_pixels_that_are_drawn_have_no_prior(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    save_model(model(head="pixel", look=None), weights, {})
    drawing = Harmonizer.from_pretrained(str(weights), device="cpu", precision="fp32")
    with pytest.raises(InputError, match="draws pixels"):
        fit_prior_to([], drawing, str(weights), "test")


def test_a_mask_that_covers_all_is_refused_by_name(data: Path) -> None:  # noqa: F811
    sample = read_list(data)[0]
    for path in sample.mask.iterdir():
        write_mask(path, np.ones_like(read_picture(path, color=False)) > 0)
    with pytest.raises(InputError, match=f"{sample.name}: its mask covers every frame whole"):
        fit_prior_to([data], Harmonizer(model(), precision="fp32"), "default", "command")


def test_nothing_but_a_prior_is_written_over(
    data: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = tmp_path / "w.safetensors"
    save_model(model(), weights, {})
    before = weights.read_bytes()
    run: tuple[str | Path, ...] = ("fit-prior", "--data", data, "--weights", weights, "-o", weights)
    assert "is there already and is no prior" in error_of(*run, capsys=capsys)
    run = ("weights", "join", weights, "default", "-o", weights)
    assert "is one of the inputs" in error_of(*run, capsys=capsys)
    guide = tmp_path / "some.guide.json"
    guide.write_text('{"guide": 1, "points": []}')
    run = ("fit-constant", "--data", data, "--looks", "one", "-o", guide)
    assert "holds something else than fitted maps" in error_of(*run, capsys=capsys)
    assert weights.read_bytes() == before
