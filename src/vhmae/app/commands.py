"""What is taken away, as commands: the line that is shown, and the one that is run."""

from __future__ import annotations

import dataclasses
import os
import shlex
from pathlib import Path
from typing import Any, Literal, get_args

from vhmae.errors import InputError, did_you_mean
from vhmae.grade.export import SUFFIXES
from vhmae.guide.document import Guide
from vhmae.guide.reading import guide_from
from vhmae.options import Option, options_of, values_from_json, values_to_json
from vhmae.web.records import is_whole
from vhmae.work.job import AnalysisJob, HarmonizeJob

Kind = Literal[
    "video", "layer", "cube", "dctl", "cdl", "edl", "otio", "before_after", "bundle", "matte"
]
KINDS: tuple[str, ...] = get_args(Kind)
GRADES = tuple(SUFFIXES)
WRITING = ("codec", "crf", "preset", "pix_fmt", "audio", "start", "end", "verify")
"""Options of ``video`` and ``layer`` that a call may give."""
STILLS = "stills"
"""The folder of pictures that are made of a sequence, beside it."""
WAYS = ("chroma", "salient", "rvm")
OPTIONS: dict[str, tuple[str, ...]] = {
    "video": WRITING,
    "layer": WRITING,
    "before_after": ("frame", "clip", "lines"),
    "bundle": ("frame",),
    "matte": ("way", "of", "key"),
}
"""What each kind may be told; grades take ``key_frames``."""
FORMS: dict[str, tuple[type, str]] = {
    "frame": (int, "the number of a frame"),
    "clip": (bool, "true or false"),
    "lines": (int, "a number of lines"),
    "key_frames": (int, "a number of frames"),
    "way": (str, f"one of {', '.join(WAYS)}"),
    "of": (str, "composite or foreground"),
    "key": (str, "a color"),
}
"""What the options are that no command checks before the work: their type, and it in words."""


@dataclasses.dataclass(frozen=True)
class Taking:
    """Something to be taken away."""

    kind: str
    output: Path
    options: dict[str, Any]
    job: dict[str, Any]
    """Of the document, as it was when it was asked for."""
    guide: dict[str, Any]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            hint = did_you_mean(self.kind, KINDS)
            raise InputError(f"{self.kind}: unknown kind{hint}; expected one of {', '.join(KINDS)}")
        known = OPTIONS.get(self.kind, ("key_frames",))
        for name in self.options:
            if name not in known:
                raise InputError(f"{name}: is no option of {self.kind}; leave it out")
            form, words = FORMS.get(name, (object, ""))
            value = self.options[name]
            if not isinstance(value, form) or (form is int and isinstance(value, bool)):
                raise InputError(f"{name} {value!r:.40}: expected {words}")
        if self.options.get("key_frames", 1) < 1:
            raise InputError(f"key_frames {self.options['key_frames']}: expected 1 or more")
        if not is_whole(self.options):
            raise InputError("options: expected numbers and letters that JSON has; mend them")
        if self.options.get("way", WAYS[0]) not in WAYS:
            raise InputError(f"way {self.options['way']:.40}: expected {FORMS['way'][1]}")


def usual_name(
    kind: str, stem: str, suffix: str, options: dict[str, Any], among_pictures: bool
) -> str:
    """What something is called, if nobody says.

    Args:
        among_pictures: results lie where the pictures of the clip do, which commands may be told to
            take as a whole: pictures get a folder of their own.
    """
    if kind == "video":
        return f"{stem}.harmonized{suffix}"
    if kind == "layer":
        return f"{stem}.layer.mov"
    if kind in GRADES:
        return f"{stem}.harmonized{SUFFIXES[kind][0]}"
    if kind == "before_after":
        if options.get("clip"):
            return f"{stem}.before-after.mp4"
        return f"{STILLS}/{stem}.before-after.png" if among_pictures else f"{stem}.before-after.png"
    if kind == "bundle":
        return f"{stem}.look.zip"
    cut_out = options.get("of") == "foreground" and options.get("way") == "chroma"
    if cut_out:
        return f"{stem}.cutout.mkv"
    way = options.get("way", WAYS[0])  # each its own file: one that is looked at is not replaced
    return f"{stem}.matte.mkv" if way == WAYS[0] else f"{stem}.matte-{way}.mkv"


