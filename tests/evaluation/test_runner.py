"""The runner: means, ratios, bins, swapped backgrounds, results of others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import moving_scene
from vhmae import metrics
from vhmae.color.transform import apply_transform
from vhmae.data.hyoutube import COMPOSITE, MASK, REAL, read_list, write_jpeg, write_mask
from vhmae.errors import InputError
from vhmae.evaluation.methods import Clip, Method, find_method, fit_constant, read_constant
from vhmae.evaluation.runner import CompositeScore, evaluate, natural_drift, video_means
from vhmae.evaluation.tables import format_report


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three videos, the first with two composites; foregrounds are brightened by 10, 20, 30, 40."""
    root = tmp_path / "set"
    lines = []
    for number, (video, item) in enumerate((("v1", 1), ("v1", 2), ("v2", 1), ("v3", 1)), 1):
        frames, masks = moving_scene(3, 64 + 16 * number, 48)
        folders = [root / REAL / video / str(item), root / MASK / video / f"object_{item}", root / COMPOSITE / video / f"object_{item}"]
        for folder in folders:
            folder.mkdir(parents=True)
        for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
            write_jpeg(folders[0] / f"{index:05d}.jpg", frame)
            write_mask(folders[1] / f"{index:05d}.png", mask)
            bright = np.clip(frame.astype(int) + 10 * number, 0, 255).astype(np.uint8)
            write_jpeg(folders[2] / f"{index:05d}.jpg", np.where(mask[..., None], bright, frame))
        lines.append(" ".join(folder.relative_to(root).as_posix() for folder in folders))
    (root / "test_list.txt").write_text("\n".join(lines) + "\n")
    return root


def test_the_untouched_composite_has_ratio_one(data: Path) -> None:
    report = evaluate(data, find_method("composite", data))
    assert report["ratio"] == {"fmse": 1.0, "mse": 1.0}
    assert report["worse_share"] == 0.0
    assert (report["composites"], report["videos"]) == (4, 3)
    assert set(report["overall"]) == {"fmse", "mse", "psnr", "fssim"}
    assert "ratio to the composite 1.000" in format_report(report)


def test_means_go_over_frames_then_composites_then_videos(data: Path) -> None:
    by_video: dict[str, list[float]] = {}
    for sample in read_list(data):
        composite, target, mask = sample.read()
        per_frame = [metrics.fmse(*frame) for frame in zip(composite, target, mask, strict=True)]
        by_video.setdefault(sample.video, []).append(float(np.mean(per_frame)))
    expected = np.mean([np.mean(values) for values in by_video.values()])
    report = evaluate(data, find_method("composite", data), ("fmse",))
    assert report["overall"]["fmse"]["mean"] == pytest.approx(expected, abs=1e-4)
    low, high = report["overall"]["fmse"]["ci95"]
    assert low <= expected <= high


def test_a_ratio_is_the_ratio_of_means(data: Path) -> None:
    scores = [
        CompositeScore("a", "a", 0.1, {"fmse": 10.0}, {"fmse": 100.0, "mse": 1.0}),
        CompositeScore("b", "b", 0.1, {"fmse": 90.0}, {"fmse": 100.0, "mse": 1.0}),
    ]
    assert video_means(scores, "fmse").mean() / video_means(scores, "fmse", untouched=True).mean() == pytest.approx(0.5)
    undo = Method(
        "undo", lambda clip: np.where(clip.mask[..., None], clip.composite.astype(int) - 20, clip.composite).clip(0, 255).astype(np.uint8)
    )
    report = evaluate(data, undo, ("fmse",))
    # Errors of 10, 0, 10, 20 levels where the composites have 10, 20, 30, 40.
    assert report["ratio"]["fmse"] == pytest.approx(((100 + 0) / 2 + 100 + 400) / ((100 + 400) / 2 + 900 + 1600), abs=0.03)
    assert [third["ratio"]["fmse"] for third in report["thirds"]] == pytest.approx(
        [(100 + 0) / (100 + 400), 100 / 900, 400 / 1600], abs=0.03
    )
    assert sum(row["composites"] for row in report["bins"]) == 4


