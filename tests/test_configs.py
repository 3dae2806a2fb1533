"""Every file of configs/ opens with its command, is valid, and is checked somewhere: recipes and
plans here, evaluation sets in test_benchmark_sets.py, compared methods in
comparators/test_weights_and_recipes.py."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import ablation
import evidence_trials
import pytest
import torch
import yaml
from trial import Trial, make_path

from vhmae.config import build, read_config
from vhmae.data.clips import read_names
from vhmae.data.job import SynthesisRecipe
from vhmae.model.vhmae import VHMAE
from vhmae.training.recipe import Recipe

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "configs"
CONFIGS = sorted(FOLDER.glob("*.yaml"))
PLANS = [
    FOLDER / "ablations" / f"{name}.yaml" for name in ("gpu", "paper", "pretraining", "tokens")
]
TRIALS = FOLDER / "ablations" / "look.yaml"
EVIDENCE = FOLDER / "ablations" / "evidence.yaml"
RECIPES = sorted({*FOLDER.rglob("*.yaml")} - {*PLANS, TRIALS, EVIDENCE})
SCORES = {"fmse", "mse", "psnr", "fssim"}


def load(path: Path) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(path.read_text())
    return tree


class EveryKeyOnce(yaml.SafeLoader):
    """YAML lets the last of two equal keys win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(self.construct_object(key, deep=True) for key, _ in node.value)
        assert max(keys.values(), default=1) == 1, f"{keys.most_common(1)} at {node.start_mark}"
        return super().construct_mapping(node, deep)


def test_no_config_is_left_unchecked() -> None:
    """A new folder, or a new kind of plan, needs a test of its own."""
    checked = {*CONFIGS, *PLANS, TRIALS, EVIDENCE}
    for kind in ("benchmarks", "comparators"):  # every file of these, by tests of their own
        checked |= {*(FOLDER / kind).glob("*.yaml")}
    assert {*FOLDER.rglob("*.y*ml")} == checked


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_config_says_each_key_once_and_opens_with_its_command(path: Path) -> None:
    yaml.load(path.read_text(), EveryKeyOnce)
    command, meaning = path.read_text().splitlines()[:2]
    assert command.startswith(("# vhmae ", "# python benchmarks/"))
    assert meaning.startswith("# ")


def leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys of a recipe's own text, with their values."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        inner = leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {}
        found |= inner or {f"{prefix}{key}": value}
    return found


def whole(path: Path) -> dict[str, Any]:
    """Leaves of a recipe over those of the ones that it extends."""
    own = leaves(load(path))
    extended = own.pop("extends", None)
    return (whole(path.parent / extended) if extended else {}) | own


def test_recipes_that_differ_in_one_key_extend_one_another() -> None:
    """A near-copy has to be kept in step by hand."""
    own = {path: leaves(load(path)) for path in RECIPES}
    for one, other in itertools.combinations(own, 2):
        if one.parent == other.parent:
            keys = own[one].keys() | own[other].keys()
            differ = [key for key in keys if own[one].get(key) != own[other].get(key)]
            says_little = min(len(own[one]), len(own[other])) <= 3
            assert len(differ) > 1 or says_little, f"{one.name} and {other.name}: {differ}"


