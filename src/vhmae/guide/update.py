"""Words as observations of the change that an answer lacks, and the update that follows from them.

The change d has the prior d ~ sum_k w_k N(m, s_k^2 L L'); words say H d = r with independent errors
of variance R. The update is closed form, in the prior's own coordinates z (d = m + L z): with G =
L'H'R^-1 H L and b = L'H'R^-1 (r - H m),

    z_k = (G + 1 / s_k^2)^-1 b
    log p_k = log w_k - 1/2 sum log(1 + s_k^2 g) + 1/2 b' z_k + const

g the eigenvalues of G. Only 30 x 30 matrices occur, however many words there are, and what is
inverted is positive definite whatever they say. (Kalman's update in its information form; Bishop,
PRML, section 3.3.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from vhmae.arrays import Color, ColorMap, Covariance, Numbers
from vhmae.guide.colors import LEVELS, LUMA, SIZE, from_light, rows_at, to_light
from vhmae.guide.document import Point, Shots
from vhmae.guide.prior import Prior

EYE_LEVELS = 12.0
"""How far a person's word is off, in levels of 255: one deviation."""
MAP_LEVELS = 7.0
"""What no quadratic map of a whole shot can do at one place, likewise."""
VARIANCE = (EYE_LEVELS**2 + MAP_LEVELS**2) / LEVELS**2
DEVIATIONS = 3.0
"""Words that are left over by more than this contradict others."""
MOST_PARTNERS = 256
"""Of so many words, those that are left over most, the one is named that another contradicts."""
CLIPPED = 0.5 / LEVELS
"""A color this far outside [0, 1] is cut off visibly."""

