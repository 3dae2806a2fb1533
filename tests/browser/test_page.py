"""The page without a server, used as a person uses it, in a browser that draws by software and has
one thread."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.served import BROWSER, FileServer, build_page, mismatched_scene, served
from tests.support.browser import violations
from tests.support.node import run
from tests.support.scenes import write_video
from vhmae.arrays import Array
from vhmae.engine.harmonizer import Harmonizer
from vhmae.guide.document import Guide
from vhmae.guide.reading import read_guide
from vhmae.video.reader import read_rgb_frames

WIDTH, HEIGHT, FRAMES = 320, 180, 12
PATIENCE_MS = 300_000
expect.set_options(timeout=60_000)
LARGEST_BYTES = 20_000_000
"""Of all that is fetched, the example included."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_page(tmp_path_factory.mktemp("built") / "page")


def test_what_the_page_holds_has_its_terms_beside_it(built: Path) -> None:
    told = (built / "LICENSES.txt").read_text()
    for name in ("preact", "mediabunny", "onnxruntime-web", "Copyright (c) 2019 Mahmoud Afifi"):
        assert name in told
    assert "public domain" in (built / "NOTICE.txt").read_text()
    pictures = (built / "network" / "free.pictures.csv").read_text().splitlines()
    assert len(pictures) > 2000
    assert "Apache" in (built / "network" / "MODEL_CARD.free.md").read_text()


@pytest.fixture(scope="module")
def server(built: Path) -> Iterator[FileServer]:
    with served(built) as found:
        yield found


@pytest.fixture
def page(graphics: Browser, server: FileServer) -> Iterator[Page]:
    context = graphics.new_context(locale="en", viewport={"width": 1300, "height": 850})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    elsewhere: list[str] = []
    opened.on("request", lambda one: elsewhere.append(one.url))
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.goto(server.address)
    yield opened
    context.close()
    assert not troubles
    own = (server.address, f"blob:{server.address}", "data:")
    assert not [url for url in elsewhere if not url.startswith(own)], "nothing from elsewhere"


def bring(page: Page, composite: Path, mask: Path | None = None) -> None:
    page.get_by_label("Composite: Choose a file").set_input_files(composite)
    if mask is not None:
        page.get_by_label("Second file: Choose a file").set_input_files(mask)


def harmonize(page: Page) -> None:
    button = page.get_by_role("button", name="Harmonize", exact=True)
    expect(button).to_be_enabled(timeout=PATIENCE_MS)
    button.click()
    expect(page.locator(".take").nth(5)).to_be_visible(timeout=PATIENCE_MS)


def written(page: Page, folder: Path) -> Path:
    page.get_by_role("button", name="Write the file").click()
    link = page.get_by_role("link", name="Save")
    expect(link).to_be_visible(timeout=PATIENCE_MS)
    with page.expect_download() as download:
        link.click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def scene() -> tuple[Array, Array]:
    """A still composite (H, W, 3) and its matte (H, W), both uint8."""
    frames, masks = mismatched_scene(1, WIDTH, HEIGHT)
    return frames[0], np.where(masks[0], 255, 0).astype(np.uint8)


def by_python(frames: Array, mattes: Array, guide: Guide | None = None) -> Array:
    harmonizer = Harmonizer.from_pretrained("free", backend="onnx", device="cpu")
    if guide is not None:
        harmonizer.guide(guide)
    return np.stack(list(harmonizer.harmonize(list(frames), list(mattes))))


def write_png(path: Path, rgb: Array, alpha: Array | None = None) -> Path:
    planes = rgb if alpha is None else np.dstack([rgb, alpha])
    order = cv2.COLOR_RGB2BGR if alpha is None else cv2.COLOR_RGBA2BGRA
    cv2.imwrite(str(path), cv2.cvtColor(planes, order))
    return path


