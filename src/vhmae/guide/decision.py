"""From a guide to the change of an object's map in one shot: choices first, then points, then
dials.

A choice moves where the prior stands and narrows it; points pull from there; dials turn what has
come of both. Each can be taken back without touching the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from vhmae.arrays import ColorMap, Colors, Covariance
from vhmae.guide.colors import SIZE
from vhmae.guide.dials import Dials, dial_change
from vhmae.guide.document import Choice
from vhmae.guide.prior import Prior
from vhmae.guide.takes import after, chosen
from vhmae.guide.update import Finish, PointReport, Seen, as_made, observe, report, update


@dataclasses.dataclass(frozen=True)
class Decision:
    """What is added to the answer's overall map throughout a shot."""

    change: ColorMap
    """(30,), at full strength."""
    covariance: Covariance
    """(30, 30): what is still not known of it."""
    points: tuple[PointReport, ...]


def decide(
    prior: Prior,
    seen: Sequence[Seen],
    *,
    choices: Sequence[Choice] = (),
    dials: Dials | None = None,
    colors: Colors | None = None,
    overall: ColorMap | None = None,
    strength: float = 1.0,
    finish: Finish = as_made,
) -> Decision:
    """Hear all that was said of an object in a shot.

    Args:
        choices: round by round.
        colors: (P, 3), of the foreground as it came; needed for choices and dials.
        overall: (30,) or (3, 10), the answer's map, for them as well.
        strength: of answer and change; the report tells what comes out.
        finish: what else is done to colors that are reported.
    """
    start, known = np.zeros(SIZE), prior
    answer = np.zeros(SIZE) if overall is None else np.reshape(overall, SIZE).astype(np.float64)
    shown = np.zeros((1, 3)) if colors is None else colors
    if choices:
        start, known = chosen(prior, shown, answer, choices), after(prior, len(choices))
    belief = update(known, [observe(one) for one in seen], start)
    turned = dial_change(shown, answer + belief.mean, dials) if dials else 0.0
    change = belief.mean + turned
    rows = report(known, seen, change, strength, finish)
    return Decision(change, belief.covariance, tuple(rows))


def turn_shot(
    prior: Prior,
    whole: Decision,
    dials: Dials,
    colors: Colors,
    overall: ColorMap,
    *,
    seen: Sequence[Seen] = (),
    of: Sequence[int] = (),
    rounds: int = 0,
    strength: float = 1.0,
    finish: Finish = as_made,
) -> Decision:
    """Turn the dials in one shot on top of what was heard of all of them.

    Args:
        whole: what was heard.
        colors, overall: of the shot, as :func:`decide` takes them.
        seen: all points that were heard.
        of: the places in ``seen`` of those that are this shot's, which are reported.
        rounds: of choices that were heard.
    """
    answer = np.reshape(overall, SIZE).astype(np.float64)
    change = whole.change + dial_change(colors, answer + whole.change, dials)
    rows = report(after(prior, rounds), seen, change, strength, finish, of) if of else []
    return dataclasses.replace(whole, change=change, points=tuple(rows))
