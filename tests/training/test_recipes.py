"""Recipes: what they say, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.networks import TINY
from vhmae.comparators.recipe import Course
from vhmae.config import build, read_config, read_section, to_tree
from vhmae.errors import InputError
from vhmae.model.precision import choose_training_precision
from vhmae.training.loop import Trainer
from vhmae.training.recipe import DataConfig, Recipe, Stage, TrainConfig


def test_recipes_come_back_from_their_tree() -> None:
    original = Recipe(model=TINY, train=TrainConfig(stages=(Stage(steps=5),)))
    assert build(Recipe, to_tree(original), "test") == original


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("modle: {}", {}, "did you mean model"),
        ("model: {imge_size: 256}", {}, "model.imge_size.*did you mean image_size"),
        ("model: {head: pixl}", {}, "did you mean pixel"),
        ("model: {image_size: big}", {}, "expected int"),
        ("train: {stages: [{}]}", {}, "lacks the key train.stages.steps"),
        ("model: 3", {}, "expected a section"),
        ("[", {}, "not a YAML recipe"),
        ("model: {patch_size: 0}", {}, "at least 1"),
        ("model: {}", {"model.image_size": "["}, "is not a YAML value"),
        ("model: {}", {"model.image_size.x": "3"}, "is a value, not a section|expected"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_place(
    tmp_path: Path, text: str, overrides: dict[str, str], message: str
) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_config(Recipe, tmp_path / "r.yaml", overrides)


def test_a_recipe_extends_another_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "first.yaml").write_text(
        "data: {dev_list: dev.txt, shares: [0.5, 0.3, 0.2]}\n"
        "train: {seed: 3, loss: {floor: 0.5, harm_weight: 2.0}}\n"
    )
    (tmp_path / "second.yaml").write_text(
        "extends: lists/first.yaml\ndata: {leave_out: mine.txt, shares: [0.2, 0.2, 0.6]}\n"
        "train: {loss: {floor: 0.1}}\n"
    )
    read = read_config(Recipe, tmp_path / "second.yaml", {})
    assert (read.train.seed, read.train.loss.floor, read.train.loss.harm_weight) == (3, 0.1, 2.0)
    assert read.data.shares == (0.2, 0.2, 0.6)  # a list is one value
    assert read.data.dev_list == tmp_path / "lists" / "dev.txt"  # from the file that says it
    assert read.data.leave_out == tmp_path / "mine.txt"


def test_a_section_is_found_in_what_a_recipe_extends(tmp_path: Path) -> None:
    """By it `vhmae train` tells recipes of compared methods from ours."""
    (tmp_path / "first.yaml").write_text("comparator: dib\n")
    (tmp_path / "second.yaml").write_text("extends: first.yaml\n")
    (tmp_path / "round.yaml").write_text("extends: round.yaml\n")
    assert read_section(tmp_path / "second.yaml", "comparator") == "dib"
    assert read_section(tmp_path / "second.yaml", "model") is None
    assert read_section(tmp_path / "round.yaml", "comparator") is None  # refused where it is read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: mine.yaml\n", "extends itself"),
        ("extends: none.yaml\n", "none.yaml: no such config"),
        ("extends: [a, b]\n", "names no file"),
    ],
)
def test_a_recipe_that_extends_nothing_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_config(Recipe, tmp_path / "mine.yaml", {})


def test_an_empty_path_is_none(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("data: {dev_list: dev.txt, only: ''}\n")
    read = read_config(Recipe, tmp_path / "r.yaml", {"data.dev_list": ""})
    assert (read.data.dev_list, read.data.only) == (None, None)


def test_data_without_scenes_and_pairs_are_refused() -> None:
    alone = DataConfig(folders=(), shares=(), pairs="list.txt", pairs_share=1.0)
    assert alone.sources == ("list.txt",)
    beside = DataConfig(folders=("a",), shares=(1.0,), pairs="list.txt", pairs_share=0.5)
    assert beside.sources == ("a", "list.txt")
    for pairs, share in (("", 0.0), ("list.txt", 0.5)):
        with pytest.raises(InputError, match=r"data\.folders: names none"):
            DataConfig(folders=(), shares=(), pairs=pairs, pairs_share=share)


@pytest.mark.parametrize("kind", [TrainConfig, Course])
def test_no_training_is_in_fp16(kind: type[TrainConfig | Course]) -> None:
    with pytest.raises(InputError, match="precision is 'fp16'; expected one of auto, fp32, bf16"):
        build(kind, {"precision": "fp16"}, "r.yaml")
    for device in ("cpu", "cuda"):
        with pytest.raises(InputError, match="take bf16 or fp32"):
            choose_training_precision("fp16", torch.device(device))


def test_an_old_gpu_that_has_no_bf16_trains_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vhmae.model.precision.fastest_precision", lambda _: "fp16")
    assert choose_training_precision("auto", torch.device("cuda")) == "fp32"


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("train: {seed: 1, stages: [{steps: 3}]}\n")
    read = read_config(
        Recipe,
        tmp_path / "r.yaml",
        {"train.seed": "7", "train.loss.floor": "1e-2", "model.look": "null"},
    )
    assert (read.train.seed, read.train.loss.floor, read.model.look) == (7, 0.01, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("train: {stages: [{steps: 1, clip_frames: 0}]}", r"stages\.clip_frames=0: expected 1"),
        ("train: {stages: [{steps: 1, batch_size: 0}]}", r"stages\.batch_size=0: expected 1"),
        ("train: {stages: [{steps: -3}]}", r"stages\.steps=-3: expected 0"),
        ("train: {look: {batch_size: 0}}", r"look\.batch_size=0: expected 1"),
        ("train: {ema: 1.5, stages: [{steps: 1}]}", r"train\.ema=1\.5: out of range"),
        ("train: {stages: [{steps: 1, image_size: 250}]}", "image_size=250: does not divide into"),
        ("train: {log_every_steps: 0, stages: [{steps: 1}]}", "log_every_steps=0: expected 1"),
        ("train: {validate_every_steps: 0, stages: [{steps: 1}]}", "every_steps=0: expected 1"),
        ("data: {looks_pool: 0}\ntrain: {stages: [{steps: 1}]}", "looks_pool=0: expected 1"),
        ("train: {look: {batch_size: 1}}", "two samples or more"),
        ("train: {look_rate: 1, accumulate: 2, stages: [{steps: 1, batch_size: 3}]}", "two sam"),
        ("model: {masking_ratio: 1.5}\ntrain: {stages: [{steps: 1}]}", "masking_ratio=1.5"),
    ],
)
def test_what_no_run_could_go_by_is_refused_before_it_begins(
    text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InputError, match=told):
        read_config(Recipe, tmp_path / "r.yaml")


def test_a_wrong_list_of_pairs_is_refused_before_the_runs_folder_is_made(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a b\n")
    data = DataConfig(
        root=str(tmp_path), folders=(), shares=(), pairs="list.txt", pairs_share=1.0, keep_dev=False
    )
    train = TrainConfig(look=None, stages=(Stage(steps=1, image_size=48),))
    trainer = Trainer(Recipe(model=TINY, data=data, train=train), tmp_path / "run", device="cpu")
    with pytest.raises(InputError, match="line 1 has 2 entries"):
        trainer.run()
    assert not (tmp_path / "run").exists()
