"""What a word of a person is worth: simulated users on sets whose truth is known (docs/results.md).

python benchmarks/guided.py --sets SETS --of dev-two dev-camera [--prior FILE] [--weights NAME]
[--json FILE]

SETS holds sets in the HYouTube layout. Users point at random places of the foreground: they know
the right color but for their eye's error, or the place of the background that comes nearest to it,
or that a thing is gray, or how bright it should be; others choose the best of six takes, once or
twice, by an eye that errs by 30 % of each take's error. Ratios are of means of fMSE over videos, to
the untouched composite, with 95 % intervals by bootstrap over videos; seeds are averaged. About a
minute a set of 60.

With --json, each set is written as it ends, among those of the file that the same weights, prior
and settings were measured on. docs/results.md: benchmarks/tables.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hardware import describe
from provenance import facts_of, rests_on

from vhmae.digest import file_digest
from vhmae.engine.harmonizer import Harmonizer
from vhmae.evaluation.leftovers import Leftover, read_leftovers
from vhmae.evaluation.pooling import bootstrap
from vhmae.guide.colors import LEVELS, LUMA, added, to_light
from vhmae.guide.decision import decide
from vhmae.guide.document import MOST_STOPS, Choice, Color, Point
from vhmae.guide.prior import Prior, prior_beside, read_prior
from vhmae.guide.takes import takes
from vhmae.guide.update import Seen
from vhmae.model.files import find_weights
from vhmae.partial_output import write_text_whole

Array = np.ndarray
COUNTS = (0, 1, 2, 3, 5)
ERRORS = (4.0, 12.0, 24.0)
"""Of the eye, in levels of 255, each channel."""
GRAY_LEVELS = 12.0
"""A thing with less chroma than this may be called gray."""
LIKE_LEVELS = 12.0
"""Nobody says that a thing should look like what it is further from than this, root mean square."""
JUDGE = 0.3
"""A judge takes a take's error for so much more or less: one deviation."""
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class User:
    """Someone who says points of one kind."""

    kind: str
    error: float

    def says(self, left: Leftover, rng: np.random.Generator, count: int) -> list[Seen]:
        """Points at random places, the first of them the same whatever the count."""
        seen: list[Seen] = []
        for place in rng.permutation(len(left.places)):
            noise = rng.normal(0.0, self.error / LEVELS, 3)
            one = self._word(left, left.places[place], noise, len(seen) + 1)
            if one is not None and len(seen) < count:
                seen.append(one)
            if len(seen) == count:
                break
        return seen

    def _word(self, left: Leftover, place: Array, noise: Array, number: int) -> Seen | None:
        composite, answer, target = place
        point, goal = None, None
        if self.kind == "target":
            goal = np.clip(target + noise, 0.0, 1.0)
            point = Point(kind="target", at=(0, 0), to=_color(goal))
        elif self.kind == "match":
            apart = np.square(left.background - target).sum(axis=1)
            if float(apart.min()) <= 3.0 * (LIKE_LEVELS / LEVELS) ** 2:
                goal = left.background[int(apart.argmin())]
                point = Point(kind="match", at=(0, 0), to=(0, 0))
        elif self.kind == "neutral":
            if np.ptp(target) * LEVELS <= GRAY_LEVELS:
                point = Point(kind="neutral", at=(0, 0))
        else:
            wanted, now = (max(float(LUMA @ color), 1e-3) for color in (target + noise, answer))
            stops = float(np.log2(to_light(np.array(wanted)) / to_light(np.array(now))))
            point = Point(
                kind="brightness", at=(0, 0), to=float(np.clip(stops, -MOST_STOPS, MOST_STOPS))
            )
        return None if point is None else Seen(point, number, 0, composite, answer, goal)


def fmse(left: Leftover, change: Array | None) -> float:
    """The error with a change of the map; None is the untouched composite."""
    if change is None:
        colors = left.composite
    else:
        colors = np.clip(left.answer + added(left.composite, change), 0.0, 1.0)
    return float(np.square((colors - left.target) * LEVELS).mean())


def after_points(prior: Prior, user: User, count: int, left: Leftover, seed: int) -> Array:
    """The change that a user's points lead to."""
    return decide(prior, user.says(left, np.random.default_rng(seed), count)).change


def after_choices(
    prior: Prior, rounds: int, eye: float, points: int, left: Leftover, seed: int
) -> Array:
    """The change that a judge's choices lead to, and points that are said afterwards."""
    rng = np.random.default_rng([seed, 7])
    begin: Array | None = None
    choices: list[Choice] = []
    for round_ in range(1, rounds + 1):
        shown = takes(prior, left.composite, left.overall.ravel(), 6, round_, begin)
        judged = [fmse(left, one.change) * max(0.0, 1.0 + rng.normal(0.0, eye)) for one in shown]
        choices.append(Choice(chosen=int(np.argmin(judged)) + 1, round=round_))
        begin = shown[choices[-1].chosen - 1].change
    seen = User("target", 12.0).says(left, np.random.default_rng(seed), points)
    return decide(prior, seen, choices=choices, colors=left.composite, overall=left.overall).change


Guided = Callable[[Leftover, int], Array]
"""A composite and a seed -> the change of its map."""