def read_png(path: Path) -> Array:
    found = cv2.imread(str(path))
    assert found is not None
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def test_a_clip_is_harmonized_with_its_sound(page: Page, tmp_path: Path) -> None:
    frames, masks = mismatched_scene(FRAMES, WIDTH, HEIGHT)
    composite, mask = tmp_path / "clip.mp4", tmp_path / "mask.mp4"
    write_video(composite, frames, codec="libx264", audio=True, told=True)
    write_video(mask, np.where(masks, 255, 0).astype(np.uint8), codec="libx264")
    bring(page, composite, mask)
    harmonize(page)
    assert not violations(page)
    path = written(page, tmp_path)
    expect(page.get_by_text(f"{FRAMES} frames, ")).to_be_visible()
    expect(page.get_by_text("H.264 in mp4, sound as it was")).to_be_visible()
    assert path.name == "clip.harmonized.mp4"
    with av.open(str(path)) as file, av.open(str(composite)) as before:
        assert file.streams.video[0].codec_context.name == "h264"
        assert sum(packet.size > 0 for packet in file.demux(video=0)) == FRAMES
        ours, theirs = file.streams.audio[0], before.streams.audio[0]
        assert ours.codec_context.name == theirs.codec_context.name
        lengths = [float(one.duration or 0) * float(one.time_base or 0) for one in (ours, theirs)]
        assert lengths[0] == pytest.approx(lengths[1], abs=0.1)
    numbers = list(range(FRAMES))
    came, made, covers = (
        np.stack(read_rgb_frames(one, numbers)) for one in (composite, path, mask)
    )
    expected = by_python(came, covers[..., 0])
    apart = np.abs(made.astype(float) - expected)[masks].mean()
    moved = np.abs(expected.astype(float) - came)[masks].mean()
    assert moved > 8
    assert apart < 3, "what an encoder and another way from YUV to RGB leave"


@pytest.mark.long
def test_without_an_encoder_for_h264_it_is_vp9_and_said(page: Page, tmp_path: Path) -> None:
    page.evaluate(
        """() => {
          const supported = VideoEncoder.isConfigSupported;
          VideoEncoder.isConfigSupported = async (config) =>
            config.codec.startsWith("avc") ? { supported: false, config } : supported(config);
        }"""
    )
    frames, masks = mismatched_scene(3, WIDTH, HEIGHT)
    composite = tmp_path / "clip.mp4"
    write_video(composite, frames, codec="libx264")
    mask = write_png(tmp_path / "mask.png", np.repeat(masks[0, ..., None] * np.uint8(255), 3, 2))
    bring(page, composite, mask)
    harmonize(page)
    path = written(page, tmp_path)
    expect(page.get_by_text("VP9 in mp4, since this browser encodes no H.264")).to_be_visible()
    with av.open(str(path)) as file:
        assert file.streams.video[0].codec_context.name == "vp9"
        assert not file.streams.audio


@pytest.mark.long
def test_a_picture_with_alpha_is_that_of_python(page: Page, tmp_path: Path) -> None:
    rgb, matte = scene()
    bring(page, write_png(tmp_path / "still.png", rgb, matte))
    page.get_by_role("radio", name="Alpha").click()
    harmonize(page)
    made = read_png(written(page, tmp_path))
    expected = by_python(rgb[None], matte[None])[0]
    assert np.abs(made.astype(int) - expected).max() <= 2
    assert (made[matte == 0] == rgb[matte == 0]).all()
    assert np.abs(expected.astype(int) - rgb).max() > 8


