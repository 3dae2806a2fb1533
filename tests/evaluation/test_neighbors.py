"""Files of methods with neighbors, as people have two versions of one's own code; and methods that
were made in a program."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vhmae
from tests.support.scenes import moving_scene, save_bold_weights
from vhmae import cli
from vhmae.errors import InputError
from vhmae.evaluation.clip import Clip, Method
from vhmae.evaluation.methods import find_method
from vhmae.outside import load_outside

METHOD = """
import functools
{first}

def run(composite, mask):
    {late}
    out = composite.copy()
    out[mask] = LEVEL
    return out

def filled(level, composite, mask):
    out = composite.copy()
    out[mask] = level
    return out

bound = functools.partial(filled, {level})
"""


@pytest.fixture
def clip() -> Clip:
    frames, masks = moving_scene(3, 48, 32)
    return Clip(frames, masks)


def version(folder: Path, level: int, is_late: bool = False, name: str = "helper") -> str:
    """A method in a folder of its own, whose neighbor says what it does."""
    folder.mkdir(exist_ok=True)
    line = f"from {name} import LEVEL"
    first, late = ("", line) if is_late else (line, "pass")
    (folder / "method.py").write_text(METHOD.format(first=first, late=late, level=level))
    (folder / f"{name}.py").write_text(f"LEVEL = {level}\n")
    return f"{folder / 'method.py'}:run"


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("name", ["helper", "statistics"])
def test_two_files_have_neighbors_of_their_own(
    is_late: bool, name: str, tmp_path: Path, clip: Clip
) -> None:
    import statistics

    one, two = (
        find_method(version(tmp_path / f"v{level}", level, is_late, name), Path())
        for level in (10, 20)
    )
    for _ in range(2):
        assert (one.run(clip)[clip.mask] == 10).all()
        assert (two.run(clip)[clip.mask] == 20).all()
    assert statistics.mean([1, 3]) == 2  # Python's own is where it was
    import sys

    assert sys.modules["statistics"] is statistics


def test_what_was_measured_is_told_apart(tmp_path: Path) -> None:
    def digest(folder: str, level: int, function: str = "run") -> str:
        source = version(tmp_path / folder, level).replace(":run", f":{function}")
        return find_method(source, Path()).digest

    same, other = digest("a", 10), digest("b", 20)
    assert same != other  # the neighbor says what is done
    assert digest("c", 10) == same
    assert digest("d", 10, "bound") != digest("e", 20, "bound")


def test_a_method_of_a_program_is_handed_copies(clip: Clip) -> None:
    def in_place(given: Clip) -> np.ndarray:
        given.composite[...] = 0
        given.mask[...] = False
        return given.composite

    before = clip.composite.copy()
    assert not Method("mine", in_place).run(clip).any()
    np.testing.assert_array_equal(clip.composite, before)
    assert clip.mask.any()


def test_a_method_of_a_program_gives_frames_or_is_refused(clip: Clip) -> None:
    wrong: list[tuple[Any, str]] = [
        (lambda given: given.composite / 255.0, "gave float64"),
        (lambda given: None, "gave object"),
        (lambda given: given.composite[:1], r"gave uint8 \(1, "),
        (lambda given: 1 / 0, "failed .ZeroDivisionError"),
    ]
    for made, told in wrong:
        with pytest.raises(InputError, match=f"mine: {told}"):
            Method("mine", made).run(clip)


def test_a_file_that_leaves_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "script.py").write_text(
        "import argparse\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--ckpt', required=True)\nparser.parse_args([])\n"
    )
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "test_list.txt").write_text(json.dumps("a"))
    named = f"{tmp_path / 'script.py'}:run"
    assert cli.main(["evaluate", "--data", str(tmp_path / "set"), "--method", named]) == 2
    assert "cannot be imported (SystemExit: 2" in capsys.readouterr().err.splitlines()[-1]


def test_paths_and_protocols_are_taken_as_text(data: Path, tmp_path: Path) -> None:
    own = vhmae.find_method("composite", str(data))
    report = vhmae.evaluate(str(data), own, ("fmse",), protocol="co2net", size=32)
    assert (report["settings"]["protocol"], report["ratio"]["fmse"]) == ("co2net", 1.0)
    assert len(vhmae.read_list(str(data))) == report["composites"]
    with pytest.raises(InputError, match=r"`protocol` co2nt: unknown.*did you mean co2net"):
        vhmae.evaluate(data, own, protocol="co2nt")
    with pytest.raises(InputError, match="`size` 0: expected a number of pixels"):
        vhmae.evaluate(data, own, size=0)
    (tmp_path / "mine.yaml").write_text("train:\n  seed: 1\n  threads: 2\n")
    recipe = vhmae.read_config(vhmae.Recipe, str(tmp_path / "mine.yaml"), {"train.seed": 3})
    assert (recipe.train.seed, recipe.train.threads) == (3, 2)
    weights = save_bold_weights(tmp_path / "w.safetensors")
    assert vhmae.load_model(weights).config == vhmae.load_model(str(weights)).config
    assert vhmae.Harmonizer.from_pretrained(weights).weights == str(weights)


def test_neighbors_without_a_package_of_their_own_are_apart_too(tmp_path: Path, clip: Clip) -> None:
    def version_of(level: int) -> Method:
        folder = tmp_path / f"n{level}"
        (folder / "models").mkdir(parents=True)
        (folder / "models" / "net.py").write_text(f"LEVEL = {level}\n")
        (folder / "method.py").write_text(
            METHOD.format(first="from models.net import LEVEL", late="pass", level=level)
        )
        return find_method(f"{folder / 'method.py'}:run", Path())

    one, two = version_of(10), version_of(20)
    assert (one.run(clip)[clip.mask] == 10).all()
    assert (two.run(clip)[clip.mask] == 20).all()
    assert one.digest != two.digest


def test_what_a_file_imports_can_be_pickled_and_is_told_by_what_was_loaded(
    tmp_path: Path, clip: Clip
) -> None:
    (tmp_path / "parts_of_mine.py").write_text("class Part:\n    LEVEL = 10\n")
    text = METHOD.format(first="from parts_of_mine import Part", late="LEVEL = Part.LEVEL", level=1)
    (tmp_path / "method.py").write_text(text)
    source = f"{tmp_path / 'method.py'}:run"
    first = find_method(source, Path())
    made = load_outside(source.replace(":run", ":Part"), "head", "class")()
    assert type(pickle.loads(pickle.dumps(made))) is type(made)
    # Of another length: Python knows a file that was written in the same second by it alone.
    (tmp_path / "parts_of_mine.py").write_text("class Part:\n    LEVEL = 20  # louder\n")
    again = find_method(source, Path())
    assert (again.run(clip)[clip.mask] == 20).all()
    assert first.digest != again.digest


def test_a_built_in_method_fails_as_itself(clip: Clip) -> None:
    def full(_: Clip) -> np.ndarray:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Method("vhmae", full, facts={"kind": "vhmae"}).run(clip)


def test_a_folder_of_plain_files_takes_no_library_away(tmp_path: Path, clip: Clip) -> None:
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "ours.py").write_text("LEVEL = 3\n")
    text = METHOD.format(first="import numpy\nLEVEL = int(numpy.ones(1)[0])", late="pass", level=1)
    (tmp_path / "method.py").write_text(text)
    made = find_method(f"{tmp_path / 'method.py'}:run", Path()).run(clip)
    assert (made[clip.mask] == 1).all()
