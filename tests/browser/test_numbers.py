"""What the page without a server works out is what Python works out: small pictures, maps over
time, pixels."""

from __future__ import annotations

import base64
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.served import FileServer, build_page, mismatched_scene, served
from tests.support.node import bundle
from vhmae.arrays import Array
from vhmae.engine.backends import open_network
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.rendering import FrameTransform, Released, render_rgb
from vhmae.engine.sight import thumbnail_of
from vhmae.video.cuts import THUMBNAIL, CutDetector
from vhmae.video.planes import shrink

WIDTH, HEIGHT, FRAMES, CUT = 400, 300, 40, 23
STRENGTH = 0.8
MAPS = 1e-3
"""Coefficients of maps lie within this."""
LEVELS = 1
"""Pixels lie within this, of 255."""

HARMONIZE = """
async ({ width, height, count, strength }) => {
  const bytes = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
  const frames = await bytes("vectors/frames.bin");
  const mattes = await bytes("vectors/mattes.bin");
  const area = width * height;
  const pixels = (i) => frames.subarray(4 * area * i, 4 * area * (i + 1));
  const picture = (i) => ({ data: pixels(i), width, height });
  const matte = (i) => mattes.subarray(area * i, area * (i + 1));
  const network = await page.WorkerNetwork.open(location.href);
  const stream = new page.Stream(network, "balanced");
  const released = [];
  for (let i = 0; i < count; i++)
    released.push(...(await stream.push({ picture: picture(i), matte: matte(i) })));
  released.push(...(await stream.drain()));
  const renderer = new page.Renderer(new OffscreenCanvas(width, height));
  const text = (values) => {
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    let out = "";
    for (let i = 0; i < raw.length; i += 32768)
      out += String.fromCharCode(...raw.subarray(i, i + 32768));
    return btoa(out);
  };
  return released.map((one) => {
    const maps = stream.mapsOf(one);
    if (!maps) return { ...one, estimates: null };
    renderer.setFrame(picture(one.index));
    renderer.render([{
      matte: page.asTexture(matte(one.index), width, height),
      change: { ...maps, strength: strength * one.shown, keep: [] },
    }]);
    return {
      shot: one.shot,
      shown: one.shown,
      overall: text(maps.overall),
      local: text(maps.local),
      pixels: text(renderer.read("after").data),
    };
  });
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    folder = build_page(tmp_path_factory.mktemp("built") / "page")
    bundle(str(Path("..") / "browser" / "tests" / "library.ts"), folder / "library.js")
    (folder / "blank.html").write_text("<!doctype html><title>Library</title>")
    (folder / "vectors").mkdir()
    with served(folder) as found:
        found.folder = folder  # type: ignore[attr-defined]
        yield found


@pytest.fixture(scope="module")
def page(graphics: Browser, server: FileServer) -> Iterator[Page]:
    opened = graphics.new_page()
    opened.goto(server.address + "blank.html")
    opened.add_script_tag(url="library.js")
    yield opened
    opened.close()


class Clip(NamedTuple):
    frames: Array
    """(T, H, W, 3) uint8."""
    mattes: Array
    """(T, H, W) uint8."""


@functools.cache
def clip() -> Clip:
    """Two shots; a frame without foreground, soft edges, a flash and a fade to black."""
    frames, masks = mismatched_scene(FRAMES, WIDTH, HEIGHT)
    mattes = np.where(masks, 255, 0).astype(np.uint8)
    frames[CUT:] = 255 - frames[CUT:, :, ::-1]
    mattes[CUT:] = mattes[CUT:, :, ::-1].copy()
    for index, matte in enumerate(mattes):
        mattes[index] = cv2.GaussianBlur(matte, (0, 0), 2.0)
    frames[9:11] = np.minimum(255, frames[9:11] * 0.3 + 178).astype(np.uint8)
    for index in range(FRAMES - 6, FRAMES):
        frames[index] = (frames[index] * (FRAMES - 1 - index) / 6).astype(np.uint8)
    mattes[4] = 0
    return Clip(frames, mattes)


def harmonized() -> list[Released]:
    frames, mattes = clip()
    harmonizer = Harmonizer(open_network("free", "onnx", "cpu"))
    found = []
    for frame, matte in zip(frames, mattes, strict=True):
        found += harmonizer.push((frame, matte), functools.partial(thumbnail_of, frame), matte)
    return found + harmonizer.drain()


def numbers(text: str, kind: Any) -> Array:
    return np.frombuffer(base64.b64decode(text), kind)


def test_maps_over_time_and_pixels_are_those_of_python(page: Page, server: FileServer) -> None:
    frames, mattes = clip()
    opaque = np.full((*frames.shape[:3], 1), 255, np.uint8)
    folder = server.folder / "vectors"  # type: ignore[attr-defined]
    (folder / "frames.bin").write_bytes(np.concatenate([frames, opaque], axis=3).tobytes())
    (folder / "mattes.bin").write_bytes(mattes.tobytes())
    told = {"width": WIDTH, "height": HEIGHT, "count": FRAMES, "strength": STRENGTH}
    found = page.evaluate(HARMONIZE, told)
    expected = harmonized()
    assert [one["shot"] for one in found] == [one.shot for one in expected]
    assert {0, 1} <= {one.shot for one in expected}
    assert [("overall" in one) for one in found] == [one.change is not None for one in expected]
    changed = 0.0
    for index, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        if theirs.change is None:
            continue
        assert isinstance(theirs.change, FrameTransform)
        share = ours["shown"]
        overall = share * numbers(ours["overall"], np.float64).reshape(3, 10)
        local = share * numbers(ours["local"], np.float32).reshape(theirs.change.local.shape)
        np.testing.assert_allclose(overall, theirs.change.overall, atol=MAPS, err_msg=str(index))
        np.testing.assert_allclose(local, theirs.change.local, atol=MAPS, err_msg=str(index))
        wanted = render_rgb(frames[index], mattes[index], theirs.change.scaled(STRENGTH))
        got = numbers(ours["pixels"], np.uint8).reshape(HEIGHT, WIDTH, 4)[..., :3]
        assert np.abs(got.astype(int) - wanted.astype(int)).max() <= LEVELS, index
        changed = max(changed, float(np.abs(wanted.astype(int) - frames[index]).max()))
    assert changed > 10, "a clip that is changed"
    assert min(one["shown"] for one in found) < 0.5, "a clip that fades"


@pytest.mark.parametrize(
    ("size", "to", "apart"),
    [
        ((300, 400), (256, 256), 0.02),
        ((1080, 1920), (256, 256), 0.02),
        ((720, 1280), (36, 64), 0.02),
        ((513, 1031), (256, 256), 0.02),
        ((256, 256), (256, 256), 0.0),
        # Larger than it came, where OpenCV reckons in whole numbers.
        ((180, 320), (256, 256), 0.15),
        ((100, 90), (256, 256), 0.15),
    ],
)
def test_small_pictures_are_those_of_opencv(
    page: Page, size: tuple[int, int], to: tuple[int, int], apart: float
) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (*size, 3), np.uint8)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.5)
    text = base64.b64encode(picture.tobytes()).decode()
    found = page.evaluate(
        """async ({ text, width, height, to }) => {
          const got = await fetch("data:application/octet-stream;base64," + text);
          const data = new Uint8Array(await got.arrayBuffer());
          return Array.from(page.shrink({ data, width, height, channels: 3 }, ...to).data);
        }""",
        {"text": text, "width": size[1], "height": size[0], "to": to},
    )
    expected = shrink(picture, *to)
    off = np.abs(np.array(found).reshape(expected.shape) - expected.astype(int))
    assert off.max() <= 1
    assert off.mean() <= apart


def test_cuts_are_those_of_python(page: Page) -> None:
    frames = clip().frames
    detector = CutDetector()
    thumbnails = [thumbnail_of(frame, *THUMBNAIL) for frame in frames]
    expected = [[detector.step(one), detector.blinded, detector.began_lit] for one in thumbnails]
    found = page.evaluate(
        """(thumbnails) => {
          const detector = new page.CutDetector();
          return thumbnails.map((one) =>
            [detector.step(Float32Array.from(one)), detector.blinded, detector.beganLit]);
        }""",
        [one.ravel().tolist() for one in thumbnails],
    )
    assert found == expected
    assert any(cut for cut, *_ in expected)


def test_a_weights_file_that_is_cut_short_is_refused(page: Page) -> None:
    said = page.evaluate(
        """async () => {
          const header = { a: { dtype: "F16", shape: [4], data_offsets: [0, 8] } };
          const whole = new TextEncoder().encode(JSON.stringify(header));
          const file = new Uint8Array(8 + whole.length + 6);
          new DataView(file.buffer).setBigUint64(0, BigInt(whole.length), true);
          file.set(whole, 8);
          try { page.readSafetensors(file); return "read"; } catch (error) { return error.message; }
        }"""
    )
    assert said == "a is cut short"


BLACK, WHITE, BLUE, HALF = (0, 0, 0, 255), (255, 255, 255, 255), (0, 0, 200, 255), (0, 0, 100, 255)


@pytest.mark.parametrize(
    ("colors", "is_still", "matte"),
    [
        ([BLACK, WHITE, (128, 128, 128, 255)], False, [0, 255, 128]),
        ([BLACK, BLUE, HALF], False, [0, 255, 128]),  # softer where it is darker
        ([BLACK, BLUE, BLUE], True, [0, 255, 255]),
        ([BLACK, (1, 1, 1, 255), (2, 2, 2, 255)], True, [0, 255, 255]),  # objects
        ([BLACK, (1, 1, 1, 255), (2, 2, 2, 255)], False, [0, 1, 2]),  # fades in
        ([(90, 90, 90, 0), (60, 60, 60, 255), (60, 60, 60, 128)], True, [0, 255, 128]),
    ],
)
def test_masks_mean_what_they_mean_to_the_program(
    colors: list[tuple[int, ...]], is_still: bool, matte: list[int], page: Page
) -> None:
    found = page.evaluate(
        "([data, width, isStill]) => Array.from(page.matteOf("
        "{ data: new Uint8ClampedArray(data), width, height: 1 }, isStill))",
        [list(itertools.chain(*colors)), len(colors), is_still],
    )
    assert found == matte
