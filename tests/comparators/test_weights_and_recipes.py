"""Weights that name their method, recipes, the fixed mixture of looks, frames of any size."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from tests.comparators.networks import IS2AM, SIDE, tiny
from vhmae.comparators import co2net, comparator
from vhmae.comparators.catalogue import COMPARATORS, find_comparator
from vhmae.comparators.harmonize import harmonize_clip, load_harmonizer
from vhmae.comparators.is2am import Is2am
from vhmae.comparators.looks import MIXTURE
from vhmae.comparators.recipe import ComparatorRecipe, Course
from vhmae.comparators.weights import FORMAT, load_comparator, read_comparator_card, save_comparator
from vhmae.config import read_config, read_section
from vhmae.errors import InputError, ShapeError
from vhmae.evaluation.methods import Clip, find_method
from vhmae.model.vhmae import VHMAE
from vhmae.training.recipe import DataConfig, LookStage, Recipe, Stage

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "comparators"
EQUAL_TIME = sorted(FOLDER.glob("*-equal-time.yaml"))
OURS = sorted({*FOLDER.glob("vhmae-*.yaml")} - {*EQUAL_TIME})
TERMS, COMPARED, OUR_TERMS = (FOLDER / f"{name}.yaml" for name in ("terms", "compared", "vhmae"))
CONFIGS = sorted({*FOLDER.glob("*.yaml")} - {*OURS} - {*EQUAL_TIME} - {TERMS, COMPARED, OUR_TERMS})
IN_CLIPS = {"huang-rainnet": 2, "huang-is2am": 2, "co2net-rainnet": 8, "co2net-is2am": 8}


def test_weights_come_back_with_their_name_sizes_and_facts(tmp_path: Path) -> None:
    path = tmp_path / "is2am.safetensors"
    model = tiny("is2am").eval()
    model.trunk.encoder[2][1].running_var.fill_(1e6)  # type: ignore[union-attr,index]  # over what fp16 can hold
    save_comparator(model, "is2am", IS2AM, path, {"samples": 3}, half=False)
    loaded, card = load_comparator(path)
    assert (card.name, card.config, card.facts) == ("is2am", IS2AM, {"samples": 3})
    expected = model.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in loaded.state_dict().items())
    assert not loaded.training
    save_comparator(model, "is2am", IS2AM, path, {})
    halved = load_comparator(path)[0].state_dict()
    assert float(halved["trunk.encoder.2.1.running_var"][0]) == 1e6
    for key, value in halved.items():
        torch.testing.assert_close(value, expected[key], atol=1e-3, rtol=1e-3)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "vhmae-1"}, "holds no compared method"),
        ({"comparator": "os.system"}, "unknown"),
        ({"comparator": "vhmae.cli:main"}, "unknown"),
        ({"comparator": "idih"}, "unknown key"),
        ({"config": "{"}, "damaged"),
        ({"config": "[]"}, "damaged"),
        ({"config": '{"width": 6}'}, "do not fit"),
        ({"config": '{"width": "6"}'}, "expected int"),
        ({"facts": "3"}, "damaged"),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    change: dict[str, str], message: str, tmp_path: Path
) -> None:
    metadata = {
        "format": FORMAT,
        "comparator": "is2am",
        "config": json.dumps(dataclasses.asdict(IS2AM)),
        "facts": "{}",
    }
    path = tmp_path / "odd.safetensors"
    tensors = {key: value.contiguous() for key, value in Is2am(IS2AM).state_dict().items()}
    save_file(tensors, path, {**metadata, **change})
    with pytest.raises(InputError, match=message):
        load_comparator(path)


def test_files_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pickle.safetensors"
    path.write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        read_comparator_card(path)


def test_only_names_of_the_catalogue_are_known() -> None:
    with pytest.raises(InputError, match="did you mean is2am"):
        find_comparator("is2a")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_recipe_opens_with_its_command_and_builds(path: Path) -> None:
    command = f"# vhmae train --config configs/comparators/{path.name} "
    assert path.read_text().startswith(command)
    recipe = read_config(ComparatorRecipe, path)
    assert recipe.comparator == path.stem
    entry = find_comparator(recipe.comparator)
    with torch.device("meta"):
        entry.build(entry.config.for_size(recipe.train.image_size))


def test_every_method_has_its_recipe_on_the_same_terms() -> None:
    recipes = {path.stem: read_config(ComparatorRecipe, path) for path in CONFIGS}
    assert recipes.keys() == COMPARATORS.keys()
    first = recipes["is2am"]
    assert first.looks == MIXTURE
    for name, recipe in recipes.items():
        assert (recipe.looks, recipe.data, recipe.scenes) == (first.looks, first.data, first.scenes)
        same = ("image_size", "seed", "ema")
        assert all(getattr(recipe.train, key) == getattr(first.train, key) for key in same)
        frames = recipe.train.samples * recipe.train.clip_frames
        assert (frames == 4000) if name.startswith("co2net") else (recipe.train.samples == 16_000)
        assert recipe.train.learning_rate is None or name.startswith("co2net")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_recipe_takes_the_published_course_at_our_samples(path: Path) -> None:
    recipe = read_config(ComparatorRecipe, path)
    in_clips = path.stem.startswith("co2net")
    assert recipe.backbone == (
        f"runs/{path.stem.removeprefix('co2net-')}/weights.safetensors" if in_clips else ""
    )
    assert recipe.train == Course(
        samples=500 if in_clips else 16_000,
        batch_size=2 if in_clips else 16,
        image_size=128,
        clip_frames=IN_CLIPS.get(path.stem, 1),
        learning_rate=1e-3 if in_clips else None,
        seed=0,
    )
    assert recipe.data == DataConfig(
        dev_list=FOLDER / ".." / "dev.txt",
        together=("asl", "samplevideos", "t2vft"),
        cameras="looks/wb_maps.npz",
    )


def test_terms_are_what_the_recipes_extend() -> None:
    """They say once what all rows have in common, and are no rows."""
    for path in {*FOLDER.glob("*.yaml")} - {TERMS}:
        assert read_section(path, "data") == read_section(TERMS, "data"), path
        assert read_section(path, "looks") == read_section(TERMS, "looks"), path
        own = yaml.safe_load(path.read_text())
        assert "extends" in own
        assert not own.keys() & {"data", "looks"}, path
    for path in (TERMS, COMPARED, OUR_TERMS):
        assert read_section(path, "comparator") is None
    for path in OURS:
        assert yaml.safe_load(path.read_text())["extends"] == OUR_TERMS.name


@pytest.mark.parametrize("path", EQUAL_TIME, ids=lambda path: path.stem)
def test_what_is_trained_for_equal_time_differs_in_its_course_alone(path: Path) -> None:
    command = f"# vhmae train --config configs/comparators/{path.name} "
    assert path.read_text().startswith(command)
    base = path.with_name(path.name.replace("-equal-time", ""))
    kind: type[Recipe | ComparatorRecipe] = Recipe if base in OURS else ComparatorRecipe
    recipe, same = read_config(kind, path), read_config(kind, base)
    assert dataclasses.replace(recipe, train=same.train) == same  # type: ignore[arg-type]
    assert recipe.train != same.train


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_ours_are_trained_on_the_same_terms(path: Path) -> None:
    command = f"# vhmae train --config configs/comparators/{path.name} "
    assert path.read_text().startswith(command)
    recipe = read_config(Recipe, path)
    compared = read_config(ComparatorRecipe, FOLDER / "is2am.yaml")
    assert (recipe.looks, recipe.scenes) == (compared.looks, compared.scenes)
    assert recipe.data == compared.data
    course, train = compared.train, recipe.train
    stages: list[Stage | LookStage] = [*train.stages]
    if train.look:
        stages.append(train.look)
    assert sum(stage.steps * stage.batch_size for stage in stages) == course.samples
    assert {stage.image_size for stage in stages} == {course.image_size}
    assert recipe.model.image_size == course.image_size
    assert (train.seed, train.ema) == (course.seed, course.ema)
    with torch.device("meta"):
        VHMAE(recipe.model)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"comparator": "is2a"}, "did you mean"),
        ({"comparator": "co2net-is2am", "train": Course(clip_frames=8)}, "needs trained weights"),
        ({"comparator": "huang-is2am"}, "needs 2 or more"),
        ({"comparator": "ht", "backbone": "w.safetensors"}, "leave it out"),
        ({"comparator": "ht", "train": Course(critics=True)}, "has none"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ComparatorRecipe(**settings)  # type: ignore[arg-type]


def test_weights_are_kept_at_a_quarter_a_half_and_the_end() -> None:
    assert Course(samples=16_000, batch_size=16).kept_steps() == {
        250: 4000,
        500: 8000,
        1000: 16_000,
    }
    assert Course(samples=3, batch_size=2).kept_steps() == {1: 2, 2: 4}


@pytest.mark.parametrize("name", ["is2am", "co2net-rainnet"])
def test_frames_of_any_size_are_harmonized_inside_the_mask(name: str) -> None:
    rng = np.random.default_rng(0)
    composite = rng.integers(0, 256, (3, 50, 70, 3), dtype=np.uint8)
    mask = np.zeros((3, 50, 70), bool)
    mask[:, 10:40, 20:50] = True
    out = harmonize_clip(tiny(name).eval(), composite, mask, 32)
    assert out.shape == composite.shape
    assert np.array_equal(out[~mask], composite[~mask])
    assert not np.array_equal(out[mask], composite[mask])
    nothing = harmonize_clip(tiny(name).eval(), composite, np.zeros_like(mask), 32)
    assert np.array_equal(nothing, composite)
    with pytest.raises(ShapeError):
        harmonize_clip(tiny(name).eval(), composite, mask[:2], 32)


def test_a_weights_file_is_a_callable_at_its_own_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    composite = rng.integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    mask = np.zeros((2, 40, 40), bool)
    mask[:, 10:30] = True
    model, path = tiny("is2am").eval(), tmp_path / "is2am.safetensors"
    save_comparator(model, "is2am", IS2AM, path, {"image_size": 16}, half=False)
    expected = harmonize_clip(model, composite, mask, 16)
    assert np.array_equal(load_harmonizer(path)(composite, mask), expected)
    for size in (None, "16", 1 << 40):
        save_comparator(model, "is2am", IS2AM, path, {"image_size": size})
        with pytest.raises(InputError, match="size"):
            load_harmonizer(path)


def test_a_change_of_color_is_carried_up_to_the_very_edge() -> None:
    class Brighter(Is2am):
        def forward(self, composite: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return torch.where(mask, composite + 0.2, composite)

    composite = np.full((1, 60, 60, 3), 100, np.uint8)
    mask = np.zeros((1, 60, 60), bool)
    mask[:, 13:40, 17:44] = True
    out = harmonize_clip(Brighter(IS2AM), composite, mask, 16)
    assert set(out[mask].ravel().tolist()) == {151}
    assert set(out[~mask].ravel().tolist()) == {100}


def test_a_foreground_between_the_samples_of_the_small_mask_is_harmonized() -> None:
    class Brighter(Is2am):
        def forward(self, composite: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return torch.where(mask, composite + 0.2, composite)

    composite = np.full((2, 270, 480, 3), 100, np.uint8)
    mask = np.zeros((2, 270, 480), bool)
    mask[0, 5:10, 7:12] = True  # pixels 0, 16, 33 ... are sampled
    mask[1, 100:200, 100:200] = True
    out = harmonize_clip(Brighter(IS2AM), composite, mask, 16)
    assert set(out[mask].ravel().tolist()) == {151}
    assert set(out[~mask].ravel().tolist()) == {100}


def test_a_network_for_any_size_is_given_the_frames_as_they_are() -> None:
    rng = np.random.default_rng(0)
    composite = rng.integers(0, 256, (2, 50, 70, 3), dtype=np.uint8)
    mask = np.zeros((2, 50, 70), bool)
    mask[0, 10:40, 20:50] = True
    mask[1, 5:10, 20:30] = True
    model = tiny("pct-net").eval()
    with torch.no_grad():
        frames = torch.from_numpy(composite).permute(0, 3, 1, 2)[None].float() / 255.0
        drawn = model(frames, torch.from_numpy(mask)[None, :, None])[0].permute(0, 2, 3, 1)
    expected = np.where(mask[..., None], np.rint(drawn.numpy() * 255.0), composite)
    out = harmonize_clip(model, composite, mask, SIDE)
    assert np.abs(out.astype(int) - expected).max() <= 1
    assert (out != composite)[mask].any()
    small = harmonize_clip(model, composite[:, :20, :20], mask[:, :20, :20], SIDE)
    assert small.shape == (2, 20, 20, 3)  # smaller than its own size: enlarged to that


@pytest.mark.parametrize("name", ["is2am", "huang-is2am", "co2net-is2am"])
def test_a_long_clip_is_seen_in_parts_and_answered_as_in_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    composite = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    mask = np.zeros((5, 32, 32), bool)
    mask[:, 10:30, 5:25] = True
    model = tiny(name).eval()
    seen: list[int] = []

    def watch(layer: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        seen.append(len(given[0]))

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_pre_hook(watch)
    whole = harmonize_clip(model, composite, mask, 32)
    assert max(seen) == 5
    seen.clear()
    for module in (comparator, co2net):
        monkeypatch.setattr(module, "FRAMES_AT_ONCE", 2)
    parts = harmonize_clip(model, composite, mask, 32)
    assert max(seen) == 2
    assert np.abs(parts.astype(int) - whole).max() <= 1


def test_the_main_path_does_not_import_the_compared_methods() -> None:
    may = ("comparators", "training", "cli")
    for path in (ROOT / "src" / "vhmae").rglob("*.py"):
        if path.relative_to(ROOT / "src" / "vhmae").parts[0] in may:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith("vhmae.comparators") for name in names), path


def test_a_weights_file_is_a_method_of_the_grammar(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "small.safetensors"
    save_comparator(Is2am(IS2AM).eval(), "is2am", IS2AM, path, {"image_size": 32})
    composite = rng.integers(0, 256, (2, 48, 64, 3)).astype(np.uint8)
    mask = np.zeros((2, 48, 64), bool)
    mask[:, 10:30, 20:50] = True
    method = find_method(f"ours=comparator:{path}", Path())
    assert (method.name, method.facts["kind"]) == ("ours", "comparator")
    expected = load_harmonizer(path)(composite, mask)
    np.testing.assert_array_equal(method.harmonize(Clip(composite, mask)), expected)
    before = torch.get_num_threads()
    try:
        find_method(f"comparator:{path}", Path(), threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    with pytest.raises(InputError, match="CUDA devices"):
        find_method(f"comparator:{path}", Path(), device="cuda:99")


@pytest.mark.parametrize(
    ("comparator", "course", "told"),
    [
        ("is2am", {"image_size": 100}, "iS2AM: image_size=100; expected a multiple of 8"),
        ("ht", {"image_size": 30}, "ITH: image_size=30; expected a multiple of 4"),
        ("pct-net", {"image_size": 36}, "PCT-Net: image_size=36; expected a multiple of 8"),
        ("dovenet", {"image_size": 512, "critics": True}, "take 256 x 256 at the most"),
        ("is2am", {"log_every_steps": 0}, "train.log_every_steps=0: expected 1 or more"),
    ],
)
def test_what_a_method_cannot_be_trained_by_is_refused_before_the_work(
    comparator: str, course: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        ComparatorRecipe(comparator=comparator, train=Course(**course))
