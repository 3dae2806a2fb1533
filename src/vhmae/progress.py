"""How far the work is: a bar, lines, JSON lines for programs that wrap us, or nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, Self, TextIO, TypeVar

from vhmae.errors import counted

ProgressMode = Literal["auto", "bar", "lines", "json", "none"]
OnProgress = Callable[[int, int | None], None]
"""Is told how much is done, and of how much (None: not known). What it raises ends the work."""
T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_JSON = 1.0
SECONDS_BETWEEN_TENTHS = 1.0
"""A line is told at each tenth of the work, too, but no more often."""


class Progress:
    """Tells on a stream how much of a piece of work is done; a context manager.

    Call it with the amount that is done. Less than before means that another pass has begun.
    """

    def __init__(
        self,
        what: str,
        total: int | None,
        mode: ProgressMode = "auto",
        note: Callable[[], str] = lambda: "",
        unit: str = "frame",
        stream: TextIO | None = None,
        size: Callable[[], int] | None = None,
        told: OnProgress | None = None,
        begun: int = 0,
    ) -> None:
        """Make one.

        Args:
            what: what is being done, in a word.
            total: how much there is to do; None is not known.
            mode: auto is a bar on a terminal and lines elsewhere, one every ten seconds and at each
                tenth of the work.
            note: what else is told of the work at each time.
            unit: what one of it is called.
            stream: None is stderr.
            size: bytes that are written so far, where any are.
            told: is called with how much is done and the total at each time, whatever the mode.
            begun: how much of it was done before, by a run that was stopped.
        """
        self.told = told
        self.stream = sys.stderr if stream is None else stream
        if mode == "auto":
            mode = "bar" if self.stream.isatty() else "lines"
        self.mode, self.what, self.total, self.note, self.unit = mode, what, total, note, unit
        self.size = size
        self.done = self._begun = begun
        self._tenths = 10 * begun // total if total else 0
        self._began = self._told = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if self.mode == "bar":
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total}"),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=Console(file=self.stream), transient=True)
            self._task = self._bar.add_task(self.what, total=self.total, completed=self.done)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int) -> None:
        """Tell how much is done."""
        if done < self.done:  # another pass over the same
            self._began, self._begun = time.monotonic(), max(0, done - 1)
            self._tenths = 10 * self._begun // self.total if self.total else 0
            if self._bar is not None:
                self._bar.reset(self._task)
        self.done = done
        if self.told is not None:
            self.told(done, self.total)
        if self.mode == "bar":
            self._bar.update(
                self._task, completed=done, description=f"{self.what} {self.note()}".strip()
            )
        elif self.mode in ("lines", "json") and self._is_due():
            self._told = time.monotonic()
            text = self._line() if self.mode == "lines" else self._json()
            print(text, file=self.stream, flush=True)

    def _is_due(self) -> bool:
        waited = time.monotonic() - self._told
        if self.mode == "json":
            return waited >= SECONDS_BETWEEN_JSON
        tenths = 10 * self.done // self.total if self.total else 0
        due = waited >= SECONDS_BETWEEN_LINES
        due |= tenths > self._tenths and waited >= SECONDS_BETWEEN_TENTHS
        self._tenths = tenths if due else self._tenths
        return due

    @property
    def seconds_left(self) -> float | None:
        """What the rest takes at the pace so far; None where it cannot be known."""
        if self.total is None or self.done == self._begun:
            return None
        spent = time.monotonic() - self._began
        return max(0.0, spent * (self.total - self.done) / (self.done - self._begun))

    def _line(self) -> str:
        of = (
            ""
            if not self.total
            else f" of {counted(self.total, self.unit)} ({100 * self.done // self.total} %)"
        )
        left = self.seconds_left
        rest = "" if self.size is None else f", {self.size() / 1e6:.1f} MB"
        rest += "" if left is None else f", {_duration(left)} left"
        note = self.note()
        return f"vhmae: {self.what}: {self.done}{of}{rest}" + (f", {note}" if note else "")

    def _json(self) -> str:
        left = self.seconds_left
        told = {"event": "progress", "what": self.what, "done": self.done, "total": self.total}
        told |= {} if self.size is None else {"size_bytes": self.size()}
        return json.dumps({**told, "seconds_left": None if left is None else round(left, 1)})


def tracked(items: Iterable[T], what: str, total: int | None, shown: bool = True) -> Iterator[T]:
    """The items, with a bar where there is a terminal."""
    with Progress(what, total, "auto" if shown and sys.stderr.isatty() else "none") as progress:
        for number, item in enumerate(items, 1):
            yield item
            progress(number)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h {whole % 3600 // 60} min"
