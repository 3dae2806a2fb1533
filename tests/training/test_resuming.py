"""What a stopped run may go on by, and what a masking that draws hides in parts of its batches."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.networks import TINY
from tests.support.scenes import moving_scene
from tests.support.training import journal, plain, recipe, write_data
from vhmae.data.hyoutube import write_jpeg
from vhmae.data.looks import LOOKS, LookKind, LookMixture
from vhmae.data.synthesis import TrainingBatch
from vhmae.errors import InputError
from vhmae.model.files import read_card
from vhmae.model.vhmae import VHMAE, Prediction
from vhmae.training.fitting import Fitting
from vhmae.training.journal import Journal
from vhmae.training.loop import Trainer
from vhmae.training.recipe import LossConfig, LossTerm, Recipe, Stage
from vhmae.training.resuming import require_same_recipe
from vhmae.training.stages import SceneStage


def without_luts(course: Recipe) -> Recipe:
    """A course whose looks are photographic; it has no dev scores, which are of LUTs."""
    names = ("lut", "blended_lut", "graded_lut", "one_look", "camera", "one_scene")
    shares: dict[str, Any] = {**dict.fromkeys(names, 0.0), "photo": 1.0}
    data = dataclasses.replace(course.data, luts="")
    return dataclasses.replace(course, data=data, looks=LookMixture(**shares))


def changed(recipe: Recipe, section: str, **keys: object) -> Recipe:
    part = dataclasses.replace(getattr(recipe, section), **keys)
    return dataclasses.replace(recipe, **{section: part})


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("train", "seed", 5),
        ("train", "loss", LossConfig(floor=0.2)),
        ("train", "stages", (Stage(steps=9),)),
        ("train", "precision", "bf16"),
        ("data", "frames_per_video", 3),
        ("data", "dev_list", Path("lists/others.txt")),
        ("data", "dev_list", None),
        ("model", "masking", "random"),
    ],
)
def test_what_decides_what_is_learned_must_be_as_it_was(
    section: str, key: str, value: object, tmp_path: Path
) -> None:
    before = plain(tmp_path)
    with pytest.raises(InputError, match=rf"checkpoint\.pt: .* {section}\.{key}[. ].*now it is"):
        require_same_recipe(
            tmp_path / "checkpoint.pt", before, changed(before, section, **{key: value})
        )


def test_where_and_how_a_run_works_may_change(tmp_path: Path) -> None:
    before = plain(tmp_path)
    lists = {"dev_list": tmp_path / "elsewhere" / "dev.txt", "root": "elsewhere", "cache": ""}
    now = changed(before, "data", **lists, workers=3, decoded_mib=0, licence="mine")
    steps = {
        "log_every_steps": 7,
        "norms_every_steps": 3,
        "validate_every_steps": 9,
        "checkpoint_every_seconds": 5.0,
    }
    now = changed(now, "train", **steps, threads=1, accumulate=2, kept_shares=(0.5,))
    require_same_recipe(tmp_path / "checkpoint.pt", before, now)


def test_a_masking_that_draws_hides_the_same_tokens_in_parts_and_others_for_each_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden: list[torch.Tensor] = []
    predict = VHMAE.predict

    def watched(self: VHMAE, *given: object, **named: object) -> Prediction:
        said = predict(self, *given, **named)  # type: ignore[arg-type]  # handed on as they came
        hidden.append(said.masked)
        return said

    monkeypatch.setattr(VHMAE, "predict", watched)
    frames, mask = torch.rand(2, 1, 3, 48, 48), torch.ones(2, 1, 1, 48, 48).bool()
    whole = TrainingBatch(frames, frames, mask, mask, torch.zeros(2).long())

    def masked(seed: int, *parts: range) -> torch.Tensor:
        stage = Stage(steps=1, image_size=48, batch_size=2)
        course = plain(tmp_path, look=None, stages=(stage,), seed=seed)
        course = changed(course, "model", masking="random")
        made = SceneStage(stage, course, VHMAE(course.model), None, None, None, tmp_path)
        monkeypatch.setattr(
            made, "_batch", lambda _, __, ___, rows, ____: whole.rows(slice(rows.start, rows.stop))
        )
        hidden.clear()
        for rows in parts:
            made._losses(None, None, 0, rows, 0)
        return torch.cat(hidden)

    assert TINY.masking == "foreground"
    drawn = masked(1, range(2))
    assert torch.equal(masked(1, range(1), range(1, 2)), drawn)
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(masked(2, range(2)), drawn)


def test_a_finished_run_that_is_resumed_keeps_its_scores(tmp_path: Path) -> None:
    root = write_data(tmp_path)
    facts = []
    for resume in (False, True):
        Trainer(recipe(root), tmp_path / "run", "cpu").run(resume=resume)
        facts.append(read_card(str(tmp_path / "run" / "weights.safetensors")).facts["dev_scores"])
    assert facts[0]
    assert facts[0] == facts[1]


def test_a_run_without_dev_scores_leaves_weights_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = changed(without_luts(recipe(write_data(tmp_path))), "train", validate_every_steps=2)
    update, steps = Fitting.update, itertools.count()

    def dying(self: Fitting, *args: Any) -> dict[str, float]:
        if next(steps) == 7:
            raise KeyboardInterrupt
        return update(self, *args)

    monkeypatch.setattr(Fitting, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        Trainer(course, tmp_path / "run", "cpu").run()
    facts = read_card(str(tmp_path / "run" / "weights.safetensors")).facts
    assert (facts["steps"], facts.get("dev_scores")) == (6, None)


def test_a_journal_is_json_for_every_reader(tmp_path: Path) -> None:
    Journal(tmp_path, 0).write("gradients", 1, terms=math.inf, loss=0.5, note=math.nan)
    line = json.loads((tmp_path / "journal.jsonl").read_text(), parse_constant=pytest.fail)
    assert (line["terms"], line["loss"], line["note"]) == (None, 0.5, None)


def test_photographs_without_masks_alone_are_trained_on(tmp_path: Path) -> None:
    root = write_data(tmp_path)
    (root / "photos").mkdir()
    for number in range(3):
        picture = moving_scene(number + 1, 96, 72)[0][-1]
        write_jpeg(root / "photos" / f"p{number}.jpg", picture)
    usual = recipe(root)
    data = dataclasses.replace(usual.data, folders=("photos",), dev_list=None)
    Trainer(dataclasses.replace(usual, data=data), tmp_path / "run", "cpu").run()
    assert (tmp_path / "run" / "weights.safetensors").exists()


@dataclasses.dataclass(frozen=True)
class WithSepia(LookMixture):
    """A mixture with a look of one's own."""

    sepia: float = 0.0


