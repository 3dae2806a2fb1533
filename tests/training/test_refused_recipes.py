"""Recipes that no run could go by, refused in one line."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.networks import TINY
from vhmae.comparators.recipe import ComparatorRecipe
from vhmae.config import read_config
from vhmae.errors import InputError, VhmaeError
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import save_model
from vhmae.training.recipe import LikenessStage, Recipe
from vhmae.training.resuming import write_checkpoint

CONFIGS = Path(__file__).parents[2] / "configs"
WRONG = [
    ("data.shares", "[0, 0, 0]"),
    ("data.shares", "[-1, 2, 1]"),
    ("data.frames_per_video", "0"),
    ("data.workers", "-1"),
    ("train.seed", "-1"),
    ("train.threads", "-1"),
    ("train.look.ema", "1.5"),
    ("train.look.learning_rate", "-1"),
    ("train.clip_norm", "-1"),
    ("train.loss.floor", "-1"),
    ("train.loss.floor", "0"),
    ("train.seed", "20261130123456"),
    ("model.drop_path", "2.5"),
    ("model.encoder_depth", "-1"),
    ("model.pattern_dim", "0"),
    ("model.look.dropout", "-1"),
    ("model.look.histogram_width", "-1"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_numbers_that_no_run_could_go_by_are_refused(key: str, value: str) -> None:
    with pytest.raises(InputError, match=f"{key.rpartition('.')[2]}|sizes, widths"):
        read_config(Recipe, CONFIGS / "tiny.yaml", {key: value})


@pytest.mark.parametrize("value", [".nan", ".inf"])
@pytest.mark.parametrize("key", ["train.look.learning_rate", "train.ema", "train.loss.floor"])
def test_what_is_no_finite_number_is_none(key: str, value: str) -> None:
    with pytest.raises(InputError, match=f"{key} is .*; expected float"):
        read_config(Recipe, CONFIGS / "tiny.yaml", {key: value})


OF_COMPARED = {
    "seed": "-1",
    "threads": "-1",
    "ema": "1.5",
    "learning_rate": "-1",
    "image_size": "0",
}


@pytest.mark.parametrize("key", OF_COMPARED)
def test_recipes_of_compared_methods_are_held_to_the_same(key: str) -> None:
    wrong = {f"train.{key}": str(OF_COMPARED[key])}
    with pytest.raises(InputError, match=f"train.{key}="):
        read_config(ComparatorRecipe, CONFIGS / "comparators" / "idih.yaml", wrong)


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    network = VHMAE(TINY)
    with torch.no_grad():
        next(network.parameters()).fill_(torch.nan)
    with pytest.raises(VhmaeError, match="numbers that are not finite; begin a new run"):
        save_model(network, tmp_path / "w.safetensors", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no device that is always full")
def test_a_full_disk_is_told_as_one() -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        write_checkpoint({"tensor": torch.zeros(1 << 20)}, Path("/dev/full"))
    assert raised.value.errno == errno.ENOSPC


def test_a_disk_that_fills_up_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's archive is then ended by an error of its own."""

    class Filling(io.FileIO):
        left = 1 << 20

        def write(self, data: Any) -> int:
            self.left -= len(data)
            if self.left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    path = tmp_path / "checkpoint.pt"
    monkeypatch.setattr(Path, "open", lambda self, mode: Filling(self, mode))
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint({"tensor": torch.zeros(500_000)}, path)


def test_a_recipe_that_trains_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="nothing is to be trained"):
        read_config(Recipe, CONFIGS / "tiny.yaml", {"model.look": None, "train.stages": []})
    with pytest.raises(InputError, match=r"needs model\.look\.members of 2 or more"):
        read_config(
            Recipe,
            CONFIGS / "tiny.yaml",
            {"train.cross_fit": True, "model.look.members": 1, "train.look.shown": 1},
        )


@pytest.mark.parametrize(
    ("key", "value"),
    [("steps", -5), ("batch_size", 0), ("learning_rate", -1.0), ("temperature", 0.0), ("ema", 1.5)],
)
def test_a_stage_of_likeness_is_checked_as_others_are(key: str, value: float) -> None:
    with pytest.raises(InputError, match=f"train.likeness.{key}"):
        LikenessStage(**{key: value})  # type: ignore[arg-type]
