"""``vhmae study report``: from the rows of the database to figures, tables and tests."""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from vhmae.errors import InputError
from vhmae.study import statistics
from vhmae.study.folder import Description
from vhmae.study.tables import INPUT, Ballot, Clip, Participant
from vhmae.web.database import Database

Array = np.ndarray


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

    def rows(self) -> Iterator[tuple[int, str, str, int, int, float]]:
        """Participant, clip, method, place on the page from 1, rank, seconds."""
        for row in range(len(self.ranks)):
            for number, method in enumerate(self.methods):
                place, rank = int(self.places[row, number]) + 1, int(self.ranks[row, number])
                yield int(self.participants[row]), self.clips[row], method, place, rank, round(float(self.seconds[row]), 3)

    def select(self, kept: Array) -> Rankings:
        """Some of the rankings: (R,) bool."""
        picked = {name: getattr(self, name)[kept] for name in ("participants", "ranks", "places", "seconds", "clip_seconds")}
        clips = tuple(clip for clip, keep in zip(self.clips, kept, strict=True) if keep)
        return Rankings(methods=self.methods, clips=clips, **picked)


def read_rankings(database: Database, description: Description) -> Rankings:
    """Read every ranking of a study."""
    rows: list[tuple[int, str, list[int], list[int], float, float]] = []
    with database.reading() as session:
        wanted = (
            select(Ballot).join(Participant, Participant.id == Ballot.participant_id)
            .where(Participant.study_id == description.id, Ballot.submitted_ms.is_not(None))
            .options(selectinload(Ballot.ranks), selectinload(Ballot.clip).selectinload(Clip.stimuli)).order_by(Ballot.id)
        )  # fmt: skip
        for ballot in session.scalars(wanted):
            number_of = {stimulus.method: stimulus.id for stimulus in ballot.clip.stimuli if stimulus.method != INPUT}
            rank_of = {rank.stimulus_id: rank.rank for rank in ballot.ranks}
            ranks = [rank_of[number_of[method]] for method in description.methods]
            places = [ballot.stimulus_order.index(number_of[method]) for method in description.methods]
            assert ballot.submitted_ms is not None
            taken = (ballot.submitted_ms - (ballot.shown_ms or ballot.submitted_ms)) / 1000.0
            rows.append((ballot.participant_id, ballot.clip.name, ranks, places, taken, ballot.clip.frames / ballot.clip.fps))
    shape = (len(rows), len(description.methods))
    return Rankings(
        methods=description.methods,
        participants=np.array([row[0] for row in rows], np.int64), clips=tuple(row[1] for row in rows),
        ranks=np.array([row[2] for row in rows], np.int64).reshape(shape),
        places=np.array([row[3] for row in rows], np.int64).reshape(shape),
        seconds=np.array([row[4] for row in rows], np.float64), clip_seconds=np.array([row[5] for row in rows], np.float64),
    )  # fmt: skip


def flags(rankings: Rankings) -> dict[int, list[str]]:
    """Participants whose answers do not come from looking, with the reasons."""
    found = {}
    for participant in np.unique(rankings.participants):
        own = rankings.select(rankings.participants == participant)
        favourites = own.places[np.arange(len(own.ranks)), own.ranks.argmin(axis=1)]
        reasons = ["one place"] if statistics.always_one_place(favourites, len(own.methods)) else []
        reasons += ["too fast"] if statistics.too_fast(own.seconds, own.clip_seconds) else []
        if reasons:
            found[int(participant)] = reasons
    return found


def study_report(rankings: Rankings, keep_flagged: bool = False, resamples: int = 2000) -> dict[str, Any]:
    """All numbers of a study; those of flagged people are left out unless they are to be kept.

    Raises:
        InputError: if there is nothing to report on.
    """
    flagged = flags(rankings)
    kept = rankings if keep_flagged else rankings.select(~np.isin(rankings.participants, list(flagged)))
    if not len(kept.ranks):
        why = "everybody was flagged; --keep-flagged counts them" if len(rankings.ranks) else "nothing was handed in yet"
        raise InputError(f"no rankings to report on: {why}")
    people, who = np.unique(kept.participants, return_inverse=True)
    shares = statistics.rank_shares(kept.ranks)
    share_draws, mean_draws = statistics.bootstrap(kept.ranks, who, resamples)
    share_bounds, mean_bounds = statistics.interval(share_draws), statistics.interval(mean_draws)
    means = statistics.personal_means(kept.ranks, who)
    strengths = statistics.plackett_luce(kept.ranks)
    rounded = functools.partial(round, ndigits=4)
    methods = [
        {
            "method": method,
            "shares": [
                {"rank": rank + 1, "share": rounded(float(shares[m, rank])), "ci95": [rounded(float(b)) for b in share_bounds[:, m, rank]]}
                for rank in range(len(kept.methods))
            ],
            "mean_rank": {"mean": rounded(float(kept.ranks[:, m].mean())), "ci95": [rounded(float(b)) for b in mean_bounds[:, m]]},
            "strength": rounded(float(strengths[m])),
        }
        for m, method in enumerate(kept.methods)
    ]
    overall = statistics.friedman(means)
    clips = np.array(kept.clips)
    agreements = [statistics.kendalls_w(kept.ranks[clips == clip]) for clip in sorted(set(kept.clips))]
    known = [agreement for agreement in agreements if not math.isnan(agreement)]
    return {
        "schema": 1, "participants": len(people), "rankings": len(kept.ranks), "clips": len(set(kept.clips)),
        "flagged": [{"participant": number, "reasons": reasons} for number, reasons in flagged.items()],
        "flagged_kept": keep_flagged, "methods": methods,
        "friedman": None if overall is None else {"statistic": rounded(overall[0]), "p": overall[1]},
        "wilcoxon": [
            {"methods": [kept.methods[one], kept.methods[other]], "p": p, "p_holm": corrected}
            for one, other, p, corrected in (statistics.wilcoxon_pairs(means) if len(people) > 1 else [])
        ],
        "kendalls_w": rounded(sum(known) / len(known)) if known else None,
    }  # fmt: skip


def write_study_report(output: Path, title: str, report: dict[str, Any], rankings: Rankings) -> list[Path]:
    """Write ``report.json``, ``shares.csv``, ``rankings.csv``, ``shares.png``, ``shares.svg`` and ``index.html`` into a folder."""
    import jinja2

    from vhmae.study.figure import draw_shares

    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be made ({error.strerror}); choose another folder with -o") from None
    (output / "report.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with (output / "shares.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["method", "rank", "share", "low", "high"])
        for row in report["methods"]:
            writer.writerows([row["method"], one["rank"], one["share"], *one["ci95"]] for one in row["shares"])
    with (output / "rankings.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["participant", "clip", "method", "place_on_page", "rank", "seconds"])
        writer.writerows(rankings.rows())
    draw_shares(report, output / "shares.png")
    draw_shares(report, output / "shares.svg")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("report.html").render(title=title, report=report)
    (output / "index.html").write_text(page, encoding="utf-8")
    return [output / name for name in ("index.html", "report.json", "shares.csv", "rankings.csv", "shares.png", "shares.svg")]
