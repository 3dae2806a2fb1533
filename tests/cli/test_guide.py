"""A person's word by flag, by file and by the API."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.networks import changing_model, model
from tests.support.pictures import read_picture
from tests.support.runs import same_frames, stop_at
from tests.support.scenes import decode, moving_scene, write_video
from vhmae import harmonize_video
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.guide.document import Guide
from vhmae.guide.options import GuideOptions
from vhmae.model.weights import save_model
from vhmae.work import renderer
from vhmae.work.analysis import open_analysis
from vhmae.work.guiding import hear_guide, told_of_points
from vhmae.work.harmonize import harmonize_job
from vhmae.work.job import HarmonizeJob
from vhmae.work.named import Named

Maker = Callable[..., tuple[Path, Path]]


MASKS = moving_scene(12, 96, 64)[1]


def inside(frame: int) -> tuple[int, int]:
    """A place well inside the mask of a frame: column and row."""
    ys, xs = np.nonzero(MASKS[frame])
    return int(np.median(xs)), int(np.median(ys))


@pytest.fixture
def clip(small_clip: Maker) -> tuple[Path, Path]:
    return small_clip()


def test_a_word_is_the_same_by_flag_by_file_and_by_the_api(
    clip: tuple[Path, Path], tmp_path: Path
) -> None:
    composite, mask = clip
    x, y = inside(3)
    said = f"{x},{y}=#e0a060@3"
    plain = ["harmonize", str(composite), "--mask", str(mask), "--precision", "fp32", "-q"]
    assert main([*plain, "-o", str(tmp_path / "plain.mkv")]) == 0
    assert (
        main(
            [
                *plain,
                "-o",
                str(tmp_path / "flag.mkv"),
                "--target",
                said,
                "--json",
                str(tmp_path / "r.json"),
            ]
        )
        == 0
    )
    report = json.loads((tmp_path / "r.json").read_text())
    (tmp_path / "guide.json").write_text(json.dumps(report["guide"]))
    assert (
        main([*plain, "-o", str(tmp_path / "file.mkv"), "--guide", str(tmp_path / "guide.json")])
        == 0
    )
    harmonize_video(composite, tmp_path / "api.mkv", mask=mask, precision="fp32", target=[said])
    frames = {name: decode(tmp_path / f"{name}.mkv") for name in ("plain", "flag", "file", "api")}
    for name in ("file", "api"):  # to the bit
        for one, two in zip(frames["flag"], frames[name], strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert any(
        not np.array_equal(a[0], b[0]) for a, b in zip(frames["plain"], frames["flag"], strict=True)
    )
    point = report["guided"][0]
    wanted = np.array([0xE0, 0xA0, 0x60])
    assert (
        np.abs(point["got"] - wanted).mean()
        < 0.5 * np.abs(np.array(point["answer"]) - wanted).mean()
    )
    assert point["levels_left"] < 25.0


def test_a_word_changes_nothing_outside_the_mask(clip: tuple[Path, Path], tmp_path: Path) -> None:
    composite, mask = clip
    x, y = inside(0)
    run = [
        "harmonize",
        str(composite),
        "--mask",
        str(mask),
        "-q",
        "-o",
        str(tmp_path / "out.mkv"),
        "--brightness",
        f"{x},{y}=+1",
    ]
    assert main([*run, "--dial", "temperature=40"]) == 0
    outside = ~MASKS
    for before, after, free in zip(
        decode(composite), decode(tmp_path / "out.mkv"), outside, strict=True
    ):
        assert np.array_equal(before[0][free], after[0][free])


def test_a_preview_hears_the_word_too(clip: tuple[Path, Path], tmp_path: Path) -> None:
    composite, mask = clip
    x, y = inside(8)
    run = [
        "preview",
        str(composite),
        "--mask",
        str(mask),
        "-q",
        "--frame",
        "8",
        "--json",
        str(tmp_path / "r.json"),
    ]
    changes = []
    for more in ([], ["--brightness", f"{x},{y}=-1.5@8"]):
        assert main([*run, "-o", str(tmp_path / "sheet.png"), *more]) == 0
        changes.append(json.loads((tmp_path / "r.json").read_text())["mean_change"])
    assert changes[1] > changes[0] + 5.0


def test_a_run_that_is_resumed_hears_the_same(
    small_clip: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composite, mask = small_clip(frames=24)
    monkeypatch.setattr(renderer, "CHECKPOINT_FRAMES", 8)
    run = ["harmonize", str(composite), "--mask", str(mask), "--precision", "fp32", "-q"]
    Guide(shots="all").write(tmp_path / "all.json")
    (tmp_path / "cuts.txt").write_text("6\n")
    run += ["--guide", str(tmp_path / "all.json"), "--cuts", str(tmp_path / "cuts.txt")]
    run += ["--dial", "exposure=-1", "--resume", "--json", str(tmp_path / "r.json"), "-o"]
    assert main([*run, str(tmp_path / "whole.mkv")]) == 0
    needed = json.loads((tmp_path / "r.json").read_text())["needed"]
    assert [(row["first"], row["last"]) for row in needed] == [(0, 5), (6, 23)]
    stop_at(18, [*run, str(tmp_path / "out.mkv")], monkeypatch)
    assert main([*run, str(tmp_path / "out.mkv")]) == 0
    assert same_frames(tmp_path / "whole.mkv", tmp_path / "out.mkv")
    assert json.loads((tmp_path / "r.json").read_text())["needed"] == needed


NO_GUIDE = [
    (["--target", "2000,5=#ffffff"], "lies outside the frame"),
    (["--keep-color", "30,20@99"], "names frame 99"),
    (["--match", "30,20"], "is not a place X,Y"),
    (["--target", "30,20=#12"], "is no color"),
    (["--dial", "exposur=1"], "did you mean exposure"),
    (["--guide", "none.json"], "cannot be read"),
]


@pytest.mark.parametrize(
    ("flags", "told"), [*NO_GUIDE, (["--neutral", "1,1"], "lies outside the mask")]
)
def test_what_no_guide_can_say_is_one_line(
    flags: list[str],
    told: str,
    clip: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    composite, mask = clip
    line = error_of(
        "harmonize", composite, "--mask", mask, "-o", tmp_path / "out.mkv", *flags, capsys=capsys
    )
    assert told in line
    assert flags[0] in line or "point 1" in line
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(("flags", "told"), NO_GUIDE)
def test_it_is_refused_before_the_work(
    flags: list[str],
    told: str,
    clip: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*given: object, **more: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr("vhmae.work.analysis.Analysis.survey", never)
    composite, mask = clip
    out: list[str | Path] = ["-o", tmp_path / "out.mkv", *flags]
    run: list[str | Path] = ["harmonize", composite, "--mask", mask, *out]
    assert told in error_of(*run, capsys=capsys)
    assert told in error_of(*run, "--check", capsys=capsys)
    if "frame" not in told:  # what nobody can mean is known before the mask is made
        monkeypatch.setattr("vhmae.matting.run.made_matte", never)
        matted: list[str | Path] = ["harmonize", composite, "--matte", "salient", *out]
        assert told in error_of(*matted, capsys=capsys)


def of_weights(tmp_path: Path, composite: Path, *masks: Path, **more: Any) -> HarmonizeJob:
    """A job of a network that is small."""
    weights = tmp_path / "w.safetensors"
    if not weights.exists():
        save_model(changing_model(), weights, {})
    return HarmonizeJob(
        composite=composite,
        masks=masks,
        output=tmp_path / "out.mkv",
        weights=str(weights),
        precision="fp32",
        **more,
    )


def test_weights_that_draw_pixels_take_no_guide(
    clip: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(model(head="pixel"), tmp_path / "w.safetensors", {})
    run: list[str | Path] = ["harmonize", clip[0], "--mask", clip[1], "-o", tmp_path / "out.mkv"]
    run += ["--weights", tmp_path / "w.safetensors", "--dial", "exposure=1"]
    for one in (run, [*run, "--check"]):
        assert "these weights draw pixels" in error_of(*one, capsys=capsys)


def test_points_that_cannot_be_had_are_told(clip: tuple[Path, Path], tmp_path: Path) -> None:
    """Also by an export, whose report holds the guide as others do."""
    x, y = inside(3)
    run = ["export", "cube", *map(str, (clip[0], "--mask", clip[1]))]
    run += ["-o", str(tmp_path / "look.cube"), "--json", str(tmp_path / "r.json"), "-q"]
    for color in ("ffffff", "000000"):
        run += ["--target", f"{x},{y}=#{color}@3"]
    assert main(run) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert [point["to"] for point in report["guide"]["points"]] == ["#ffffff", "#000000"]
    assert [row["shot"] for row in report["guided"]] == [1, 1]
    told = [warning for warning in report["warnings"] if warning.startswith("`guide`: point ")]
    assert len(told) == sum(row["contradicts"] is not None for row in report["guided"]) > 0
    assert "and point 2 contradict each other" in told[0]


def test_what_is_cut_off_is_told() -> None:
    row = {"point": 3, "asked": "1,1 of frame 0 is gray", "levels_left": 12.3}
    (told,) = told_of_points([{**row, "contradicts": None, "clipped": True}])
    assert told.startswith("`guide`: point 3 (1,1 of frame 0 is gray): ")
    assert "cut off" in told
    assert not told_of_points([{**row, "contradicts": None, "clipped": False}])


def two_shots(tmp_path: Path) -> tuple[Path, Path]:
    frames, masks = moving_scene(16, 96, 64)
    frames[8:] = frames[8:, ::-1, :, ::-1] // 3 + 90
    masks[8:] = masks[8:, ::-1]
    write_mask_bits(masks, tmp_path / "masks.npz")
    (tmp_path / "cuts.txt").write_text("8\n")
    return write_video(tmp_path / "two.mkv", frames), tmp_path / "masks.npz"


def test_dials_are_turned_in_each_shot_of_its_own(tmp_path: Path) -> None:
    composite, masks = two_shots(tmp_path)
    words = GuideOptions(dial=("saturation=+1",))
    more = {"cuts": tmp_path / "cuts.txt", "words": words}
    job = of_weights(tmp_path, composite, masks, **more)
    harmonize_job(job)
    whole = decode(job.output)
    harmonize_job(dataclasses.replace(job, start=8 / 25))  # the second alone
    for one, other in zip(whole[8:], decode(job.output), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    harmonize_job(dataclasses.replace(job, words=GuideOptions()))
    assert not np.array_equal(decode(job.output)[8][1], whole[8][1])


def heard(job: HarmonizeJob, **more: Any) -> list[Array | None]:
    """What is told to each part in its first shot."""
    analysis = open_analysis(job)
    hear_guide(analysis, **more)
    return [one.stream_guide.guide_changes.at(0, 0) for one in analysis.harmonizers]


def test_a_guide_is_heard_where_the_first_frame_is_called_a_cut(tmp_path: Path) -> None:
    composite, masks = two_shots(tmp_path)
    x, y = (int(np.median(at)) for at in np.nonzero(MASKS[9][::-1])[::-1])
    words = GuideOptions(target=(f"{x},{y}=#ffffff@9",))
    more = {"cuts": tmp_path / "cuts.txt", "words": words}
    job = of_weights(tmp_path, composite, masks, **more)
    (told,) = heard(job, first=8)
    assert told is not None
    ((_, _, changes, shot, _),) = itertools.islice(
        (analysis := open_analysis(job)).harmonized(analysis.sources.frames(8)), 1
    )
    assert changes[0] is not None
    assert shot == 0


def test_dials_find_a_frame_for_each_object_and_a_solid_one(tmp_path: Path) -> None:
    frames, masks = moving_scene(40, 96, 64)
    video = write_video(tmp_path / "in.mkv", frames)
    soft = masks.astype(np.uint8) * 255
    soft[:3] //= 85
    late, never = masks[:, ::-1, ::-1].copy(), masks & False
    late[:5] = False
    never[39, 5:9, 5:9] = True
    full = masks.copy()
    full[:30] = True  # shows no background yet: it is read ahead for
    paths = []
    for name, one in {"soft": soft, "late": late * 255, "never": never * 255}.items():
        gray = np.repeat(one.astype(np.uint8)[..., None], 3, axis=3)
        paths.append(write_video(tmp_path / f"{name}.mkv", gray, pix_fmt="yuv444p"))
    write_mask_bits(full, tmp_path / "full.npz")
    words = GuideOptions(dial=("exposure=+1",))
    (tmp_path / "cuts.txt").write_text("20\n")
    job = of_weights(tmp_path, video, *paths, words=words, cuts=tmp_path / "cuts.txt")
    named = Named(open_analysis(job), Guide())
    found = [[(shot, one) for shot, one in parts.items()] for parts in named._find_firsts()]
    assert found == [[(0, 3), (1, 20)], [(0, 5), (1, 20)], [(1, 39)]]
    told = heard(job)
    assert [one is None for one in told] == [False, False, True]
    behind = {"words": words, "cuts": tmp_path / "cuts.txt", "move": "background"}
    for path, nothing in ((paths[1], False), (paths[2], True)):  # fitted to a foreground, if any
        (said,) = heard(of_weights(tmp_path, video, path, **behind))
        assert (said is None) is nothing
    (told_full,) = heard(of_weights(tmp_path, video, tmp_path / "full.npz", words=words))
    assert told_full is not None


def test_skin_is_not_heard_where_the_background_moves(
    clip: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object) -> None:
        raise AssertionError("skin was asked for")

    monkeypatch.setattr("vhmae.engine.harmonizer.with_skin", never)
    words = GuideOptions(dial=("exposure=+1",))
    job = of_weights(tmp_path, *clip, move="background", skin=True, words=words)
    assert heard(job)[0] is not None


SHOT, FIRST, STOP = 40, 30, 65
PART = ("--start", "1.2", "--end", "2.6")
"""The frames from FIRST to STOP, of the first two shots of three."""


@pytest.fixture(scope="module")
def cut_clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Array]:
    """A folder with three shots, their mask, weights, and the luma of the whole and of the part
    where nothing is said; and the masks (T, H, W)."""
    folder = tmp_path_factory.mktemp("cut")
    frames, masks = moving_scene(SHOT, 96, 64)
    shots = [frames, np.ascontiguousarray(255 - frames[:, :, ::-1]), frames // 3]
    write_video(folder / "in.mkv", np.concatenate(shots))
    whole = np.concatenate([masks, masks[:, :, ::-1], masks])
    write_mask_bits(whole, folder / "m.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    for name, more in (("whole", ()), ("part", PART)):
        np.save(folder / f"{name}.npy", luma_of(folder, folder / "out.mkv", *more))
    return folder, whole


def luma_of(folder: Path, out: Path, *more: str) -> Array:
    """The luma of the clip, harmonized with options: (T, H, W) int."""
    run = ["harmonize", folder / "in.mkv", "--mask", folder / "m.npz", "-o", out, "-q"]
    run += ["--weights", folder / "w.safetensors", "--precision", "fp32"]
    assert main([*map(str, run), *more]) == 0
    return np.stack([planes[0] for planes in decode(out)]).astype(int)


@pytest.mark.parametrize(
    ("said", "dials"),
    [((2, 90), ()), ((70, 45), ()), ((2, 50, 110), ("--dial", "exposure=+0.5"))],
)
def test_words_outside_of_the_part_rule_their_shots_in_it(
    said: tuple[int, ...], dials: tuple[str, ...], cut_clip: tuple[Path, Array], tmp_path: Path
) -> None:
    folder, masks = cut_clip
    words = [*dials]
    for frame in said:
        ys, xs = np.nonzero(masks[frame])
        words += ["--target", f"{int(np.median(xs))},{int(np.median(ys))}=#e0a060@{frame}"]
    report = tmp_path / "r.json"
    whole = luma_of(folder, tmp_path / "o.mkv", *words) - np.load(folder / "whole.npy")
    part = luma_of(folder, tmp_path / "o.mkv", *words, *PART, "--json", str(report))
    part = part - np.load(folder / "part.npy")
    kept = masks[FIRST:STOP]
    assert np.abs(part - whole[FIRST:STOP])[kept].mean() < 0.5
    ruled = {frame // SHOT for frame in said if frame < STOP or frame // SHOT == 1}
    for shot, frames in enumerate((slice(0, SHOT - FIRST), slice(SHOT - FIRST, None))):
        moved = np.abs(part[frames])[kept[frames]].mean()
        assert (moved > 3.0) == (shot in ruled or bool(dials)), shot
    rows = json.loads(report.read_text())["guided"]
    shots = {number: 1 + frame // SHOT for number, frame in enumerate(said, 1) if frame < 80}
    assert {row["point"]: row["shot"] for row in rows} == shots


@pytest.mark.parametrize("command", ["preview", "alternatives", "export cube", "diagnose"])
def test_other_commands_hear_words_outside_of_the_part_too(
    command: str, cut_clip: tuple[Path, Array], tmp_path: Path
) -> None:
    folder, masks = cut_clip
    ys, xs = np.nonzero(masks[2])
    said = ["--target", f"{int(np.median(xs))},{int(np.median(ys))}=#e0a060@2"]
    run = [*command.split(), folder / "in.mkv", "--mask", folder / "m.npz", *PART, "-q"]
    run += ["--weights", folder / "w.safetensors", "--precision", "fp32"]
    out = {"export cube": "o.cube", "diagnose": ""}.get(command, "o.png")
    run += ["-o", tmp_path / out] if out else []
    run += ["--frame", "35"] if out == "o.png" else []
    told = []
    for number, words in enumerate(([], said)):
        report = tmp_path / f"{number}.json"
        assert main([*map(str, run), *words, "--json", str(report)]) == 0
        told.append(json.loads(report.read_text()))
        if command == "preview":
            told[-1] = (tmp_path / "o.png").read_bytes()
    assert told[0] != told[1]
    if command in ("export cube", "diagnose"):
        levels = [
            [row["change" if out else "change_levels"] for row in one["shots"]] for one in told
        ]
        assert abs(levels[0][0] - levels[1][0]) > 1.0
        assert levels[0][1] == pytest.approx(levels[1][1], abs=0.3)


def test_a_part_that_begins_at_a_cut_to_light_has_its_own_words(
    cut_clip: tuple[Path, Array], tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    for number in range(24):  # ten dark frames, then light
        frame = np.full((64, 64, 3), 40 if number < 10 else 200, np.uint8)
        frame[20:44, 20:44] = 60 if number < 10 else 180
        assert cv2.imwrite(str(folder / f"{number:04d}.png"), frame)
    mask = np.zeros((64, 64), np.uint8)
    mask[20:44, 20:44] = 255
    assert cv2.imwrite(str(tmp_path / "m.png"), mask)
    run = ["harmonize", folder / "%04d.png", "--mask", tmp_path / "m.png", "-q"]
    run += ["--weights", cut_clip[0] / "w.safetensors", "--precision", "fp32", "--start", "0.4"]

    def kept(name: str, *words: str) -> tuple[Array, list[Any]]:
        out, report = tmp_path / name, tmp_path / "r.json"
        out.mkdir()
        files = ["-o", str(out / "%04d.png"), "--json", str(report)]
        assert main([*map(str, run), *files, *words]) == 0
        seen = [read_picture(one) for one in sorted(out.glob("*.png"))]
        return np.stack(seen), json.loads(report.read_text()).get("guided", [])

    dark, light = (["--target", f"32,32={color}"] for color in ("#ff2020@5", "#20ff20@18"))
    plain, own = kept("plain")[0], kept("own", *light)[0]
    before, rows = kept("before", *dark)
    np.testing.assert_array_equal(before, plain)  # it is of a shot that is not kept
    assert rows == []
    both, rows = kept("both", *dark, *light)
    assert np.abs(both.astype(int) - own)[:, mask > 0].mean() < 1.0
    assert [(row["point"], row["shot"]) for row in rows] == [(2, 1)]


def test_layers_that_end_where_one_of_them_does_hear_words_behind_the_part(
    cut_clip: tuple[Path, Array], tmp_path: Path
) -> None:
    frames, masks = moving_scene(12, 96, 64)
    for number, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        cv2.imwrite(str(tmp_path / f"bg.{number:04d}.png"), 255 - frame[..., ::-1])
        if number < 8:
            cut = np.dstack([frame[..., ::-1], np.where(mask, 255, 0).astype(np.uint8)])
            cv2.imwrite(str(tmp_path / f"fg.{number:04d}.png"), cut)
    x, y = inside(7)
    run = ["harmonize", "--background", tmp_path / "bg.%04d.png", "-q", "--precision", "fp32"]
    run += ["--foreground", tmp_path / "fg.%04d.png", "--weights", cut_clip[0] / "w.safetensors"]
    run += ["--end", "0.16", "--pair", "order", "-o", tmp_path / "o.mkv"]
    run += ["--target", f"{x},{y}=#e0a060@7"]
    assert main([*map(str, run), "--json", str(tmp_path / "r.json")]) == 0
    assert [row["point"] for row in json.loads((tmp_path / "r.json").read_text())["guided"]] == [1]
