"""Training that starts from other weights."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from tests.support.networks import TINY
from vhmae.config import read_config
from vhmae.digest import file_digest
from vhmae.model.files import find_card, only_of, read_card
from vhmae.model.joining import joined_facts
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import load_model, save_model
from vhmae.training.loop import WEIGHTS, Trainer, _start_from
from vhmae.training.recipe import DataConfig, Recipe

CONFIGS = Path(__file__).parents[2] / "configs"


def test_weights_of_another_shape_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TINY.look is not None
    more = dataclasses.replace(TINY.look, members=TINY.look.members + 1)
    source = VHMAE(dataclasses.replace(TINY, look=more))
    save_model(source, tmp_path / "w.safetensors", {}, half=False)
    _start_from(VHMAE(TINY), str(tmp_path / "w.safetensors"), None)
    told = capsys.readouterr().err
    own = VHMAE(TINY).state_dict()
    others = [key for key, value in source.state_dict().items() if own[key].shape != value.shape]
    assert f"w.safetensors: {len(others)} tensors of other shapes" in told
    assert others[0] in told


def test_what_was_started_from_is_told_with_its_licence(tmp_path: Path) -> None:
    source = tmp_path / "w.safetensors"
    facts: dict[str, object] = {"data": ["theirs"], "licence": "research use only"}
    save_model(VHMAE(TINY), source, facts, half=False)
    data = DataConfig(folders=("ours",), shares=(1.0,), licence="Apache-2.0")
    trainer = Trainer(Recipe(model=TINY, data=data), tmp_path / "run", "cpu", source)
    trainer.run_dir.mkdir()
    trainer.save_weights()
    told = read_card(str(trainer.run_dir / WEIGHTS)).facts
    assert told["licence"] == "Apache-2.0; research use only"
    assert told["data"] == ["ours", "theirs"]
    assert told["started_from"] == file_digest(source)


def test_the_table_that_packaged_weights_learned_from_is_told_of_what_comes_of_them(
    tmp_path: Path,
) -> None:
    free = find_card("free")
    table = only_of(free)["only"]
    network = load_model("free")
    assert _start_from(VHMAE(network.config), "free", None)["only"] == table
    assert joined_facts([free, free])["only"] == table
    save_model(VHMAE(TINY), tmp_path / "own.safetensors", {}, half=False)
    assert "only" not in joined_facts([free, find_card(str(tmp_path / "own.safetensors"))])


def test_the_packaged_weights_are_taken_over_whole_as_the_page_says() -> None:
    page = (CONFIGS.parent / "docs" / "train-your-own.md").read_text()
    said = re.search(
        r"`--from (\w+)`, with the `model` section of\s+`configs/([\w-]+\.yaml)` and "
        r"`--(model\.[\w.]+) (\d+)`",
        page,
    )
    assert said, "the page says nothing of the packaged weights"
    weights, config, key, value = said.groups()
    own = VHMAE(read_config(Recipe, CONFIGS / config, {key: value}).model).state_dict()
    shapes = {name: one.shape for name, one in load_model(weights).state_dict().items()}
    assert {name: one.shape for name, one in own.items()} == shapes
