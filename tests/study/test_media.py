"""Videos that are drawn out to equal lengths."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from tests.support.study import Running
from tests.support.taking_part import enter
from vhmae.study.media import BOX_HEAD, open_videos
from vhmae.video.browser import read_upright
from vhmae.video.source import probe_source


def test_a_drawn_out_video_still_plays_and_can_be_read_from_anywhere(
    small_study: Running, tmp_path: Path
) -> None:
    client = TestClient(small_study.application())
    enter(client)
    token = next(iter(small_study.methods()))
    whole = client.get(f"/media/{token}.mp4").content
    stored = (small_study.folder / "videos" / f"{token}.mp4").read_bytes()
    assert whole.startswith(stored)
    (tmp_path / "whole.mp4").write_bytes(whole)
    paths = (tmp_path / "whole.mp4", small_study.folder / "videos" / f"{token}.mp4")
    shown, meant = (np.stack(list(read_upright(probe_source(p, "video"), 0, 10))) for p in paths)
    assert np.array_equal(shown, meant)
    rng = np.random.default_rng(0)
    edges = [
        0,
        1,
        len(stored) - 1,
        len(stored),
        len(stored) + 3,
        len(stored) + BOX_HEAD,
        len(whole) - 1,
    ]
    for first in [*edges, *rng.integers(0, len(whole), 20).tolist()]:
        for last in (first, first + 1, first + 70_000, len(whole) - 1, len(whole) + 5):
            part = client.get(f"/media/{token}.mp4", headers={"range": f"bytes={first}-{last}"})
            assert (part.status_code, part.content) == (206, whole[first : last + 1])
    for wrong in (f"bytes={len(whole)}-", "bytes=5-4", "bytes=-0"):
        answer = client.get(f"/media/{token}.mp4", headers={"range": wrong})
        assert (answer.status_code, answer.headers["content-range"]) == (
            416,
            f"bytes */{len(whole)}",
        )


def test_noise_is_the_same_at_every_request_and_cannot_be_pressed(tmp_path: Path) -> None:
    for name, size in (("a", 10), ("b", 400_000)):
        (tmp_path / f"{name}.mp4").write_bytes(bytes(size))
    video = open_videos(tmp_path, [["a", "b"]], "secret")["a"]
    whole = b"".join(video.read(0, video.length))
    assert whole == b"".join(video.read(0, video.length))
    assert len(whole) == 400_000 + BOX_HEAD
    assert int.from_bytes(whole[18:26], "big") == len(whole) - 10
    assert len(zlib.compress(whole)) > 0.99 * 400_000
    other = open_videos(tmp_path, [["a", "b"]], "another secret")["a"]
    assert b"".join(other.read(0, other.length)) != whole
