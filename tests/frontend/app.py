"""The app in a browser: its server, small clips, and what its canvas shows."""

from __future__ import annotations

import base64
import json
import re
import struct
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Page, expect

from tests.support.scenes import moving_scene, write_video
from vhmae.arrays import Array
from vhmae.engine.rendering import FrameTransform, render_rgb

WIDTH, HEIGHT, FRAMES, CUT = 320, 180, 24, 12
PATIENCE_MS = 300_000
"""A machine that is busy takes long to load the network, once."""
expect.set_options(timeout=60_000)


def write_clip(folder: Path, name: str) -> None:
    """A composite of two shots with sound, ``NAME.mp4``, and its mask, ``NAME_mask.mp4``."""
    frames, masks = moving_scene(FRAMES, WIDTH, HEIGHT)
    frames[CUT:] = 255 - frames[CUT:, :, ::-1]
    masks[CUT:] = masks[CUT:, :, ::-1].copy()
    write_video(folder / f"{name}.mp4", frames, codec="libx264", audio=True)
    grays = np.where(masks, 255, 0).astype(np.uint8)
    write_video(folder / f"{name}_mask.mp4", grays, codec="libx264")


def open_clip(page: Page, address: str, name: str, button: str = "Open") -> None:
    """Bring a clip and its mask, and wait until takes can be chosen."""
    page.goto(address)
    choose(page, f"{name}.mp4", f"{name}_mask.mp4")
    page.get_by_role("button", name=button, exact=True).click()
    wait_for_takes(page)


def choose(page: Page, *names: str) -> None:
    """Choose files in the folder's list; above it, clips that are open have the same names."""
    for name in names:
        page.locator(".list .entry", has_text=name).first.click()


def wait_for_takes(page: Page) -> None:
    expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)
    settle(page)


def wait_for(is_so: Callable[[], bool], seconds: float = PATIENCE_MS / 1000) -> None:
    """Wait for what a page does not show."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)


def settle(page: Page) -> None:
    """Wait until the frame stands there exactly, and the server has answered."""
    expect(page.locator(".stage[data-ready=true]")).to_be_visible(timeout=PATIENCE_MS)
    is_saved = re.compile("Saved|Gesichert")
    expect(page.locator(".clip small")).to_have_text(is_saved, timeout=PATIENCE_MS)


def click_picture(page: Page, x: float, y: float, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Click a place of the picture, in shares of its size, while it fits the canvas."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    width, height = size
    scale = min((box["width"] - 24) / width, (box["height"] - 24) / height)
    left = box["x"] + (box["width"] - scale * width) / 2
    top = box["y"] + (box["height"] - scale * height) / 2
    page.mouse.click(left + x * width * scale, top + y * height * scale)


# What is chosen is drawn with the browser's next frame.
SHOWN = """async () => {
  for (let i = 0; i < 2; i++) await new Promise((drawn) => requestAnimationFrame(drawn));
  const canvas = document.querySelector(".stage canvas");
  const flat = document.createElement("canvas");
  [flat.width, flat.height] = [canvas.width, canvas.height];
  const context = flat.getContext("2d");
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, flat.width, flat.height);
  let text = "";
  for (let i = 0; i < data.length; i += 32768)
    text += String.fromCharCode(...data.subarray(i, i + 32768));
  return [flat.width, flat.height, btoa(text)];
}"""


def canvas_of(page: Page) -> Array:
    """What the canvas shows, (H, W, 3)."""
    width, height, text = page.evaluate(SHOWN)
    data = np.frombuffer(base64.b64decode(text), np.uint8)
    return data.reshape(height, width, 4)[..., :3]


def picture_of(page: Page, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Array:
    """The picture on the canvas, pixel for pixel in its middle: (height, width, 3)."""
    canvas, (width, height) = canvas_of(page), size
    top, left = (canvas.shape[0] - height) // 2, (canvas.shape[1] - width) // 2
    # Halves may be rounded either way.
    top += int((canvas.shape[0] - height) % 2)
    left += int((canvas.shape[1] - width) % 2)
    return canvas[top : top + height, left : left + width]


class Calls:
    """The server's interface, as a program uses it."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/") + "/api/"
        self.csrf = self.json("session")["csrf"]

    def bytes(self, path: str, body: Any = None, method: str | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        if data is not None:
            request.add_header("content-type", "application/json")
        if request.get_method() != "GET":
            request.add_header("x-csrf-token", self.csrf)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read()

    def json(self, path: str, body: Any = None, method: str | None = None) -> Any:
        return json.loads(self.bytes(path, body, method))

    def drawn(self, project: str, frame: int) -> Array:
        """What the renderer makes of a frame in which one object moves, without any guide."""
        before = self.picture(f"projects/{project}/frames/{frame}?size=full&as=exact")
        matte = self.picture(f"projects/{project}/frames/{frame}/matte?size=full")
        after = render_rgb(before, matte, self.maps(project, frame))
        assert np.abs(after.astype(int) - before)[matte > 0].mean() > 3.0, "nothing to see"
        return after

    def picture(self, path: str) -> Array:
        """RGB (H, W, 3), or gray (H, W)."""
        data = np.frombuffer(self.bytes(path), np.uint8)
        found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        assert found is not None
        return found if found.ndim == 2 else np.ascontiguousarray(found[..., 2::-1])

    def maps(self, project: str, frame: int) -> FrameTransform:
        """The network's answer to a clip of one object."""
        (found,) = self.parts(project, frame)
        return found

    def parts(self, project: str, frame: int) -> list[FrameTransform]:
        """The network's answer to each part that moves; all are in the frame."""
        data = self.bytes(f"projects/{project}/maps?first={frame}&count=1")
        magic, _, count, parts, grid, _ = struct.unpack_from("<4s5I", data)
        assert (magic, count) == (b"VMAP", 1)
        found, length = [], 30 + grid * grid * 12
        for place in range(parts):
            numbers = np.frombuffer(data, np.float32, length, 48 + place * 4 * (2 + length))
            local = numbers[30:].reshape(grid, grid, 3, 4)
            found.append(FrameTransform(numbers[:30].reshape(3, 10), local.copy()))
        return found


def saved(folder: Path, name: str) -> dict[str, Any]:
    """The project that lies beside a clip."""
    return json.loads((folder / f"{name}.vhmae.json").read_text())


def project_of(page: Page) -> str:
    """The number of the clip that a page shows."""
    return page.url.split("project=")[1]