def place_on(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place of the picture in the window, by shares of its size."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    scale = min((box["width"] - 24) / WIDTH, (box["height"] - 24) / HEIGHT)
    left = box["x"] + (box["width"] - scale * WIDTH) / 2
    top = box["y"] + (box["height"] - scale * HEIGHT) / 2
    return left + x * WIDTH * scale, top + y * HEIGHT * scale


def stroke(page: Page, start: float, end: float) -> None:
    """Paint from left to right, at half of the picture's height."""
    page.mouse.move(*place_on(page, start, 0.5))
    page.mouse.down()
    page.mouse.move(*place_on(page, end, 0.5), steps=8)
    page.mouse.up()


@pytest.mark.long
def test_what_is_brushed_is_changed_alone(page: Page, tmp_path: Path) -> None:
    rgb, _ = scene()
    bring(page, write_png(tmp_path / "still.png", rgb))
    page.get_by_role("radio", name="Brush").click()
    button = page.get_by_role("button", name="Harmonize", exact=True)
    expect(button).to_be_enabled(timeout=PATIENCE_MS)
    button.click()
    expect(page.get_by_text("Paint over the foreground first.")).to_be_visible()
    stroke(page, 0.3, 0.4)
    harmonize(page)
    made = read_png(written(page, tmp_path)).astype(int)
    moved = np.abs(made - rgb).max(axis=-1) > 0
    rows, columns = np.nonzero(moved)
    assert moved[HEIGHT // 2, int(0.35 * WIDTH)]
    # A brush of 24 pixels around the way that was painted.
    assert abs(columns.min() - (0.3 * WIDTH - 24)) <= 4
    assert abs(columns.max() - (0.4 * WIDTH + 24)) <= 4
    assert abs(rows.min() - (HEIGHT / 2 - 24)) <= 4


def test_what_is_brushed_holds_to_the_next_frame_that_is(page: Page, tmp_path: Path) -> None:
    hidden, corrected = 4, 6
    frames, _ = mismatched_scene(FRAMES + hidden, WIDTH, HEIGHT)
    # What lies before 0 is hidden by an edit list, as phones and stream copies cut.
    times = [40 * (number - hidden) for number in range(len(frames))]
    composite = write_video(tmp_path / "clip.mp4", frames, codec="libx264", told=True, pts=times)
    bring(page, composite)
    page.get_by_role("radio", name="Brush").click()
    expect(page.get_by_text(f"1 of {FRAMES}", exact=True)).to_be_visible()
    stroke(page, 0.2, 0.25)
    page.get_by_label("Frame", exact=True).fill(str(corrected))
    here = f"{corrected + 1} of {FRAMES}"
    expect(page.get_by_text(here, exact=True)).to_be_visible()
    stroke(page, 0.75, 0.8)
    harmonize(page)
    expect(page.get_by_text(f"{here}, shot 1")).to_be_visible()
    # What is seen of the result is mended in the frame that is shown.
    page.get_by_role("button", name="Paint on").click()
    expect(page.get_by_text(here, exact=True)).to_be_visible()
    page.get_by_role("radio", name="Erase").click()
    stroke(page, 0.2, 0.25)
    harmonize(page)
    # A change that no encoder makes, of the whole shot.
    page.get_by_role("button", name="Brighter", exact=True).click()
    page.mouse.click(*place_on(page, 0.775, 0.5))
    expect(page.locator(".point")).to_have_count(1)
    path = written(page, tmp_path)
    with av.open(str(path)) as file:
        assert sum(1 for _ in file.decode(video=0)) == FRAMES
    numbers = list(range(FRAMES))
    came, made = (np.stack(read_rgb_frames(one, numbers)) for one in (composite, path))
    height, reach = HEIGHT // 2, 10
    moved = (made.astype(float) - came)[:, height - reach : height + reach].mean((1, 3))
    left, right = (
        moved[:, int(x * WIDTH) - reach : int(x * WIDTH) + reach].mean(1) for x in (0.225, 0.775)
    )
    assert left[:corrected].min() > left[corrected:].max() + 1.5
    assert right[corrected:].min() > right[:corrected].max() + 1.5


def test_points_takes_and_strength_are_heard(page: Page, tmp_path: Path) -> None:
    rgb, matte = scene()
    bring(page, write_png(tmp_path / "still.png", rgb, matte))
    page.get_by_role("radio", name="Alpha").click()
    harmonize(page)
    page.get_by_role("button", name="Keep").click()
    page.mouse.click(*place_on(page, 0.02, 0.05))
    expect(page.get_by_text("There is no foreground at this place.")).to_be_visible()
    page.get_by_role("button", name="Keep").click()
    page.mouse.click(*place_on(page, 0.35, 0.5))
    expect(page.locator(".point")).to_have_count(1)
    assert not violations(page)
    assert_as_python_hears(page, rgb, matte, tmp_path)
    page.locator(".take").nth(3).click()
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    page.locator(".take").nth(4).click()
    assert_as_python_hears(page, rgb, matte, tmp_path)
    page.get_by_role("button", name="Remove point 1").click()
    page.get_by_role("button", name="Take back").click()
    page.get_by_role("button", name="Take back").click()
    # What is being written while the strength is turned is no longer what is shown.
    write = page.get_by_role("button", name="Write the file")
    page.get_by_label("Strength", exact=True).evaluate(TURN_AT_ONCE, write.element_handle())
    expect(page.get_by_text("Writing was stopped")).to_be_visible()
    expect(write).to_be_enabled()
    expect(page.get_by_role("link", name="Save")).to_have_count(0)
    page.get_by_label("Strength as a number").fill("0.5")
    page.keyboard.press("Enter")
    half = read_png(written(page, tmp_path)).astype(float)
    plain = by_python(rgb[None], matte[None])[0]
    # What is cut off at white or black is not half of anything.
    inside = (matte == 255) & (plain > 2).all(axis=-1) & (plain < 253).all(axis=-1)
    assert np.abs(half - (rgb + plain.astype(float)) / 2)[inside].max() <= 2


TURN_AT_ONCE = """
(slider, write) => {
  write.click();
  slider.value = "0.9";
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}
"""


def assert_as_python_hears(page: Page, rgb: Array, matte: Array, folder: Path) -> None:
    """The picture is what Python makes of the guide that the page saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save what was said").click()
    download.value.save_as(folder / "guide.json")
    guide = read_guide(folder / "guide.json")
    assert guide.points[0].kind == "keep"
    expected = by_python(rgb[None], matte[None], guide)[0].astype(int)
    plain = by_python(rgb[None], matte[None])[0].astype(int)
    assert np.abs(expected - plain).max() > 8
    made = read_png(written(page, folder)).astype(int)
    assert np.abs(made - expected).max() <= 2


def test_what_does_not_fit_is_said(page: Page, tmp_path: Path) -> None:
    rgb, matte = scene()
    small = write_png(tmp_path / "small.png", np.repeat(matte[::2, ::2, None], 3, 2))
    bring(page, write_png(tmp_path / "still.png", rgb), small)
    expect_told(page, re.compile(r"small\.png: is 160.90; the composite is 320.180\."))
    page.get_by_role("radio", name="Alpha").click()
    expect_told(page, "still.png: is opaque everywhere")
    page.get_by_role("radio", name="Second file").click()
    whole = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    bring(page, tmp_path / "still.png", write_png(tmp_path / "white.png", whole))
    expect_told(page, "The mask covers every frame whole")
    bring(page, tmp_path / "still.png", write_png(tmp_path / "black.png", 0 * whole))
    expect_told(page, "The mask shows no foreground in any frame")
    frames, masks = mismatched_scene(3, WIDTH, HEIGHT)
    clip = write_video(tmp_path / "clip.mp4", frames[:2], codec="libx264")
    longer = np.where(masks, 255, 0).astype(np.uint8)
    bring(page, clip, write_video(tmp_path / "longer.mp4", longer, codec="libx264"))
    expect_told(page, "longer.mp4: has more frames than the composite, which has 2.")
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(b"no video at all" * 100)
    page.get_by_label("Composite: Choose a file").set_input_files(noise)
    expect(page.get_by_text("noise.mp4: this browser cannot read it")).to_be_visible()


def expect_told(page: Page, words: str | re.Pattern[str]) -> None:
    """Harmonizing is refused in these words."""
    button = page.get_by_role("button", name="Harmonize", exact=True)
    expect(button).to_be_enabled(timeout=PATIENCE_MS)
    button.click()
    expect(page.get_by_text(words)).to_be_visible()


SAID = """
() => {
  const said = [];
  for (const one of document.querySelectorAll("body *")) {
    for (const name of ["aria-label", "aria-valuetext", "title"])
      if (one.hasAttribute(name)) said.push(one.getAttribute(name));
    for (const child of one.childNodes)
      if (child.nodeType === Node.TEXT_NODE) said.push(child.textContent);
    // What is put together of several pieces of text.
    if (!one.children.length) said.push(one.textContent);
  }
  return said.map((text) => text.trim()).filter(Boolean);
}
"""


def words_in(language: str) -> dict[str, str]:
    """All that the page can say: the app's words, and its own."""
    shared = BROWSER.parent / "src" / "vhmae" / "app" / "catalogue"
    files = [shared / f"{of}.{language}.json" for of in ("page", "server")]
    found: dict[str, str] = {}
    for path in (*files, BROWSER / "catalogue" / f"{language}.json"):
        found |= json.loads(path.read_text())
    return found


@pytest.mark.long
def test_it_speaks_german_throughout(page: Page, tmp_path: Path) -> None:
    english, german = words_in("en"), words_in("de")
    page.get_by_role("radio", name="Deutsch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Einen Clip in diesem Browser angleichen"
    )
    assert page.locator("html").get_attribute("lang") == "de"
    assert not violations(page)
    rgb, matte = scene()
    brought = page.get_by_label(f"{german['live.clip']}: {german['live.choose']}")
    brought.set_input_files(write_png(tmp_path / "still.png", rgb, matte))
    page.get_by_role("radio", name=german["live.mask.alpha"]).click()
    begin = page.get_by_role("button", name=german["live.start"], exact=True)
    expect(begin).to_be_enabled(timeout=PATIENCE_MS)
    begin.click()
    expect(page.locator(".take").nth(5)).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name=german["word.keep"]).click()
    expect(page.get_by_text(german["arm.place"])).to_be_visible()
    page.mouse.click(*place_on(page, 0.35, 0.5))
    expect(page.locator(".point")).to_have_count(1)
    page.get_by_role("button", name=german["live.export"]).click()
    expect(page.get_by_role("link", name="still.harmonized.png")).to_be_visible()
    assert not violations(page)
    said = page.evaluate(SAID)
    assert {german["takes"], german["live.points"], german["takes.first"]} <= set(said)
    for key, text in english.items():
        if text == german.get(key, "") or text in german.values():
            continue
        form = re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(text)))
        left = [one for one in said if form.fullmatch(one)]
        # A text that is a hole and little else says nothing of its language.
        assert not left or len(re.sub(r"\{\w+\}|\W", "", text)) < 4, f"{key}: {left}"


