"""``vhmae harmonize`` and ``vhmae demo``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from vhmae.cli.fetch import fetched, refuse_addresses
from vhmae.cli.options import add_options, add_report_options, add_set_options, given_options
from vhmae.cli.parser import Parser, add_command, location, write_report
from vhmae.cli.words import print_warnings, with_flags
from vhmae.engine.settings import FOR_EVERYONE, HarmonizerSettings
from vhmae.errors import InputError, counted
from vhmae.memory import keep_one_heap
from vhmae.options import build_options, option, options_of
from vhmae.work.job import DemoJob, HarmonizeJob, StreamJob

LAYING = ("position", "scale", "premultiplied")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileOptions:
    """What the command line alone has: where files and options come from."""

    background: Path | None = option(None, metavar="VIDEO", role="input")
    """What --foreground is laid over, in the place of COMPOSITE."""
    job: Path | None = option(None, metavar="FILE")
    """Take options from a JSON file, the report of another run, or a project of vhmae app."""
    allow_url: bool = False
    """Fetch what is named by an http or https address."""


def add_harmonize(commands: Any) -> None:
    parser = add_command(
        commands, "harmonize", _harmonize, "harmonize the foreground of a composite video"
    )
    add_composite(parser, "; - for Y4M or raw video by a pipe")
    add_options(parser, HarmonizeJob, leave_out=["composite"])
    add_options(parser, StreamJob, only=["raw", "lookahead"])
    add_report_options(parser)


def add_composite(parser: Parser, more: str = "") -> None:
    text = f"video, picture, folder or sequence (shot.%%04d.png){more}"
    parser.add_argument("composite_given", nargs="?", type=location, metavar="COMPOSITE", help=text)
    add_set_options(parser, FileOptions)


def composite_given(args: Any, values: dict[str, Any], has_output: bool = True) -> dict[str, Any]:
    """The options of a command with the composite among them, or the background of two layers."""
    named = [one for one in (args.composite_given, args.background) if one is not None]
    if len(named) > 1:
        raise InputError("--background: takes the place of COMPOSITE; leave one of them out")
    if args.background is not None and values.get("foreground") is None:
        raise InputError("--background: is what --foreground is laid over; give that, too")
    if named:
        values["composite"] = named[0]
    if "composite" not in values:
        raise InputError("COMPOSITE: missing; name the video, or --foreground and --background")
    _check_laying(args, values)
    if has_output:
        require_output(values)
    return values


def _check_laying(args: Any, values: dict[str, Any]) -> None:
    if values.get("foreground") is None and any(hasattr(args, name) for name in LAYING):
        raise InputError(
            "--position, --scale and --premultiplied: say how --foreground is laid; give one, or "
            "leave them out"
        )


def _harmonize(args: Any) -> None:
    keep_one_heap()
    if "-" in (str(args.composite_given), str(getattr(args, "output", ""))):
        _harmonize_pipe(args)
        return
    if hasattr(args, "raw") or hasattr(args, "lookahead"):
        raise InputError(
            "--raw and --lookahead: are for pipes; write vhmae harmonize - --mask MASK -o -"
        )
    values = given_options(args, HarmonizeJob)
    named = [one for one in (args.composite_given, args.background) if one is not None]
    if named:
        values["composite"] = named[0]
    has_foreground = values.get("foreground") is not None
    if (
        len(named) > 1
        or "composite" not in values
        or (args.background is not None) > has_foreground
    ):
        raise InputError(
            "harmonize: needs COMPOSITE, or --foreground and --background; see vhmae harmonize "
            "--help"
        )
    if has_foreground and args.background is None and args.composite_given is not None:
        raise InputError(
            "harmonize: needs COMPOSITE, or --foreground and --background; see vhmae harmonize "
            "--help"
        )
    _check_laying(args, values)
    require_output(values)
    values.setdefault("progress", "none" if args.quiet else "auto")
    if values.get("resume") and any(isinstance(one, str) for one in _files(values).values()):
        raise InputError(
            "--resume: cannot resume with what is fetched anew each time; download it and name the "
            "file"
        )
    with fetched_inputs(values, HarmonizeJob, args.allow_url) as local:
        report = _run(local)
    for name in {name for (name, _), file in _files(values).items() if isinstance(file, str)}:
        said = values[name]  # an address, and not where it was fetched to for this once
        report["job"][name] = [*map(str, said)] if isinstance(said, tuple | list) else str(said)
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    if report.get("check"):
        print(_foreseen(report))
        return
    if not args.quiet:
        print(
            f"{values['output']}: {counted(report['frames'], 'frame')} in "
            f"{report['seconds']:.1f} s "
            f"({report['fps']:.1f} fps), "
            f"mean change {report['mean_change']:.1f} levels, {report['device']} "
            f"{report['precision']}"
        )
    if args.verbose:
        stages = ", ".join(
            f"{stage} {seconds:.1f} s" for stage, seconds in report["seconds_by_stage"].items()
        )
        print(
            f"{stages}; {counted(report['passed_through'], 'frame')} without foreground, "
            f"{report['skipped']} "
            "left out",
            file=sys.stderr,
        )


def _foreseen(report: dict[str, Any]) -> str:
    """What a run would write, in one line."""
    sound = ", ".join(report["audio"]) or "none"
    replaced = "; the file that is there would be replaced" if report["replaces"] else ""
    return (
        f"{report['output']}: would be {counted(report['frames'], 'frame')} of {report['width']}x"
        f"{report['height']} at {report['fps']:g} fps, {report['codec']} {report['pixel_format']}, "
        f"sound {sound}{replaced}"
    )


def require_output(values: dict[str, Any]) -> None:
    if "output" not in values:
        raise InputError("-o: missing; name the file to write")


def _files(values: dict[str, Any]) -> dict[tuple[str, int], Any]:
    """The inputs among options, each with its option and its place there."""
    found: dict[tuple[str, int], Any] = {}
    for one in options_of(HarmonizeJob):
        value = values.get(one.name)
        if one.role == "input" and value is not None:
            found |= {
                (one.name, place): file
                for place, file in enumerate(value if one.is_list else (value,))
            }
    return found


class fetched_inputs:
    """The options with files that were fetched in the place of addresses, as long as the context
    lasts."""

    def __init__(self, values: dict[str, Any], kind: type, allowed: bool) -> None:
        self.values, self.lists = (
            dict(values),
            {one.name for one in options_of(kind) if one.is_list},
        )
        self.files = _files(values)
        self.context = fetched(list(self.files.values()), allowed)

    def __enter__(self) -> dict[str, Any]:
        paths = self.context.__enter__()
        for (name, place), path in zip(self.files, paths, strict=True):
            if name in self.lists:
                others = list(self.values[name])
                others[place] = path
                self.values[name] = tuple(others)
            else:
                self.values[name] = path
        return self.values

    def __exit__(self, *error: Any) -> None:
        self.context.__exit__(*error)


def _run(values: dict[str, Any]) -> dict[str, Any]:
    job = build_options(HarmonizeJob, values)
    from vhmae.work.harmonize import harmonize_job

    return harmonize_job(job)


def _harmonize_pipe(args: Any) -> None:
    """From stdin to stdout: stdout carries the video, so that what is said goes to stderr."""
    if not str(args.composite_given) == str(getattr(args, "output", "")) == "-":
        raise InputError(
            "harmonize -: a pipe goes to a pipe; write -o - and let the next program write the file"
        )
    for_pipes = {one.name for one in options_of(StreamJob)} | {"output"}
    for one in options_of(HarmonizeJob):
        if hasattr(args, one.name) and one.name not in for_pipes:
            raise InputError(f"{one.flags[-1]}: is for files, not for pipes; leave it out")
    for name in ("background", "job", "allow_url"):
        if getattr(args, name) not in (None, False):
            raise InputError(
                f"--{name.replace('_', '-')}: is for files, not for pipes; leave it out"
            )
    if any(
        stream is None or stream.isatty() or not hasattr(stream, "buffer")
        for stream in (sys.stdin, sys.stdout)
    ):
        raise InputError(
            "harmonize -: needs a pipe on both sides; as in ffmpeg ... -f yuv4mpegpipe - | vhmae "
            "harmonize - ... -o - | ffmpeg ..."
        )
    values = given_options(args, StreamJob)
    values.setdefault("progress", "none" if args.quiet else "auto")
    refuse_addresses([*values.get("masks", ()), values.get("guide")])
    if len(values.get("masks", ())) != 1:
        raise InputError(
            "harmonize -: takes one --mask; give a video, picture, folder, sequence or .npz"
        )
    job = build_options(StreamJob, values)
    from vhmae.work.stream import harmonize_stream

    # Unbuffered: what an interrupt left in a buffer would wait for its reader at the end.
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as sink:
        report = harmonize_stream(job, sys.stdin.buffer, sink)
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)


# --- demo


def add_demo(commands: Any) -> None:
    parser = add_command(
        commands,
        "demo",
        _demo,
        "build a composite of photographs, harmonize it and show before and after",
    )
    parser.set_defaults(kept_when_stopped="files that were whole stay in the folder")
    add_options(parser, DemoJob)
    only = ["weights", "device", "precision", "threads"]
    add_options(parser, HarmonizerSettings, only=only, usual=FOR_EVERYONE)
    add_report_options(parser)


def _demo(args: Any) -> None:
    job = build_options(DemoJob, given_options(args, DemoJob))
    given = {**FOR_EVERYONE, **given_options(args, HarmonizerSettings)}
    settings = build_options(HarmonizerSettings, given)
    from vhmae.work.demo import run_demo

    report = run_demo(job.output, settings)
    write_report(report, args.json)
    if not args.quiet:
        for line in report["lines"]:
            print(with_flags(line))
