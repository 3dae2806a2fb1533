"""What takes frames one by one, whatever it makes of them: a video, segments of one, pictures."""

from __future__ import annotations

import abc
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from vhmae.video.planes import PlanarFrame
from vhmae.video.reader import TimedFrame


class FrameWriter(abc.ABC):
    """Takes frames one by one; at the end there is the whole file, or none."""

    frames: int
    recoded: str | None = None
    """What is converted throughout the frame, so that the background is not bit-exact."""
    left_out: list[str]
    """Streams that the container cannot hold."""
    _writing_process: int | None = None
    """The process where something hidden lies on the disk that :meth:`abandon` takes away."""

    @property
    @abc.abstractmethod
    def size_bytes(self) -> int:
        """What is on the disk so far."""

    @abc.abstractmethod
    def write(self, timed: TimedFrame, image: PlanarFrame) -> None:
        """Encode one frame at the time of ``timed``."""

    @abc.abstractmethod
    def flush(self) -> None:
        """Write what still waits, close the file and verify it."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Flush everything and give the file its name."""

    @abc.abstractmethod
    def abandon(self) -> None:
        """Stop in the middle."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.abandon()

    def __del__(self) -> None:
        """Abandon what an interrupt took from its holder before it had a name."""
        if self._writing_process == os.getpid():
            self.abandon()


def file_size(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
