"""Any frame of a clip, with its mattes: read on from where one is, or sought."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

from vhmae.app.refusals import Refused
from vhmae.errors import InputError
from vhmae.work.sources import Payload, Sources

KEPT_BYTES = 96 << 20
"""Of the frames that were read last."""
READ_ON = 24
"""Frames ahead that are read through, rather than sought."""


class Reel:
    """The frames of a clip, by number; for any thread."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._pressing = 0
        """Calls that wait or read, but for patient ones."""
        self._kept: OrderedDict[int, Payload] = OrderedDict()
        self._frames: Iterator[Payload] | None = None
        self._at = -1
        """Number of the frame that was read last."""
        self._closed = False

    def payload(self, number: int, patient: bool = False) -> Payload:
        """A frame.

        Args:
            patient: let whoever else asks go first.
        Raises:
            InputError: where it cannot be decoded.
            Refused: where the clip was closed meanwhile.
        """
        with self._changed:
            if patient:
                self._changed.wait_for(lambda: not self._pressing)
            else:
                self._pressing += 1
        try:
            return self._read(number)
        finally:
            with self._changed:
                self._pressing -= not patient
                self._changed.notify_all()

    def _read(self, number: int) -> Payload:
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
            if self._frames is None or not self._at < number <= self._at + READ_ON:
                self._close()
                self._frames = self.sources.frames(number)
            for payload in self._frames:
                if self._closed:
                    break
                self._at = payload.timed.index
                if self._at == number:
                    return self._keep(payload)
                if self._at > number:
                    break
            self._close()
        if self._closed:
            raise Refused("server.no-project")
        raise InputError(f"frame {number} of {self.sources.job.composite} cannot be decoded")

    def _keep(self, payload: Payload) -> Payload:
        self._kept[payload.timed.index] = payload
        size = sum(one.nbytes for one in (*payload.timed.image.planes, *payload.mattes))
        while len(self._kept) > 2 and len(self._kept) * size > KEPT_BYTES:
            self._kept.popitem(last=False)
        return payload

    def _close(self) -> None:
        self._frames, self._at = None, -1

    def close(self) -> None:
        """Let the file go; what is being read is given up with its next frame."""
        self._closed = True
        with self._lock:
            self._close()
            self._kept.clear()
