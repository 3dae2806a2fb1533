"""From a guide to the change of an object's map in one shot: points and choices in the order in
which they were said, then dials.

Points pull from where the prior stands and narrow it; the takes of a round stand round what has
come of that, along what is still least certain, and a choice moves there. Dials turn what has come
of both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vhmae.arrays import ColorMap, Colors, Covariance
from vhmae.guide.colors import SIZE
from vhmae.guide.dials import Dials, dial_change
from vhmae.guide.document import Choice
from vhmae.guide.prior import Prior
from vhmae.guide.takes import after, takes
from vhmae.guide.update import (
    Finish,
    Observation,
    PointReport,
    Seen,
    as_made,
    observe,
    report,
    update,
)


@dataclasses.dataclass(frozen=True)
class Decision:
    """What is added to the answer's overall map throughout a shot."""

    change: ColorMap
    """(30,), at full strength."""
    covariance: Covariance
    """(30, 30): what is still not known of it."""
    remaining: Covariance
    """(30, 30): what is not known after such words, whatever they say: how sure people are told
    that the answer is."""
    points: tuple[PointReport, ...]
    word: str | None = None
    """What the take is that was chosen last, in a word; None without a choice."""
    told: tuple[Observation, ...] = ()
    """What each of its points was heard as, in their order."""

    @property
    def has_words(self) -> bool:
        """Whether a point or a choice was heard, and not dials alone."""
        return bool(self.told) or self.word is not None


class Scene(NamedTuple):
    """A foreground in a frame."""

    colors: Colors
    """(P, 3), as it came."""
    overall: ColorMap
    """(30,) or (3, 10), the answer's map."""


def decide(
    prior: Prior,
    seen: Sequence[Seen],
    *,
    choices: Sequence[Choice] = (),
    dials: Dials | None = None,
    colors: Colors | None = None,
    overall: ColorMap | None = None,
    scenes: Mapping[int, Scene] | None = None,
    strength: float = 1.0,
    finish: Finish = as_made,
) -> Decision:
    """Hear all that was said of an object in a shot.

    Args:
        choices: in the order in which they were made, each after the points that its
            ``after_points`` counts; each next one is finer, whichever frame it was made at.
        colors: (P, 3), of the foreground as it came; needed for choices and dials.
        overall: (30,) or (3, 10), the answer's map, for them as well.
        scenes: of the frames that choices were made at; others are as ``colors`` and ``overall``
            say.
        strength: of answer and change; the report tells what comes out.
        finish: what else is done to colors that are reported.
    """
    answer = np.zeros(SIZE) if overall is None else np.reshape(overall, SIZE).astype(np.float64)
    shown = np.zeros((1, 3)) if colors is None else colors
    stood = _Standing(prior, prior, np.zeros(SIZE))
    for choice in choices:
        scene = (scenes or {}).get(choice.frame, Scene(shown, answer))
        stood = stood.told(seen, choice.after_points).chose(choice, scene)
    last = stood.unheard(seen)
    belief = update(stood.left, last, stood.start)
    turned = dial_change(shown, answer + belief.mean, dials) if dials else 0.0
    change = belief.mean + turned
    told = (*stood.words, *last)
    rows = report(after(prior, len(choices)), seen, change, strength, finish, told=told)
    return Decision(change, belief.covariance, belief.remaining, tuple(rows), stood.word, told)


@dataclasses.dataclass(frozen=True)
class _Standing:
    """What has come of the first of the points and choices."""

    prior: Prior
    known: Prior
    """What a first round of takes would be made along."""
    start: ColorMap
    """(30,): the change by now."""
    rounds: int = 0
    heard: int = 0
    """The number of the last point that was heard, in order of saying."""
    word: str | None = None
    words: tuple[Observation, ...] = ()
    """What the points so far were heard as."""
    chosen: ColorMap | None = None
    """(30,): the change of the take that was chosen last, from which words count that say how much
    brighter."""

    @property
    def left(self) -> Prior:
        """What is still not known."""
        return after(self.known, self.rounds)

    def unheard(self, seen: Sequence[Seen], until: float = math.inf) -> list[Observation]:
        """The points that were not heard yet, those up to a number."""
        return [observe(one, self.chosen) for one in seen if self.heard < one.number <= until]

    def told(self, seen: Sequence[Seen], until: int) -> _Standing:
        """After the points up to a number."""
        told = self.unheard(seen, until)
        if not told:
            return self
        belief = update(self.left, told, self.start)
        # The next round's takes are finer still: `left` is to be what is believed now.
        finer = after(Prior(belief.covariance, np.ones(1), np.ones(1)), self.rounds)
        known = Prior(belief.covariance / finer.scales**2, np.ones(1), np.ones(1))
        words = (*self.words, *told)
        return dataclasses.replace(self, known=known, start=belief.mean, heard=until, words=words)

    def chose(self, choice: Choice, scene: Scene) -> _Standing:
        """After a choice among the takes of the next round."""
        answer = np.reshape(scene.overall, SIZE).astype(np.float64)
        shown = takes(self.known, scene.colors, answer, choice.of, self.rounds + 1, self.start)
        take = shown[choice.chosen - 1]
        # Who goes back to the composite takes back what the points had said, too.
        known = self.prior if take.word == "untouched" else self.known
        return dataclasses.replace(
            self,
            known=known,
            start=take.change,
            chosen=take.change,
            rounds=self.rounds + 1,
            word=take.word,
        )


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
    told = whole.told or None
    rows = report(after(prior, rounds), seen, change, strength, finish, of, told) if of else []
    return dataclasses.replace(whole, change=change, points=tuple(rows))
