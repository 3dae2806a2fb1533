"""Frames that wait for the network's word: kept, or, where they are large, as their numbers alone,
to be read again in their turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import NamedTuple, Self

import numpy as np

from vhmae.arrays import Array, Matte
from vhmae.errors import VhmaeError
from vhmae.overlap import run_ahead
from vhmae.video.reader import TimedFrame
from vhmae.work.sources import Payload, Sources

WAITING_BYTES = 1536 << 20
"""Of the frames that wait for the network: where they would take more, they are read twice. 4K of
8 bit, looked at with ``balanced``, takes less."""
READ_AHEAD = 2
"""Frames that are read again before their turn, where they are not too large."""


class Again:
    """Reads frames of a job once more, each after the one before."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._frames: Generator[Payload, None, None] | None = None
        self._at = -1
        self._last: Payload | None = None

    def read(self, index: int) -> Payload:
        """A frame by its number; it is kept until it is :meth:`dropped <drop>`."""
        if self._last is not None and self._last.timed.index == index:
            return self._last
        self._last = None
        if self._frames is None or index <= self._at:
            self.close()
            ahead = self._sources.ahead(READ_AHEAD)
            self._frames = run_ahead(self._sources.frames(index), ahead)
        for payload in self._frames:
            self._at = payload.timed.index
            if self._at == index:
                self._last = payload
                return payload
            if self._at > index:
                break
        self.close()
        raise VhmaeError(
            f"{self._sources.job.composite}: its frame {index} could be read once, and not again; "
            "let no other program write to it meanwhile"
        )

    def drop(self) -> None:
        """Let the frame go that was read last."""
        self._last = None

    def close(self) -> None:
        """Stop reading."""
        if self._frames is not None:
            self._frames.close()
        self._frames, self._at, self._last = None, -1, None


class KeptMatte(NamedTuple):
    """A matte, of which what is not nothing is kept."""

    shape: tuple[int, ...]
    top: int
    left: int
    part: Array

    @classmethod
    def of(cls, matte: Matte) -> Self:
        """Keep a matte (H, W)."""
        rows = np.flatnonzero(matte.any(axis=1))
        if len(rows) == 0:
            return cls(matte.shape, 0, 0, matte[:0, :0].copy())
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        columns = np.flatnonzero(matte[top:bottom].any(axis=0))
        left, right = int(columns[0]), int(columns[-1]) + 1
        return cls(matte.shape, top, left, matte[top:bottom, left:right].copy())

    def whole(self) -> Matte:
        """The matte as it was."""
        matte = np.zeros(self.shape, self.part.dtype)
        rows, columns = self.part.shape
        matte[self.top : self.top + rows, self.left : self.left + columns] = self.part
        return matte


@dataclasses.dataclass(frozen=True)
class Waiting:
    """A frame that waits."""

    index: int
    """Its number."""
    kept: tuple[TimedFrame, tuple[KeptMatte, ...]] | None
    """None where it is read again."""
    again: Again

    @classmethod
    def of(cls, payload: Payload, keeps_frames: bool, again: Again) -> Self:
        """Have a frame wait."""
        kept = (payload.timed, tuple(map(KeptMatte.of, payload.mattes))) if keeps_frames else None
        return cls(payload.timed.index, kept, again)

    @property
    def payload(self) -> Payload:
        """The frame itself."""
        if self.kept is None:
            return self.again.read(self.index)
        timed, mattes = self.kept
        return Payload(timed, tuple(matte.whole() for matte in mattes))


def is_kept(sources: Sources, frames: int) -> bool:
    """Whether so many frames of a job may wait as they are."""
    return frames * sources.payload_bytes <= WAITING_BYTES