COLOR = np.eye(3)
GRAY = np.array([[-1.0, 1.0, 0.0], [0.0, -1.0, 1.0]])
"""G - R and B - G."""
DARKEST = 1e-3
"""Of a goal, whose hue says nothing where it is darker."""
HUE_SCALES = (0.25, 4.0)
"""A goal's hue is taken over to what is up to two stops darker or brighter."""
CHROMA = np.eye(3)[[0, 2]] - LUMA
"""R - Y and B - Y."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """A point as the picture shows it: means over a small disk inside the matte, sRGB-encoded."""

    point: Point
    number: int
    """Of the point in its guide, from 1."""
    shot: int
    composite: Color
    """(3,)."""
    answer: Color
    """(3,): what the network makes of it at full strength, not clipped."""
    goal: Color | None = None
    """(3,): the color that the point is told to take after, as it stands at a place or in a
    word."""
    share: float = 1.0
    """How much of its change the frame is given: less of it in a fade."""


@dataclasses.dataclass(frozen=True)
class Observation:
    """``measure @ color = wanted`` at a place, whatever the color is made of."""

    measure: Numbers
    """(M, 3): the parts of the color that the word is about."""
    wanted: Numbers
    """(M,)."""
    composite: Color
    answer: Color
    variance: float

    @property
    def rows(self) -> Numbers:
        """H: (M, 30)."""
        return self.measure @ rows_at(self.composite)

    @property
    def values(self) -> Numbers:
        """r: (M,)."""
        return self.wanted - self.measure @ self.answer

    def made(self, change: ColorMap) -> Color:
        """The color at the place with a change of the map (30,), not clipped: (3,)."""
        return self.answer + rows_at(self.composite) @ change

    def left(self, color: Color) -> Numbers:
        """What is left to be done where the place has this color: (M,)."""
        return self.wanted - self.measure @ color


def observe(seen: Seen, start: ColorMap | None = None) -> Observation:
    """What a point says of the change that the answer lacks.

    Args:
        start: (30,), the change that a choice has made by then, from which "half a stop brighter"
            counts; None is no change.
    """
    point, answer, goal = seen.point, seen.answer, seen.goal
    now = answer if start is None else answer + rows_at(seen.composite) @ start
    measure = {"neutral": GRAY, "brightness": LUMA[None], "hue": CHROMA}.get(point.kind, COLOR)
    if point.kind == "keep":
        wanted = seen.composite
    elif point.kind == "neutral":
        wanted = np.zeros(2)
    elif point.stops is not None:
        light = to_light(LUMA @ now) * 2.0**point.stops
        wanted = from_light(light)[None]
    else:
        assert goal is not None, "a point that takes after something"
        # A hue is told of another brightness, too: the same proportions at the brightness that is
        # there.
        scale = 1.0
        if point.kind == "hue":
            scale = float(np.clip(LUMA @ now / max(LUMA @ goal, DARKEST), *HUE_SCALES))
        wanted = measure @ (scale * goal)
    return Observation(measure, wanted, seen.composite, answer, VARIANCE / point.weight)


@dataclasses.dataclass(frozen=True)
class Gathered:
    """All words about one change, in the prior's coordinates."""

    values: Numbers
    """(30,): eigenvalues of G."""
    vectors: Numbers
    """(30, 30): its eigenvectors, in columns."""
    pull: Numbers
    """(30,): b in these eigenvectors."""

    @classmethod
    def of(cls, root: Covariance, rows: Numbers, values: Numbers, variances: Numbers) -> Gathered:
        """Gather words.

        Args:
            root: L, (30, 30).
            rows, values, variances: H (M, 30), r - H m (M,), the diagonal of R (M,).
        """
        scaled = (rows @ root) / np.sqrt(variances)[:, None]
        return cls._of_sums(scaled.T @ scaled, scaled.T @ (values / np.sqrt(variances)))

    @classmethod
    def of_sums(cls, root: Covariance, information: Covariance, pull: Numbers) -> Gathered:
        """Gather words that are summed up.

        Args:
            root: L, (30, 30).
            information, pull: H'R^-1 H (30, 30) and H'R^-1 (r - H m) (30,).
        """
        return cls._of_sums(root.T @ information @ root, root.T @ pull)

    @classmethod
    def _of_sums(cls, information: Covariance, pull: Numbers) -> Gathered:
        found, vectors = np.linalg.eigh(information)
        return cls(np.maximum(found, 0.0), vectors, vectors.T @ pull)

    def narrowed(self, scales: Numbers) -> Numbers:
        """What is left of the variances of z along the eigenvectors, at each scale: (K, 30)."""
        squared = scales[:, None] ** 2
        narrowed: Numbers = squared / (1.0 + squared * self.values)
        return narrowed

    def likelihoods(self, scales: Numbers) -> Numbers:
        """The logarithm of how likely the words are at each scale, (K,), up to one constant."""
        spread = np.log1p(scales[:, None] ** 2 * self.values).sum(axis=1)
        return 0.5 * (self.narrowed(scales) * self.pull**2).sum(axis=1) - 0.5 * spread

    def odds(self, weights: Numbers, scales: Numbers) -> Numbers:
        """How likely each scale is after the words: (K,), sums to 1.

        Args:
            weights: (K,), how likely it was beforehand.
        """
        with np.errstate(divide="ignore"):  # a scale may have no weight
            odds = np.log(weights) + self.likelihoods(scales)
        likely = np.exp(odds - odds.max())
        return likely / likely.sum()


@dataclasses.dataclass(frozen=True)
class Belief:
    """What is known of the change after the words."""

    mean: ColorMap
    """(30,)."""
    covariance: Covariance
    """(30, 30)."""
    remaining: Covariance
    """(30, 30): what such words leave, whatever they say. What surprises widens the covariance, but
    nobody is to be told that an answer is less sure for a word about it."""
    weights: Numbers
    """(K,): how likely each scale is now."""