def test_a_run_with_a_look_of_ones_own_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(rng: np.random.Generator, sources: object, beside: object) -> tuple[Any, str]:
        return lambda rgb: rgb.mean(-1, keepdim=True).expand_as(rgb), "sepia"

    monkeypatch.setitem(LOOKS, "sepia", LookKind(draw))
    course = dataclasses.replace(recipe(write_data(tmp_path)), looks=WithSepia(sepia=0.3))
    Trainer(course, tmp_path / "run", "cpu").run()
    Trainer(course, tmp_path / "run", "cpu").run(resume=True)
    other = dataclasses.replace(course, looks=WithSepia(sepia=0.2))
    with pytest.raises(InputError, match=r"looks\.sepia was 0\.3, now it is 0\.2"):
        Trainer(other, tmp_path / "run", "cpu").run(resume=True)


def test_looks_that_need_no_lut_are_trained_on_without_a_bank(tmp_path: Path) -> None:
    course = recipe(write_data(tmp_path))
    own = without_luts(course)
    Trainer(own, tmp_path / "run", "cpu").run()
    assert (tmp_path / "run" / "weights.safetensors").exists()
    assert not journal(tmp_path / "run", "validation"), "dev scores are of LUTs"
    with pytest.raises(InputError, match=r"or these shares to 0 and data\.luts to ''"):
        Trainer(changed(course, "data", luts=""), tmp_path / "other", "cpu").run()


def test_code_of_ones_own_may_be_named_from_another_folder(tmp_path: Path) -> None:
    before = changed(plain(tmp_path), "model", head="mine.py:Gains")
    loss = LossConfig(more=(LossTerm(term="mine.py:dark", weight=0.5),))
    before = changed(before, "train", loss=loss)
    now = changed(before, "model", head="../mine.py:Gains")
    elsewhere = LossConfig(more=(LossTerm(term="../mine.py:dark", weight=0.5),))
    now = changed(now, "train", loss=elsewhere)
    require_same_recipe(tmp_path / "checkpoint.pt", before, now)
    other = changed(before, "model", head="mine.py:Other")
    with pytest.raises(InputError, match=r"model\.head"):
        require_same_recipe(tmp_path / "checkpoint.pt", before, other)
