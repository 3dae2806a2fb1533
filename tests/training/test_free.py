"""Weights that everyone may use are trained on what everyone may use, and on nothing else."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path, PurePosixPath

import pytest

from vhmae.comparators.recipe import ComparatorRecipe
from vhmae.config import read_config
from vhmae.data.clips import list_photographs
from vhmae.errors import InputError
from vhmae.training.recipe import Recipe
from vhmae.training.sources import load_packs

CONFIGS = Path(__file__).parents[2] / "configs"
TABLE = CONFIGS.parent / "src" / "vhmae" / "assets" / "free.pictures.csv"
FREE_LICENCES = ("CC0", "CC BY ", "MIT", "public domain", "No known copyright", "Kodak", "free to")
FREE_LUTS = "luts/openshot_cc0.npz"
FREE_CAMERAS = "looks/wb_maps.npz"


def read_recipe(path: Path) -> Recipe | ComparatorRecipe | None:
    """A recipe of training, our networks' or a compared method's; None for other files."""
    with contextlib.suppress(InputError):
        return read_config(Recipe, path, {})
    for more in ({}, {"backbone": "given.safetensors"}):
        with contextlib.suppress(InputError):
            return read_config(ComparatorRecipe, path, more)
    return None


def is_for_everyone(path: Path) -> bool:
    """Whether a recipe's weights would say that more than research may use them."""
    recipe = read_recipe(path)
    licence = recipe.data.licence if recipe is not None else ""
    return bool(licence) and not licence.startswith("research use only")


def free_recipes() -> list[Path]:
    """Recipes whose weights say that they may be used by everyone."""
    return sorted(path for path in CONFIGS.rglob("*.yaml") if is_for_everyone(path))


def require_free_sources(path: Path) -> None:
    """Nothing but what the table lists, and free looks."""
    recipe = read_recipe(path)
    assert recipe is not None
    data = recipe.data
    assert data.only is not None
    assert data.only.resolve() == TABLE
    assert (data.luts, data.cameras, data.pairs) == (FREE_LUTS, FREE_CAMERAS, "")
    assert not getattr(data, "prior_sets", ())
    assert not getattr(recipe, "backbone", "")


def test_a_compared_methods_recipe_is_found_too(tmp_path: Path) -> None:
    for name in ("is2am", "co2net-is2am"):
        more = tmp_path / f"{name}.yaml"
        base = CONFIGS / "comparators" / f"{name}.yaml"
        more.write_text(f"extends: {base}\ndata: {{licence: Apache-2.0}}\n")
        assert is_for_everyone(more), name
        with pytest.raises(AssertionError):
            require_free_sources(more)


@pytest.mark.parametrize("licence", ["'Apache-2.0'", '"CC BY 4.0"', "CC0-1.0", "MIT"])
def test_a_recipe_that_takes_the_table_away_is_found_whatever_its_licence(
    tmp_path: Path, licence: str
) -> None:
    more = tmp_path / "more.yaml"
    taken = "data: {only: null}"
    more.write_text(f"extends: {CONFIGS / 'free.yaml'}\n{taken}\n")
    assert is_for_everyone(more)  # it says so by what it extends
    with pytest.raises(AssertionError):
        require_free_sources(more)
    own = tmp_path / "own.yaml"
    own.write_text(f"data: {{licence: {licence}}}\n")
    assert is_for_everyone(own)
    own.write_text('data: {licence: "research use only: see the card"}\n')
    assert not is_for_everyone(own)


def test_the_table_is_that_of_the_data(data_dir: Path) -> None:
    if not (data_dir / "free" / "ATTRIBUTION.csv").is_file():
        pytest.skip(f"{data_dir} holds no free/ATTRIBUTION.csv")
    found = []
    for path in (data_dir / "free" / "ATTRIBUTION.csv", TABLE):
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["share_alike"] == "0"]
        found.append({PurePosixPath(row.pop("file")).name: row for row in rows})
    assert found[0] == found[1]


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
    require_free_sources(path)


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
