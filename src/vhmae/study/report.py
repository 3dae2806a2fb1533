"""``vhmae study report``: from the rows of the database to figures, tables and tests."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from vhmae.arrays import Array
from vhmae.errors import InputError
from vhmae.partial_output import working_folder
from vhmae.study import statistics
from vhmae.study.folder import Description
from vhmae.study.tables import INPUT, Ballot, Participant, StudyClip
from vhmae.web.database import Database
from vhmae.web.sheets import csv_text
from vhmae.web.trouble import rows_that_fit


@dataclasses.dataclass(frozen=True)
class Rankings:
    """All that was handed in. R rankings, M methods."""

    methods: tuple[str, ...]
    participants: Array
    """(R,) numbers as in the database."""
    clips: tuple[str, ...]
    """R names."""
    ranks: Array
    """(R, M): 1 the best."""
    places: Array
    """(R, M): place on the page, from 0."""
    seconds: Array
    """(R,) from the first showing to the answer."""
    clip_seconds: Array
    """(R,)."""

    def rows(self) -> Iterator[tuple[int, str, str, int, int, float, int]]:
        """Participant, clip, method, place on the page from 1, rank, seconds, and whether the
        person is flagged."""
        flagged = flags(self)
        for row in range(len(self.ranks)):
            for number, method in enumerate(self.methods):
                place, rank = int(self.places[row, number]) + 1, int(self.ranks[row, number])
                person = int(self.participants[row])
                yield (
                    person,
                    self.clips[row],
                    method,
                    place,
                    rank,
                    round(float(self.seconds[row]), 3),
                    int(person in flagged),
                )

    def select(self, kept: Array) -> Rankings:
        """Some of the rankings: (R,) bool."""
        picked = {
            name: getattr(self, name)[kept]
            for name in ("participants", "ranks", "places", "seconds", "clip_seconds")
        }
        clips = tuple(clip for clip, keep in zip(self.clips, kept, strict=True) if keep)
        return Rankings(methods=self.methods, clips=clips, **picked)


def read_rankings(database: Database, description: Description) -> Rankings:
    """Read every ranking of a study.

    Raises:
        DatabaseTrouble: if the database is damaged.
    """
    rows: list[tuple[int, str, list[int], list[int], float, float]] = []
    with database.reading() as session, rows_that_fit(database.where):
        wanted = (
            select(Ballot)
            .join(Participant, Participant.id == Ballot.participant_id)
            .where(Participant.study_id == description.id, Ballot.submitted_ms.is_not(None))
            .options(
                selectinload(Ballot.ranks),
                selectinload(Ballot.clip).selectinload(StudyClip.stimuli),
            )
            .order_by(Ballot.id)
        )
        for ballot in session.scalars(wanted):
            number_of = {
                stimulus.method: stimulus.id
                for stimulus in ballot.clip.stimuli
                if stimulus.method != INPUT
            }
            rank_of = {rank.stimulus_id: rank.rank for rank in ballot.ranks}
            ranks = [rank_of[number_of[method]] for method in description.methods]
            places = [
                ballot.stimulus_order.index(number_of[method]) for method in description.methods
            ]
            if sorted(ranks) != list(range(1, len(ranks) + 1)):
                raise ValueError("a ranking gives a rank twice, or one that is none")
            assert ballot.submitted_ms is not None
            taken = (ballot.submitted_ms - (ballot.shown_ms or ballot.submitted_ms)) / 1000.0
            rows.append(
                (
                    ballot.participant_id,
                    str(ballot.clip.name),
                    ranks,
                    places,
                    taken,
                    ballot.clip.frames / ballot.clip.fps,
                )
            )
        shape = (len(rows), len(description.methods))
        return Rankings(
            methods=description.methods,
            participants=np.array([row[0] for row in rows], np.int64),
            clips=tuple(row[1] for row in rows),
            ranks=np.array([row[2] for row in rows], np.int64).reshape(shape),
            places=np.array([row[3] for row in rows], np.int64).reshape(shape),
            seconds=np.array([row[4] for row in rows], np.float64),
            clip_seconds=np.array([row[5] for row in rows], np.float64),
        )


def flags(rankings: Rankings) -> dict[int, list[str]]:
    """Participants whose answers do not come from looking, with the reasons."""
    found = {}
    for participant in np.unique(rankings.participants):
        own = rankings.select(rankings.participants == participant)
        favorites = own.places[np.arange(len(own.ranks)), own.ranks.argmin(axis=1)]
        reasons = ["one place"] if statistics.always_one_place(favorites, len(own.methods)) else []
        reasons += ["too fast"] if statistics.too_fast(own.seconds, own.clip_seconds) else []
        if reasons:
            found[int(participant)] = reasons
    return found


def study_report(
    rankings: Rankings, keep_flagged: bool = False, resamples: int = 2000
) -> dict[str, Any]:
    """All numbers of a study; those of flagged people are left out unless they are to be kept.

    Raises:
        InputError: if there is nothing to report on.
    """
    flagged = flags(rankings)
    kept = (
        rankings
        if keep_flagged
        else rankings.select(~np.isin(rankings.participants, list(flagged)))
    )
    if not len(kept.ranks):
        why = (
            "everybody was flagged; `keep_flagged` counts them"
            if len(rankings.ranks)
            else "nothing was handed in yet"
        )
        raise InputError(f"no rankings to report on: {why}")
    people, who = np.unique(kept.participants, return_inverse=True)
    means = statistics.personal_means(kept.ranks, who)
    overall = statistics.friedman(means)
    clips = np.array(kept.clips)
    agreements = [
        statistics.kendalls_w(kept.ranks[clips == clip]) for clip in sorted(set(kept.clips))
    ]
    known = [agreement for agreement in agreements if not math.isnan(agreement)]
    return {
        "schema": 1,
        "participants": len(people),
        "rankings": len(kept.ranks),
        "clips": len(set(kept.clips)),
        "flagged": [
            {"participant": number, "reasons": reasons} for number, reasons in flagged.items()
        ],
        "flagged_kept": keep_flagged,
        "methods": _methods(kept, who, resamples),
        "friedman": None
        if overall is None
        else {"statistic": _rounded(overall[0]), "p": overall[1]},
        "wilcoxon": [
            {"methods": [kept.methods[one], kept.methods[other]], "p": p, "p_holm": corrected}
            for one, other, p, corrected in (
                statistics.wilcoxon_pairs(means) if len(people) > 1 else []
            )
        ],
        "kendalls_w": _rounded(sum(known) / len(known)) if known else None,
    }


def _methods(kept: Rankings, who: Array, resamples: int) -> list[dict[str, Any]]:
    """What people said of each method, with 95 % intervals; one person says nothing of others.

    Args:
        who: the person of each ranking, from 0.
    """
    shares = statistics.rank_shares(kept.ranks)
    strengths = statistics.plackett_luce(kept.ranks)
    draws = statistics.bootstrap(kept.ranks, who, resamples)
    share_bounds, mean_bounds = map(statistics.interval, draws)

    def bounds(pair: Array) -> list[float] | None:
        return [_rounded(bound) for bound in pair] if who.max() > 0 else None

    return [
        {
            "method": method,
            "shares": [
                {
                    "rank": rank + 1,
                    "share": _rounded(shares[m, rank]),
                    "ci95": bounds(share_bounds[:, m, rank]),
                }
                for rank in range(len(kept.methods))
            ],
            "mean_rank": {
                "mean": _rounded(kept.ranks[:, m].mean()),
                "ci95": bounds(mean_bounds[:, m]),
            },
            "strength": _rounded(strengths[m]),
        }
        for m, method in enumerate(kept.methods)
    ]


def _rounded(value: float) -> float:
    return round(float(value), 4)


def rankings_table(rankings: Rankings) -> Iterator[Sequence[Any]]:
    """Every ranking, one method a line, under a head."""
    yield ["participant", "clip", "method", "place_on_page", "rank", "seconds", "flagged"]
    yield from rankings.rows()


def participants_table(database: Database, description: Description) -> list[Sequence[Any]]:
    """Every participant under a head: how many rankings, flags, and what they answered."""
    rankings = read_rankings(database, description)
    flagged = flags(rankings)
    labels = [question.label for question in description.questions]
    rows: list[Sequence[Any]] = [["participant", "rankings", "flags", *labels]]
    with database.reading() as session, rows_that_fit(database.where):
        people = session.scalars(
            select(Participant)
            .where(Participant.study_id == description.id)
            .order_by(Participant.id)
        ).all()
        for person in people:
            handed_in = int((rankings.participants == person.id).sum())
            said = [str(person.answers.get(label, "")) for label in labels]
            rows.append([person.id, handed_in, "; ".join(flagged.get(person.id, [])), *said])
    return rows


def write_study_report(
    output: Path,
    title: str,
    report: dict[str, Any],
    rankings: Rankings,
    participants: list[Sequence[Any]],
) -> list[Path]:
    """Write ``report.json``, tables, the figure and ``index.html`` into a folder; they take their
    places when all are made."""
    import jinja2

    from vhmae.study.figure import draw_shares

    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{output}: cannot be written ({error.strerror}); choose another folder with -o"
        ) from None
    with working_folder(output / "report") as part:
        (part / "report.json").write_text(
            json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )
        shares = [["method", "rank", "share", "low", "high"]]
        for row in report["methods"]:
            shares += [
                [row["method"], one["rank"], one["share"], *(one["ci95"] or ("", ""))]
                for one in row["shares"]
            ]
        tables = {
            "shares.csv": shares,
            "rankings.csv": rankings_table(rankings),
            "participants.csv": participants,
        }
        for name, rows in tables.items():
            (part / name).write_text(csv_text(rows), encoding="utf-8", newline="")
        draw_shares(report, part / "shares.png")
        draw_shares(report, part / "shares.svg")
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )
        page = environment.get_template("report.html").render(title=title, report=report)
        (part / "index.html").write_text(page, encoding="utf-8")
        names = ("index.html", "report.json", *tables, "shares.png", "shares.svg")
        return [(part / name).replace(output / name) for name in names]
