"""The shader gives the renderer's picture, in a real browser."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.support.node import bundle
from vhmae.arrays import Array, to_unit
from vhmae.engine.rendering import ColorChange, FrameTransform, KeepingChange, render_rgb
from vhmae.engine.settings import Kept
from vhmae.engine.sight import one_before_another

DRAW = """
async ({ pictures, width, height }) => {
  const bytes = async (data) => {
    const got = await fetch("data:application/octet-stream;base64," + data);
    return new Uint8Array(await got.arrayBuffer());
  };
  const floats = async (data) => new Float32Array((await bytes(data)).buffer);
  const renderer = new page.Renderer(new OffscreenCanvas(width, height));
  for (const { frame, mattes, changes } of pictures) {
    if (frame) renderer.setFrame({ data: await bytes(frame), width, height });
    const layers = [];
    for (const [i, change] of changes.entries()) {
      const matte = { data: await bytes(mattes[i]), width, height };
      const overall = Float64Array.from(await floats(change.overall));
      const local = await floats(change.local);
      const { inverted, reach } = change;
      layers.push({ matte, change: { ...change, overall, local }, inverted, reach });
    }
    renderer.render(layers);
  }
  const { data } = renderer.read("after");
  renderer.dispose();
  let text = "";
  for (const value of data) text += String.fromCharCode(value);
  return btoa(text);
}
"""


@pytest.fixture(scope="module")
def page(graphics: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    script = bundle("tests/shader.ts", tmp_path_factory.mktemp("shader") / "shader.js")
    opened = graphics.new_page()
    opened.add_script_tag(path=str(script))
    yield opened
    opened.close()


@dataclasses.dataclass(frozen=True)
class Case:
    cells: int = 16
    strength: float = 1.0
    keep: tuple[Kept, ...] = ()
    size: float = 0.1
    height: int = 216
    width: int = 385


CASES = (
    Case(),
    Case(cells=1),
    Case(strength=0.35, cells=7),
    Case(size=0.6),  # much is clipped
    Case(keep=("hue",)),
    Case(keep=("luma",), size=0.4),
    Case(keep=("saturation",), strength=0.8),
    Case(keep=("hue", "saturation")),
    Case(height=3, width=2),
)


def a_frame(rng: np.random.Generator, height: int, width: int) -> Array:
    """Every kind of color, black, white and grays among them."""
    frame = rng.integers(0, 256, (height, width, 3), np.uint8)
    frame[: height // 8] = 0
    frame[height // 8 : height // 4] = 255
    frame[height // 4 : height // 2] = frame[height // 4 : height // 2, :, :1]
    return frame


def a_matte(rng: np.random.Generator, height: int, width: int) -> Array:
    """Nothing, everything and what lies between."""
    soft = np.linspace(-0.5, 1.5, width).clip(0.0, 1.0) * np.ones((height, 1))
    matte = np.round(255.0 * soft).astype(np.uint8)
    return np.where(rng.uniform(size=matte.shape) < 0.1, 255 - matte, matte).astype(np.uint8)


def a_transform(rng: np.random.Generator, case: Case) -> FrameTransform:
    return FrameTransform(
        rng.normal(0.0, case.size, (3, 10)).astype(np.float32),
        rng.normal(0.0, case.size / 3.0, (case.cells, case.cells, 3, 4)).astype(np.float32),
    )


def finished(transform: FrameTransform, case: Case) -> ColorChange:
    scaled = transform.scaled(case.strength)
    return KeepingChange(scaled, case.keep) if case.keep else scaled


def as_page(transform: FrameTransform, case: Case) -> dict[str, Any]:
    return {
        "overall": _text(transform.overall),
        "local": _text(transform.local),
        "rows": case.cells,
        "columns": case.cells,
        "strength": case.strength,
        "keep": list(case.keep),
    }


Changes = list[dict[str, Any]]


def drawn(page: Page, frame: Array, mattes: list[Array], changes: Changes) -> Array:
    return drawn_after(page, [(frame, mattes, changes)])


def drawn_after(page: Page, pictures: list[tuple[Array | None, list[Array], Changes]]) -> Array:
    """What one renderer has drawn in the end; no frame is the one before."""
    assert pictures[0][0] is not None, "a frame to begin with"
    height, width = pictures[0][0].shape[:2]
    told = [
        {
            "frame": None if frame is None else _text(opaque(frame)),
            "mattes": [_text(np.repeat(matte[..., None], 4, -1)) for matte in mattes],
            "changes": changes,
        }
        for frame, mattes, changes in pictures
    ]
    given = {"pictures": told, "width": width, "height": height}
    data = base64.b64decode(page.evaluate(DRAW, given))
    return np.frombuffer(data, np.uint8).reshape(height, width, 4)[..., :3]


def opaque(frame: Array) -> Array:
    return np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)])


@pytest.mark.parametrize("case", CASES)
def test_the_shader_draws_what_the_renderer_renders(page: Page, case: Case) -> None:
    rng = np.random.default_rng(5)
    frame = a_frame(rng, case.height, case.width)
    matte = a_matte(rng, case.height, case.width)
    transform = a_transform(rng, case)
    expected = render_rgb(frame, matte, finished(transform, case))
    found = drawn(page, frame, [matte], [as_page(transform, case)])
    apart = np.abs(found.astype(int) - expected.astype(int))
    assert apart.max() <= 1, f"off by {apart.max()} levels at {np.argwhere(apart > 1)[:3]}"
    assert np.mean(apart > 0) < 0.002  # what lies between two levels may go either way
    assert (found[matte == 0] == frame[matte == 0]).all()
    if case.height > 3:
        assert np.abs(expected.astype(int) - frame.astype(int)).mean() > 1.0, "nothing was asked"


def test_objects_are_changed_one_after_the_other(page: Page) -> None:
    rng = np.random.default_rng(6)
    case = Case(cells=4)
    frame = a_frame(rng, case.height, case.width)
    whole = [a_matte(rng, case.height, case.width), a_matte(rng, case.height, case.width)[:, ::-1]]
    mattes = list(one_before_another(whole)[0])
    transforms = [a_transform(rng, case), a_transform(rng, case)]
    expected = frame
    for matte, transform in zip(mattes, transforms, strict=True):
        expected = render_rgb(expected, matte, transform)
    found = drawn(page, frame, mattes, [as_page(one, case) for one in transforms])
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


def test_what_the_matte_leaves_out_can_be_changed(page: Page) -> None:
    rng = np.random.default_rng(7)
    case = Case(cells=5)
    frame = a_frame(rng, case.height, case.width)
    matte = a_matte(rng, case.height, case.width)
    transform = a_transform(rng, case)
    expected = render_rgb(frame, 1.0 - to_unit(matte), transform)
    found = drawn(page, frame, [matte], [{**as_page(transform, case), "inverted": True}])
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


def within(matte: Array, *box: int) -> Array:
    """A matte that is nothing outside a box: left, top, right, bottom."""
    left, top, right, bottom = box
    kept = np.zeros_like(matte)
    kept[top:bottom, left:right] = matte[top:bottom, left:right]
    return kept


def test_nothing_outside_its_reach_need_be_drawn(page: Page) -> None:
    """Objects one after the other, the last of which is nowhere."""
    rng = np.random.default_rng(8)
    case = Case(cells=4)
    frame = a_frame(rng, case.height, case.width)
    boxes = [(300, 10, 385, 90), (7, 60, 350, 216), (0, 0, 0, 0)]
    mattes = [within(a_matte(rng, case.height, case.width), *box) for box in boxes]
    changes = [as_page(a_transform(rng, case), case) for _ in boxes]
    sides = ("left", "top", "right", "bottom")
    reaching = [
        {**change, "reach": dict(zip(sides, box, strict=True))}
        for change, box in zip(changes, boxes, strict=True)
    ]
    whole = drawn(page, frame, mattes, changes)
    assert np.array_equal(drawn(page, frame, mattes, reaching), whole)
    assert not np.array_equal(whole, frame)


def test_what_is_drawn_again_is_drawn_as_at_first(page: Page) -> None:
    """With other changes, as while a dial turns; with another reach; in another frame."""
    rng = np.random.default_rng(9)
    case = Case(cells=4)
    sides = ("left", "top", "right", "bottom")

    def picture(*boxes: tuple[int, ...]) -> tuple[Array, list[Array], Changes]:
        frame = a_frame(rng, case.height, case.width)
        mattes = [within(a_matte(rng, case.height, case.width), *box) for box in boxes]
        reach = [dict(zip(sides, box, strict=True)) for box in boxes]
        changes = [{**as_page(a_transform(rng, case), case), "reach": one} for one in reach]
        return frame, mattes, changes

    one, other = (7, 60, 350, 200), (40, 10, 385, 90)
    (frame, mattes, changes), (_, _, turned) = picture(one), picture(one)
    moved, both, next_frame = picture(other), picture(one, other), picture(one)
    again = None, mattes, turned
    pictures = [
        (frame, mattes, changes),
        again,
        (None, *moved[1:]),
        again,
        (None, *both[1:]),
        again,
    ]
    for last in range(1, len(pictures)):
        wanted = drawn_after(page, [(frame, *pictures[last][1:])])
        assert np.array_equal(drawn_after(page, pictures[: last + 1]), wanted), last
    assert np.array_equal(drawn_after(page, [*pictures, next_frame]), drawn(page, *next_frame))


REACH = """
async ({ width, height, box, level }) => {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  context.fillStyle = `rgb(${level}, ${level}, ${level})`;
  const [left, top, right, bottom] = box;
  context.fillRect(left, top, right - left, bottom - top);
  const found = page.reachOf(await createImageBitmap(await canvas.convertToBlob()));
  return [found.left, found.top, found.right, found.bottom];
}
"""


@pytest.mark.parametrize("box", [(3, 5, 40, 9), (0, 0, 64, 48), (63, 47, 64, 48), (0, 0, 0, 0)])
def test_the_reach_of_a_matte_is_found(page: Page, box: tuple[int, ...]) -> None:
    for level in (1, 255):
        given = {"width": 64, "height": 48, "box": box, "level": level}
        assert page.evaluate(REACH, given) == list(box)


def _text(values: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def test_a_page_is_told_where_there_is_no_webgl(page: Page, tmp_path: Path) -> None:
    said = page.evaluate(
        """() => {
          const canvas = new OffscreenCanvas(8, 8);
          canvas.getContext("2d");
          try { new page.Renderer(canvas); return "drawn"; } catch (error) { return error.name; }
        }"""
    )
    assert said == "NoGraphics"
