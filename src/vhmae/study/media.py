"""Videos as participants get them: what comes along with the pixels is the same for every method.

A server tells more of a file than its content: when it was written, and how long it is. Methods are
run one after the other, and smooth results are smaller than lively ones, so both would tell them
apart. Here the answers have no date and no tag, and all videos of a clip are as long as its
longest: the rest is a box at the end of the file that players skip, filled with noise, so that it
does not shrink where a proxy compresses.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from vhmae.errors import InputError

CHUNK = 1 << 18
NOISE_BLOCK = 1 << 16
BOX_HEAD = 16
"""Bytes of the head of a box whose length takes 64 bits."""
HEADERS = {"cache-control": "private, max-age=86400, immutable", "accept-ranges": "bytes"}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclasses.dataclass(frozen=True)
class Video:
    """A video file, drawn out to a length."""

    path: Path
    stored: int
    """Bytes of the file."""
    length: int
    """Bytes that are served."""
    noise: int
    """Seed of what fills the rest."""

    def read(self, first: int, last: int) -> Iterator[bytes]:
        """The bytes from a place up to another, in pieces; between them the file is closed."""
        while first < last:
            if first < self.stored:
                with self.path.open("rb") as file:
                    file.seek(first)
                    piece = file.read(min(CHUNK, last - first, self.stored - first))
                if not piece:  # cut short since it was looked at: what was promised cannot be kept
                    raise OSError(f"{self.path} is shorter than it was")
            else:
                piece = self._rest(first - self.stored, last - self.stored)
            yield piece
            first += len(piece)

    def _rest(self, first: int, last: int) -> bytes:
        head = (1).to_bytes(4, "big") + b"free" + (self.length - self.stored).to_bytes(8, "big")
        if first < BOX_HEAD:
            return head[first:last]
        block, at = divmod(first - BOX_HEAD, NOISE_BLOCK)
        noise = np.random.default_rng([self.noise, block]).bytes(NOISE_BLOCK)
        return noise[at : at + last - first]


def open_videos(folder: Path, clips: list[list[str]], secret: str) -> Mapping[str, Video]:
    """The videos of a study by their names.

    Args:
        clips: the names of the videos of each clip.
        secret: of the study; what fills a file cannot be told from another without it.
    Raises:
        InputError: if a video is not there.
    """
    found: dict[str, Video] = {}
    for tokens in clips:
        paths = {token: folder / f"{token}.mp4" for token in tokens}
        lost = next((path for path in paths.values() if not path.is_file()), None)
        if lost is not None:
            raise InputError(f"{lost}: no such file; restore the study's videos from a copy")
        stored = {token: path.stat().st_size for token, path in paths.items()}
        length = max(stored.values(), default=0) + BOX_HEAD
        for token, path in paths.items():
            digest = hashlib.sha256(f"{secret} {token}".encode()).digest()
            found[token] = Video(path, stored[token], length, int.from_bytes(digest, "big"))
    return found


def video_answer(request: Request, video: Video) -> Response:
    """A video, or the part of it that is asked for."""
    first, last = 0, video.length
    asked = request.headers.get("range")
    # There is no tag by which a part could be known to belong to the rest: If-Range gets the whole.
    match = _RANGE.fullmatch(asked.replace(" ", "")) if asked else None
    if match is None or not (match[1] or match[2]) or "if-range" in request.headers:
        return _part(video, first, last, 200, {})
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or last) + 1, last)
    else:
        first = max(0, last - int(match[2]))
    if first >= last:
        return Response(status_code=416, headers={"content-range": f"bytes */{video.length}"})
    span = {"content-range": f"bytes {first}-{last - 1}/{video.length}"}
    return _part(video, first, last, 206, span)


def _part(video: Video, first: int, last: int, status: int, more: dict[str, str]) -> Response:
    headers = {**HEADERS, **more, "content-length": str(last - first)}
    return StreamingResponse(video.read(first, last), status, headers, "video/mp4")
