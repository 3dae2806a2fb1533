"""Output that survives a kill: segments of encoded frames with the state to go on from, joined at
the end.

``.NAME.part/`` beside the output holds ``00000.packets``, ``00001.packets``, ... (what the encoder
gave, whatever the codec), ``state.json`` and ``state-N.npz``. A segment is listed in the state only
when it is whole; what is not listed is written again.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array, Arrays
from vhmae.digest import file_digest
from vhmae.errors import InputError, VhmaeError
from vhmae.partial_output import OutputLock, resume_folder, write_text_whole
from vhmae.video.frame_writer import FrameWriter, file_size
from vhmae.video.packets import SUFFIX, PacketFile
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import TimedFrame
from vhmae.video.writer import VideoWriter

STATE = "state.json"


class SegmentedWriter(FrameWriter):
    """Writes like :class:`VideoWriter`, with checkpoints; what was written before a kill is not
    written again."""

    def __init__(
        self, output: Path, source: VideoInfo, settings: dict[str, Any], job: dict[str, Any]
    ) -> None:
        """Open or find the parts.

        Args:
            settings: what :class:`VideoWriter` takes.
            job: what makes two runs the same work; a run with other values is refused.
        Raises:
            InputError: if parts are there but damaged, without their state, or of another job.
        """
        self.output = output
        self.folder = resume_folder(output)
        self.source = source
        self.settings = settings
        self.job = job
        self.segments: list[dict[str, Any]] = []
        # What the container cannot hold is told now, not when all is encoded.
        self._lock = OutputLock(output)
        try:
            probe = VideoWriter(output, source, lock=self._lock, **settings)
            self.left_out, self.recoded = probe.left_out, probe.recoded
            probe.abandon()
            shutil.rmtree(self._done, ignore_errors=True)
            if self.folder.is_symlink():
                raise InputError(
                    f"{self.folder}: is a link, where the parts of {output} are kept; remove it"
                )
            self.folder.mkdir(exist_ok=True)
            self.saved = self._load()
        except OSError as error:
            self._lock.release()
            raise InputError(
                f"{output}: cannot be written beside its place ({error.strerror}); check the "
                "permissions"
            ) from None
        except BaseException:
            self._lock.release()
            raise
        self._writer: VideoWriter | None = None
        self._store: PacketFile | None = None
        self._joined: VideoWriter | None = None

    @property
    def frames(self) -> int:  # type: ignore[override]  # counted from the parts
        """Frames written, those before the kill included."""
        return sum(segment["frames"] for segment in self.segments) + (
            self._writer.frames if self._writer else 0
        )

    @property
    def size_bytes(self) -> int:
        if not self.folder.is_dir():
            return file_size(self.output)
        return sum(file_size(path) for path in self.folder.glob(f"*{SUFFIX}"))

    def write(self, timed: TimedFrame, image: PlanarFrame) -> None:
        if self._writer is None:
            path = self.folder / f"{len(self.segments):05d}{SUFFIX}"
            path.unlink(missing_ok=True)  # of a run that was killed; never followed, if a link
            self._store = PacketFile(path)
            settings = {**self.settings, "verify": False}
            self._writer = VideoWriter(
                self.output,
                self.source,
                pictures_only=True,
                store=self._store,
                lock=self._lock,
                **settings,
            )
        self._writer.write(timed, image)

    def checkpoint(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Close the segment; a run that is stopped from here on goes on after it."""
        self._close_segment()
        try:
            self._keep_state(numbers, arrays)
        except OSError as error:
            raise VhmaeError(
                f"{self.output}: what a later run could go on from cannot be kept "
                f"({error.strerror}); check the space on the disk"
            ) from None

    def _keep_state(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        file = self.folder / f"state-{len(self.segments)}.npz"
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy types the keywords after its own flags
        state = {
            "job": self.job,
            "segments": self.segments,
            "numbers": numbers,
            "arrays": [file.name, file_digest(file)],
        }
        write_text_whole(self.folder / STATE, json.dumps(state))
        for old in self.folder.glob("state-*.npz"):
            if old != file:
                old.unlink()

    def _close_segment(self) -> None:
        if self._writer is None or self._store is None:
            return
        frames = self._writer.frames
        self._writer.finish()
        path, self._writer, self._store = self._store.path, None, None
        self.segments.append({"file": path.name, "frames": frames, "digest": file_digest(path)})

    def _load(self) -> tuple[dict[str, Any], dict[str, Array]] | None:
        """What the last :meth:`checkpoint` was given."""
        begin_anew = f"delete {self.folder} to begin anew"
        path = self.folder / STATE
        if not path.exists():
            if any(
                not one.name.startswith(".") and one.name not in (f"00000{SUFFIX}", "state-1.npz")
                for one in self.folder.iterdir()
            ):
                raise InputError(
                    f"{path} is lost, so it is not known where the run stood; {begin_anew}",
                    field="resume",
                )
            return None  # stopped before its first checkpoint
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            name, digest = state["arrays"]
            if file_digest(self.folder / name) != digest:
                raise ValueError(f"{name} is damaged")
            for segment in state["segments"]:
                if file_digest(self.folder / segment["file"]) != segment["digest"]:
                    raise ValueError(f"{segment['file']} is damaged")
            with np.load(self.folder / name, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            numbers = state["numbers"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"the state of the stopped run cannot be used ({error}); {begin_anew}",
                field="resume",
            ) from None
        if state["job"] != self.job:
            changed = sorted(key for key in self.job if state["job"].get(key) != self.job[key])
            raise InputError(
                f"the stopped run had another {changed[0] if changed else 'job'}; run it as "
                f"before, or {begin_anew}",
                field="resume",
            )
        self.segments = state["segments"]
        return numbers, arrays

    def flush(self) -> None:
        """Join the segments with audio and subtitles beside the output, and verify the whole."""
        self._close_segment()
        self._joined = VideoWriter(
            self.output, self.source, joined=True, lock=self._lock, **self.settings
        )
        files = [self.folder / segment["file"] for segment in self.segments]
        for file in files:
            self._joined.copy(file)
        self._joined.flush()

    def finish(self) -> None:
        """Give the file its name, and leave no parts."""
        if self._joined is None:
            self.flush()
        assert self._joined is not None
        try:
            self._joined.finish()
            # A run that is killed from here on leaves nothing to go on from.
            self.folder.replace(self._done)
            shutil.rmtree(self._done)
        finally:
            self._lock.release()

    def abandon(self) -> None:
        """Keep what a later run can go on from, and no folder where there is nothing."""
        try:
            if self._store is not None:
                with contextlib.suppress(OSError):  # a full disk takes no more
                    self._store.close()
            for writer in (self._writer, self._joined):
                if writer is not None:
                    writer.abandon()
            with contextlib.suppress(OSError):
                self.folder.rmdir()  # as far as it is empty
        finally:
            self._lock.release()

    @property
    def _done(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.done")
