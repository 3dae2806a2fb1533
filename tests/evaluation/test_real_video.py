"""The packaged weights on real video: they harmonize, they read the background, they leave natural
clips nearly alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from vhmae.data.evaluation_sets import synthesize
from vhmae.data.job import SynthesisRecipe
from vhmae.evaluation.methods import find_method
from vhmae.evaluation.runner import evaluate, natural_drift

VIDEOS = (
    "davis__blackswan",
    "davis__cows",
    "davis__libby",
    "liveportrait__d12",
    "liveportrait__s18",
    "rerender__suit",
)


@pytest.fixture(scope="module")
def videos(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of val under links, so that the test takes seconds."""
    folder = tmp_path_factory.mktemp("videos")
    for name in VIDEOS:
        for suffix in (".mp4", ".mask.npz"):
            (folder / f"{name}{suffix}").symlink_to(data_dir / "val" / f"{name}{suffix}")
    return folder


def test_the_packaged_weights_harmonize_and_read_the_background(
    data_dir: Path, videos: Path, tmp_path: Path
) -> None:
    recipe = SynthesisRecipe(
        videos=videos, luts=data_dir / "luts" / "hyoutube_luts.npz", frames=4, per_video=3, seed=1
    )
    assert synthesize(recipe, tmp_path / "set") == 18
    method = find_method("vhmae", tmp_path / "set", precision="fp32")
    score = evaluate(tmp_path / "set", method, ("fmse",))
    swapped = evaluate(tmp_path / "set", method, ("fmse",), swap_background=True)
    constant = evaluate(tmp_path / "set", find_method("constant", tmp_path / "set"), ("fmse",))
    assert score["ratio"]["fmse"] < 0.75
    assert score["ratio"]["fmse"] < constant["ratio"]["fmse"]
    assert swapped["ratio"]["fmse"] > score["ratio"]["fmse"] + 0.15


def test_natural_clips_are_left_nearly_alone(videos: Path, tmp_path: Path) -> None:
    assert natural_drift(videos, find_method("vhmae", tmp_path), frames=3)["mean"] < 12.0