def errors_of(lefts: Sequence[Leftover], guided: Guided, seed: int) -> Array:
    """fMSE of each composite: (N,)."""
    seeds = [seed * len(lefts) + number for number in range(len(lefts))]
    changes = [guided(left, own) for left, own in zip(lefts, seeds, strict=True)]
    return np.array([fmse(left, one) for left, one in zip(lefts, changes, strict=True)])


def summary(errors: Array, base: Array, videos: Sequence[str]) -> Row:
    """Ratio with its interval, thirds (weakest mismatch first) and the share that is made worse.

    Args:
        errors: (seeds, N), averaged over seeds.
        base: (N,), of the untouched composites.
    """
    mean = errors.mean(axis=0)
    parts = np.array_split(np.argsort(base, kind="stable"), 3)
    ends, starts = _video_means(mean, videos), _video_means(base, videos)

    def ratio(drawn: Array) -> Array:
        found: Array = ends[drawn].mean(axis=-1) / starts[drawn].mean(axis=-1)
        return found

    return {
        "ratio": round(float(ends.mean() / starts.mean()), 4),
        "ratio_ci95": bootstrap(ratio, len(ends)),
        "worse": round(float((errors > base).mean()), 4),
        "thirds": [round(float(mean[part].sum() / base[part].sum()), 3) for part in parts],
    }


def table(lefts: Sequence[Leftover], prior: Prior, seeds: int) -> list[Row]:
    """All rows of one set."""
    base = np.array([fmse(left, None) for left in lefts])
    users = [User("target", error) for error in ERRORS]
    users += [User(kind, 12.0) for kind in ("match", "neutral", "brightness")]
    videos = [left.video for left in lefts]
    rows: list[Row] = []

    def add(guided: Guided, **told: Any) -> None:
        errors = np.stack([errors_of(lefts, guided, seed) for seed in range(seeds)])
        rows.append({**told, **summary(errors, base, videos)})

    for user in users:
        for count in COUNTS if user.kind == "target" else COUNTS[1:4]:
            add(functools.partial(after_points, prior, user, count), **vars(user), points=count)
    for rounds, eye, points in ((1, 0.0, 0), (1, JUDGE, 0), (2, JUDGE, 0), (1, JUDGE, 1)):
        told = {"kind": "choices", "eye": eye, "rounds": rounds, "points": points}
        add(functools.partial(after_choices, prior, rounds, eye, points), **told)
    return rows


def seconds_a_point(lefts: Sequence[Leftover], prior: Prior) -> float:
    """Median time of one update of one point."""
    taken = []
    for number, left in enumerate(lefts[:50]):
        seen = User("target", 12.0).says(left, np.random.default_rng(number), 1)
        began = time.perf_counter()
        decide(prior, seen)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def kept_sets(path: Path | None, facts: Row, of: Sequence[str]) -> dict[str, Row]:
    """The sets of a file that stand, by name, in their order.

    Raises:
        ValueError: where they were measured with other weights, another prior or other settings,
            and are not all measured anew.
    """
    if path is None or not path.exists():
        return {}
    kept = json.loads(path.read_text())
    others = [one["data"] for one in kept["sets"] if one["data"] not in of]
    changed = [name for name, value in facts.items() if kept.get(name) != value]
    if changed and others:
        raise ValueError(
            f"--json {path}: was measured with another {changed[0]}; name {', '.join(others)} "
            "in --of, too, or another file"
        )
    hardware = {"hardware": kept["hardware"]} if "hardware" in kept else {}
    return {} if changed else {one["data"]: {**hardware, **one} for one in kept["sets"]}


def _color(values: Array) -> Color:
    return float(values[0]), float(values[1]), float(values[2])


def _video_means(values: Array, videos: Sequence[str]) -> Array:
    by_video: dict[str, list[float]] = {}
    for video, value in zip(videos, values.tolist(), strict=True):
        by_video.setdefault(video, []).append(value)
    return np.array([np.mean(rows) for rows in by_video.values()])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--of", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--prior", type=Path)
    parser.add_argument("--caution", type=float, default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    prior = read_prior(args.prior or prior_beside(find_weights(args.weights)))
    harmonizer = Harmonizer.from_pretrained(args.weights, caution=args.caution, cut_detection=False)
    facts: Row = {
        "schema": 1,
        "weights": args.weights,
        "weights_sha256": file_digest(find_weights(args.weights)),
        "prior": prior.provenance,
        "caution": harmonizer.caution,
        "seeds": args.seeds,
    }
    try:
        sets = kept_sets(args.json, facts, args.of)
    except ValueError as error:
        parser.error(str(error))
    text = ""
    for name in args.of:
        lefts = list(read_leftovers(args.sets / name, harmonizer))
        rows = table(lefts, prior, args.seeds)
        seconds = round(seconds_a_point(lefts, prior), 5)
        videos = len({left.video for left in lefts})
        told: Row = {"data": name, "composites": len(lefts), "videos": videos}
        told["hardware"] = describe()
        told |= rests_on(args.sets / name, facts_of(args.weights, caution=harmonizer.caution))
        sets[name] = {**told, "seconds_a_point": seconds, "rows": rows}
        text = json.dumps({**facts, "sets": list(sets.values())}, indent=1)
        if args.json is not None:
            write_text_whole(args.json, text + "\n")
    print(text)


if __name__ == "__main__":
    main()
