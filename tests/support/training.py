"""Small runs of training."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from tests.support.looks import luts
from tests.support.networks import TINY
from tests.support.scenes import moving_scene, write_video
from vhmae.color.cube import write_cube
from vhmae.data.clips import write_mask_bits
from vhmae.training.recipe import DataConfig, LookStage, Recipe, Stage, TrainConfig


def write_data(folder: Path) -> Path:
    """Four short clips with masks, six LUTs, and a list that keeps one clip out."""
    (folder / "train").mkdir()
    for number in range(4):
        frames, masks = moving_scene(6, 96, 72)
        write_video(
            folder / "train" / f"clip{number}.mp4",
            np.roll(frames, number * 7, axis=2),
            codec="libx264",
        )
        write_mask_bits(
            np.roll(masks, number * 7, axis=2), folder / "train" / f"clip{number}.mask.npz"
        )
    (folder / "luts").mkdir()
    for number, lut in enumerate(luts(6), 1):
        write_cube(lut, folder / "luts" / f"{number}.cube")
    (folder / "dev.txt").write_text("# kept out\nclip3\n")
    return folder


def recipe(root: Path, **train: object) -> Recipe:
    course = {
        "look": LookStage(steps=3, samples=50, batch_size=8, image_size=48),
        "stages": (
            Stage(steps=3, image_size=48, batch_size=2),
            Stage(steps=2, image_size=64, clip_frames=2, batch_size=2),
        ),
        "precision": "fp32",
        "log_every_steps": 1,
        "validate_every_steps": 4,
        "warmup_steps": 2,
        "checkpoint_every_seconds": 0.0,
    }
    data = DataConfig(
        root=str(root),
        folders=("train",),
        shares=(1.0,),
        luts="luts",
        dev_list=root / "dev.txt",
        cache=str(root / "cache"),
        looks_pool=32,
        workers=0,
    )
    return Recipe(model=TINY, data=data, train=TrainConfig(**{**course, **train}))  # type: ignore[arg-type]


def journal(run: Path, event: str = "train") -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def losses_of(run: Path) -> list[tuple[object, object]]:
    return [(line["step"], line["loss"]) for line in journal(run)]


def plain(root: Path, **train: object) -> Recipe:
    """Without what is drawn per process (drop path, dropout), so that numbers can be compared."""
    course = recipe(root, **train)
    look = dataclasses.replace(TINY.look, dropout=0.0, histogram_dropout=0.0) if TINY.look else None
    return dataclasses.replace(course, model=dataclasses.replace(TINY, drop_path=0.0, look=look))


def numbers(run: Path) -> list[float]:
    return [float(str(line["loss"])) for line in journal(run)]
