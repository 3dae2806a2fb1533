"""Guide files and short forms: what they say, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vhmae
from vhmae.errors import InputError
from vhmae.guide.dials import Dials
from vhmae.guide.document import KINDS, Choice, Guide, Point, hex_of
from vhmae.guide.flags import guide_of_flags
from vhmae.guide.reading import guide_from, parse_guide, read_guide

FULL: dict[str, Any] = {
    "schema": 1,
    "points": [
        {"frame": 12, "at": [100, 80.5], "is": "match", "to": [400, 90], "to_frame": 3},
        {"frame": 0, "at": [10, 20], "is": "target", "to": "#e4002b", "object": 2},
        {"frame": 1, "at": [10, 20], "is": "keep"},
        {"frame": 1, "at": [10, 20], "is": "neutral", "weight": 2.5},
        {"frame": 1, "at": [10, 20], "is": "brightness", "to": 0.5},
        {"frame": 1, "at": [10, 20], "is": "match", "to": [9, 9], "to_picture": "reference"},
        {"frame": 1, "at": [10, 20], "is": "hue", "to": [3, 4]},
    ],
    "choices": [{"frame": 0, "round": 1, "of": 6, "chosen": 3}],
    "dials": {"exposure": 0.3, "temperature": -20},
    "shots": "all",
}


def point(**changes: Any) -> dict[str, Any]:
    tree = {"frame": 0, "at": [1, 2], "is": "keep", **changes}
    return {"schema": 1, "points": [{k: v for k, v in tree.items() if v != "absent"}]}


def test_a_guide_is_written_and_read_as_it_was(tmp_path: Path) -> None:
    guide = guide_from(FULL, "here")
    guide.write(tmp_path / "guide.json")
    assert read_guide(tmp_path / "guide.json") == guide
    assert [path.name for path in tmp_path.iterdir()] == ["guide.json"]


def test_a_file_says_what_was_meant() -> None:
    guide = guide_from(FULL, "here")
    match, target, *_, hue = guide.points
    assert (match.at, match.place, match.goal_frame, match.frames) == (
        (100, 80.5),
        (400, 90),
        3,
        (12, 3),
    )
    assert target.color == pytest.approx((228 / 255, 0.0, 43 / 255))
    assert hue.goal_frame == 1
    assert guide.frames == (0, 1, 3, 12)
    assert guide.dials.values() == (0.3, -20.0, 0.0, 0.0, 0.0, 0.0)
    assert guide.choices == (Choice(chosen=3),)
    assert guide.shots == "all"


def test_short_forms_say_the_same_as_a_file() -> None:
    said = guide_of_flags(
        {
            "match": ["100,80.5=400,90@12"],
            "target": ["10,20=#E4002B"],
            "keep-color": ["1,2@7"],
            "neutral": ["3,4"],
            "brightness": ["5,6=-1.5@2"],
        },
        ["exposure=+0.3", "tint=-4"],
    )
    tree = {
        "schema": 1,
        "points": [
            {"frame": 12, "at": [100, 80.5], "is": "match", "to": [400, 90]},
            {"frame": 0, "at": [10, 20], "is": "target", "to": "#e4002b"},
            {"frame": 7, "at": [1, 2], "is": "keep"},
            {"at": [3, 4], "is": "neutral"},
            {"frame": 2, "at": [5, 6], "is": "brightness", "to": -1.5},
        ],
        "dials": {"exposure": 0.3, "tint": -4},
    }
    assert said == guide_from(tree, "here")


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ([], "is no guide"),
        ({"schema": 2}, "has schema 2, this version reads 1"),
        ({"schema": True}, "has schema true"),
        ({"schema": 1, "pionts": []}, "'pionts': unknown (did you mean points?)"),
        ({"schema": 1, "points": {}}, "points {}: expected a list"),
        ({"schema": 1, "shots": "both"}, "shots 'both': expected this or all"),
        ({"schema": 1, "dials": {"exposre": 1}}, "'exposre': unknown (did you mean exposure?)"),
        ({"schema": 1, "dials": {"exposure": "1"}}, 'exposure "1": expected a number from -8 to 8'),
        ({"schema": 1, "dials": {"blacks": 60}}, "blacks 60: expected a number from -50 to 50"),
        (point(is_="keep"), "point 1: 'is_': unknown (did you mean is?)"),
        (point(at="absent"), "point 1: 'at': missing"),
        (point(**{"is": "kepe"}), "unknown (did you mean keep?)"),
        (point(at=[1]), "at [1]: expected a place [x, y]"),
        (point(at=[-1, 2]), "at -1.0: expected a number from 0"),
        (point(at=[10**400, 2]), "is too large to be meant"),
        (point(weight=10**400), "expected a number from 0 to 100"),
        (point(**{"is": "brightness", "to": -(10**400)}), "is too large to be meant"),
        (point(at=[True, 2]), "expected a place"),
        (point(frame=1.5), "frame 1.5: expected a whole number from 0 up"),
        (point(object=0), "object 0: expected a whole number from 1 up"),
        (point(weight=0), "weight 0: says nothing"),
        (point(weight=1e9), "weight 1000000000.0: expected a number from 0 to 100"),
        (point(to=[1, 2]), "keep: is told a place [x, y] to become; expected nothing"),
        (point(**{"is": "match"}), "match: is told nothing to become; expected a place [x, y]"),
        (point(**{"is": "target", "to": "#e4002"}), "is no color; expected #rrggbb"),
        (point(**{"is": "target", "to": "red"}), "is no color"),
        (point(**{"is": "target", "to": 3}), "is told a number of stops"),
        (point(**{"is": "brightness", "to": 99}), "stops 99.0: expected a number from -8 to 8"),
        (point(**{"is": "brightness", "to": 1, "to_frame": 2}), "to_frame: goes with a place"),
        (
            point(**{"is": "target", "to": "#fff", "to_picture": "reference"}),
            "to_picture: goes with a place",
        ),
        (
            point(**{"is": "match", "to": [1, 1], "to_picture": "still"}),
            "to_picture still: expected composite or reference",
        ),
        (
            point(**{"is": "hue", "to": [1, 1], "to_picture": "reference", "to_frame": 2}),
            "to_frame: a reference has one picture",
        ),
        (
            {"schema": 1, "choices": [{"chosen": 7}]},
            "chosen 7: expected a whole number from 1 to 6",
        ),
        ({"schema": 1, "choices": [{"chosen": 1, "round": 2}]}, "expected round 1 next"),
    ],
)
def test_what_nobody_meant_is_refused_in_one_line(tree: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        guide_from(tree, "--guide g.json")
    message = str(refused.value)
    assert message.startswith("--guide g.json: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema": 1, "dials": {"exposure": NaN}}', "NaN: is no number"),
        ('{"schema": 1, "schema": 1}', "'schema': is said twice"),
        ('{"schema": 1, "dials": {"tint": 1, "a": 2, "a": 3}}', "'a': is said twice"),
        ('{"schema": 1, "dials": {"exposure": 1' + "0" * 400 + "}}", "expected a number from -8"),
        ('{"schema": 1,', "is not JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"schema": 1, "dials": {"exposure": 1e999}}', "expected a number from -8 to 8"),
        ('{"schema": ' + "9" * 9000 + "}", ""),
    ],
)
def test_what_is_no_json_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=r"^g: ") as refused:
        parse_guide(text, "g")
    assert said in str(refused.value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    for name in ("missing.json", "picture.png", "."):
        with pytest.raises(InputError, match=r"`guide` .*; "):
            read_guide(tmp_path / name)


@pytest.mark.parametrize(
    ("flag", "text", "said"),
    [
        ("match", "1,2", "'' is not a place X,Y"),
        ("match", "1,2=3", "'3' is not a place X,Y; expected X,Y=X,Y[@FRAME], such as"),
        ("match", "1,2=3,4@x", "'x' is not the number of a frame"),
        ("target", "1,2=red", "is no color"),
        ("keep-color", "1,2=3,4", "takes one place alone"),
        ("neutral", "-1,2", "at -1.0: expected a number from 0"),
        ("neutral", "nan,2", "is not a place"),
        ("brightness", "1,2=inf", "'inf' is not a number of stops"),
        ("brightness", "1,2=50", "stops 50.0: expected a number from -8 to 8"),
    ],
)
def test_short_forms_that_say_nothing_are_refused(flag: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        guide_of_flags({flag: [text]})
    assert str(refused.value).startswith(f"--{flag} {text}: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["exposre=1"], "unknown dial (did you mean exposure?)"),
        (["exposure"], "'' is not a number"),
        (["exposure=1", "exposure=2"], "is turned twice"),
        (["contrast=9"], "contrast 9.0: expected a number from -2 to 2"),
    ],
)
def test_dials_that_say_nothing_are_refused(texts: list[str], said: str) -> None:
    with pytest.raises(InputError) as refused:
        guide_of_flags({}, texts)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Point(kind="keep", at=(64, 0)), "64,0 lies outside the frame, which is 64 x 48 pixels"),
        (Point(kind="match", at=(0, 0), to=(3, 48)), "3,48 lies outside"),
        (Point(kind="keep", at=(0, 0), frame=10), "names frame 10 of a video of 10; the last is 9"),
        (Point(kind="match", at=(0, 0), to=(1, 1), to_frame=11), "names frame 11"),
        (Point(kind="keep", at=(0, 0), object=2), "names object 2, but there are masks of 1"),
    ],
)
def test_what_the_video_does_not_have_is_refused(said: Point, why: str) -> None:
    with pytest.raises(InputError) as refused:
        Guide(points=(said,)).check_fits(64, 48, 10)
    assert why in str(refused.value)
    Guide(points=(Point(kind="keep", at=(63, 47), frame=9),)).check_fits(64, 48, 10)


def test_guides_are_joined() -> None:
    file = guide_from(FULL, "here")
    flags = Guide(points=(Point(kind="keep", at=(1, 1)),), dials=Dials(exposure=0.2, tint=1.0))
    both = file.joined(flags)
    assert both.points == file.points + flags.points
    assert both.dials.values() == pytest.approx((0.5, -20.0, 1.0, 0.0, 0.0, 0.0))
    assert both.shots == "all"
    assert not Guide()
    assert both


def test_points_are_told_in_words() -> None:
    words = [one.words() for one in guide_from(FULL, "here").points]
    assert words[0] == "100,80.5 of frame 12 looks like 400,90 of frame 3"
    assert words[1] == "10,20 of frame 0 looks like #e4002b"
    assert words[4] == "10,20 of frame 1 is +0.5 stops brighter"
    assert hex_of((1.0, 0.0, 0.5)) == "#ff0080"
    json.dumps(guide_from(FULL, "here").to_tree(), allow_nan=False)


def test_choices_tell_how_many_points_were_said_before(tmp_path: Path) -> None:
    point = Point(kind="keep", at=(1.0, 2.0))
    guide = Guide(points=(point, point), choices=(Choice(chosen=3, after_points=2),))
    guide.write(tmp_path / "g.json")
    assert read_guide(tmp_path / "g.json") == guide
    assert "after_points" not in Choice(chosen=3).to_tree()
    # Points that another guide had said before stay before, and the count goes on.
    both = Guide(points=(point,)).joined(guide)
    assert [choice.after_points for choice in both.choices] == [3]
    first = Guide(points=(point,)).joined(Guide(points=(point,), choices=(Choice(chosen=3),)))
    assert [choice.after_points for choice in first.choices] == [1]
    with pytest.raises(InputError, match="after_points 3 of round 1 of frame 0: there are 2 poi"):
        Guide(points=(point, point), choices=(Choice(chosen=3, after_points=3),))


def test_numbers_of_numpy_and_lists_are_what_they_say() -> None:
    plain = Point(kind="match", at=(1.0, 2.0), frame=3, to=(3.0, 4.0), weight=2.0)
    given: dict[str, Any] = {
        "at": np.array([1.0, 2.0], np.float32),
        "frame": np.int64(3),
        "to": [3.0, np.float64(4.0)],
        "weight": np.float32(2.0),
    }
    assert Point(kind="match", **given) == plain
    assert json.dumps(Point(kind="match", **given).to_tree()) == json.dumps(plain.to_tree())
    color: Any = np.array([0.1, 0.2, 0.3])
    said = Point(kind="target", at=(1, 2), to=color)
    assert said.to == (0.1, 0.2, 0.3)
    assert said.color == (26 / 255, 51 / 255, 76 / 255), "as its file has it"
    stops: Any = np.float32(0.5)
    assert Dials(exposure=stops).exposure == 0.5
    points: Any = [plain]
    assert Guide(points=points).joined(Guide(points=points)).points == (plain, plain)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Point(kind="target", at=(1, 2), to="#ff0000"), "to #ff0000: expected a place"),  # type: ignore[arg-type]
        (lambda: Point(kind="keep", at=3), "at 3: expected a place"),  # type: ignore[arg-type]
        (lambda: Point(kind="target", at=(1, 2), to=(1, 2, 3, 4)), "expected a place"),  # type: ignore[arg-type]
        (lambda: Guide(points=({"at": [1, 2]},)), "expected Points"),  # type: ignore[arg-type]
        (lambda: Guide(dials={"exposure": 1.0}), "expected Dials"),  # type: ignore[arg-type]
    ],
)
def test_what_no_guide_holds_is_refused_where_it_is_given(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        make()


def test_a_report_without_a_guide_says_so() -> None:
    report = json.dumps({"schema": 1, "frames": 24, "warnings": [], "job": {}})
    with pytest.raises(InputError, match=r"^r.json: is the report of a run that heard no guide"):
        parse_guide(report, "r.json")


def test_a_guide_file_is_read_by_public_names(tmp_path: Path) -> None:
    guide = vhmae.Guide(choices=(vhmae.Choice(chosen=3),))
    guide.write(tmp_path / "g.json")
    assert vhmae.read_guide(tmp_path / "g.json") == guide
    assert vhmae.read_guide(str(tmp_path / "g.json")) == guide


def test_the_page_shows_a_guide_that_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides.md").read_text()
    (block,) = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
    guide = guide_from(json.loads(block), "the page")
    kinds = [point.kind for point in guide.points]
    assert kinds == ["target", "match", "brightness", "keep"]
    assert guide.choices[0].chosen == 3
    named = re.search(r"`is` is one of ([a-z, ]+);", page)
    assert named is not None
    assert tuple(named[1].split(", ")) == KINDS
