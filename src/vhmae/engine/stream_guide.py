"""A guide heard while frames come: each word acts from the frame that it names on.

What is said of a shot's first frame holds for all of the shot; what is said of a later one is
blended in (``guide.changes``), so that no word makes a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vhmae.arrays import Array, Arrays
from vhmae.engine.moving import Side
from vhmae.engine.pointing import Shown, decide_shots
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.settings import Kept
from vhmae.errors import InputError
from vhmae.guide.changes import GuideChanges
from vhmae.guide.colors import SIZE
from vhmae.guide.decision import Decision
from vhmae.guide.document import Guide
from vhmae.guide.prior import Prior

Look = Callable[[Any], tuple[Array, Array]]
"""Payload -> its frame (H, W, 3) RGB as shown, and its matte (H, W)."""


class Came(NamedTuple):
    """A frame that came."""

    number: int
    """-1 where nothing but its shot is known."""
    payload: Any
    answer: FrameTransform
    """Before strength and without any guide; in full, where the frame fades."""
    shot: int
    share: float
    """How much of its change the frame is given."""


class StreamGuide:
    """A guide, and what of it has been heard."""

    def __init__(
        self,
        guide: Guide,
        prior: Prior | None,
        look: Look,
        guide_changes: GuideChanges,
        strength: float = 1.0,
        keep: Sequence[Kept] = (),
        side: Side | None = None,
    ) -> None:
        """Begin to listen.

        Args:
            prior: a guide that says something needs one.
            guide_changes: is told what follows.
            strength, keep: what is done to answer and change, for reports.
            side: whose frames these are; None is the foreground's, which moves alone.
        """
        self.guide = guide
        self.prior = prior
        self.look = look
        self.guide_changes = guide_changes
        self.strength = strength
        self.keep = keep
        self.side = side or Side()
        self._forget()

    def restart(self) -> None:
        """The stream ends; what came of it is forgotten when another one begins."""
        self._ended = True
        if self.guide:  # it is heard again, word by word
            self.guide_changes.clear()
        else:
            self.guide_changes.restart()

    def _forget(self) -> None:
        self._ended = False
        self.decisions: dict[int | None, Decision] = {}
        """What was heard last of each shot; None stands for all shots."""
        self._shown: dict[int, Shown] = {}
        self._first: dict[int, int] = {}
        """The frame of the shot that is shown whose colors dials are fitted in."""
        self.last: Came | None = None
        """The frame that came last."""

    @property
    def unheard(self) -> list[int]:
        """Numbers of the frames that are named and have not come, or show no foreground."""
        return [frame for frame in self.guide.frames if frame not in self._shown]

    def take_over(self, before: StreamGuide, released: int) -> None:
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
        last = before.last
        if last is not None and last.number in named and last.number not in shown:
            shown[last.number] = self._show(last)
        for frame in sorted(named - shown.keys()):
            if frame < released:
                known = last is not None and last.number == released - 1  # it shows foreground
                usual = f"frame {released - 1} or a later one" if known else "a later one"
                raise InputError(f"frame {frame} has passed; name {usual}", field="guide")
        self._shown, self.last = shown, last
        if last is None:
            return
        if self._fits_dials and last.number >= 0:
            self._shown[last.number] = self._show(last)
            self._first = {last.shot: last.number}
        found = self._decide(last.shot, released - 1)
        # The shot that is shown goes over to its new word, wherever the old one came from; what was
        # said of others is taken back where nothing new is said of them.
        gone = before.decisions.keys() - found.keys()
        if None in gone:
            but = last.shot if last.shot in found else None
            self.guide_changes.say(np.zeros(SIZE), None, released - 1, but)
        elif None not in found:
            for shot in gone:
                self.guide_changes.say(np.zeros(SIZE), shot, released - 1)

    def hear(
        self, index: int, payload: Any, answer: FrameTransform, shot: int, share: float = 1.0
    ) -> None:
        """A frame comes, in order, with what the network says of it in full, and the share of it
        that the frame is given."""
        if self._ended:
            self._forget()
        begins = self.last is None or self.last.shot != shot
        self.last = Came(index, payload, answer, shot, share)
        fits = self._fits_dials and shot not in self._first
        if not fits and index not in self.guide.frames:
            return
        if fits:
            for gone in set(self._first.values()) - set(self.guide.frames):
                self._shown.pop(gone, None)
            self._first = {shot: index}
        self._shown[index] = self._show(self.last)
        self._decide(shot, -math.inf if begins else index)

    @property
    def _fits_dials(self) -> bool:
        """Whether dials may turn a shot that nothing else is said of: they are fitted in the colors
        of its first frame. Points that are named may be the other side's."""
        return bool(self.guide.dials)

    def _show(self, came: Came) -> Shown:
        return Shown(*self.look(came.payload), came.answer, came.shot, came.share)

    def _decide(self, shot: int, begin: float) -> Mapping[int | None, Decision]:
        """Tell a shot what follows from what was shown by now."""
        if not self._shown:
            return {}
        assert self.prior is not None, "a guide that says something"
        found = decide_shots(
            self.prior,
            self.guide,
            self._shown.__getitem__,
            firsts=lambda: [(of, self._shown[at]) for of, at in self._first.items()],
            strength=self.strength,
            keep=self.keep,
            came=self._shown,
            side=self.side,
        )
        said = self.decisions.get(None)
        self.decisions |= found
        everywhere = found.get(None)
        if everywhere and not (said and np.array_equal(said.change, everywhere.change)):
            self.guide_changes.say(everywhere.change, None, begin, shot if shot in found else None)
        if shot in found:
            self.guide_changes.say(found[shot].change, shot, begin)
        return found

    # --- what a stopped run needs to go on

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """What was heard, but for the guide itself: numbers for JSON, and arrays."""
        if self._ended:
            self._forget()
        told, changes = self.guide_changes.state()
        numbers: dict[str, Any] = {
            "told": told,
            "shown": [[index, one.shot, one.share] for index, one in self._shown.items()],
            "first": list(self._first.items()),
            "shot": None if self.last is None else self.last.shot,
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
        self.guide_changes.restore(numbers["told"], changes)
        self._first = dict(numbers["first"])
        for index, shot, share in numbers["shown"]:
            frame, matte, overall, local = (
                arrays[f"shown{index}.{name}"] for name in ("frame", "matte", "overall", "local")
            )
            answer = FrameTransform(overall, local)
            self._shown[index] = Shown(frame, matte, answer, shot, share)
        if numbers["shot"] is not None:
            none = np.zeros((3, 10), np.float32), np.zeros((1, 1, 3, 4), np.float32)
            self.last = Came(-1, None, FrameTransform(*none), numbers["shot"], 1.0)