def update(prior: Prior, told: Sequence[Observation], start: ColorMap | None = None) -> Belief:
    """The change of the map after all words, in closed form.

    Args:
        start: m, (30,): where the prior stands; None is no change.
    """
    begin = np.zeros(SIZE) if start is None else start
    if not told:
        return Belief(begin, prior.spread, prior.spread, prior.weights)
    rows = np.concatenate([one.rows for one in told])
    values = np.concatenate([one.values for one in told]) - rows @ begin
    variances = np.concatenate([np.full(len(one.wanted), one.variance) for one in told])
    gathered = Gathered.of(prior.root, rows, values, variances)
    weights, narrowed = gathered.odds(prior.weights, prior.scales), gathered.narrowed(prior.scales)
    centers = narrowed * gathered.pull  # (K, 30)
    center = weights @ centers
    apart = centers - center
    within = np.diag(weights @ narrowed) + (apart.T * weights) @ apart
    basis = prior.root @ gathered.vectors
    remaining = (basis * (prior.weights @ narrowed)) @ basis.T
    return Belief(begin + basis @ center, basis @ within @ basis.T, remaining, weights)


# --- objects and shots

Key = tuple[int, int | None]
"""Object from 1, and number of the shot; None stands for all shots."""
Ruled = TypeVar("Ruled")


def by_shot(seen: Sequence[Seen], shots: Shots) -> dict[Key, list[Seen]]:
    """Points sorted by what they rule: each its object, in its shot or in all of them."""
    sorted_: dict[Key, list[Seen]] = {}
    for one in seen:
        key = (one.point.object, None if shots == "all" else one.shot)
        sorted_.setdefault(key, []).append(one)
    return sorted_


def found_for(ruled: Mapping[Key, Ruled], object_number: int, shot: int) -> Ruled | None:
    """What holds for an object in a shot, such as its change: what was said of the shot itself
    before what was said of all; None where nothing was said."""
    return ruled.get((object_number, shot), ruled.get((object_number, None)))


# --- what came of it


@dataclasses.dataclass(frozen=True)
class PointReport:
    """What was asked at a point, and what came out."""

    number: int
    words: str
    composite: Color
    """(3,): the color as it came."""
    answer: Color
    """(3,): without the guide."""
    got: Color
    """(3,): with it, clipped."""
    levels_left: float
    """Of what was asked: root mean square over its parts, in levels of 255."""
    clipped: bool
    """Whether the color that comes out is cut off at black or white, and is not what was asked."""
    contradicts: int | None
    """Number of another point that asks for something else, where this one is left over by more
    than three deviations."""


Finish = Callable[[Color, Color], Color]
"""A color (3,) as it came and what was made of it, clipped, to what the picture shows of it, not
clipped: where some of it is kept, say."""


def as_made(composite: Color, made: Color) -> Color:
    """What is made of a color is shown as it is."""
    return made


def report(
    prior: Prior,
    seen: Sequence[Seen],
    change: ColorMap,
    strength: float = 1.0,
    finish: Finish = as_made,
    of: Sequence[int] | None = None,
    told: Sequence[Observation] | None = None,
) -> list[PointReport]:
    """What came of points of one object in one shot.

    Args:
        change: (30,), all that is added to the answer's map: of points, choices and dials.
        strength: of answer and change, 0 to 1.
        finish: what else is done to the colors.
        of: the places in ``seen`` of those that are told of; None is all.
        told: what each of them was heard as; None is what it says of the answer.
    """
    told = [observe(one) for one in seen] if told is None else told
    against = contradictions(prior, told)
    rows = []
    for place in range(len(seen)) if of is None else of:
        one, word = seen[place], told[place]
        part = strength * one.share
        made = one.composite + part * (word.made(change) - one.composite)
        color = finish(one.composite, np.clip(made, 0.0, 1.0))
        got = np.clip(color, 0.0, 1.0)
        left = _rms(word.left(got))
        beyond = np.maximum(np.abs(made - np.clip(made, 0.0, 1.0)), np.abs(color - got))
        # Black that was to be black is not cut off; of a part of the way, more is left anyway.
        uncut = 0.0 if part == 1.0 else _rms(word.left(finish(one.composite, made)))
        clipped = bool((beyond > CLIPPED).any()) and left > uncut + LEVELS * CLIPPED
        other = against[place]
        rows.append(
            PointReport(
                one.number,
                one.point.words(),
                one.composite,
                one.answer,
                got,
                left,
                clipped,
                None if other is None else seen[other].number,
            )
        )
    return rows


