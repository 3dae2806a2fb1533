"""Options are fields of dataclasses: what is typed, shown and refused is read off them."""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vhmae.cli import build_parser, main
from vhmae.cli.options import option_of
from vhmae.cli.words import flags
from vhmae.comparators.recipe import ComparatorRecipe
from vhmae.config import keys_of
from vhmae.errors import InputError
from vhmae.guide.options import GuideOptions
from vhmae.options import (
    NATURAL,
    POSITIVE,
    RANGE,
    WORDS,
    Form,
    build_options,
    options_of,
    values_from_json,
    values_to_json,
)
from vhmae.training.recipe import Recipe
from vhmae.video.placement import Placement
from vhmae.work.job import HarmonizeJob

BY_HAND = {"composite_given", "kind", "keys", "help", "version", argparse.SUPPRESS}
"""Of `harmonize`, what may be a pipe or lie behind --background; of `export`, kinds of two jobs; of
`train`, what only lists."""
SOURCE = Path(__file__).parents[1] / "src" / "vhmae"


def actions(
    parser: argparse.ArgumentParser, words: str = "vhmae"
) -> Iterator[tuple[str, argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from actions(inner, f"{words} {name}")
        else:
            yield words, action


def test_every_option_of_every_command_is_a_field() -> None:
    others = [
        (words, action.dest)
        for words, action in actions(build_parser())
        if option_of(action) is None and action.dest not in BY_HAND
    ]
    assert others == []


def test_every_option_says_what_it_means() -> None:
    silent = [(words, action.dest) for words, action in actions(build_parser()) if not action.help]
    assert silent == []


def test_the_library_names_options_by_their_fields() -> None:
    """Not by flags, which only the command line has: it puts them in the place of `fields`."""
    for path in SOURCE.rglob("*.py"):
        if "cli" in path.parts or path.name in ("job.py", "commands.py", "taking.py"):
            continue
        for error in re.findall(r"InputError\((?:[^()]|\([^()]*\))*\)", path.read_text()):
            if "vhmae " not in error:  # a command that helps, to be typed
                assert not re.search(r"(?<![\w-])--[a-z]", error), f"{path}: {error}"


def texts_of(tree: ast.Module) -> Iterator[str]:
    """The texts of a module but for what documents it, each whole: what is put in stands as {},
    constants of the module as what they are."""
    known = {
        target.id: one.value.value
        for one in tree.body
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    apart = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for one in ast.walk(tree):
        if isinstance(one, ast.JoinedStr):
            apart |= {id(part) for part in one.values}
            yield "".join(
                str(part.value)
                if isinstance(part, ast.Constant)
                else str(known.get(getattr(getattr(part, "value", None), "id", ""), "{}"))
                for part in one.values
            )
        elif isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in apart:
            yield one.value


def test_what_messages_name_as_an_option_is_one() -> None:
    """Backticks become a flag on the command line, whatever stands between them."""
    options = [option_of(action) for _, action in actions(build_parser())]
    known = {one.name for one in options if one is not None} | set(flags())
    known |= {key.name for kind in (Recipe, ComparatorRecipe) for key in keys_of(kind)}
    named = [
        (path.relative_to(SOURCE), word, text)
        for path in sorted(SOURCE.rglob("*.py"))
        for text in texts_of(ast.parse(path.read_text()))
        for word in re.findall(r"`([a-z][a-z_.]*)`", text)
    ]
    named += [
        (path.relative_to(SOURCE), word, "field=")
        for path in sorted(SOURCE.rglob("*.py"))
        for word in re.findall(r"\bfield=\"(\w+)\"", path.read_text())
    ]
    assert len(named) > 60
    assert [one for one in named if one[1] not in known] == []


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (NATURAL, "0", 0),
        (POSITIVE, "3", 3),
        (RANGE, "0.3:0.8", (0.3, 0.8)),
        (RANGE, "2", (2.0, 2.0)),
        (WORDS, "a, b,,c", ("a", "b", "c")),
    ],
)
def test_what_texts_stand_for(form: Form, text: str, value: object) -> None:
    assert form.read(text) == value


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["matte", "a.mp4", "-o", "m.mkv"], "--with: missing"),
        (["matte", "--with", "rvm", "-o", "m.mkv"], "VIDEO: missing"),
        (["matte", "a", "--with", "cutter"], "--with cutter: unknown"),
        (["matte", "a", "--with", "rvm", "--threads", "0", "-o", "m.mkv"], "from 1 up"),
        (["matte", "a", "--with", "rvm", "--matte-ratio", "x"], "--matte-ratio: 'x' is not"),
        (
            ["matte", "a", "--with", "rvm", "--no-despill", "-o", "m.mkv"],
            "--no-despill: is for --with chroma, not for rvm; leave it out",
        ),
        (
            ["matte", "a", "--with", "chroma", "--matte-ratio", ".5", "-o", "m.mkv"],
            "--matte-ratio: is for --with rvm, not for chroma; leave it out",
        ),
        (
            ["rcvh", "build", "--raw", "r", "--out", "o", "--matte", "rvm", "--key", "blue"],
            "--key: is for --matte chroma, not for rvm; leave it out",
        ),
        (["rcvh", "build", "--raw", "r", "--out", "o"], "--matte: missing"),
        (["study", "create", "--input", "i", "-o", "s"], "--method: missing"),
        (["study", "create", "--input", "i", "-o", "s", "--method", "a="], "--method a=: is empty"),
        (["synthesize", "--videos", "v", "--strength", "a:b", "-o", "s"], "'a:b' is not LOW:HIGH"),
        (["evaluate", "--data", "d", "--size", "0"], "'0' is not a number from 1 up"),
        (["weights", "join", "-o", "w.safetensors"], "missing"),
        (
            ["compare", "--data", "set", "--method", "mkl", "a.mp4", "-o", "s.png"],
            "a.mp4: is of a clip of your own, and --data of a set; leave one of both out",
        ),
        (
            ["compare", "--data", "set", "--mask", "m.mp4", "-o", "s.png"],
            "m.mp4: is of a clip of your own",
        ),
        (
            ["compare", "a.mp4", "--mask", "m.mp4", "--name", "v/object_1", "-o", "s.png"],
            "--name v/object_1: is of a set; give its --data",
        ),
        *(
            (["train", "--config", "a.yaml", "-o", "run", word, "1"], f"{word}: unknown option")
            for word in ("--.a", "--a.", "--a..b", "--.")
        ),
    ],
)
def test_what_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        *((key, "null", "None: is not") for key in ("composite", "masks", "strength", "quality")),
        *((key, "null", "None: is not") for key in ("overwrite", "move", "brightness", "audio")),
        *(
            (key, "1e400", "inf: is not a number")
            for key in ("threads", "crf", "mask_label", "rate")
        ),
        *((key, "NaN", "nan: is not a number") for key in ("threads", "rate", "start", "scale")),
        *(
            ("position", wrong, "is not X,Y")
            for wrong in ("[1]", "[1,2,3]", '["a","b"]', "[NaN,1]")
        ),
        *(("masks", wrong, "is not MASK") for wrong in ("[1]", "[null]", '[["a"]]')),
        ("keep", "[null]", "is not hue, luma, saturation"),
        ("keep", '["hue", "tone"]', "keep tone: unknown; expected hue, luma, saturation"),
        ("neutral", "[1]", "is not X,Y"),
        ("overwrite", '"maybe"', "overwrite maybe: is not yes or no"),
        ("overwrite", "1", "overwrite 1: is not yes or no"),
        ("strength", "true", "strength True: is not a number"),
        ("threads", "2.5", "threads 2.5: is not a number"),
        ("strength", "[1]", "strength [1]: is not a number"),
    ],
)
def test_values_that_a_job_file_may_hold_and_an_option_may_not_are_refused(
    key: str, value: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the key as the file has it: the flag of a switch that is on says the opposite."""
    file = tmp_path / "job.json"
    file.write_text(f'{{"{key}": {value}}}')
    assert main(["harmonize", "--job", str(file)]) == 2
    error = capsys.readouterr().err
    assert f"{file}: {key} " in error
    assert told in error


def test_values_come_back_from_a_job_file_as_they_went_in() -> None:
    job = HarmonizeJob(
        composite=Path("a|b.mp4"),
        masks=(Path("m,1.mp4"), Path("m2.mp4")),
        output=Path("o.mp4"),
        keep=("hue",),
        rate=Fraction(30000, 1001),
        end=2.5,
        crf=16,
        overwrite=False,
        placement=Placement(position=(-1.5, 3.0)),
        words=GuideOptions(target=("1,2=#ffffff", "3,4=#000000")),
    )
    tree = json.loads(json.dumps(values_to_json(job)))
    assert build_options(HarmonizeJob, values_from_json(HarmonizeJob, tree, "file")) == job
    assert values_from_json(HarmonizeJob, {"rate": 23.976}, "file")["rate"] == Fraction(2997, 125)


@pytest.mark.parametrize(
    "wrong",
    [
        {"overwrite": None},
        {"audio": None},
        {"threads": 1.5},
        {"crf": True},
        {"rate": 23.976},
        {"strength": "1"},
        {"keep": "hue"},
        {"keep": (None,)},
        {"move": 5},
        {"cut_detection": 1},
        {"masks": (5,)},
    ],
)
def test_a_job_takes_no_values_of_other_types(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"`{next(iter(wrong))}` .*: (is not|unknown)"):
        HarmonizeJob(**{"composite": Path("a.mp4"), "output": Path("b.mp4"), **wrong})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"masks": [Path("m.mkv")]}, "a tuple of Path here, and this is list"),
        ({"rate": 23.976}, "expected Fraction here, and this is float"),
        ({"weights": Path("w.safetensors")}, "expected str here, and this is P"),
    ],
)
def test_a_value_of_another_type_is_told_which_one_it_must_have(
    wrong: dict[str, Any], told: str
) -> None:
    given = {"composite": Path("a"), "masks": (Path("m"),), "output": Path("o")}
    with pytest.raises(InputError, match=told):
        HarmonizeJob(**{**given, **wrong})


def test_a_switch_may_be_numpys() -> None:
    switch = next(one for one in options_of(HarmonizeJob) if one.name == "skin")
    assert switch.from_python(np.bool_(True)) is True
    switch.check(np.bool_(True))
    assert switch.to_json(np.bool_(True)) is True
    strength = next(one for one in options_of(HarmonizeJob) if one.name == "strength")
    with pytest.raises(InputError, match="is not a number"):
        strength.from_python(np.bool_(True))
