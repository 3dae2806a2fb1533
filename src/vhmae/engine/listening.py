"""A guide heard while frames come: each word acts from the frame that it names on.

What is said of a shot's first frame holds for all of the shot; what is said of a later one is
blended in (``guide.telling``), so that no word makes a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from vhmae.arrays import Array, Arrays
from vhmae.engine.moving import Side
from vhmae.engine.pointing import Shown, decide_shots
from vhmae.engine.rendering import FrameTransform
from vhmae.errors import InputError
from vhmae.guide.colors import SIZE
from vhmae.guide.decision import Decision
from vhmae.guide.document import Guide
from vhmae.guide.prior import Prior
from vhmae.guide.telling import Telling

Look = Callable[[Any], tuple[Array, Array]]
"""Payload -> its frame (H, W, 3) RGB as shown, and its matte (H, W)."""


class _Came(NamedTuple):
    number: int
    payload: Any
    answer: FrameTransform
    shot: int


class Listener:
    """A guide, and what of it has been heard."""

    def __init__(
        self,
        guide: Guide,
        prior: Prior | None,
        look: Look,
        telling: Telling,
        strength: float = 1.0,
        side: Side | None = None,
    ) -> None:
        """Begin to listen.

        Args:
            prior: a guide that says something needs one.
            telling: is told what follows.
            strength: of answer and change, for reports.
            side: whose frames these are; None is the foreground's, which moves alone.
        """
        self.guide = guide
        self.prior = prior
        self.look = look
        self.telling = telling
        self.strength = strength
        self.side = side or Side()
        self._forget()

    def restart(self) -> None:
        """The stream ends; what came of it is forgotten when another one begins."""
        self._ended = True
        if self.guide:  # it is heard again, word by word
            self.telling.clear()
        else:
            self.telling.restart()

    def _forget(self) -> None:
        self._ended = False
        self.decisions: dict[int | None, Decision] = {}
        """What was heard last of each shot; None stands for all shots."""
        self._shown: dict[int, Shown] = {}
        self._last: _Came | None = None

    @property
    def unheard(self) -> list[int]:
        """Numbers of the frames that are named and have not come, or show no foreground."""
        return [frame for frame in self.guide.frames if frame not in self._shown]

    def take_over(self, before: Listener, released: int) -> None:
        """Go on in the place of another listener.

        Args:
            released: how many frames have been released.
        Raises:
            InputError: where a frame is named that has passed, and nobody named before.
        """
        if before._ended:
            return
        named = set(self.guide.frames)
        shown = {index: one for index, one in before._shown.items() if index in named}
        last = before._last
        if last is not None and last.number in named and last.number not in shown:
            shown[last.number] = self._show(last)
        for frame in sorted(named - shown.keys()):
            if frame < released:
                known = last is not None and last.number >= 0
                usual = f"frame {released - 1} or a later one" if known else "a later one"
                raise InputError(f"frame {frame} has passed; name {usual}", field="guide")
        self._shown, self._last = shown, last
        if last is None:
            return
        if self._fits_dials and last.number >= 0:
            self._shown = {last.number: self._show(last)}
        self._decide(last.shot, released - 1)
        for shot in before.decisions.keys() - self.decisions.keys():  # what was taken back
            if shot in (None, last.shot):
                self.telling.say(np.zeros(SIZE), shot, released - 1)

    def hear(self, index: int, payload: Any, answer: FrameTransform, shot: int) -> None:
        """A frame comes, in order, with what the network says of it in full."""
        if self._ended:
            self._forget()
        begins = self._last is None or self._last.shot != shot
        self._last = _Came(index, payload, answer, shot)
        if index in self.guide.frames or (self._fits_dials and not self._shown):
            self._shown[index] = self._show(self._last)
            self._decide(shot, -math.inf if begins else index)

    @property
    def _fits_dials(self) -> bool:
        """Whether dials alone are said, which are fitted in the colors of any frame."""
        return not self.guide.frames and bool(self.guide.dials)

    def _show(self, came: _Came) -> Shown:
        return Shown(*self.look(came.payload), came.answer, came.shot)

    def _decide(self, shot: int, begin: float) -> None:
        if not self._shown:
            return
        assert self.prior is not None, "a guide that says something"
        found = decide_shots(
            self.prior,
            self.guide,
            self._shown.__getitem__,
            first=min(self._shown),
            strength=self.strength,
            came=self._shown,
            side=self.side,
        )
        for key, decision in found.items():
            self.decisions[key] = decision
            if key in (None, shot):
                self.telling.say(decision.change, key, begin)

    # --- what a stopped run needs to go on

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """What was heard, but for the guide itself: numbers for JSON, and arrays."""
        if self._ended:
            self._forget()
        told, changes = self.telling.state()
        numbers: dict[str, Any] = {
            "told": told,
            "shown": [[index, one.shot] for index, one in self._shown.items()],
            "shot": None if self._last is None else self._last.shot,
        }
        arrays = {
            f"shown{index}.{name}": array
            for index, one in self._shown.items()
            for name, array in (
                ("frame", one.frame),
                ("matte", one.matte),
                ("overall", one.answer.overall),
                ("local", one.answer.local),
            )
        }
        arrays |= {f"told{at}": change for at, change in enumerate(changes)}
        return numbers, arrays

    def restore(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Go on from :meth:`state`; of the frame that came last, its shot alone is known."""
        self._forget()
        changes = [arrays[f"told{at}"] for at in range(len(numbers["told"]))]
        self.telling.restore(numbers["told"], changes)
        for index, shot in numbers["shown"]:
            frame, matte, overall, local = (
                arrays[f"shown{index}.{name}"] for name in ("frame", "matte", "overall", "local")
            )
            self._shown[index] = Shown(frame, matte, FrameTransform(overall, local), shot)
        if numbers["shot"] is not None:
            none = np.zeros((3, 10), np.float32), np.zeros((1, 1, 3, 4), np.float32)
            self._last = _Came(-1, None, FrameTransform(*none), numbers["shot"])