@pytest.mark.parametrize(
    "path", [path for path in RECIPES if "extends" in load(path)], ids=lambda path: path.stem
)
def test_a_recipe_says_nothing_that_it_inherits(path: Path) -> None:
    own = leaves(load(path))
    inherited = whole(path.parent / own.pop("extends"))
    assert [key for key, value in own.items() if inherited.get(key, ...) == value] == []


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.txt")), ids=lambda path: path.stem)
def test_a_list_names_clips_once_and_a_config_reads_it(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(set(lines)) == len(read_names(path, ""))
    configs = "".join(one.read_text() for one in FOLDER.rglob("*.yaml"))
    assert path.name in configs


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_of_ablations_is_valid_in_every_run(path: Path, tmp_path: Path) -> None:
    file = path.relative_to(ROOT)
    command = f"# python benchmarks/ablation.py --plan {file} --data DATA --sets SETS -o RUNS"
    assert path.read_text().splitlines()[0] == command
    plan = load(path)
    known = {"recipe", "size", "seeds", "once", "afresh", "sets", "settings", "first", "runs"}
    assert plan.keys() <= known
    assert {*plan.get("once", ()), *plan.get("afresh", ())} <= plan["runs"].keys()
    for name, scores in plan["sets"].items():
        read_config(SynthesisRecipe, FOLDER / "benchmarks" / f"{name}.yaml")
        assert set(scores) <= SCORES
    runs = list(ablation.runs_of(path, tmp_path, None, tmp_path))
    assert len({run.folder for run in runs}) == len(runs)  # none writes over another
    assert {run.name for run in runs} - {"first"} == plan["runs"].keys()
    for run in runs:
        with torch.device("meta"):
            VHMAE(run.recipe.model)
        assert run.recipe.train.stages or run.recipe.train.look is not None


def test_runs_of_a_plan_differ_from_one_another(tmp_path: Path) -> None:
    for path in PLANS:
        first = [r for r in ablation.runs_of(path, tmp_path, None, tmp_path) if r.seed == 0]
        recipes = [run.recipe for run in first]
        assert all(one not in recipes[:at] for at, one in enumerate(recipes)), path


def test_the_plan_of_looks_is_valid_in_every_trial() -> None:
    assert TRIALS.read_text().startswith("# python benchmarks/look_trials.py --data DATA ")
    plan = load(TRIALS)
    assert plan.keys() == {"seeds", "settings", "trials"}
    trials = [
        build(Trial, {**plan["settings"], **changes}, name)
        for name, changes in plan["trials"].items()
    ]
    assert all(one not in trials[:at] for at, one in enumerate(trials))
    for trial in trials:
        with torch.device("meta"):
            make_path(trial)


def test_the_plan_of_evidence_is_valid_in_every_trial() -> None:
    command = "# python benchmarks/evidence_trials.py --data DATA --sets SETS --cache CACHE"
    assert EVIDENCE.read_text().splitlines()[0] == command
    plan = load(EVIDENCE)
    assert plan.keys() == {"recipe", "data", "seeds", "settings", "trials"}
    dataclasses.replace(read_config(Recipe, ROOT / plan["recipe"]).data, **plan["data"])
    trials = list(evidence_trials.read_trials(EVIDENCE).values())
    assert all(one not in trials[:at] for at, one in enumerate(trials))
    for name in evidence_trials.SETS:
        assert (FOLDER / "benchmarks" / f"{name}.yaml").is_file()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_recipe_opens_with_its_command_and_builds(path: Path) -> None:
    assert path.read_text().startswith(f"# vhmae train --config configs/{path.name} ")
    recipe = read_config(Recipe, path)
    with torch.device("meta"):  # shapes alone: ViT-B would take its memory for nothing
        VHMAE(recipe.model)
    assert recipe.train.stages or recipe.train.look is not None
    for stage in recipe.train.stages[-1:]:
        assert (stage.image_size, stage.clip_frames) == (
            recipe.model.image_size,
            recipe.model.clip_frames,
        )


@pytest.mark.parametrize("name", ["paper.yaml", "hyoutube_paper.yaml"])
def test_the_papers_recipe_is_the_papers(name: str) -> None:
    recipe = read_config(Recipe, FOLDER / name)
    model, loss = recipe.model, recipe.train.loss
    assert (model.head, model.look, model.masking, model.content) == (
        "pixel",
        None,
        "foreground",
        "pattern",
    )
    assert (model.embed_dim, model.encoder_depth, model.decoder_dim, model.decoder_depth) == (
        768,
        12,
        512,
        8,
    )
    assert (loss.reconstruction, loss.alignment_weight, loss.balance_weight, loss.balance) == (
        "masked_patches",
        1.0,
        1.0,
        "total",
    )


def test_what_the_paper_does_not_name_is_off_in_its_recipe() -> None:
    recipe = read_config(Recipe, FOLDER / "hyoutube_paper.yaml")
    train = recipe.train
    assert (train.ema, train.clip_norm, train.warmup_steps) == (0.0, 0.0, 0)
    assert (recipe.model.drop_path, train.precision, recipe.data.keep_dev) == (0.0, "fp32", False)


@pytest.mark.parametrize("name", ["paper", "paper-tiny", "comparators/vhmae-plain"])
def test_recipes_of_the_plain_model_have_no_more_than_an_average(name: str) -> None:
    recipe = read_config(Recipe, FOLDER / f"{name}.yaml")
    train = recipe.train
    assert (recipe.model.drop_path, train.clip_norm, train.warmup_steps) == (0.0, 0.0, 0)
    assert train.ema > 0.0


def test_the_packaged_weights_fit_their_recipe() -> None:
    from vhmae.model.files import read_card

    default, free = read_card("default"), read_card("free")
    recipes = [read_config(Recipe, FOLDER / f"{name}.yaml") for name in ("tiny-further", "free")]
    first, second = (recipe.model for recipe in recipes)
    assert first.look is not None
    assert second.look is not None
    assert free.config == second
    # The default weights are members of two trainings together: five of its own, four free ones.
    assert default.config == dataclasses.replace(
        first, look=dataclasses.replace(first.look, members=5 + 4)
    )
    joined = default.facts["joined"]
    assert isinstance(joined, list)
    assert joined[1] == hashlib.sha256(free.path.read_bytes()).hexdigest()
    assert default.facts["recipes"] == [
        f"configs/{name}.yaml" for name in ("tiny", "tiny-further", "free")
    ]


def test_nothing_after_an_option_is_an_empty_text() -> None:
    assert read_config(Recipe, FOLDER / "tiny.yaml", {"data.licence": ""}).data.licence == ""