@pytest.mark.long
def test_the_example_is_harmonized_and_written(page: Page, tmp_path: Path) -> None:
    button = page.get_by_role("button", name="Show an example")
    expect(button).to_be_enabled(timeout=PATIENCE_MS)
    button.click()
    expect(page.locator(".take").nth(5)).to_be_visible(timeout=PATIENCE_MS)
    path = written(page, tmp_path)
    with av.open(str(path)) as file:
        assert sum(1 for _ in file.decode(video=0)) == 50


def test_all_that_is_fetched_is_small(built: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in built.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= LARGEST_BYTES, sizes


def test_types_hold() -> None:
    build = str(BROWSER / "tsconfig.json")
    run(["node", "node_modules/typescript/bin/tsc", "--noEmit", "-p", build])


CATALOGUES = {
    path.stem: json.loads(path.read_text()) for path in sorted(BROWSER.glob("catalogue/*.json"))
}


def test_both_languages_say_the_same_things() -> None:
    english, german = CATALOGUES["en"], CATALOGUES["de"]
    assert english.keys() == german.keys()
    for key, text in english.items():
        holes = sorted(re.findall(r"\{\w+\}", text))
        assert sorted(re.findall(r"\{\w+\}", german[key])) == holes, key


def test_every_word_is_used() -> None:
    code = "\n".join(path.read_text() for path in BROWSER.glob("src/**/*.ts*"))
    used = set(re.findall(r"\"(live\.[\w.-]+)\"", code))
    starts = tuple(re.findall(r"`(live\.[\w.-]+\.)\$\{", code))
    own = CATALOGUES["en"].keys()
    assert not used - own
    assert not [key for key in own - used if not key.startswith(starts)]
