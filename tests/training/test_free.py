"""Weights that everyone may use are trained on what everyone may use, and on nothing else."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from vhmae.config import read_config
from vhmae.data.clips import list_photographs
from vhmae.training.recipe import Recipe
from vhmae.training.sources import load_packs

CONFIGS = Path(__file__).parents[2] / "configs"
TABLE = CONFIGS.parent / "src" / "vhmae" / "assets" / "free.pictures.csv"
FREE_LICENCES = ("CC0", "CC BY ", "MIT", "public domain", "No known copyright", "Kodak", "free to")
FREE_LUTS = "luts/openshot_cc0.npz"
FREE_CAMERAS = "looks/wb_maps.npz"


def free_recipes() -> list[Path]:
    """Recipes whose weights say that they may be used by everyone."""
    return sorted(
        path
        for path in CONFIGS.rglob("*.yaml")
        if 'licence: "Apache-2.0' in path.read_text(encoding="utf-8")
    )


def test_the_table_holds_nothing_that_obliges_to_more_than_naming() -> None:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2806
    for row in rows:
        assert row["share_alike"] == "0", row["file"]
        assert row["licence"].startswith(FREE_LICENCES), row
        assert not {"NC", "SA", "ND"} & set(row["licence"].replace("-", " ").split()), row
        assert row["author"], row["file"]
        assert row["source"], row["file"]


@pytest.mark.parametrize("path", free_recipes(), ids=lambda path: path.stem)
def test_a_free_recipe_draws_from_the_table_and_from_free_looks(path: Path) -> None:
    data = read_config(Recipe, path, {}).data
    assert data.only is not None
    assert data.only.resolve() == TABLE
    assert (data.luts, data.cameras, data.pairs) == (FREE_LUTS, FREE_CAMERAS, "")


def test_there_is_a_free_recipe() -> None:
    assert [path.stem for path in free_recipes()][:1] == ["free"]


def free_recipe(data_dir: Path) -> Recipe:
    changes = {"data.root": data_dir, "data.frames_per_video": 1, "data.decoded_mib": 0}
    return read_config(
        Recipe, CONFIGS / "free.yaml", {key: str(value) for key, value in changes.items()}
    )


def listed_names() -> set[str]:
    """FOLDER/NAME of all that the table lists."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["file"].rpartition(".")[0] for row in csv.DictReader(file)}


def test_what_the_table_lists_lies_in_the_folders_of_the_recipe(data_dir: Path) -> None:
    folders = {name: data_dir / name for name in free_recipe(data_dir).data.folders}
    pictures = {
        f"{name}/{one.stem}" for name, at in folders.items() for one in list_photographs(at)
    }
    videos = {f"{name}/{one.stem}" for name, at in folders.items() for one in at.glob("*.mp4")}
    assert listed_names() <= pictures | videos


@pytest.mark.long  # decodes 2,800 pictures
@pytest.mark.timeout(900)
def test_its_packs_hold_what_the_table_lists(data_dir: Path, tmp_path: Path) -> None:
    recipe = free_recipe(data_dir)
    packs = load_packs(recipe.data, tmp_path)
    drawn = {
        f"{folder}/{name.partition('/')[0]}"
        for folder, pack in zip(recipe.data.folders, packs, strict=True)
        for name in pack.names
    }
    assert drawn == listed_names()