def _rms(parts: Numbers) -> float:
    """The root mean square of what is left, in levels."""
    return float(LEVELS * np.sqrt(np.square(parts).mean()))


def contradictions(prior: Prior, told: Sequence[Observation]) -> list[int | None]:
    """For each word, which other one keeps it from being heard: if all together leave it over that
    alone is not, the one beside which alone most of it is left."""
    if len(told) < 2:
        return [None] * len(told)
    mean = update(prior, told).mean
    over = [_left_over(word, mean) for word in told]
    largest = sorted(range(len(told)), key=lambda place: -over[place])[: MOST_PARTNERS + 1]
    found: list[int | None] = []
    for place, word in enumerate(told):
        if over[place] <= DEVIATIONS or _left_over(word, update(prior, [word]).mean) > DEVIATIONS:
            found.append(None)
            continue
        others = [other for other in sorted(largest) if other != place][:MOST_PARTNERS]
        beside = _left_beside(prior, word, [told[other] for other in others])
        found.append(others[int(np.argmax(beside))])
    return found


def _left_over(word: Observation, change: ColorMap) -> float:
    """What a change leaves of a word, in deviations of a word of weight 1."""
    return float(np.abs(word.left(word.made(change))).max()) / np.sqrt(VARIANCE)


def _left_beside(prior: Prior, word: Observation, others: Sequence[Observation]) -> Numbers:
    """What is left of a word beside each other one alone, as :func:`_left_over` says it.

    The same update in the words' own coordinates, all pairs at once: with A = R^-1/2 H L (M, 30)
    and v = R^-1/2 r, the mean at a scale is s^2 A' (1 + s^2 A A')^-1 v, M at most 6.

    Returns:
        (P,), one for each of the others.
    """

    def scaled(one: Observation) -> tuple[Numbers, Numbers]:
        spare = COLOR.shape[0] - len(one.wanted)  # rows of zeros say nothing
        rows = np.pad(one.rows @ prior.root, ((0, spare), (0, 0)))
        return rows / np.sqrt(one.variance), np.pad(one.values, (0, spare)) / np.sqrt(one.variance)

    own_rows, own_values = scaled(word)
    told = [scaled(one) for one in others]
    rows = np.stack([np.concatenate([own_rows, more]) for more, _ in told])  # (P, 6, 30)
    values = np.stack([np.concatenate([own_values, more]) for _, more in told])  # (P, 6)
    found, vectors = np.linalg.eigh(rows @ rows.transpose(0, 2, 1))  # (P, 6), (P, 6, 6)
    found = np.maximum(found, 0.0)[:, None]  # (P, 1, 6)
    turned = np.einsum("pij,pi->pj", vectors, values)[:, None]  # (P, 1, 6)
    squared = prior.scales[None, :, None] ** 2  # (1, K, 1)
    narrowed = 1.0 / (1.0 + squared * found)  # (P, K, 6)
    with np.errstate(divide="ignore"):  # a scale may have no weight
        odds = np.log(prior.weights) - 0.5 * (narrowed * turned**2 - np.log(narrowed)).sum(axis=2)
    weights = np.exp(odds - odds.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    pulled = np.einsum("pk,pkj->pj", weights, squared * narrowed) * turned[:, 0]  # (P, 6)
    pull = np.einsum("pji,pi->pj", vectors, pulled)
    change = np.einsum("pmi,pm->pi", rows, pull) @ prior.root.T  # (P, 30)
    made = word.answer + change @ rows_at(word.composite).T  # (P, 3)
    left = word.wanted - made @ word.measure.T
    beside: Numbers = np.abs(left).max(axis=1) / np.sqrt(VARIANCE)
    return beside
