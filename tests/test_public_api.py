"""What `import vhmae` offers, and that it costs nothing until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
import typing
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

import vhmae
from tests.support.scenes import moving_scene, write_video
from vhmae.guide.document import Guide, Point
from vhmae.options import Option, options_of
from vhmae.video.reader import read_rgb_frames
from vhmae.work.job import HarmonizeJob, HarmonizeOptions


def test_every_public_name_is_there() -> None:
    for name in vhmae.__all__:
        assert getattr(vhmae, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'harmonise'"):
        vhmae.harmonise  # noqa: B018 - the access is what is tested


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, vhmae; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_frames_go_through_the_packaged_harmonizer() -> None:
    harmonizer = vhmae.Harmonizer.from_pretrained(lookahead=0)
    frames, masks = moving_scene(3, 96, 64)
    for frame, mask in zip(frames, masks, strict=True):
        out = harmonizer.step(frame, mask)
        assert out is not None
        assert np.array_equal(out[~mask], frame[~mask])
    assert harmonizer.flush() == []


def test_a_file_goes_through_harmonize_video(tmp_path: Path) -> None:
    frames, masks = moving_scene(6, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames)
    mask = write_video(tmp_path / "mask.mkv", masks.astype(np.uint8) * 255)
    report = vhmae.harmonize_video(
        composite, tmp_path / "out.mkv", mask=mask, quality="best", strength=0.5
    )
    assert (report["frames"], report["quality"]) == (6, "best")
    with pytest.raises(vhmae.InputError, match="gone"):
        vhmae.harmonize_video(tmp_path / "gone.mkv", tmp_path / "out.mkv", mask=mask)
    (tmp_path / "cuts.txt").write_text("3")
    vhmae.harmonize_video(
        composite, tmp_path / "out.mkv", mask=str(mask), cuts=str(tmp_path / "cuts.txt"), threads=1
    )
    for wrong in (
        {"qualty": "best"},
        {"layer": "forground"},
        {"colorspace": "bt70"},
        {"threads": 0},
        {"threads": 1.5},
        {"audio": None},
        {"overwrite": None},
        {"keep": "hues"},
        {"position": (1, 2, 3)},
        {"rate": float("nan")},
        {"masks": mask},
    ):
        with pytest.raises(vhmae.InputError, match=next(iter(wrong))):
            vhmae.harmonize_video(composite, tmp_path / "out.mkv", mask=mask, **wrong)


def test_keywords_are_taken_as_their_types_say(tmp_path: Path) -> None:
    frames, masks = moving_scene(3, 96, 64)
    for name, pictures in (("in", frames), ("mask", masks.astype(np.uint8) * 255)):
        (tmp_path / name).mkdir()
        for number, picture in enumerate(pictures):
            cv2.imwrite(str(tmp_path / name / f"{number:03d}.png"), picture)
    report = vhmae.harmonize_video(
        str(tmp_path / "in"),
        tmp_path / "out.mkv",
        mask=tmp_path / "mask",
        backend="onnx",
        rate=23.976,
        mask_rate=23.976,
        keep="hue",
        audio="none",
        dial="exposure=.2",
        threads=1,
    )
    assert report["job"]["rate"] == "2997/125"
    assert (report["job"]["keep"], report["job"]["dial"]) == (["hue"], ["exposure=.2"])
    with av.open(str(tmp_path / "out.mkv")) as written:
        assert written.streams.video[0].average_rate == Fraction(2997, 125)


def keyword_of(one: Option) -> Any:
    """The type that a caller may give for an option: texts are paths, numbers are rates, and what
    may be repeated is any sequence."""
    hint: Any = one.hint
    if typing.get_origin(hint) is tuple and Ellipsis in typing.get_args(hint):
        word = typing.get_args(hint)[0]
        several: Any = Sequence
        hint = word | several[word] if one.choices else several[word]  # a text is one of texts
    taken = {Path: str | Path, Fraction: Fraction | float}.get(hint, hint)
    if one.name == "guide":  # what a file would say, too
        taken = taken | Guide
    return taken | None if one.takes_none else taken


def test_editors_offer_the_options_of_the_job_and_no_others() -> None:
    given = {"composite", "masks", "output"}
    options = [one for one in options_of(HarmonizeJob) if one.name not in given]
    told = typing.get_type_hints(HarmonizeOptions)
    assert told == {one.name: keyword_of(one) for one in options}


def test_a_guide_says_the_same_by_python_and_by_its_file(tmp_path: Path) -> None:
    frames, masks = moving_scene(3, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames)
    mask = write_video(tmp_path / "mask.mkv", masks.astype(np.uint8) * 255)
    rows, columns = np.nonzero(masks[0])
    at = (float(columns.mean()), float(rows.mean()))
    color = (0.3019, 0.5004, 0.7131)  # between two levels
    guide = Guide(points=(Point(kind="target", at=at, to=color),))
    guide.write(tmp_path / "guide.json")
    reports = {
        name: vhmae.harmonize_video(composite, tmp_path / name, mask=mask, guide=said)
        for name, said in (("a.mkv", guide), ("b.mkv", tmp_path / "guide.json"))
    }
    assert reports["a.mkv"]["guide"] == reports["b.mkv"]["guide"]
    by_python, by_file = (read_rgb_frames(tmp_path / name, [0, 1, 2]) for name in reports)
    assert np.array_equal(by_python, by_file)


def test_names_in_the_place_of_objects_are_told(tmp_path: Path) -> None:
    harmonizer = vhmae.Harmonizer.from_pretrained(lookahead=0)
    others: tuple[object, ...] = ("guide.json", {"points": []})
    for given in others:
        with pytest.raises(vhmae.InputError, match="`guide`: expected a Guide, got"):
            harmonizer.guide(given)  # type: ignore[arg-type]
    with pytest.raises(vhmae.InputError, match="mkl: is no Method; find_method"):
        vhmae.evaluate(tmp_path, "mkl")  # type: ignore[arg-type]


def test_whoever_calls_is_told_how_far_the_work_is_and_can_stop_it(tmp_path: Path) -> None:
    frames, masks = moving_scene(9, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames)
    mask = write_video(tmp_path / "mask.mkv", masks.astype(np.uint8) * 255)
    seen: list[tuple[int, int | None]] = []
    vhmae.harmonize_video(
        composite,
        tmp_path / "out.mkv",
        mask=mask,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (9, 9)
    assert [done for done, _ in seen] == list(range(1, 10))

    class Stopped(Exception):
        pass

    def stop(done: int, total: int | None) -> None:
        if done == 4:
            raise Stopped

    there = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(Stopped):
        vhmae.harmonize_video(composite, tmp_path / "other.mkv", mask=mask, on_progress=stop)
    assert {path.name for path in tmp_path.iterdir()} == there


def public_hints(scope: ast.Module | ast.ClassDef) -> Iterator[ast.expr]:
    """The types of what a module shows to others: of functions, and of classes' fields and
    methods."""
    for one in scope.body:
        if isinstance(one, ast.ClassDef) and not one.name.startswith("_"):
            yield from public_hints(one)
        elif isinstance(one, ast.AnnAssign) and isinstance(scope, ast.ClassDef):
            if not ast.unparse(one.target).startswith("_"):
                yield one.annotation
        elif isinstance(one, ast.FunctionDef) and (
            not one.name.startswith("_") or one.name in ("__init__", "__call__")
        ):
            taken = [argument.annotation for argument in one.args.args + one.args.kwonlyargs]
            yield from (hint for hint in (*taken, one.returns) if hint is not None)


@pytest.mark.parametrize(
    "room", ["color", "data", "engine", "evaluation", "grade", "guide", "matting", "video"]
)
def test_arrays_that_others_pass_are_called_by_what_they_hold(room: str) -> None:
    """Aliases of ``vhmae.arrays`` say shape and range; a bare ``Array`` says neither."""
    bare = [
        f"{path.name}:{hint.lineno}"
        for path in (Path(vhmae.__file__).parent / room).rglob("*.py")
        for hint in public_hints(ast.parse(path.read_text()))
        if any(isinstance(node, ast.Name) and node.id == "Array" for node in ast.walk(hint))
    ]
    assert bare == []
