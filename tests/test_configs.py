"""Every recipe in configs/ opens with its command, is valid, and names only clips that make sense
together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vhmae.config import read_config
from vhmae.model.vhmae import VHMAE
from vhmae.training.recipe import Recipe

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


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
    recipe = read_config(Recipe, CONFIGS[0].parent / name)
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


def test_the_packaged_weights_fit_their_recipe() -> None:
    from vhmae.model.weights import read_card

    assert (
        read_card("default").config
        == read_config(Recipe, CONFIGS[0].parent / "tiny-further.yaml").model
    )


def test_nothing_after_an_option_is_an_empty_text() -> None:
    assert (
        read_config(Recipe, CONFIGS[0].parent / "tiny.yaml", {"data.licence": ""}).data.licence
        == ""
    )