def job_tree(taking: Taking, job: HarmonizeJob) -> dict[str, Any]:
    """The options of the run, files by their whole paths.

    Args:
        job: of the document, with the command's own options.
    """
    told = values_to_json(job)
    usual = {one.name: one.to_json(one.default) for one in options_of(HarmonizeJob)}
    tree = {name: value for name, value in told.items() if value != usual[name]}
    tree |= taking.options if taking.kind in ("video", "layer") else {}
    if taking.kind == "layer":
        tree["layer"] = "foreground"
    for name in ("output", "check"):  # what is taken away is written, and here
        tree.pop(name, None)
    return values_checked(tree)


def values_checked(tree: dict[str, Any]) -> dict[str, Any]:
    """Options as documents hold them, refused where they cannot be."""
    values_from_json(HarmonizeJob, tree, "options")
    return tree


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a line is run that somebody copies."""

    folder: Path
    """The project's, to which the line's files are relative."""
    root: Path
    """The app's: what lies in it is told relatively, however far up."""
    project: Path
    uploads: Path
    """Where what was sent lies, which is told nobody."""

    def told(self, path: str) -> str:
        """A path as one writes it here, and as no command takes it for an option."""
        whole = Path(path).absolute()
        text = str(whole)
        if whole.is_relative_to(self.root) and whole.drive == self.folder.absolute().drive:
            text = os.path.relpath(whole, self.folder)
        elif whole.is_relative_to(self.uploads):
            text = whole.name
        return f"./{text}" if text.startswith("-") else text


def shown_command(taking: Taking, tree: dict[str, Any], place: Place) -> str:
    """The line to copy: the same frames, times and sound, run in the project's folder."""
    words = ["vhmae", "export", taking.kind] if taking.kind in GRADES else ["vhmae", "harmonize"]
    known = HarmonizeJob if taking.kind in ("video", "layer") else AnalysisJob
    foreground = tree.get("foreground")
    if foreground is None or taking.kind in GRADES:
        words.append(place.told(tree["composite"]))
    else:
        words += ["--background", place.told(tree["composite"])]
    for one in options_of(known):
        if one.name in tree and one.name not in ("composite", "output"):
            words += _flags(one, tree[one.name], place)
    if Guide() != guide_of(taking):
        words += ["--guide", place.told(str(place.project))]
    if "key_frames" in taking.options:
        words += ["--key-frames", str(taking.options["key_frames"])]
    return shlex.join([*words, "-o", place.told(str(taking.output))])


def shown_job(output: Path, place: Place, overruled: dict[str, Any]) -> str:
    """The line to copy that harmonizes as the project says.

    Args:
        overruled: options that are not as the project says, by their names.
    """
    words = ["vhmae", "harmonize", "--job", place.told(str(place.project))]
    for one in options_of(HarmonizeJob):
        if overruled.get(one.name) is not None:
            words += _flags(one, overruled[one.name], place)
    return shlex.join([*words, "-o", place.told(str(output))])


def guide_of(taking: Taking) -> Guide:
    """What was said."""
    return guide_from(taking.guide, "guide")


def _flags(one: Option, value: Any, place: Place) -> list[str]:
    flag = one.flags[-1]
    if one.is_switch:
        return [flag] if value != one.default else []
    if one.is_list:
        return [word for each in value for word in (flag, _told(one, each, place))]
    if isinstance(value, list):
        text = ",".join(str(each) for each in value)
        return [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return [flag, _told(one, value, place)]


def _told(one: Option, value: Any, place: Place) -> str:
    is_file = one.role != "plain" or (one.name == "weights" and Path(str(value)).is_file())
    return place.told(str(value)) if is_file else str(value)
