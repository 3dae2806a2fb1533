"""How fast the app answers, in a real browser before the real server, on its demo at 1080p.

python benchmarks/bench_app.py [--rounds 50] [--width 1920] [--gpu] [--json FILE]

Times are those of the page, from what a person does to the frame that shows it: `first_frame` from
the click that opens the clip to its first picture; `dial` from the turn to the next drawn frame;
`scrub` from the seek to the harmonized preview; `full` from the seek to the exact frame of all
1080 lines; `answer` from a moved point to what the server says of it, in words and numbers;
`played` is the rate of different frames that were drawn. Without --gpu the browser draws by
software, on the processors that the server works on, which is slower than any graphics card.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from hardware import describe
from playwright.sync_api import Page, ViewportSize, sync_playwright

from vhmae.app.demo import make_demo

PATIENCE_MS = 600_000
LINES = 1080
PLAYED_SECONDS = 5.0
DRAWN = """() => {
  const image = document.querySelector(".stage img");
  return Boolean(document.querySelector(".stage[data-frame]") || image?.naturalWidth);
}"""
OPEN = f"""(button) => new Promise((done) => {{
  const begun = performance.now();
  const isDrawn = {DRAWN};
  button.click();
  const look = () => isDrawn() ? done(performance.now() - begun) : requestAnimationFrame(look);
  look();
}})"""
TURN = """(value) => new Promise((done) => {
  const begun = performance.now();
  const input = document.querySelector(".slider.dial-exposure input[type=range]");
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
})"""
SEEK = """([share, frame]) => new Promise((done) => {
  const strip = document.querySelector(".strip");
  const stage = document.querySelector(".stage");
  const { left, top, width } = strip.getBoundingClientRect();
  const at = { bubbles: true, clientX: left + share * width, clientY: top + 4, pointerId: 1 };
  strip.setPointerCapture = () => {};
  strip.hasPointerCapture = () => true;
  const begun = performance.now();
  strip.dispatchEvent(new PointerEvent("pointerdown", at));
  strip.dispatchEvent(new PointerEvent("pointerup", at));
  let scrubbed = 0;
  const look = () => {
    const now = performance.now() - begun;
    if (!scrubbed && stage.dataset.frame === frame) scrubbed = now;
    if (scrubbed && stage.dataset.ready === "true") done([scrubbed, now]);
    else requestAnimationFrame(look);
  };
  look();
})"""
# The answer is there when the point's card shows other colors or levels.
WEIGH = """(power) => new Promise((done, failed) => {
  const begun = performance.now();
  const watcher = new MutationObserver(() => {
    watcher.disconnect();
    done(performance.now() - begun);
  });
  const all = { attributes: true, characterData: true, childList: true, subtree: true };
  watcher.observe(document.querySelector(".came"), all);
  setTimeout(() => failed(new Error("no answer")), 60000);
  const input = [...document.querySelectorAll(".details input[type=range]")].at(-1);
  input.value = power;
  input.dispatchEvent(new Event("input", { bubbles: true }));
})"""
PLAY = """(milliseconds) => new Promise((done) => {
  const stage = document.querySelector(".stage");
  const frames = [];
  const watcher = new MutationObserver(() => frames.push(performance.now()));
  watcher.observe(stage, { attributes: true, attributeFilter: ["data-frame"] });
  setTimeout(() => {
    watcher.disconnect();
    done(1000 * (frames.length - 1) / (frames.at(-1) - frames[0]));
  }, milliseconds);
})"""


def spread(times: list[float]) -> dict[str, float]:
    return {"median_ms": round(statistics.median(times), 1), "worst_ms": round(max(times), 1)}


def enlarged(path: Path, to: Path) -> None:
    """Write a video at 1080 lines, as H.264."""
    with av.open(str(path)) as source, av.open(str(to), "w") as target:
        video = source.streams.video[0]
        stream = target.add_stream("libx264", rate=video.average_rate)
        stream.width, stream.height, stream.pix_fmt = LINES * 16 // 9, LINES, "yuv420p"
        stream.options = {"crf": "16", "preset": "veryfast"}
        for frame in source.decode(video):
            target.mux(stream.encode(frame.reformat(stream.width, stream.height)))
        target.mux(stream.encode())


def brought(page: Page, address: str) -> None:
    """Choose the clip and its mask."""
    page.goto(address)
    page.get_by_role("button", name="large.mp4").first.click()
    page.get_by_role("button", name="large_mask.mp4").first.click()


def measured(page: Page, address: str, rounds: int) -> dict[str, Any]:
    """All that the module's docstring names."""
    rng = random.Random(0)
    first = []
    for _ in range(rounds):
        brought(page, address)
        first.append(page.get_by_role("button", name="Open", exact=True).evaluate(OPEN))
        page.get_by_role("button", name="Back to the files").click()
        number = page.request.get(f"{address}api/session").json()
        for one in number["open"]:
            headers = {"x-csrf-token": number["csrf"]}
            page.request.delete(f"{address}api/projects/{one}", headers=headers)
    brought(page, address)
    page.get_by_role("button", name="Open", exact=True).click()
    ready = page.locator(".stage[data-ready=true]")
    page.locator(".take:not([disabled])").first.wait_for(timeout=PATIENCE_MS)
    page.locator(".reading-note").wait_for(state="detached", timeout=PATIENCE_MS)  # all is read
    ready.wait_for(timeout=PATIENCE_MS)
    frames = int(page.locator(".strip").get_attribute("aria-valuemax") or 0) + 1

    dial = [page.evaluate(TURN, rng.uniform(-1.0, 1.0)) for _ in range(rounds)]
    page.get_by_role("button", name="Reset dials").click()
    ready.wait_for(timeout=PATIENCE_MS)
    scrub, full = [], []
    for frame in sought(rng, frames, rounds):
        times = page.evaluate(SEEK, [(frame + 0.5) / frames, str(frame)])
        scrub.append(times[0])
        full.append(times[1])
    answer = weighed(page, rounds)
    page.keyboard.press("Home")
    ready.wait_for(timeout=PATIENCE_MS)
    page.keyboard.press("l")
    played = page.evaluate(PLAY, 1000.0 * PLAYED_SECONDS)
    page.keyboard.press("k")
    return {
        "first_frame": spread(first),
        "dial": spread(dial),
        "scrub": spread(scrub),
        "full": spread(full),
        "answer": spread(answer),
        "played_fps": round(played, 1),
    }


