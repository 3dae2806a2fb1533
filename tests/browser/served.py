"""The page without a server, built and served as a folder of files."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.node import FRONTEND, need_node, run
from tests.support.scenes import moving_scene
from vhmae.arrays import Array

BROWSER = FRONTEND.parent / "browser"


def need_modules() -> None:
    """Skip where what the page is built with is missing, but not in CI."""
    need_node()
    if (BROWSER / "node_modules" / "onnxruntime-web").is_dir():
        return
    missing = "browser/node_modules is missing: run npm ci in browser"
    assert not os.environ.get("CI"), f"{missing}; .ci/run does"
    pytest.skip(missing)


def mismatched_scene(frames: int, width: int, height: int) -> tuple[Array, Array]:
    """A disc under warm light before a picture under cold light: frames (T, H, W, 3) uint8 and
    masks (T, H, W) bool."""
    pictures, masks = moving_scene(frames, width, height)
    warm, cold = np.array([1.3, 1.0, 0.4]), np.array([0.4, 0.55, 0.9])
    lit = np.where(masks[..., None], warm, cold) * pictures
    return np.clip(lit, 0, 255).astype(np.uint8), masks


def build_page(folder: Path) -> Path:
    need_modules()
    run(["node", "build.mjs", "--browser", str(folder)])
    return folder


class Files(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, as any host of static files gives them; asked-for names are kept."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]  # of the server below
        super().do_GET()


class FileServer(http.server.ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(Files, directory=str(folder)))
        self.asked: list[str] = []
        """Paths that were asked for."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


@contextlib.contextmanager
def served(folder: Path) -> Iterator[FileServer]:
    server = FileServer(folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
