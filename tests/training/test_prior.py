"""A run fits what guided harmonizing knows beforehand."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from tests.support.looks import luts
from tests.support.networks import model
from tests.support.scenes import moving_scene, write_video
from tests.support.sets import data  # noqa: F401 - a fixture
from tests.support.training import journal, recipe
from vhmae.color.cube import write_cube
from vhmae.data.clips import write_mask_bits
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