def test_a_swapped_background_is_that_of_the_next_other_video(data: Path) -> None:
    seen: list[Clip] = []
    spy = Method("spy", lambda clip: (seen.append(clip), clip.composite)[1])
    report = evaluate(data, spy, swap_background=True)
    samples = read_list(data)
    first, other = samples[0].read(), samples[2].read()[0]  # not the second: it is of the same video
    inside = seen[0].mask
    assert np.array_equal(seen[0].composite[inside], first[0][first[2]])
    assert abs(seen[0].composite[~inside].mean() - other.mean()) < 12
    assert set(report["overall"]) == {"fmse", "fssim"}
    assert report["swap_background"] is True
    assert report["ratio"]["fmse"] == 1.0  # the foreground itself was left alone


def test_results_of_others_are_scored_from_a_folder(data: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for sample in read_list(data):
        (results / sample.name).mkdir(parents=True)
        target = sample.read()[1]
        for index, frame in enumerate(target):
            write_jpeg(results / sample.name / f"{index:05d}.jpg", frame)
    report = evaluate(data, find_method(f"folder:{results}", data), ("fmse",))
    assert report["ratio"]["fmse"] < 0.02
    with pytest.raises(InputError, match="made beforehand"):
        evaluate(data, find_method(f"folder:{results}", data), swap_background=True)


def test_the_constant_map_learns_what_all_composites_share(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "constant.json"
    assert fit_constant(data, "one", file) == 4
    assert fit_constant(data, "two", file) == 4
    assert set(json.loads(file.read_text())) == {"one", "two"}
    coefficients = read_constant("one", file)
    composite, _, mask = read_list(data)[1].read()
    colors = torch.from_numpy(composite[mask]).double() / 255
    change = float((apply_transform(colors, coefficients) - colors).mean()) * 255
    assert -40 < change < -10  # foregrounds were too bright by 10 to 40
    with pytest.raises(InputError, match="fit-constant"):
        read_constant("three", file)


@pytest.mark.parametrize("looks", ["one", "two"])
def test_the_packaged_constant_maps_are_there(looks: str) -> None:
    assert read_constant(looks).shape == (3, 10)


def test_mkl_takes_over_the_backgrounds_colours(rng: np.random.Generator) -> None:
    composite = rng.integers(90, 160, (2, 40, 60, 3)).astype(np.uint8)
    mask = np.zeros((2, 40, 60), bool)
    mask[:, 10:30, 10:50] = True
    composite[mask] = composite[mask] // 2 + 10
    out = find_method("mkl", Path()).harmonize(Clip(composite, mask))
    np.testing.assert_allclose(out[mask].mean(0), composite[~mask].mean(0), atol=2.0)
    assert np.array_equal(out[~mask], composite[~mask])


def test_drift_of_a_method_that_does_nothing_is_nothing(tmp_path: Path) -> None:
    from tests.conftest import write_video
    from vhmae.data.clips import write_mask_bits

    frames, masks = moving_scene(5, 64, 48)
    write_video(tmp_path / "a.mp4", frames, codec="libx264")
    write_mask_bits(masks, tmp_path / "a.mask.npz")
    assert natural_drift(tmp_path, find_method("composite", tmp_path))["mean"] == 0.0
    brighter = Method("brighter", lambda clip: np.clip(clip.composite.astype(int) + 3, 0, 255).astype(np.uint8))
    assert natural_drift(tmp_path, brighter)["mean"] == pytest.approx(3.0, abs=0.1)


def test_unknown_names_get_a_hint(data: Path) -> None:
    with pytest.raises(InputError, match="did you mean composite"):
        find_method("compsite", data)
    with pytest.raises(InputError, match="did you mean fssim"):
        evaluate(data, find_method("composite", data), ("ssim",))
