"""``vhmae study create``, ``serve`` and ``report``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from vhmae.cli.parser import (
    METHOD_FORMS,
    Parser,
    add_command,
    add_database_option,
    add_report_options,
    add_serve_options,
    check_web,
    natural,
    positive,
    write_report,
)
from vhmae.errors import InputError, counted


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
    parser.add_argument(
        "--input",
        type=Path,
        required=True,
        metavar="DIR|VIDEO",
        help="the composites, or a set in the HYouTube layout",
    )
    parser.add_argument(
        "--method",
        action="append",
        required=True,
        metavar=METHOD_FORMS,
        help="LABEL=DIR or LABEL=VIDEO for results under the same names; or a method as in "
        "evaluate, run on the clips; repeat it",
    )
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="DIR|VIDEO",
        help="the masks, for methods that are run (a set has its own)",
    )
    parser.add_argument(
        "--clips", type=positive, default=20, metavar="N", help="how many are drawn (20)"
    )
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="length of a clip, from its middle (2)"
    )
    parser.add_argument(
        "--lines",
        type=positive,
        default=720,
        metavar="N",
        help="lines that are shown at most (720)",
    )
    parser.add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="draws the clips (0); orders come of a secret",
    )
    parser.add_argument("--title", default="Which looks most natural?")
    parser.add_argument(
        "--consent", type=Path, metavar="FILE", help="what participants agree to, as text"
    )
    parser.add_argument(
        "--ask",
        action="append",
        default=[],
        metavar="QUESTION[:A|B|...]",
        help="ask each participant; with choices or in free text",
    )
    parser.add_argument(
        "--weights", default="default", metavar="NAME|PATH", help="of vhmae, where it is run"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="STUDY")
    add_database_option(parser)
    add_report_options(parser)


def _add_serve(steps: Any) -> None:
    parser = add_command(steps, "serve", _serve, "serve a study's pages until Ctrl-C")
    parser.set_defaults(kept_when_stopped="what was handed in is kept; vhmae study report reads it")
    parser.add_argument("study", type=Path, metavar="STUDY")
    add_serve_options(parser)
    add_report_options(parser)


def _add_report(steps: Any) -> None:
    parser = add_command(steps, "report", _report, "figure, tables and tests of what was handed in")
    parser.add_argument("study", type=Path, metavar="STUDY")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="(STUDY/report)")
    parser.add_argument(
        "--keep-flagged", action="store_true", help="count people who did not look, too"
    )
    add_database_option(parser)
    add_report_options(parser)


def _create(args: Any) -> None:
    check_web("study")
    from vhmae.study.create import CONSENT, StudyJob, create_study

    try:
        consent = args.consent.read_text(encoding="utf-8") if args.consent is not None else CONSENT
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--consent {args.consent}: cannot be read as text ({error}); give a UTF-8 file"
        ) from None
    description, _ = create_study(
        StudyJob(
            input=args.input,
            methods=[_method(text) for text in args.method],
            output=args.output,
            masks=args.mask,
            clips=args.clips,
            seconds=args.seconds,
            lines=args.lines,
            seed=args.seed,
            title=args.title,
            consent=consent,
            questions=[_question(text) for text in args.ask],
            database=args.database,
            weights=args.weights,
        )
    )
    facts = {
        "clips": len(description.clips),
        "methods": list(description.methods),
        "study": str(args.output),
    }
    write_report({"schema": 1, **facts}, args.json)
    if not args.quiet:
        clips = counted(len(description.clips), "clip")
        made = f"{args.output}: {clips}, {counted(len(description.methods), 'method')}"
        where = "" if args.database is None else " --database URL"
        print(f"{made}; start it with: vhmae study serve {args.output}{where}")


def _method(text: str) -> tuple[str, Path | str]:
    from vhmae.evaluation.methods import read_method_text

    method = read_method_text(text)
    return method.label, method.finished or method.source


def _question(text: str) -> Any:
    from vhmae.study.folder import Question

    label, _, choices = " ".join(text.split()).partition(":")
    kept = tuple(choice.strip() for choice in choices.split("|") if choice.strip())
    if not 0 < len(label.strip()) <= 200 or any(len(choice) > 200 for choice in kept):
        raise InputError(
            f"--ask {text[:40]}: expected QUESTION or QUESTION:ANSWER|ANSWER, each of 1 to 200 "
            "letters"
        )
    return Question(label=label.strip(), choices=kept)


def _serve(args: Any) -> None:
    check_web("study")
    from vhmae.study.folder import SECRETS, open_rows, read_study
    from vhmae.study.pages import make_study_application
    from vhmae.web.secrets import read_secrets
    from vhmae.web.serving import address_of, listen, serve

    description, secrets = read_study(args.study), read_secrets(args.study / SECRETS)
    with contextlib.closing(open_rows(args.study, description, args.database)) as database:
        app = make_study_application(
            args.study, description, secrets, database, args.rate, args.https, args.prefix
        )
        bound = listen(args.host, args.port)
        where = f"{address_of(bound)}{args.prefix}"
        if not args.quiet:
            print(f"{where}\norganizer: {where}/admin (token {secrets.token})", flush=True)
        serve(app, bound)


def _report(args: Any) -> None:
    check_web("study")
    from vhmae.study.folder import open_rows, read_study
    from vhmae.study.report import (
        participants_table,
        read_rankings,
        study_report,
        write_study_report,
    )

    description = read_study(args.study)
    with contextlib.closing(open_rows(args.study, description, args.database)) as database:
        rankings, participants = (
            read_rankings(database, description),
            participants_table(database, description),
        )
    report = study_report(rankings, args.keep_flagged)
    written = write_study_report(
        args.output or args.study / "report", description.title, report, rankings, participants
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