def sought(rng: random.Random, frames: int, rounds: int) -> Iterator[int]:
    """Frames anywhere in the clip, none twice in a row."""
    last = 0
    for _ in range(rounds):
        last = (last + rng.randrange(1, frames)) % frames
        yield last


def weighed(page: Page, rounds: int) -> list[float]:
    """Times from a point that is said to count more or less to its answer."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.5 * box["width"], box["y"] + 0.6 * box["height"]
    page.keyboard.press("Home")
    page.locator(".stage[data-ready=true]").wait_for(timeout=PATIENCE_MS)
    page.keyboard.press("b")
    page.mouse.click(x, y)
    page.locator(".came").first.wait_for(timeout=PATIENCE_MS)
    page.locator(".stage[data-ready=true]").wait_for(timeout=PATIENCE_MS)
    return [page.evaluate(WEIGH, [-2, 2][step % 2]) for step in range(rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--gpu", action="store_true", help="draw by the graphics card")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    software = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    found: dict[str, Any] = {"drawn_by": "gpu" if args.gpu else "software", "rounds": args.rounds}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        composite = make_demo(Path(folder) / "demo")
        enlarged(composite, Path(folder) / "large.mp4")
        enlarged(composite.with_name("mask.mp4"), Path(folder) / "large_mask.mp4")
        found["hardware"] = describe()
        command = [sys.executable, "-m", "vhmae", "app", folder, "--no-browser", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", *([] if args.gpu else software)],
            )
            size = ViewportSize(width=args.width, height=args.width * 9 // 16)
            page = browser.new_page(viewport=size, locale="en-US")
            begun = time.perf_counter()
            try:
                found |= measured(page, address, args.rounds)
            finally:
                server.terminate()
            found["seconds"] = round(time.perf_counter() - begun, 1)
            browser.close()
    found["load_at_end"] = round(os.getloadavg()[0], 2)
    text = json.dumps(found, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
