"""Sets and lists as others make them: by other programs, on other systems, with other names."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.scenes import moving_scene, write_video
from tests.support.sets import data  # noqa: F401 - a fixture
from vhmae.cli import main
from vhmae.color.lut import in_split, lut_number
from vhmae.data.clips import list_stills, read_file_table, read_names, write_mask_bits
from vhmae.data.digests import set_digest
from vhmae.data.evaluation_sets import synthesize
from vhmae.data.hyoutube import read_list
from vhmae.data.job import AlignedRecipe, SynthesisRecipe
from vhmae.data.pairs import PairSampler, read_pairs
from vhmae.errors import InputError
from vhmae.partial_output import filled_folder


def test_lists_as_windows_writes_them_are_read(tmp_path: Path) -> None:
    """Notepad and Excel begin UTF-8 with a mark."""
    names, table = tmp_path / "names.txt", tmp_path / "table.csv"
    names.write_text("kitten\n  # a remark\napple\n", encoding="utf-8-sig")
    assert read_names(names, "data.leave_out") == {"kitten", "apple"}
    table.write_text("file,licence\na/b.jpg,CC0\n", encoding="utf-8-sig")
    assert read_file_table(table, "data.only") == {"a": {"b"}}
    table.write_text("licence,file\nCC0\n")
    with pytest.raises(InputError, match="line 2 names no file"):
        read_file_table(table, "data.only")


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    folder = tmp_path / "stills"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.jpg"), np.full((60, 80, 3), 90, np.uint8))
    return folder


def test_a_soft_mask_of_a_still_is_cut_at_half(stills: Path) -> None:
    soft = np.tile(np.linspace(0, 255, 80), (60, 1)).astype(np.uint8)
    cv2.imwrite(str(stills / "a.mask.png"), soft)
    _, mask = list_stills(stills)[0].read()
    assert np.array_equal(mask[0], soft >= 127.5)


def test_a_still_whose_every_pixel_is_labelled_is_refused(stills: Path) -> None:
    cv2.imwrite(str(stills / "a.png"), np.full((60, 80), 3, np.uint8))
    with pytest.raises(InputError, match=r"a\.png: labels every pixel"):
        list_stills(stills)[0].read()
    with pytest.raises(InputError, match="gone: is not a folder"):
        list_stills(stills / "gone")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    frames, masks = moving_scene(4, 96, 72)
    write_video(folder / "a.mp4", frames, codec="libx264")
    write_mask_bits(masks, folder / "a.mask.npz")
    return folder


def test_options_give_what_a_recipe_lacks(videos: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "c.yaml", tmp_path / "set"
    config.write_text("shifts: [parametric]\nframes: 2\n")
    run = ["synthesize", "--config", str(config), "--videos", str(videos), "-o", str(out), "-q"]
    assert main([*run, "--per-video", "1"]) == 0
    assert len(read_list(out)) == 1


def test_clips_that_a_set_leaves_out_are_told(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (videos / "other.mov").write_bytes(b"")
    run = ["synthesize", "--videos", str(videos), "--shifts", "parametric", "--frames", "2"]
    assert main([*run, "-o", str(tmp_path / "set")]) == 0
    assert "1 file left out, as other.mov" in capsys.readouterr().err
    masks = {name: np.zeros((4, 72, 96), bool) for name in ("all", "thin")}
    masks["all"][:] = True
    masks["thin"][:, 20:60, 40:42] = True
    for name, mask in masks.items():
        (videos / f"{name}.mp4").write_bytes((videos / "a.mp4").read_bytes())
        write_mask_bits(mask, videos / f"{name}.mask.npz")
    run += ["--foreground-ratio", "0.001:0.9", "--json", str(tmp_path / "r.json")]
    for number, quiet in enumerate(([], ["-q"])):
        assert main([*run, *quiet, "-o", str(tmp_path / f"less{number}")]) == 0
        told = capsys.readouterr().err
        for line in (
            "1 clip left out in whole or in part, as all: the foreground's share of the frame does "
            "not fit --foreground-ratio",
            "1 clip left out in whole or in part, as thin: --clean-edge leaves nothing",
        ):
            assert (line in told) == (not quiet)
    assert len(json.loads((tmp_path / "r.json").read_text())["warnings"]) == 3


def test_a_still_that_is_foreground_alone_is_left_out_where_a_share_is_asked_for(
    videos: Path, stills: Path, tmp_path: Path
) -> None:
    (stills / "a.jpg").rename(stills / "whole.jpg")
    cv2.imwrite(str(stills / "whole.png"), np.full((60, 80), 3, np.uint8))
    told: list[str] = []
    recipe = SynthesisRecipe(
        videos=videos, stills=stills, frames=1, shifts=("parametric",), foreground_ratio=(0.01, 0.9)
    )
    assert synthesize(recipe, tmp_path / "set", told.append) > 0
    assert any("as whole: the foreground's share" in one for one in told)
    with pytest.raises(InputError, match="labels every pixel"):
        synthesize(dataclasses.replace(recipe, foreground_ratio=(0.0, 1.0)), tmp_path / "all")


def test_a_name_that_no_list_can_hold_is_refused_before_the_work(
    videos: Path, tmp_path: Path
) -> None:
    for suffix in ("mp4", "mask.npz"):
        os.rename(videos / f"a.{suffix}", os.fsencode(videos) + b"/caf\xe9." + suffix.encode())
    with pytest.raises(InputError) as refused:
        synthesize(SynthesisRecipe(videos=videos, shifts=("parametric",)), tmp_path / "set")
    assert "is not UTF-8, in which a set's list is written" in str(refused.value)
    assert not (tmp_path / "set").exists()


def test_recipes_are_as_strict_as_options() -> None:
    for more in ({"seed": -1}, {"clean_edge": -3}):
        with pytest.raises(InputError, match="must be 0 or more"):
            SynthesisRecipe(videos=Path("v"), shifts=("parametric",), **more)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="least_fmse"):
        AlignedRecipe(takes=Path("a"), masks=Path("b"), pairs=Path("c"), least_fmse=-3.0)


@pytest.mark.parametrize("name", ["H\u00b2O.cube", "\u2460.cube"])
def test_digits_that_are_none_number_no_lut(name: str) -> None:
    assert lut_number(name) == 0
    assert in_split(name, "heldout") != in_split(name, "train")


def test_what_a_killed_run_left_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / ".part-0123").mkdir()
    with (
        pytest.raises(InputError, match=r"holds \.part-0123, of a run that was killed"),
        filled_folder(tmp_path / "set"),
    ):
        pass


# --- sets in the HYouTube layout


def write_set(root: Path, composites: list[str], frames: list[str]) -> None:
    lines = []
    for composite in composites:
        for part in ("real", "mask", "comp"):
            (root / part / composite).mkdir(parents=True, exist_ok=True)
            for number, name in enumerate(frames):
                level = np.zeros((24, 32), np.uint8)
                level[:12] = 255
                picture = level if part == "mask" else np.full((24, 32, 3), 40 + number, np.uint8)
                cv2.imwrite(str(root / part / composite / f"{name}.png"), picture)
        lines.append(" ".join(f"{part}/{composite}" for part in ("real", "mask", "comp")))
    (root / "test_list.txt").write_text("\n".join(lines) + "\n")


def test_frames_without_zeros_before_their_numbers_are_in_their_order(tmp_path: Path) -> None:
    write_set(tmp_path, ["v/object_1"], ["0", "5", "10", "15"])
    assert read_list(tmp_path)[0].frame_names() == ["0", "5", "10", "15"]
    composite = read_list(tmp_path)[0].read()[0]
    assert composite[:, 0, 0, 0].tolist() == [40, 41, 42, 43]
    (clip,) = read_pairs(tmp_path, tmp_path / "test_list.txt")
    assert [path.stem for path in clip.composite] == ["0", "5", "10", "15"]


def test_composites_of_one_name_are_called_by_their_places(tmp_path: Path) -> None:
    write_set(tmp_path, ["a/v1/object_1", "b/v1/object_1", "a/v2/object_1"], ["0"])
    names = ["comp/a/v1/object_1", "comp/b/v1/object_1", "v2/object_1"]
    assert [one.name for one in read_list(tmp_path)] == names
    assert len(read_pairs(tmp_path, tmp_path / "test_list.txt")) == 3


@pytest.mark.parametrize(
    ("composites", "videos"),
    [
        (["one", "two"], ["one", "two"]),
        (["001", "002"], ["001", "002"]),
        (["car", "12"], ["car", "12"]),
        (["v/object_1", "v/object_2"], ["v", "v"]),
        (["v/warm", "v/cold", "w/1"], ["v", "v", "w"]),
    ],
)
def test_a_video_is_what_lies_above_its_objects(
    composites: list[str], videos: list[str], tmp_path: Path
) -> None:
    write_set(tmp_path, composites, ["0"])
    assert [one.video for one in read_list(tmp_path)] == videos


def test_a_video_is_known_in_lists_of_other_forms(tmp_path: Path) -> None:
    forms = {
        "side": [f"test/{one}_real test/{one}_mask test/{one}_comp" for one in ("a", "b")],
        "above": [f"{one}/real {one}/mask {one}/comp" for one in ("a", "b")],
        "other": [f"real/{one} mask/{one}_1 comp/{one}/object_1" for one in ("a", "b")],
        "masks": [f"real/{one} m/{one}x comp/{one}/object_1" for one in ("a", "b")],
        "real": [f"- mask/{one}/1 comp/{one}/1" for one in ("a", "b")],
    }
    videos = {"side": ["a_comp", "b_comp"]}
    for form, lines in forms.items():
        for folder in " ".join(lines).split():
            (tmp_path / form / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / form / "test_list.txt").write_text("\n".join(lines) + "\n")
        found = [one.video for one in read_list(tmp_path / form)]
        assert found == videos.get(form, ["a", "b"]), form


def test_what_a_file_manager_leaves_is_no_frame(tmp_path: Path) -> None:
    write_set(tmp_path, ["v/object_1"], ["0"])
    before = set_digest(read_list(tmp_path))
    for part in ("comp", "real", "mask"):
        for name in (".DS_Store", "._0.png", "Thumbs.db"):
            (tmp_path / part / "v" / "object_1" / name).write_bytes(b"x")
    (sample,) = read_list(tmp_path)
    assert set_digest([sample]) == before
    assert len(sample.read()[0]) == 1
    (clip,) = read_pairs(tmp_path, tmp_path / "test_list.txt")
    assert [path.name for path in (*clip.composite, *clip.target, *clip.mask)] == ["0.png"] * 3
    (tmp_path / "comp" / "v" / "object_1" / "1.png").write_bytes(b"x")
    assert set_digest(read_list(tmp_path)) != before


def test_pairs_of_other_shapes_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path, ["v/object_1"], ["0"])
    sampler = PairSampler(read_pairs(tmp_path, tmp_path / "test_list.txt"))
    assert sampler.window(0, 1, 16).mask.shape == (1, 16, 16)
    cv2.imwrite(str(tmp_path / "mask/v/object_1/0.png"), np.full((60, 100), 255, np.uint8))
    with pytest.raises(InputError, match="is 100x60 but its composite 32x24"):
        sampler.window(0, 1, 16)


# --- sets of real light


@pytest.fixture
def view(tmp_path: Path, data: Path) -> Path:  # noqa: F811
    """A set whose journal says that all of its videos are of one view."""
    samples = read_list(data)
    rows = [{"composite": one.name, "group": "square", "fmse": 500.0} for one in samples]
    journal = {"leading_below_fmse": 3000.0, "composites": rows}
    (data / "synthesis.json").write_text(json.dumps(journal))
    return data


def test_no_background_of_the_same_view_is_swapped_in(
    view: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = error_of(
        "evaluate", "--data", view, "--method", "composite", "--swap-background",
        "--metrics", "fmse", capsys=capsys,
    )  # fmt: skip
    assert "the list has one view only" in told


def test_views_are_counted_whatever_is_asked_for(view: Path, tmp_path: Path) -> None:
    run = ["evaluate", "--data", str(view), "--method", "composite", "--method", "mkl", "-q"]
    assert main([*run, "--metrics", "psnr,fssim", "--json", str(tmp_path / "r.json")]) == 0
    told = json.loads((tmp_path / "r.json").read_text())
    assert [report["views"] for report in told["reports"]] == [1, 1]
    assert all(row["views"] == 1 and row["leading"]["views"] == 1 for row in told["paired"])


def test_what_no_method_could_do_is_refused_before_the_work(
    data: Path,  # noqa: F811
    videos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run: list[str | Path] = ["evaluate", "--data", data, "--method", "composite"]
    run += ["--method", "oracle-affine"]
    each: tuple[list[str | Path], ...] = (["--natural", videos], ["--swap-background"])
    for more in each:
        told = error_of(*run, "--metrics", "fmse", *more, "--json", tmp_path / "r.json",
                        capsys=capsys)  # fmt: skip
        assert "oracle-affine was made for the set's composites as they are" in told
        assert "composite:" not in capsys.readouterr().out
