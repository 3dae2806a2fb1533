"""``vhmae aligned``: composites with true answers out of pictures of one view."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vhmae.cli import main
from vhmae.config import read_config
from vhmae.data.aligned import read_pairs, write_aligned
from vhmae.data.hyoutube import read_list
from vhmae.data.job import AlignedRecipe
from vhmae.errors import InputError
from vhmae.evaluation import metrics
from vhmae.evaluation.constant import looks_of
from vhmae.evaluation.methods import find_method
from vhmae.evaluation.runner import evaluate

LEVELS = {"dawn": 60, "noon": 160, "noon2": 162, "dusk": 100}


@pytest.fixture
def views(tmp_path: Path) -> Path:
    """Two views at four times, flat pictures of known levels, with two regions."""
    root = tmp_path / "views"
    for view in ("square", "harbor"):
        (root / view).mkdir(parents=True)
        for time, level in LEVELS.items():
            cv2.imwrite(str(root / view / f"{time}.png"), np.full((32, 40, 3), level, np.uint8))
        for name, part in (("left", np.s_[:, :20]), ("top", np.s_[:16])):
            mask = np.zeros((32, 40), np.uint8)
            mask[part] = 255
            cv2.imwrite(str(root / view / f"{name}.png"), mask)
    return root


def recipe(root: Path, text: str, **changes: object) -> AlignedRecipe:
    (root / "pairs.txt").write_text(text)
    return AlignedRecipe(takes=root, masks=root, pairs=root / "pairs.txt", **changes)  # type: ignore[arg-type]


def test_a_region_of_one_time_lies_over_another_which_is_the_answer(
    views: Path, tmp_path: Path
) -> None:
    text = "# view mask A B\nsquare left dawn noon\nsquare left dusk noon\nharbor top noon dawn\n"
    assert write_aligned(recipe(views, text), tmp_path / "set") == (3, 0)
    samples = read_list(tmp_path / "set")
    assert [sample.video for sample in samples] == ["square-left", "square-left", "harbor-top"]
    composite, target, mask = samples[0].read()
    assert composite.shape == (1, 32, 40, 3)
    assert np.array_equal(mask[0], np.arange(40)[None].repeat(32, 0) < 20)
    assert (target == 60).all()
    assert (composite[0, :, :16] == 160).all()
    assert (composite[0, :, 24:] == 60).all()
    assert metrics.fmse(composite[0], target[0], mask[0]) == pytest.approx(100**2, rel=0.01)
    journal = json.loads((tmp_path / "set" / "synthesis.json").read_text())
    assert [entry["group"] for entry in journal["composites"]] == ["square", "square", "harbor"]
    assert journal["composites"][0]["fmse"] == 10000.0
    assert looks_of(tmp_path / "set") == "two"
    assert evaluate(tmp_path / "set", find_method("composite", tmp_path))["videos"] == 2


def test_words_of_a_line_may_hold_spaces_and_backslashes(views: Path) -> None:
    (views / "pairs.txt").write_text("'old square' left room\\night \"dawn # 1\"\n")
    [pair] = read_pairs(views / "pairs.txt")
    assert (pair.view, pair.mask) == ("old square", "left")
    assert (pair.background, pair.foreground) == ("room\\night", "dawn # 1")


def test_a_picture_of_floating_point_is_called_that(views: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(views / "square" / "noon.tif"), np.full((32, 40, 3), 0.5, np.float32))
    (views / "square" / "noon.png").unlink()
    with pytest.raises(InputError, match=r"noon\.tif: holds floating point; expected 8 or 16 bits"):
        write_aligned(recipe(views, "square left noon dawn\n"), tmp_path / "set")


def test_what_hardly_differs_is_left_out_and_counted(views: Path, tmp_path: Path) -> None:
    text = "square left noon noon2\nsquare left dusk dawn\n"  # fMSE 4 and 1600
    assert write_aligned(recipe(views, text), tmp_path / "set") == (1, 1)
    assert write_aligned(recipe(views, text, least_fmse=3.0), tmp_path / "all") == (2, 0)
    with pytest.raises(InputError, match="leaves no composite of 5000 fMSE or more"):
        write_aligned(recipe(views, text, least_fmse=5000.0), tmp_path / "none")


def test_pictures_may_lie_in_the_folder_itself(views: Path, tmp_path: Path) -> None:
    one = views / "square"
    (one / "pairs.txt").write_text("left dawn noon\n")
    made = AlignedRecipe(takes=one, masks=one, pairs=one / "pairs.txt")
    assert write_aligned(made, tmp_path / "set") == (1, 0)
    assert read_list(tmp_path / "set")[0].video == "square-left"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no pair"),
        ("square left dawn\nsquare left dawn noon dusk\n", "line 2 has 5 words"),
        ("square left dawn dawn\n", "line 1 lays dawn over itself"),
        ("square left dawn midnight\n", r"line 1: B: .*midnight is no picture"),
        ("square right dawn noon\n", r"line 1: the mask: .*right is no picture"),
        ("squares left dawn noon\n", r"line 1: A: .*dawn is no picture"),
        ("../views/square left dawn noon\n", "line 1 leads out of the folder"),
        ("square dark dawn noon\n", "no pixel is white"),
        ("square small dawn noon\n", "is 20x16 but dawn.png is 40x32"),
        ("square left dawn large\n", "is 80x64 but dawn.png is 40x32"),
        ("square left dawn broken\n", "cannot be read as a picture"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    views: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    square = views / "square"
    cv2.imwrite(str(square / "dark.png"), np.zeros((32, 40), np.uint8))
    cv2.imwrite(str(square / "small.png"), np.full((16, 20), 255, np.uint8))
    cv2.imwrite(str(square / "large.png"), np.full((64, 80, 3), 90, np.uint8))
    (square / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=message):
        write_aligned(recipe(views, text), tmp_path / "set")
    command = ["aligned", "--takes", str(views), "--masks", str(views)]
    command += ["--pairs", str(views / "pairs.txt"), "-o", str(tmp_path / "set2")]
    assert main(command) == 2
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1].startswith("vhmae: error: ")
    assert len(lines) <= 2  # OpenCV may remark on a broken file


def test_folders_views_and_outputs_that_do_not_fit_are_refused(views: Path, tmp_path: Path) -> None:
    good = recipe(views, "square left dawn noon\n", views=("squar",))
    with pytest.raises(InputError, match="did you mean square"):
        write_aligned(good, tmp_path / "set")
    with pytest.raises(InputError, match="not empty"):
        write_aligned(recipe(views, "square left dawn noon\n"), views)
    missing = AlignedRecipe(takes=tmp_path / "no", masks=views, pairs=views / "pairs.txt")
    with pytest.raises(InputError, match=r"`takes` .*is not a folder"):
        write_aligned(missing, tmp_path / "set")
    with pytest.raises(InputError, match="cannot be read"):
        write_aligned(
            AlignedRecipe(takes=views, masks=views, pairs=views / "none.txt"), tmp_path / "set"
        )


def test_names_with_spaces_make_a_set_that_can_be_read(views: Path, tmp_path: Path) -> None:
    takes = (views / "square").rename(views / "my cam")
    (takes / "pairs.txt").write_text("left dawn noon\n")
    made = AlignedRecipe(takes=takes, masks=takes, pairs=takes / "pairs.txt")
    assert write_aligned(made, tmp_path / "my sets" / "set") == (1, 0)
    (sample,) = read_list(tmp_path / "my sets" / "set")
    assert sample.name == "my_cam-left/object_1"
    (entry,) = json.loads((tmp_path / "my sets/set/synthesis.json").read_text())["composites"]
    assert (entry["composite"], entry["group"]) == (sample.name, "my cam")


def test_a_view_is_one_however_it_is_written_and_a_pair_counts_once(
    views: Path, tmp_path: Path
) -> None:
    (views / "old town").mkdir()
    for file in (views / "square").iterdir():
        (views / "old town" / file.name.replace("left", "the left")).write_bytes(file.read_bytes())
    text = "square/ left dawn noon\nsquare left dusk noon\n'old town' \"the left\" dawn noon\n"
    write_aligned(recipe(views, text), tmp_path / "set")
    journal = json.loads((tmp_path / "set" / "synthesis.json").read_text())
    assert [one["group"] for one in journal["composites"]] == ["square", "square", "old town"]
    with pytest.raises(InputError, match="line 2 is that of line 1 again"):
        write_aligned(recipe(views, "square left dawn noon\n" * 2), tmp_path / "twice")
    with pytest.raises(InputError, match="line 1: No closing quotation; close it"):
        write_aligned(recipe(views, "square left dawn 'noon\n"), tmp_path / "open")


def test_options_stand_over_a_recipe_whose_data_is_not_known(
    views: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VHMAE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    (views / "pairs.txt").write_text("square left dawn noon\n")
    (tmp_path / "r.yaml").write_text("takes: far\nmasks: far\npairs: far/pairs.txt\n")
    given = ["--takes", "views", "--masks", "views", "--pairs", "views/pairs.txt", "-o", "set"]
    assert main(["aligned", "--config", "r.yaml", *given, "-q"]) == 0
    assert main(["aligned", "--config", "r.yaml", *given[2:-1], "other", "-q"]) == 2
    assert main(["aligned", "--data", "views", *given[:-1], "more", "-q"]) == 2


def test_regions_that_would_be_one_video_are_refused(views: Path, tmp_path: Path) -> None:
    (views / "square" / "a-left.png").write_bytes((views / "square" / "left.png").read_bytes())
    (views / "square").rename(views / "x")
    (views / "harbor").rename(views / "x-a")
    with pytest.raises(InputError, match=r"line 2 would be one video, x-a-left, .* x a-left;"):
        write_aligned(recipe(views, "x a-left dawn noon\nx-a left dawn noon\n"), tmp_path / "set")


@pytest.mark.parametrize("there", [False, True])
def test_what_fails_leaves_nothing_so_that_the_mended_list_can_be_tried(
    views: Path, tmp_path: Path, there: bool
) -> None:
    out = tmp_path / "set"
    if there:
        out.mkdir()
    before = sorted(tmp_path.rglob("*"))
    bad = "square left dawn noon\nsquare left dawn midnight\n"
    with pytest.raises(InputError, match="midnight is no picture"):
        write_aligned(recipe(views, bad), out)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, views / "pairs.txt"])
    assert write_aligned(recipe(views, "square left dawn noon\n"), out) == (1, 0)
    assert len(read_list(out)) == 1
    assert not [one for one in out.iterdir() if one.name.startswith(".")]


def test_the_command_says_what_it_made(
    views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(views, "square left noon noon2\nsquare left dusk dawn\nharbor top dusk dawn\n")
    config = tmp_path / "set.yaml"
    config.write_text("takes: views\nmasks: views\npairs: views/pairs.txt\nviews: [square]\n")
    out, report = tmp_path / "set", tmp_path / "report.json"
    command = ["aligned", "--config", str(config), "--data", str(tmp_path)]
    assert main([*command, "-o", str(out), "--json", str(report)]) == 0
    assert capsys.readouterr().out == f"{out}: 1 composite, 1 left out (under 20 fMSE)\n"
    assert json.loads(report.read_text())["left_out"] == 1
    assert main(["aligned", "-o", str(out)]) == 2
    assert "--takes: missing" in capsys.readouterr().err


def test_the_sets_of_real_light_are_made_of_the_research_data(
    data_dir: Path, tmp_path: Path
) -> None:
    if not (data_dir / "webcams").is_dir():
        pytest.skip(f"{data_dir} holds no fixed cameras (webcams/)")
    configs = Path(__file__).parents[2] / "configs" / "benchmarks"
    made = read_config(AlignedRecipe, configs / "dev-real.yaml").below(data_dir)
    assert sum(write_aligned(made, tmp_path / "dev-real")) == 32
    assert {sample.video.partition("-")[0] for sample in read_list(tmp_path / "dev-real")} == {
        "chamonix"
    }


def test_a_pair_is_one_however_it_is_spelled(views: Path, tmp_path: Path) -> None:
    text = "square left dawn noon\nsquare left.png dawn.png noon\n"
    with pytest.raises(InputError, match="line 2 is that of line 1 again, by other names"):
        write_aligned(recipe(views, text), tmp_path / "set")
    again = recipe(views, "square left dawn noon\n", views=("square/",))
    assert write_aligned(again, tmp_path / "set") == (1, 0)
