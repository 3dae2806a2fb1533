"""Every recipe in configs/benchmarks opens with its command, is valid, and keeps val apart."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest

from vhmae.cli import build_parser
from vhmae.config import read_config
from vhmae.data.aligned import read_pairs, write_aligned
from vhmae.data.clips import list_stills, read_names
from vhmae.data.evaluation_sets import synthesize
from vhmae.data.hyoutube import read_list
from vhmae.data.job import AlignedRecipe, SynthesisRecipe

CONFIGS = Path(__file__).parents[1] / "configs"
RECIPES = sorted((CONFIGS / "benchmarks").glob("*.yaml"))
REAL_LIGHT = {"dev-real", "val-real"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_opens_with_the_command_that_makes_it(path: Path) -> None:
    command = path.read_text().splitlines()[0].removeprefix("# ")
    verb = "aligned" if path.stem in REAL_LIGHT else "synthesize"
    file = f"configs/benchmarks/{path.name}"
    assert command == f"vhmae {verb} --config {file} --data DATA -o {path.stem}"
    build_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_val_and_dev_draw_from_other_clips_and_scenes(path: Path) -> None:
    side = path.stem.partition("-")[0]
    if path.stem in REAL_LIGHT:
        other = "val-real" if side == "dev" else "dev-real"
        views = read_config(AlignedRecipe, path).views
        assert not set(views) & set(read_config(AlignedRecipe, path.with_stem(other)).views)
        return
    recipe = read_config(SynthesisRecipe, path)
    assert str(recipe.videos) == {"val": "val", "dev": "train", "constant": "train"}[side]
    if side == "dev":
        assert recipe.clips is not None
    if recipe.cameras is not None:
        assert recipe.camera_split == side
    if recipe.luts is not None:
        assert recipe.lut_split == {"val": "heldout", "dev": "train", "constant": "train"}[side]


def test_people_are_in_the_data(data_dir: Path) -> None:
    known = {path.stem for path in (data_dir / "val").glob("*.mp4")}
    assert read_names(CONFIGS / "val-people.txt", "") <= known
    clips = {path.stem for path in (data_dir / "train").glob("*.mp4")}
    dev = read_names(CONFIGS / "dev.txt", "")
    portraits = read_names(CONFIGS / "dev-people.txt", "") - dev
    assert portraits <= {still.name for still in list_stills(data_dir / "photos")}
    assert not portraits & clips


@pytest.mark.parametrize("name", ["val-camera", "val-photo", "val-hyoutube", "val-people"])
def test_a_set_is_made_of_the_research_data(name: str, data_dir: Path, tmp_path: Path) -> None:
    if not (data_dir / "looks").is_dir():
        pytest.skip(f"{data_dir} holds no camera renderings (looks/)")
    recipe = read_config(SynthesisRecipe, CONFIGS / "benchmarks" / f"{name}.yaml").below(data_dir)
    (tmp_path / "names.txt").write_text("latentsync__demo3\n")
    less = dataclasses.replace(recipe, clips=tmp_path / "names.txt", frames=1, per_video=2)
    assert synthesize(less, tmp_path / name) == 2
    composite, target, mask = read_list(tmp_path / name)[0].read()
    assert (composite[mask] != target[mask]).any()


def test_the_pairs_of_real_light_are_read(data_dir: Path, tmp_path: Path) -> None:
    if not (data_dir / "webcams").is_dir():
        pytest.skip(f"{data_dir} holds no fixed cameras (webcams/)")
    assert len(read_pairs(data_dir / "webcams" / "pairs.txt")) == 96
    recipe = read_config(AlignedRecipe, CONFIGS / "benchmarks" / "val-real.yaml").below(data_dir)
    assert sum(write_aligned(recipe, tmp_path / "set")) == 64
