"""A compared method trained on the house's own scenes and looks: what ``vhmae train`` does with its
recipe."""

from __future__ import annotations

import os
from pathlib import Path

from vhmae.color.lut import read_lut_bank
from vhmae.comparators.recipe import ComparatorRecipe
from vhmae.comparators.training import ComparatorState, ComparatorTrainer
from vhmae.data.looks import LookSampler, read_cameras
from vhmae.errors import InputError
from vhmae.model.precision import choose_device
from vhmae.training.sources import load_packs, make_sampler, open_pairs
from vhmae.training.splitting import split_dev


def train_comparator(
    recipe: ComparatorRecipe, run_dir: Path, device: str = "auto", resume: bool = False
) -> ComparatorState:
    """Train by a recipe, to its end, on scenes and on pairs as its ``data`` says.

    Raises:
        InputError: for data that is not there, or a folder that holds a run already.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("compared methods are trained by one process; leave torchrun out")
    data = recipe.data
    cache = Path(data.cache) if data.cache else run_dir / "cache"
    trainer = ComparatorTrainer(recipe, run_dir, str(choose_device(device)))
    trainer.begin(resume)
    pairs = open_pairs(data)
    if data.pairs_share == 1.0:
        return trainer.run(None, None, resume, pairs)
    packs, _ = split_dev(load_packs(data, cache), data.dev_list, data.keep_dev)
    luts = read_lut_bank(data.root_path / data.luts, data.lut_split) if data.luts else []
    cameras = read_cameras(data.root_path / data.cameras, "train") if data.cameras else ()
    looks = LookSampler.from_luts(luts, recipe.looks, data.looks_pool, recipe.train.seed, cameras)
    return trainer.run(make_sampler(packs, data, recipe.scenes), looks, resume, pairs)
