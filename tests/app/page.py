"""What the page does, by calls."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

import cv2
import httpx2
import numpy as np
from starlette.testclient import TestClient

from vhmae.app.site import App
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.settings import HarmonizerSettings

NOTHING_SAID = {"schema": 1}


class Page:
    """A page of an app in this process, or of one that is served."""

    app: App

    def __init__(self, app: App | None, address: str = "http://127.0.0.1:8765") -> None:
        self.prefix = ""
        if app is None:
            self.client: Any = httpx2.Client(base_url=address, timeout=60.0)
        else:
            self.app, self.prefix = app, app.site.prefix
            self.client = TestClient(app.application, base_url=address)
        self.csrf = self.get("session").json()["csrf"]

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(f"{self.prefix}/api/{path}", **more)

    def send(self, method: str, path: str, tree: Any = None, **more: Any) -> Any:
        headers = {"x-csrf-token": self.csrf, **more.pop("headers", {})}
        body = {} if tree is None else {"json": tree}
        address = f"{self.prefix}/api/{path}"
        return self.client.request(method, address, headers=headers, **body, **more)

    def post(self, path: str, tree: Any = None) -> Any:
        return self.send("POST", path, tree)

    def opened(self, **wanted: Any) -> str:
        """Open a clip and wait until it is read; returns its number."""
        answer = self.post("projects", wanted)
        assert answer.status_code == 201, answer.text
        number: str = answer.json()["id"]
        facts = self.settled(number)
        assert facts["state"] == "ready", facts["error"]
        return number

    def settled(self, number: str) -> dict[str, Any]:
        """Wait until a clip is read, or failed."""
        return waited(lambda: self.get(f"projects/{number}").json(), "ready", "failed")

    def maps(self, number: str, **asked: int) -> Any:
        """Maps, once the network has come to them: asked for again until then."""
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            answer = self.get(f"projects/{number}/maps", params=asked)
            if answer.status_code != 409 or answer.json()["key"] != "server.not-yet":
                return answer
            time.sleep(0.05)
        raise AssertionError("nobody looked at the frame")

    def rendered(self, number: str) -> dict[str, Any]:
        """Wait until an entry of the queue is through."""
        ends = ("done", "failed", "cancelled", "stopped")
        return waited(lambda: self.entry(number), *ends)

    def entry(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] = next(
            one for one in self.get("renders").json() if one["id"] == number
        )
        return found

    def heard(self, number: str, guide: dict[str, Any], frame: int = 0, **more: Any) -> Any:
        """What follows from a guide, once its frames have been looked at."""
        body = {"guide": {**NOTHING_SAID, **guide}, "frame": frame, **more}
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            answer = self.post(f"projects/{number}/guide", body)
            assert answer.status_code == 200, answer.text
            if not answer.json()["pending"]:
                return answer.json()
            time.sleep(0.05)
        raise AssertionError("nobody looked at the frames")


def waited(look: Any, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found: dict[str, Any] = look()
        if found["state"] in states:
            return found
        time.sleep(0.05)
    raise AssertionError(f"still {found['state']}: {found}")


def picture_of(answer: Any) -> np.ndarray:
    """The RGB or grey picture of an answer."""
    assert answer.status_code == 200, answer.text
    found = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None, "no picture"
    return found[..., ::-1] if found.ndim == 3 and found.shape[2] == 3 else found


def maps_of(data: bytes) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """What ``GET maps`` answers, read as its layout says and by nothing of ours."""
    assert data[:4] == b"VMAP"
    version, count, objects, grid, _ = struct.unpack_from("<5I", data, 4)
    at, rows = 24, []
    for _ in range(count):
        frame, shot, flags, _ = struct.unpack_from("<4I", data, at)
        at += 16
        answers, shares = [], []
        for _ in range(objects):
            present, share = struct.unpack_from("<If", data, at)
            numbers = np.frombuffer(data, "<f4", 30 + grid * grid * 12, at + 8)
            at += 8 + numbers.nbytes
            overall, local = numbers[:30].reshape(3, 10), numbers[30:].reshape(grid, grid, 3, 4)
            answers.append(FrameTransform(overall, local) if present else None)
            shares.append(share)
        told = {"frame": frame, "shot": shot, "flags": flags}
        rows.append({**told, "answers": answers, "shares": shares})
    assert at == len(data)
    return {"version": version, "objects": objects, "grid": grid}, rows


def shaded(
    picture: np.ndarray, matte: np.ndarray, answer: FrameTransform, change: np.ndarray
) -> np.ndarray:
    """What the page's shader makes of a picture (H, W, 3) uint8: the contract's equations, pixel by
    pixel."""
    height, width = picture.shape[:2]
    grid = len(answer.local)
    rgb = picture.astype(np.float64) / 255.0
    out = rgb.copy()
    rows = np.clip((np.arange(height) + 0.5) * grid / height - 0.5, 0, grid - 1)
    columns = np.clip((np.arange(width) + 0.5) * grid / width - 0.5, 0, grid - 1)
    for y, down in enumerate(rows):
        top = min(int(down), grid - 1)
        below = min(top + 1, grid - 1)
        for x, across in enumerate(columns):
            left = min(int(across), grid - 1)
            right = min(left + 1, grid - 1)
            upper = (1 - (across - left)) * answer.local[top, left]
            upper = upper + (across - left) * answer.local[top, right]
            lower = (1 - (across - left)) * answer.local[below, left]
            lower = lower + (across - left) * answer.local[below, right]
            local = (1 - (down - top)) * upper + (down - top) * lower
            r, g, b = rgb[y, x]
            basis = np.array([r, g, b, 1, r * r, g * g, b * b, r * g, g * b, b * r])
            moved = rgb[y, x] + (answer.overall + change) @ basis + local @ basis[:4]
            cover = matte[y, x] / 255.0
            out[y, x] = rgb[y, x] + cover * (np.clip(moved, 0, 1) - rgb[y, x])
    return out * 255.0


def app_of(folder: Path, weights: Path, **more: Any) -> App:
    return App(folder, HarmonizerSettings(weights=str(weights), device="cpu"), **more)
