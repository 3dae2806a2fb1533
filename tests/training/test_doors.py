"""Heads and loss terms from outside: by the command line alone, never by what a file names."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.support.commands import error_of
from tests.support.looks import luts
from tests.support.networks import TINY, model
from tests.support.scenes import moving_scene, write_video
from tests.support.sets import data  # noqa: F401 - a fixture
from tests.support.training import journal, recipe
from vhmae.cli import main
from vhmae.color.cube import write_cube
from vhmae.comparators.recipe import ComparatorRecipe
from vhmae.config import keys_of, to_tree
from vhmae.data.clips import write_mask_bits
from vhmae.engine.harmonizer import Harmonizer
from vhmae.errors import InputError
from vhmae.model.heads import HEADS
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import load_model, save_model
from vhmae.outside import load_outside
from vhmae.training.loop import Trainer
from vhmae.training.recipe import LossConfig, LossTerm, Recipe
from vhmae.training.terms import TERMS

CODE = """
from pathlib import Path

import torch
from torch import nn

from vhmae.model.heads import Head, Transform

Path(__file__).with_name("imported").touch()


class Gains(Head):
    holds_between_key_frames = True
    usual_caution = 3.0

    def __init__(self, dim, config):
        super().__init__(dim, config)
        self.gains = nn.Linear(dim, 3)
        nn.init.zeros_(self.gains.weight)
        nn.init.constant_(self.gains.bias, 0.1)

    def forward(self, tokens, scene, grid, overall):
        maps = overall.clone()
        for channel in range(3):
            maps[:, channel, channel] += self.gains(scene)[:, channel]
        return Transform(maps, tokens.new_zeros(len(tokens), *grid, 3, 4).float())


class Careless(Gains):
    def forward(self, tokens, scene, grid, overall):
        change = super().forward(tokens, scene, grid, overall)
        object.__setattr__(change, "maps", lambda: None)
        return change


def brightness(made):
    return made.harmonized.mean()


