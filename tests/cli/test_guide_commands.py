"""``vhmae diagnose`` and ``vhmae alternatives``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.pictures import read_picture
from tests.support.scenes import decode, moving_scene, save_bold_weights, write_video
from tests.support.turned import turned_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.guide.colors import SIZE
from vhmae.guide.document import Choice, Guide
from vhmae.guide.prior import Prior, prior_beside
from vhmae.guide.reading import read_guide
from vhmae.video.probe import probe_video

Maker = Callable[..., tuple[Path, Path]]


@pytest.fixture
def clip(small_clip: Maker) -> tuple[Path, Path]:
    return small_clip(frames=8)


def told(tmp_path: Path, *command: object) -> dict[str, Any]:
    run = [*map(str, command), "--precision", "fp32", "-q", "--json", str(tmp_path / "r.json")]
    assert main(run) == 0
    found: dict[str, Any] = json.loads((tmp_path / "r.json").read_text())
    return found


def test_a_dial_that_is_turned_is_read_again(clip: tuple[Path, Path], tmp_path: Path) -> None:
    composite, mask = clip
    run = ("diagnose", composite, "--mask", mask)
    plain, turned = (
        told(tmp_path, *run, *more)["shots"][0]
        for more in ((), ("--dial", "exposure=+0.5", "--dial", "temperature=-20"))
    )
    assert turned["exposure"] - plain["exposure"] == pytest.approx(0.5, abs=0.05)
    # Dials are turned on top of the answer's own contrast and saturation: not quite additive.
    assert turned["temperature"] - plain["temperature"] == pytest.approx(-20, abs=6)
    assert (plain["shot"], plain["object"], plain["first"], plain["last"]) == (1, 1, 0, 7)
    assert turned["change_levels"] > turned["left_levels"]
    assert 0.5 <= plain["sure"] <= 1.0
    assert plain["deviations"]["exposure"] > 0.05


def test_points_make_it_surer(clip: tuple[Path, Path], tmp_path: Path) -> None:
    composite, mask = clip
    ys, xs = np.nonzero(moving_scene(8, 96, 64)[1][3])
    x, y = int(np.median(xs)), int(np.median(ys))
    run = ("diagnose", composite, "--mask", mask)
    plain, guided = (
        told(tmp_path, *run, *more)["shots"][0] for more in ((), ("--target", f"{x},{y}=#a08060@3"))
    )
    assert guided["deviations"]["exposure"] < 0.8 * plain["deviations"]["exposure"]


def test_each_shot_and_each_object_is_told_of(tmp_path: Path) -> None:
    frames, masks = moving_scene(16, 96, 64)
    frames[8:] = np.roll(frames[8:, :, ::-1] // 3, 20, axis=1)
    write_video(tmp_path / "in.mkv", frames)
    write_mask_bits(masks, tmp_path / "a.npz")
    write_mask_bits(masks[:, ::-1, ::-1], tmp_path / "b.npz")
    (tmp_path / "cuts.txt").write_text("8\n")
    both = ("--mask", tmp_path / "a.npz", "--mask", tmp_path / "b.npz")
    report = told(tmp_path, "diagnose", tmp_path / "in.mkv", *both, "--cuts", tmp_path / "cuts.txt")
    assert [(row["shot"], row["object"], row["first"]) for row in report["shots"]] == [
        (1, 1, 0),
        (1, 2, 0),
        (2, 1, 8),
        (2, 2, 8),
    ]


@pytest.mark.parametrize(("deviation", "nothing"), [(1e-4, False), (30.0, True)])
def test_nothing_is_to_be_done_where_the_answer_is_not_to_be_trusted(
    deviation: float,
    nothing: bool,
    clip: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    composite, mask = clip
    weights = save_bold_weights(tmp_path / "w.safetensors")
    prior = Prior(np.eye(SIZE) * deviation**2, np.ones(1), np.ones(1))
    prior.write(prior_beside(weights))
    run = ["diagnose", str(composite), "--mask", str(mask), "--weights", str(weights)]
    assert main([*run, "--json", str(tmp_path / "r.json"), "--strict"]) == 0
    shot = json.loads((tmp_path / "r.json").read_text())["shots"][0]
    assert shot["nothing_to_do"] is nothing
    assert (shot["gain"] <= shot["risk"]) is nothing
    line = capsys.readouterr().out
    assert line.startswith("shot 1, frames 0-7: ")
    assert ("nothing to do" in line) is nothing


def test_a_take_is_what_its_guide_gives(clip: tuple[Path, Path], tmp_path: Path) -> None:
    composite, mask = clip
    files = (composite, "--mask", mask)
    sheet = tmp_path / "sheet.png"
    report = told(tmp_path, "alternatives", *files, "-o", sheet, "--frame", 4)
    assert [row["word"] for row in report["takes"]][:4] == [
        "plain",
        "untouched",
        "brighter",
        "darker",
    ]
    assert report["takes"][1]["mean_change"] < 1.0  # but for what differs from place to place
    picture = cv2.cvtColor(read_picture(sheet), cv2.COLOR_BGR2RGB)
    assert picture.shape == (2 * 64, 3 * 96, 3)
    for number in (1, 3):
        guide = tmp_path / f"sheet.take{number}.json"
        one = told(tmp_path, "preview", *files, "-o", tmp_path / "p.png", "--frame", 4)
        one = told(
            tmp_path, "preview", *files, "-o", tmp_path / "p.png", "--frame", 4, "--guide", guide
        )
        assert one["mean_change"] == report["takes"][number - 1]["mean_change"]
        assert one["guide"]["choices"] == [{"frame": 4, "round": 1, "of": 6, "chosen": number}]


def test_rounds_are_finer_and_can_be_taken_back(clip: tuple[Path, Path], tmp_path: Path) -> None:
    composite, mask = clip
    run = ("alternatives", composite, "--mask", mask, "--frame", 4)
    first = told(tmp_path, *run, "-o", tmp_path / "a.png")
    second = told(tmp_path, *run, "-o", tmp_path / "b.png", "--chosen", 3)
    assert second["round"] == 2
    assert second["takes"][0]["word"] == "as chosen"
    changes = [row["mean_change"] for row in second["takes"]]
    assert changes[0] == first["takes"][2]["mean_change"]
    assert changes[1] == first["takes"][1]["mean_change"]
    # The same by the guide of the take, which names the frame.
    same = told(tmp_path, *run[:4], "-o", tmp_path / "c.png", "--guide", tmp_path / "a.take3.json")
    assert (same["round"], same["frame"]) == (2, 4)
    assert [row["mean_change"] for row in same["takes"]] == changes
    assert read_guide(tmp_path / "c.take5.json") == read_guide(tmp_path / "b.take5.json")
    back = told(
        tmp_path,
        *(*run[:4], "-o", tmp_path / "d.png", "--guide", tmp_path / "a.take3.json"),
        *("--chosen", 0),
    )
    assert [row["mean_change"] for row in back["takes"]] == [
        row["mean_change"] for row in first["takes"]
    ]


def test_takes_beside_a_point_keep_to_it_and_differ_elsewhere(
    clip: tuple[Path, Path], tmp_path: Path
) -> None:
    composite, mask = clip
    ys, xs = np.nonzero(moving_scene(8, 96, 64)[1][4])
    files = (composite, "--mask", mask)
    point = ("--target", f"{int(np.median(xs))},{int(np.median(ys))}=#a08060@4")
    sheet = tmp_path / "sheet.png"
    report = told(tmp_path, "alternatives", *files, *point, "-o", sheet, "--frame", 4)
    takes = {row["word"]: row["mean_change"] for row in report["takes"]}
    assert takes["plain"] > 10.0  # the point asks for much
    assert takes["untouched"] < 1.0  # but for what differs from place to place
    assert abs(takes["brighter"] - takes["darker"]) > 2.0
    for row in report["takes"]:
        preview = ("preview", *files, "-o", tmp_path / "p.png", "--frame", 4)
        one = told(tmp_path, *preview, "--guide", row["guide"])
        assert one["mean_change"] == row["mean_change"]
        assert one["guide"]["choices"][0]["after_points"] == 1


def test_points_and_dials_of_a_guide_stay_in_its_takes(
    clip: tuple[Path, Path], tmp_path: Path
) -> None:
    composite, mask = clip
    run = ("alternatives", composite, "--mask", mask, "-o", tmp_path / "s.png", "--count", 4)
    report = told(tmp_path, *run, "--dial", "exposure=-1")
    assert len(report["takes"]) == 4
    assert not (tmp_path / "s.take5.json").exists()
    guide = read_guide(tmp_path / "s.take1.json")
    assert guide.dials.exposure == -1.0
    out = tmp_path / "out.mkv"
    files = ("harmonize", composite, "--mask", mask, "-o", out)
    told(tmp_path, *files, "--guide", tmp_path / "s.take1.json")
    masks = moving_scene(8, 96, 64)[1]
    for before, after, hole in zip(decode(composite), decode(out), masks, strict=True):
        assert np.array_equal(before[0][~hole], after[0][~hole])
        assert after[0][hole].mean() < before[0][hole].mean() - 5.0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--count", "5"], "--count 5: expected an even number"),
        (["--count", "2"], "expected a whole number from 4"),
        (["--count", "64"], "--count 64: expected a whole number from 4 to 62"),
        (["--chosen", "7"], "--chosen 7: expected a whole number from 1 to 6"),
        (["--chosen", "0"], "--chosen 0: nothing was chosen"),
        (["--frame", "8"], "has frames 0 to 7"),
        (["--object", "2"], "--object 2: there are masks of 1"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    flags: list[str],
    said: str,
    clip: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = ("alternatives", clip[0], "--mask", clip[1], "-o", tmp_path / "s.png", *flags)
    assert said in error_of(*map(str, run), capsys=capsys)
    assert not list(tmp_path.glob("s.*"))


def test_choices_at_two_frames_of_a_shot_are_rounds_of_one(
    clip: tuple[Path, Path], tmp_path: Path
) -> None:
    Guide(choices=(Choice(chosen=3, frame=2),)).write(tmp_path / "g.json")
    (tmp_path / "cuts.txt").write_text("5\n")
    files = (*clip[:1], "--mask", clip[1], "--cuts", tmp_path / "cuts.txt")
    run = ("alternatives", *files, "-o", tmp_path / "s.png")
    first = told(tmp_path, *run, "--frame", 4)
    second = told(tmp_path, *run, "--guide", tmp_path / "g.json", "--frame", 4)
    assert [second["takes"][at]["word"] for at in (0, 1)] == ["as chosen", "untouched"]
    # The sheet stands round what was chosen, and its takes are nearer to one another.
    preview = ("preview", *files, "-o", tmp_path / "p.png", "--frame", 4)
    chosen = told(tmp_path, *preview, "--guide", tmp_path / "g.json")
    assert second["takes"][0]["mean_change"] == chosen["mean_change"]
    apart = [
        abs(sheet["takes"][2]["mean_change"] - sheet["takes"][0]["mean_change"])
        for sheet in (first, second)
    ]
    assert 0.0 < apart[1] < 0.8 * apart[0]
    for row in second["takes"]:
        one = told(tmp_path, *preview, "--guide", row["guide"])
        assert one["mean_change"] == row["mean_change"]
    # Going on at the first frame, it is finer once more; another shot begins anew.
    run = (*run[:-1], tmp_path / "t.png")
    third = told(tmp_path, *run, "--guide", tmp_path / "s.take3.json", "--frame", 2)
    assert (third["round"], third["takes"][0]["word"]) == (2, "as chosen")
    other = told(tmp_path, *run, "--guide", tmp_path / "g.json", "--frame", 6)
    assert (other["round"], other["takes"][0]["word"]) == (1, "plain")


def test_nothing_that_is_no_guide_is_written_over(
    clip: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("alternatives", clip[0], "--mask", clip[1], "-o", tmp_path / "s.png")
    (tmp_path / "s.take2.json").write_text("{}")
    assert "is no guide" in error_of(*run, capsys=capsys)
    (tmp_path / "s.take2.json").unlink()
    assert main([*map(str, run), "-q"]) == 0
    more = ("--guide", tmp_path / "s.take2.json")
    assert "name another sheet" in error_of(*run, *more, capsys=capsys)


@pytest.mark.parametrize("lighter", [True, False])
def test_a_preview_hears_the_word_of_its_own_shot_wherever_it_begins(
    lighter: bool, tmp_path: Path
) -> None:
    """A preview begins within the shot, where a cut to light or to dark is seen by nobody."""
    frames, masks = moving_scene(62, 96, 64)
    shots = [frames[:30] // 4, 255 - frames[30:] // 4]
    bright = shots[1][:, :, ::-1]
    both = [shots[0], bright] if lighter else [bright[:30], np.concatenate([shots[0]] * 2)[:32]]
    write_video(tmp_path / "in.mkv", np.ascontiguousarray(np.concatenate(both)), codec="ffv1")
    masks[:] = masks[:1]
    write_mask_bits(masks, tmp_path / "m.npz")
    rows, columns = np.nonzero(masks[0])
    place = f"{int(np.median(columns))},{int(np.median(rows))}"
    weights = save_bold_weights(tmp_path / "w.safetensors")
    run: tuple[object, ...] = (
        "preview",
        tmp_path / "in.mkv",
        "--mask",
        tmp_path / "m.npz",
        "-o",
        tmp_path / "p.png",
    )
    run += ("--weights", weights, "--caution", 0)
    for number in range(50, 60, 2):
        plain, guided = (
            told(tmp_path, *run, "--frame", number, *more)["objects"][0]["after"]
            for more in ((), ("--target", f"{place}=#208040@50"))
        )
        assert np.abs(np.subtract(plain, guided)).max() > 4.0, number


@pytest.mark.parametrize("command", ["alternatives", "preview"])
def test_the_middle_of_what_is_kept_is_shown(
    command: str, clip: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = (command, clip[0], "--mask", clip[1], "-o", tmp_path / "s.png")
    fps = float(probe_video(clip[0]).fps)
    end, start = ("--end", 2 / fps), ("--start", 4 / fps)
    assert told(tmp_path, *run)["frame"] == 4
    assert told(tmp_path, *run, *end)["frame"] == 1
    assert told(tmp_path, *run, *start)["frame"] == 6
    line = error_of(*map(str, (*run, *end, "--frame", "3")), capsys=capsys)
    assert "--frame 3: lies outside --start and --end, which keep frames 0 to 1" in line


@pytest.mark.parametrize("command", ["harmonize", "export cube", "preview", "alternatives"])
def test_a_refused_point_is_named_by_the_place_that_was_said(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(6, 64, 96)
    composite = turned_video(tmp_path / "in.mp4", frames[..., 0], 90).path
    write_mask_bits(masks, tmp_path / "m.npz")  # upright, as the composite is shown
    x, y = (int(places.min()) for places in np.nonzero(~masks[3])[::-1])
    suffix = {"harmonize": "mp4", "export cube": "cube"}.get(command, "png")
    out, said = tmp_path / f"o.{suffix}", f"{x + 3},{y}=#b98f7a@3"
    run: list[str | Path] = [*command.split(), composite, "--mask", tmp_path / "m.npz", "-o", out]
    line = error_of(*run, "--target", said, capsys=capsys)
    assert f"point 1 ({x + 3},{y} of frame 3" in line
    assert "outside the mask" in line


def test_a_sheet_shows_frames_upright(tmp_path: Path) -> None:
    frames, masks = moving_scene(6, 64, 96)
    composite = turned_video(tmp_path / "in.mp4", frames[..., 0], 90).path
    write_mask_bits(masks, tmp_path / "m.npz")
    out = tmp_path / "s.png"
    told(tmp_path, "alternatives", composite, "--mask", tmp_path / "m.npz", "-o", out)
    height, width = read_picture(out).shape[:2]
    assert height / 2 > 1.2 * width / 3  # of each panel, as the video is shown: 64 x 96


def test_a_word_on_another_object_is_named_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(4, 96, 64)
    write_video(tmp_path / "in.mkv", frames)
    other = np.zeros_like(masks)
    other[:, :8, :8] = True
    write_mask_bits(masks & ~other, tmp_path / "a.npz")
    write_mask_bits(other, tmp_path / "b.npz")
    run = ["preview", tmp_path / "in.mkv", "--mask", tmp_path / "a.npz", "--mask"]
    run += [tmp_path / "b.npz", "-o", tmp_path / "o.png", "--target", "3,3=#808080@2"]
    line = error_of(*map(str, run), capsys=capsys)
    assert 'or say "object": 2 in a guide file: it lies on that one' in line
    edge = error_of(*map(str, [*run[:-1], "95.6,63.6=#808080@2"]), capsys=capsys)
    assert "outside the mask" in edge


def test_dials_alone_make_nobody_less_sure(tmp_path: Path) -> None:
    frames, masks = moving_scene(4, 96, 64)
    write_video(tmp_path / "in.mkv", frames)
    write_mask_bits(masks, tmp_path / "m.npz")
    run = ("diagnose", tmp_path / "in.mkv", "--mask", tmp_path / "m.npz")
    [plain] = told(tmp_path, *run)["shots"]
    [turned] = told(tmp_path, *run, "--dial", "saturation=+0.0001")["shots"]
    assert turned["sure"] == pytest.approx(plain["sure"], abs=0.01)
    assert turned["risk"] == pytest.approx(plain["risk"], rel=0.02)


def test_a_next_round_is_of_the_object_that_was_chosen_last(tmp_path: Path) -> None:
    frames, masks = moving_scene(4, 96, 64)
    write_video(tmp_path / "in.mkv", frames)
    write_mask_bits(masks, tmp_path / "a.npz")
    write_mask_bits(masks[:, ::-1, ::-1] & ~masks, tmp_path / "b.npz")
    both = ("--mask", tmp_path / "a.npz", "--mask", tmp_path / "b.npz")
    run = ("alternatives", tmp_path / "in.mkv", *both)
    sheets = [tmp_path / f"{name}.png" for name in "abc"]
    first = told(tmp_path, *run, "-o", sheets[0], "--object", "2")
    guide = ("--guide", tmp_path / "a.take4.json")
    second = told(tmp_path, *run, "-o", sheets[1], *guide)
    back = told(tmp_path, *run, "-o", sheets[2], *guide, "--chosen", "0")
    rounds = [(row["object"], row["round"]) for row in (first, second, back)]
    assert rounds == [(2, 1), (2, 2), (2, 1)]
