"""The runner: means, ratios, bins, swapped backgrounds, results of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.support.networks import model
from tests.support.scenes import moving_scene
from vhmae.arrays import Array
from vhmae.color.basis import apply_transform
from vhmae.config import read_config
from vhmae.data.hyoutube import read_list, write_jpeg, write_mask
from vhmae.data.job import SynthesisRecipe
from vhmae.engine.harmonizer import Harmonizer
from vhmae.errors import InputError
from vhmae.evaluation import metrics
from vhmae.evaluation.classical import as_map
from vhmae.evaluation.constant import constant_file, fit_constant, read_constant
from vhmae.evaluation.leftovers import read_leftovers
from vhmae.evaluation.methods import Clip, Method, find_method
from vhmae.evaluation.pooling import CompositeScore, Pool, bootstrap_interval
from vhmae.evaluation.protocols import Frame, find_protocol
from vhmae.evaluation.runner import evaluate, natural_drift
from vhmae.evaluation.tables import format_report

ROOT = Path(__file__).parents[2]


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
        CompositeScore("a", "a", 3, 0.1, {"fmse": 10.0}, {"fmse": 100.0, "mse": 1.0}, {}),
        CompositeScore("b", "b", 3, 0.1, {"fmse": 90.0}, {"fmse": 100.0, "mse": 1.0}, {}),
    ]
    assert Pool(scores, by_frames=False).ratio("fmse") == pytest.approx(0.5)
    undo = Method(
        "undo",
        lambda clip: (
            np.where(clip.mask[..., None], clip.composite.astype(int) - 20, clip.composite)
            .clip(0, 255)
            .astype(np.uint8)
        ),
    )
    report = evaluate(data, undo, ("fmse",))
    # Errors of 10, 0, 10, 20 levels where the composites have 10, 20, 30, 40.
    assert report["ratio"]["fmse"] == pytest.approx(
        ((100 + 0) / 2 + 100 + 400) / ((100 + 400) / 2 + 900 + 1600), abs=0.03
    )
    spans = [value for third in report["thirds"] for value in third["composite_fmse"]]
    assert spans == sorted(spans)
    assert spans == [round(value, 3) for value in spans]
    assert [third["ratio"]["fmse"] for third in report["thirds"]] == pytest.approx(
        [(100 + 0) / (100 + 400), 100 / 900, 400 / 1600], abs=0.03
    )
    assert sum(row["composites"] for row in report["bins"]) == 4


def test_composites_without_a_pixel_at_full_matte_are_counted_apart(data: Path) -> None:
    """Protocol co2net has no fMSE for them."""
    samples = read_list(data)
    marks = [{"composite": sample.name, "group": "all"} for sample in samples]
    (data / "synthesis.json").write_text(json.dumps({"composites": marks}))
    turned = Method("turned", lambda clip: 255 - clip.composite)
    lines = (data / "test_list.txt").read_text().splitlines()
    (data / "others.txt").write_text("\n".join([lines[0], *lines[2:]]))

    def scored(listed: str) -> dict[str, Any]:
        protocol = find_protocol("co2net")
        report = evaluate(data, turned, ("fmse",), data / listed, protocol=protocol)
        found: dict[str, Any] = json.loads(json.dumps(report, allow_nan=False))
        return found

    others = scored("others.txt")
    assert others["without_fmse"] == 0
    assert "full matte" not in format_report(others)
    soften(samples[1].mask)
    whole = scored("test_list.txt")
    assert (whole["composites"], whole["without_fmse"]) == (4, 1)
    for key in ("overall", "thirds", "worse_share"):
        assert whole[key] == others[key], key
    assert whole["worse_share"] == whole["groups"][0]["worse_share"] == 1.0
    assert whole["groups"][0]["ratio"] == others["groups"][0]["ratio"]
    assert "  1 composite without a pixel at full matte" in format_report(whole)
    for sample in samples:
        soften(sample.mask)
    none = scored("test_list.txt")
    assert (none["without_fmse"], none["thirds"], none["worse_share"]) == (4, [], None)
    assert "weakest first" not in format_report(none)
    assert "worse than untouched" not in format_report(none)


def soften(folder: Path) -> None:
    """Make a mask a matte of two greys."""
    for path in folder.iterdir():
        matte = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert matte is not None
        rows, columns = np.nonzero(matte)
        matte[rows, columns] = 200
        matte[rows[0], columns[0]] = 100
        cv2.imwrite(str(path), matte)


@pytest.mark.parametrize(
    ("views", "others"),
    [(None, (2, 2, 3, 0)), (("square", "square", "square", "lake"), (3, 3, 3, 0))],
)
def test_a_swapped_background_is_that_of_the_next_other_video(
    views: tuple[str, ...] | None, others: tuple[int, ...], data: Path
) -> None:
    """Or of the next other view, where a set says which pictures show the same one."""
    if views:
        names = [one.name for one in read_list(data)]
        rows = [
            {"composite": name, "group": view, "fmse": 500.0}
            for name, view in zip(names, views, strict=True)
        ]
        journal = {"leading_below_fmse": 3000.0, "composites": rows}
        (data / "synthesis.json").write_text(json.dumps(journal))
    seen: list[Clip] = []

    def harmonize(clip: Clip) -> Array:
        seen.append(clip)
        return clip.composite

    spy = Method("spy", harmonize)
    report = evaluate(data, spy, swap_background=True)
    samples = read_list(data)
    # The first two are of one video, so the next other one of both is the third; the last goes
    # round to the first.
    for clip, sample, number in zip(seen, samples, others, strict=True):
        composite, _, mask = sample.read()
        behind = np.stack(
            [
                cv2.resize(frame, mask.shape[:0:-1], interpolation=cv2.INTER_AREA)
                for frame in samples[number].read()[0]
            ]
        )
        assert np.array_equal(clip.composite, np.where(mask[..., None], composite, behind))
    assert set(report["overall"]) == {"fmse", "fssim"}
    assert report["swap_background"] is True
    assert report["ratio"]["fmse"] == 1.0  # the foreground itself was left alone


def test_an_interval_holds_95_percent_by_normal_theory() -> None:
    values = 5.0 + 2.0 * np.sin(np.arange(400.0) * 1.7)
    error = values.std() / 400**0.5
    found = bootstrap_interval(values)
    assert found == pytest.approx(
        [values.mean() - 1.96 * error, values.mean() + 1.96 * error], abs=0.15 * error
    )


def test_an_interval_of_weighted_means_heeds_the_weights() -> None:
    wave = np.sin(np.arange(200.0) * 1.7)
    values, weights = (
        np.concatenate([wave, 10.0 + wave]),
        np.repeat([1.0, 9.0], 200),
    )  # few frames near 0, many near 10
    mean = float((weights * values).sum() / weights.sum())
    error = float(
        np.sqrt(np.square(weights * (values - mean)).sum()) / weights.sum()
    )  # of a ratio of two sums
    assert mean == pytest.approx(9.0, abs=0.01)
    assert bootstrap_interval(values, weights) == pytest.approx(
        [mean - 1.96 * error, mean + 1.96 * error], abs=0.25 * error
    )


def test_results_of_others_are_scored_from_a_folder(data: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for sample in read_list(data):
        (results / sample.name).mkdir(parents=True)
        target = sample.read()[1]
        for index, frame in enumerate(target):
            write_jpeg(results / sample.name / f"{index:05d}.jpg", frame)
    report = evaluate(data, find_method(f"folder:{results}", data), ("fmse",))
    assert report["ratio"]["fmse"] < 0.02
    with pytest.raises(InputError, match="made for the composites as they are"):
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
def test_the_packaged_constant_maps_say_what_they_were_fitted_on(looks: str) -> None:
    assert read_constant(looks).shape == (3, 10)
    told = json.loads(constant_file().read_text())[looks]
    assert told["composites"] == 846
    assert len(told["set_sha256"]) == 64
    again = f"vhmae fit-constant --data constant-{looks} --looks {looks}"
    assert told["command"] == f"{again} -o src/vhmae/assets/constant.json"
    assert told["command"] in (ROOT / "docs/one-look.md").read_text()
    recipe = read_config(SynthesisRecipe, ROOT / f"configs/benchmarks/constant-{looks}.yaml")
    said = {key: getattr(recipe, key) for key in told["recipe"]}
    assert json.loads(json.dumps(said)) == told["recipe"]


def test_mkl_takes_over_the_backgrounds_colors(rng: np.random.Generator) -> None:
    composite = rng.integers(90, 160, (2, 40, 60, 3)).astype(np.uint8)
    mask = np.zeros((2, 40, 60), bool)
    mask[:, 10:30, 10:50] = True
    composite[mask] = composite[mask] // 2 + 10
    out = find_method("mkl", Path()).harmonize(Clip(composite, mask))
    np.testing.assert_allclose(out[mask].mean(0), composite[~mask].mean(0), atol=2.0)
    assert np.array_equal(out[~mask], composite[~mask])


@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
def test_gains_are_a_power_of_what_takes_the_means_over(
    mix: float, rng: np.random.Generator
) -> None:
    composite = rng.integers(60, 90, (2, 40, 60, 3)).astype(np.uint8)
    mask = np.zeros((2, 40, 60), bool)
    mask[:, 10:30, 10:50] = True
    composite[~mask] = composite[~mask] * np.array([1, 2, 1], np.uint8)
    composite[mask] = composite[mask] // [1, 1, 3]
    out = find_method("gain", Path(), mix=mix).harmonize(Clip(composite, mask))
    means = composite[mask].mean(0), composite[~mask].mean(0)
    for channel in range(3):
        gain = (means[1][channel] / means[0][channel]) ** mix
        wanted = composite[mask][:, channel] * gain
        np.testing.assert_allclose(out[mask][:, channel], wanted.clip(0, 255), atol=0.51)
    assert np.array_equal(out[~mask], composite[~mask])


def test_gains_of_before_have_another_digest() -> None:
    digest = find_method("gain", Path(), mix=0.3).digest
    former = {"method": "gain", "kind": "gain", "mix": 0.3}
    assert digest != Method("gain", lambda clip: clip.composite, facts=former).digest
    mkl = {"method": "mkl", "kind": "mkl", "mix": 0.3}  # what has not changed stays what it was
    kept = Method("mkl", lambda clip: clip.composite, facts=mkl).digest
    assert find_method("mkl", Path(), mix=0.3).digest == kept


def test_colors_alone_are_free_of_blur(rng: np.random.Generator) -> None:
    _, masks = moving_scene(2, 64, 48)
    patches = rng.integers(40, 200, (2, 6, 8, 3)).astype(np.float32)
    smooth = np.stack([cv2.resize(one, (64, 48), interpolation=cv2.INTER_CUBIC) for one in patches])
    noisy = (smooth + rng.integers(-20, 20, smooth.shape)).clip(0, 255).astype(np.uint8)
    wanted = noisy.copy()
    wanted[masks] = np.rint(noisy[masks] * [0.8, 0.9, 1.0] + [20.0, 5.0, 0.0]).astype(np.uint8)

    def blurred(clip: Clip) -> Array:
        return np.stack([cv2.blur(frame, (5, 5)) for frame in wanted])

    clip = Clip(noisy, masks)
    blurry = Method("blurry", blurred, facts={"steps": 3})
    plain = as_map(Method("plain", lambda clip: wanted)).harmonize(clip)
    assert np.abs(plain.astype(int) - wanted).max() <= 1  # a map is its own nearest
    told = as_map(blurry)
    assert (told.name, told.facts) == (
        "blurry, colors alone",
        {"steps": 3, "colors_alone": True},
    )
    found = told.harmonize(clip)
    assert np.array_equal(found[~masks], noisy[~masks])

    def error(made: Array) -> float:
        return float(np.square(made[masks].astype(float) - wanted[masks]).mean())

    assert error(found) < 0.5 * error(blurred(clip))


def test_drift_of_a_method_that_does_nothing_is_nothing(tmp_path: Path) -> None:
    from tests.support.scenes import write_video
    from vhmae.data.clips import write_mask_bits

    frames, masks = moving_scene(5, 64, 48)
    write_video(tmp_path / "a.mp4", frames, codec="libx264")
    write_mask_bits(masks, tmp_path / "a.mask.npz")
    assert natural_drift(tmp_path, find_method("composite", tmp_path))["mean"] == 0.0
    brighter = Method(
        "brighter", lambda clip: np.clip(clip.composite.astype(int) + 3, 0, 255).astype(np.uint8)
    )
    assert natural_drift(tmp_path, brighter)["mean"] == pytest.approx(3.0, abs=0.1)
    checks = np.where(np.arange(64) % 2, 3, -3)[
        None, None, :, None
    ]  # as much up as down is drift all the same
    mixed = Method(
        "mixed", lambda clip: np.clip(clip.composite.astype(int) + checks, 0, 255).astype(np.uint8)
    )
    assert natural_drift(tmp_path, mixed)["mean"] == pytest.approx(3.0, abs=0.1)


def test_what_is_not_asked_for_is_not_told(data: Path) -> None:
    method = find_method("gain", data)
    asked, whole = (evaluate(data, method, names) for names in (("psnr",), ("psnr", "fmse")))
    assert {*whole["overall"]} == {"psnr", "fmse"}
    assert asked["overall"] == {"psnr": whole["overall"]["psnr"]}
    assert {*whole} - {*asked} == {"bins", "thirds", "worse_share", "without_fmse"}


def test_unknown_names_get_a_hint(data: Path) -> None:
    with pytest.raises(InputError, match="did you mean composite"):
        find_method("compsite", data)
    with pytest.raises(InputError, match="did you mean fssim"):
        evaluate(data, find_method("composite", data), ("ssim",))


@pytest.mark.parametrize("name", ["reinhard", "histogram", "mkl"])
def test_classical_methods_go_a_part_of_the_way(name: str, data: Path) -> None:
    composite, _, mask = read_list(data)[3].read()
    clip = Clip(composite, mask)
    full, half, none = (
        find_method(name, data, mix=mix).harmonize(clip).astype(float) for mix in (1.0, 0.5, 0.0)
    )
    assert np.array_equal(none, composite)
    assert np.array_equal(full[~mask], composite[~mask])
    unclipped = mask & (full > 2).all(-1) & (full < 253).all(-1)
    assert np.abs(half - (full + composite) / 2)[unclipped].max() <= 1.0
    assert (
        np.abs(full[mask].mean(0) - composite[~mask].mean(0)).max()
        < np.abs(composite[mask].mean(0) - composite[~mask].mean(0)).max()
    )
    with pytest.raises(InputError, match="`mix`"):
        find_method("vhmae", data, mix=0.5)


def test_oracles_know_the_target(data: Path) -> None:
    affine = evaluate(data, find_method("oracle-affine", data), ("fmse",))["ratio"]["fmse"]
    quadratic = evaluate(data, find_method("oracle-quadratic", data), ("fmse",))["ratio"]["fmse"]
    assert quadratic <= affine < 0.05
    with pytest.raises(InputError, match="`swap_background`"):
        evaluate(data, find_method("oracle-affine", data), swap_background=True)


def test_a_cache_changes_no_score(data: Path, tmp_path: Path) -> None:
    method = find_method("mkl", data)
    reports = [
        evaluate(data, method, ("fmse", "temporal"), cache=cache)
        for cache in (None, tmp_path / "c", tmp_path / "c")
    ]
    for report in reports:
        assert report.pop("seconds")["all"] > 0
    assert reports[0] == reports[1] == reports[2]
    small = evaluate(data, method, ("fmse",), cache=tmp_path / "c", size=32)
    assert small["overall"]["fmse"]["mean"] > 0
    assert len(list((tmp_path / "c").iterdir())) == 8


def test_a_cache_notices_other_pictures(data: Path, tmp_path: Path) -> None:
    evaluate(data, find_method("composite", data), ("fmse",), cache=tmp_path / "c")
    sample = read_list(data)[0]
    target = sample.read()[1]
    for index, frame in enumerate(target):  # in place: the folder's own time stamp stays
        write_jpeg(sample.composite / f"{index:05d}.jpg", frame)
    with_cache = evaluate(data, find_method("composite", data), ("fmse",), cache=tmp_path / "c")
    assert (
        with_cache["overall"]
        == evaluate(data, find_method("composite", data), ("fmse",))["overall"]
    )


def test_temporal_metrics_stand_beside_the_composites_and_the_targets(data: Path) -> None:
    temporal = evaluate(data, find_method("composite", data), ("fmse", "temporal"))["temporal"]
    assert temporal.keys() == {"tl_dis", "frtc", "flicker"}
    assert temporal["tl_dis"]["method"] == temporal["tl_dis"]["composite"]
    assert temporal["tl_dis"]["target"]["mean"] > 0


def test_frames_count_alike_where_the_protocol_says_so(data: Path) -> None:
    protocol = find_protocol("co2net")
    sample = read_list(data)[1]
    assert sample.real is not None
    for folder in (sample.real, sample.mask, sample.composite):
        (folder / "00002.jpg").unlink(missing_ok=True)
        (folder / "00002.png").unlink(missing_ok=True)
    values = []
    for one in read_list(data):
        composite, target, mask = one.read()
        values += [
            protocol.score(Frame(composite[i], composite[i], target[i], mask[i]), ["fmse"])["fmse"]
            for i in range(len(mask))
        ]
    report = evaluate(data, find_method("composite", data), ("fmse",), protocol=protocol)
    assert report["overall"]["fmse"]["mean"] == pytest.approx(np.mean(values), abs=1e-3)
    assert report["protocol"] == "co2net"
    assert len(values) == 11


def test_a_set_without_foreground_is_refused(data: Path) -> None:
    sample = read_list(data)[0]
    for file in sample.mask.iterdir():
        write_mask(file, np.zeros((48, 80), bool))
    with pytest.raises(InputError, match="no foreground"):
        evaluate(data, find_method("composite", data))
    with pytest.raises(InputError, match="no foreground"):
        fit_constant(data, "one", data / "c.json")
    harmonizer = Harmonizer(model(), precision="fp32", cut_detection=False)
    with pytest.raises(InputError, match="no foreground"):
        next(read_leftovers(data, harmonizer))


def test_a_list_that_names_a_composite_twice_is_refused(data: Path) -> None:
    path = data / "test_list.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1].replace("/", "\\")]))
    with pytest.raises(InputError, match=r"line 5 names .*object_2 again, after line 2"):
        read_list(data)


def test_lists_and_caches_that_are_none_are_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("real_videos/\xfc a b\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_list(data, tmp_path / "latin.txt")
    with pytest.raises(InputError, match="is a file"):
        evaluate(data, find_method("composite", data), ("fmse",), cache=tmp_path / "latin.txt")
