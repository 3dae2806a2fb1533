"""``vhmae evaluate``, ``compare`` and ``fit-constant``."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import add_command, write_report
from vhmae.cli.words import print_warnings
from vhmae.engine.settings import HarmonizerSettings
from vhmae.errors import InputError, counted
from vhmae.evaluation.job import Comparison, ConstantJob, EvaluateJob
from vhmae.options import build_options, options_of
from vhmae.partial_output import filled_folder

if TYPE_CHECKING:
    from vhmae.evaluation.clip import Method

WHERE = ("weights", "device", "precision", "threads")
"""Where the network of a method runs."""
SETTINGS = {one.name for one in options_of(HarmonizerSettings)}


def add_evaluate(commands: Any) -> None:
    parser = add_command(
        commands, "evaluate", _evaluate, "score a method on a data set in the HYouTube layout"
    )
    own = [one.name for one in options_of(EvaluateJob) if one.name not in SETTINGS]
    add_options(parser, EvaluateJob, only=[*own, "quality", "caution", *WHERE], required=True)
    add_report_options(parser)


def _evaluate(args: Any) -> None:
    from vhmae.data.clips import list_clips
    from vhmae.evaluation.methods import method_with
    from vhmae.evaluation.pooling import paired_difference
    from vhmae.evaluation.protocols import find_protocol
    from vhmae.evaluation.runner import evaluate, natural_drift
    from vhmae.evaluation.tables import format_difference, format_report

    job = build_options(EvaluateJob, given_options(args, EvaluateJob))
    if job.swap_background and not {"fmse", "fssim"} & set(job.metrics):
        raise InputError(
            "--swap-background: has no target outside the foreground, for "
            f"{','.join(job.metrics)}; take --metrics fmse,fssim"
        )
    if job.natural is not None:
        list_clips(job.natural)
    methods = [method_with(text, job.data, job.settings, job.mix) for text in job.methods]
    _check_other_pictures(job, methods)
    progress = sys.stderr.isatty() and not args.quiet
    reports = []
    with _folders_to_write(job.write, [method.name for method in methods]) as folders:
        for method, folder in zip(methods, folders, strict=True):
            report = evaluate(
                job.data,
                method,
                job.metrics,
                list_file=job.list_file,
                swap_background=job.swap_background,
                progress=progress,
                protocol=find_protocol(job.protocol),
                cache=job.cache,
                size=job.size,
                write=folder,
            )
            if job.natural is not None:
                report["natural_drift"] = natural_drift(job.natural, method)
            if not args.quiet:
                print(format_report(report), flush=True)
            reports.append(report)
    if len(reports) == 1:
        write_report(reports[0], args.json)
        return
    metrics = [
        name
        for name in reports[0]["overall"]
        if all(report["overall"].get(name) for report in reports)
    ]
    pairs = itertools.combinations(reports, 2)
    paired = [paired_difference(first, second, name) for first, second in pairs for name in metrics]
    write_report({"schema": 1, "reports": reports, "paired": paired}, args.json)
    if not args.quiet:
        print("\n".join(format_difference(row) for row in paired))


def _check_other_pictures(job: EvaluateJob, methods: Sequence[Method]) -> None:
    """Refuse, before the work, methods that know the set's own pictures alone."""
    bound = next((one for one in methods if not one.takes_other_backgrounds), None)
    if bound is None:
        return
    for option, asked in (
        ("--swap-background", job.swap_background),
        ("--natural", job.natural is not None),
    ):
        if asked:
            raise InputError(
                f"{option}: {bound.name} was made for the set's composites as they are; leave one "
                "of both out"
            )


@contextlib.contextmanager
def _folders_to_write(folder: Path | None, names: Sequence[str]) -> Iterator[Sequence[Path | None]]:
    """Where the frames of each method go: into the folder itself, or of several into folders of
    their names, which appear all together or not at all."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"--method {twice}: is given twice; tell them apart by LABEL={twice}")
    if folder is None or len(names) == 1:
        yield [folder] * len(names)
        return
    bad = next((name for name in names if Path(name).name != name or name.startswith(".")), None)
    if bad is not None:
        raise InputError(
            f"--write {folder}: {bad} cannot be the name of a folder; give it one by LABEL={bad}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--write {folder}: exists already; choose a new folder")
    if not folder.absolute().parent.is_dir():
        raise InputError(
            f"--write {folder}: the folder {folder.absolute().parent} does not exist; make it first"
        )
    with filled_folder(folder) as part:
        yield [part / name for name in names]


def add_compare(commands: Any) -> None:
    parser = add_command(
        commands,
        "compare",
        _compare,
        "show methods side by side: two frames, an enlarged part, a map of errors",
    )
    own = [one.name for one in options_of(Comparison) if one.name not in SETTINGS]
    add_options(parser, Comparison, only=[*own, *WHERE], required=True)
    add_report_options(parser)


def _compare(args: Any) -> None:
    job = build_options(Comparison, given_options(args, Comparison))
    from vhmae.evaluation.compare import compare

    warnings: list[str] = []
    rows = compare(job, warnings.append)
    report = {"schema": 1, "rows": rows, "output": str(job.output), "warnings": warnings}
    write_report(report, args.json)
    print_warnings(warnings, args.quiet)
    if not args.quiet:
        print(f"{job.output}: {counted(rows, 'row')}")


def add_fit_constant(commands: Any) -> None:
    parser = add_command(
        commands,
        "fit-constant",
        _fit_constant,
        "fit the color map that never looks at the background",
    )
    add_options(parser, ConstantJob, required=True)
    add_report_options(parser)


def _fit_constant(args: Any) -> None:
    job = build_options(ConstantJob, given_options(args, ConstantJob))
    from vhmae.evaluation.constant import fit_constant

    used = fit_constant(job.data, job.looks, job.output)
    write_report({"schema": 1, "looks": job.looks, "composites": used}, args.json)
    if not args.quiet:
        print(f"{job.output}: fitted '{job.looks}' on {used} composites")
