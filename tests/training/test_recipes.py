"""Recipes: what they say, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.networks import TINY
from vhmae.config import build, read_config, to_tree
from vhmae.errors import InputError
from vhmae.training.recipe import Recipe, Stage, TrainConfig


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


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("train: {seed: 1, stages: [{steps: 3}]}\n")
    read = read_config(
        Recipe,
        tmp_path / "r.yaml",
        {"train.seed": "7", "train.loss.floor": "1e-2", "model.look": "null"},
    )
    assert (read.train.seed, read.train.loss.floor, read.model.look) == (7, 0.01, None)