not_a_head = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's folder: clips, LUTs, a recipe, and code."""
    (tmp_path / "train").mkdir()
    (tmp_path / "luts").mkdir()
    for number in range(2):
        frames, masks = moving_scene(4, 96, 72)
        write_video(tmp_path / "train" / f"clip{number}.mp4", frames, codec="libx264")
        write_mask_bits(masks, tmp_path / "train" / f"clip{number}.mask.npz")
    for number, lut in enumerate(luts(3), 1):
        write_cube(lut, tmp_path / "luts" / f"{number}.cube")
    (tmp_path / "dev.txt").write_text("clip1\n")
    tree = to_tree(recipe(tmp_path, look=None))
    tree["train"]["stages"] = [{"steps": 2, "image_size": 48, "batch_size": 2}]
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(tree))
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def test_a_run_without_a_prior_says_so_at_its_end(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--config", "r.yaml", "-o", "run", "--json", "r.json"]) == 0
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "no weights.prior.json was fitted" in line
    assert "the recipe's data.prior_sets, or fit one by vhmae fit-prior" in line
    untrained, no_prior = json.loads((folder / "r.json").read_text())["warnings"]
    assert "no weights.prior.json was fitted" in no_prior
    assert "its look path was never trained" in untrained


def test_a_head_and_a_term_from_outside_train_and_harmonize(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doors = ["--head", "mine.py:Gains", "--loss", "mine.py:brightness=0.5"]
    assert main(["train", "--config", "r.yaml", *doors, "-o", "run", "-q"]) == 0
    line = journal(folder / "run")[0]
    parts = {key: float(str(line[key])) for key in ("reconstruction", "alignment", "balance")}
    added = 0.5 * float(str(line["mine.py:brightness"]))
    assert float(str(line["loss"])) == pytest.approx(sum(parts.values()) + added, abs=1e-4)

    weights = "run/weights.safetensors"
    (folder / "imported").unlink()
    with pytest.raises(InputError, match=r"load_model\(PATH, head=mine\.Gains\)"):
        load_model(weights)
    said = error_of("evaluate", "--data", ".", "--method", f"vhmae:{weights}", capsys=capsys)
    assert "never imported" in said
    assert not (folder / "imported").exists()

    head = load_outside("mine.py:Gains", "head", "class")
    harmonizer = Harmonizer(load_model(weights, head), precision="fp32")
    assert (harmonizer.caution, harmonizer.stride) == (3.0, 6)
    frames, masks = moving_scene(3, 96, 72)
    out = np.stack(list(harmonizer.harmonize(list(frames), list(masks))))
    assert np.array_equal(out[~masks], frames[~masks])
    assert out[masks].mean() > frames[masks].mean() + 2.0


def test_what_is_handed_over_and_not_named_is_refused(folder: Path) -> None:
    head, term = (load_outside(f"mine.py:{name}", "x", "y") for name in ("Gains", "brightness"))
    own = recipe(folder)
    with pytest.raises(InputError, match=r"head=Gains: the recipe's model.head is photometric"):
        Trainer(own, folder / "run", "cpu", head=head)
    with pytest.raises(InputError, match="terms: the recipe names no too_dark"):
        Trainer(own, folder / "run", "cpu", terms={"too_dark": term})


def test_what_a_recipe_or_a_weights_file_names_is_not_imported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("train", "--config", "r.yaml", "-o", "run")
    named = error_of(*run, "--model.head", "mine.py:Gains", capsys=capsys)
    assert "--head mine.py:Gains" in named
    more = "[{term: 'mine.py:brightness', weight: 1}]"
    assert "--loss mine.py:brightness" in error_of(*run, "--train.loss.more", more, capsys=capsys)
    assert not (folder / "imported").exists()
    for wrong, word in (
        (("--head", "mine.py:Gans"), "did you mean Gains"),
        (("--head", "mine.py:not_a_head"), "derive it"),
        (("--head", "photometrik"), "did you mean photometric"),
        (("--loss", "nothing"), "module:NAME"),
        (("--loss", "mine.py:brightness=much"), "no number"),
    ):
        assert word in error_of(*run, *wrong, capsys=capsys)


def test_a_head_that_leaves_something_open_is_refused_before_it_is_trained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "open.py").write_text(
        "from vhmae.model.heads import Head\n\nclass Open(Head):\n    pass\n"
    )
    run = ("train", "--config", "r.yaml", "-o", "run", "--head", "open.py:Open")
    assert "Open: does not say holds_between_key_frames" in error_of(*run, capsys=capsys)
    assert not (folder / "run").exists()


def test_a_head_that_holds_must_have_maps(folder: Path) -> None:
    config = dataclasses.replace(TINY, head="mine.py:Careless")
    network = VHMAE(config, load_outside("mine.py:Careless", "head", "class")).eval()
    frames, masks = moving_scene(2, 96, 72)
    with pytest.raises(InputError, match="holds_between_key_frames = False"):
        list(Harmonizer(network, precision="fp32").harmonize(list(frames), list(masks)))


def test_names_are_asked_for_in_one_place_each() -> None:
    source = Path(__file__).parents[2] / "src" / "vhmae"
    for path in source.rglob("*.py"):
        text = path.read_text()
        if path.name != "heads.py":
            assert "config.head ==" not in text, path
            assert "config.head !=" not in text, path
        if path.name != "terms.py":
            assert "reconstruction ==" not in text, path
    assert {"pixel", "photometric"} <= HEADS.keys()
    assert {"masked_patches", "relative", "alignment", "balance"} <= TERMS.keys()
    with pytest.raises(InputError, match="did you mean relative"):
        LossConfig(reconstruction="relativ")
    with pytest.raises(InputError, match="is no term"):
        LossConfig(more=(LossTerm(term="brightness"),))


def test_every_key_of_a_recipe_is_told_with_its_meaning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for kind in (Recipe, ComparatorRecipe):
        assert not [key.name for key in keys_of(kind) if not key.meaning]
    with pytest.raises(SystemExit) as left:
        main(["train", "--keys"])
    assert left.value.code in (0, None)
    told = capsys.readouterr().out
    for key in ("train.stages[].steps (whole number; must be given)", "train.loss.floor (number"):
        assert key in told
    assert "model.look.members (whole number; default 4)\n    Networks whose answers" in told
    compared = told.partition("Recipes of compared methods")[2]
    for own in keys_of(ComparatorRecipe):
        if not own.name.startswith(("data.", "scenes.", "looks.")):
            assert own.line() in compared
    assert "data.cameras (word; default looks/wb_maps.npz)" in compared


def test_the_hub_reads_safetensors_alone(tmp_path: Path) -> None:
    network = model()
    (tmp_path / "config.json").write_text(json.dumps(to_tree(network.config)))
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickles never"):
        load_model(f"hf:{tmp_path}")
    save_model(network, tmp_path / "model.safetensors", {}, half=False)
    assert load_model(f"hf:{tmp_path}").config == network.config


def test_a_prior_is_fitted_to_a_head_of_ones_own(
    folder: Path,
    data: Path,  # noqa: F811
) -> None:
    run = ["train", "--config", "r.yaml", "--head", "mine.py:Gains", "-o", "run", "-q"]
    root = [f"--data.prior_sets=[{data}]"]
    assert main([*run, *root]) == 0
    assert (folder / "run" / "weights.prior.json").exists()


def test_a_weight_that_is_no_number_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("train", "--config", "r.yaml", "--loss", "mine.py:brightness=nan", "-o", "run")
    assert "its weight is no number" in error_of(*run, capsys=capsys)
