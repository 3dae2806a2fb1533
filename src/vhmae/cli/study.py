"""``vhmae study create``, ``serve`` and ``report``."""

from __future__ import annotations

import contextlib
from typing import Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import Parser, add_command, check_web, write_report
from vhmae.cli.words import print_warnings
from vhmae.errors import counted
from vhmae.options import build_options
from vhmae.study.job import ReportJob, ServeJob, StudyJob


def add_study(commands: Any) -> None:
    parser = commands.add_parser(
        "study",
        help="let people rank results: Fig. 7 of the paper",
        description="A user study (Sec. 4.5).",
    )
    steps = parser.add_subparsers(metavar="STEP", required=True, parser_class=Parser)
    _add_create(steps)
    _add_serve(steps)
    _add_report(steps)


def _add_create(steps: Any) -> None:
    parser = add_command(
        steps,
        "create",
        _create,
        "choose clips, cut and transcode them, and make the study's folder",
    )
    add_options(parser, StudyJob, required=True)
    add_report_options(parser)


def _add_serve(steps: Any) -> None:
    parser = add_command(steps, "serve", _serve, "serve a study's pages until Ctrl-C")
    parser.set_defaults(kept_when_stopped="what was handed in is kept; vhmae study report reads it")
    add_options(parser, ServeJob, required=True)
    add_report_options(parser)


def _add_report(steps: Any) -> None:
    parser = add_command(steps, "report", _report, "figure, tables and tests of what was handed in")
    add_options(parser, ReportJob, required=True)
    add_report_options(parser)


def _create(args: Any) -> None:
    check_web("study")
    job = build_options(StudyJob, given_options(args, StudyJob))
    from vhmae.study.create import create_study

    warnings: list[str] = []
    description, _ = create_study(job, warnings.append)
    facts = {
        "clips": len(description.clips),
        "methods": list(description.methods),
        "study": str(job.output),
        "warnings": warnings,
    }
    write_report({"schema": 1, **facts}, args.json)
    print_warnings(warnings, args.quiet)
    if not args.quiet:
        clips = counted(len(description.clips), "clip")
        made = f"{job.output}: {clips}, {counted(len(description.methods), 'method')}"
        where = "" if job.database is None else " --database URL"
        print(f"{made}; start it with: vhmae study serve {job.output}{where}")


def _serve(args: Any) -> None:
    check_web("study")
    job = build_options(ServeJob, given_options(args, ServeJob))
    from vhmae.study.folder import SECRETS, open_rows, read_study
    from vhmae.study.pages import make_study_application
    from vhmae.web.secrets import read_secrets
    from vhmae.web.serving import address_of, listen, serve

    description, secrets = read_study(job.study), read_secrets(job.study / SECRETS)
    with contextlib.closing(open_rows(job.study, description, job.database)) as database:
        app = make_study_application(
            job.study, description, secrets, database, job.rate, job.https, job.prefix
        )
        bound = listen(job.host, job.port)
        where = f"{address_of(bound)}{job.prefix}"
        write_report({"schema": 1, "address": where}, args.json)
        if not args.quiet:
            print(f"{where}\norganizer: {where}/admin (token {secrets.token})", flush=True)
        serve(app, bound)


def _report(args: Any) -> None:
    check_web("study")
    job = build_options(ReportJob, given_options(args, ReportJob))
    from vhmae.study.folder import open_rows, read_study
    from vhmae.study.report import (
        participants_table,
        read_rankings,
        study_report,
        write_study_report,
    )

    description = read_study(job.study)
    with contextlib.closing(open_rows(job.study, description, job.database)) as database:
        rankings, participants = (
            read_rankings(database, description),
            participants_table(database, description),
        )
    report = study_report(rankings, job.keep_flagged)
    written = write_study_report(
        job.output or job.study / "report", description.title, report, rankings, participants
    )
    write_report(report, args.json)
    if not args.quiet:
        for row in sorted(report["methods"], key=lambda row: row["mean_rank"]["mean"]):
            print(
                f"{row['method']}: mean rank {row['mean_rank']['mean']:.2f}, ranked first "
                f"{100 * row['shares'][0]['share']:.0f} %"
            )
        print(
            f"{written[0]}: {counted(report['participants'], 'person', 'people')}, "
            f"{counted(report['rankings'], 'ranking')}; "
            f"{counted(len(report['flagged']), 'person', 'people')} flagged"
        )
