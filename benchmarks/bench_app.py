"""How fast the app answers, in a real browser before the real server, on its demo.

python benchmarks/bench_app.py [--rounds 50] [--width 1920] [--gpu] [--json FILE]

Times are those of the page: from what a person does to the frame that shows it. `first_frame` is
from the opening of the clip to its first picture, `dial` from the turn to the next drawn frame,
`scrub` from the seek to the harmonized preview, `exact` from the seek to the exact frame at the
size that is seen, `guide` from a moved point to the server's answer; `played` is frames a second at
preview size. Without --gpu the browser draws by software, which is slower than any graphics card.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hardware import describe
from playwright.sync_api import Page, ViewportSize, sync_playwright

PATIENCE_MS = 300_000
PLAYED_SECONDS = 4.0
TURN = """(value) => new Promise((done) => {
  const begun = performance.now();
  const input = document.querySelector(".slider.dial-exposure input[type=range]");
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
})"""
WAIT = """([attribute, wanted]) => new Promise((done) => {
  const stage = document.querySelector(".stage");
  const begun = performance.now();
  const look = () => stage.getAttribute(attribute) === wanted
    ? done(performance.now() - begun) : requestAnimationFrame(look);
  look();
})"""
SEEK = """(share) => {
  const strip = document.querySelector(".strip");
  const { left, top, width } = strip.getBoundingClientRect();
  const at = { bubbles: true, clientX: left + share * width, clientY: top + 4, pointerId: 1 };
  strip.setPointerCapture = () => {};
  strip.hasPointerCapture = () => true;
  strip.dispatchEvent(new PointerEvent("pointerdown", at));
  strip.dispatchEvent(new PointerEvent("pointerup", at));
}"""


def spread(times: list[float]) -> dict[str, float]:
    return {"median_ms": round(statistics.median(times), 1), "worst_ms": round(max(times), 1)}


def measured(page: Page, address: str, rounds: int) -> dict[str, Any]:
    """All that the module's docstring names."""
    rng = random.Random(0)
    begun = time.perf_counter()
    page.goto(address)
    page.locator(".stage canvas, .stage img").first.wait_for(timeout=PATIENCE_MS)
    page.evaluate(
        """() => new Promise((done) => {
          const look = () => {
            const image = document.querySelector(".stage img");
            const isThere = document.querySelector(".stage[data-frame]") || image?.naturalWidth;
            isThere ? done() : requestAnimationFrame(look);
          };
          look();
        })"""
    )
    first = 1000.0 * (time.perf_counter() - begun)
    ready = page.locator(".stage[data-ready=true]")
    page.locator(".take:not([disabled])").first.wait_for(timeout=PATIENCE_MS)
    page.locator(".reading-note").wait_for(state="detached", timeout=PATIENCE_MS)  # all is read
    ready.wait_for(timeout=PATIENCE_MS)
    frames = int(page.locator(".strip").get_attribute("aria-valuemax") or 0) + 1

    dial = [page.evaluate(TURN, rng.uniform(-1.0, 1.0)) for _ in range(rounds)]
    page.get_by_role("button", name="Reset dials").click()
    scrub, exact = [], []
    for _ in range(rounds):
        frame = rng.randrange(frames)
        page.evaluate(SEEK, (frame + 0.5) / frames)
        scrub.append(page.evaluate(WAIT, ["data-frame", str(frame)]))
        exact.append(scrub[-1] + page.evaluate(WAIT, ["data-ready", "true"]))
    guide = _moved_points(page, rounds)
    page.keyboard.press("Home")
    ready.wait_for(timeout=PATIENCE_MS)
    page.keyboard.press("l")
    time.sleep(PLAYED_SECONDS)
    rate = float((re.search(r"\d+", page.inner_text(".rate")) or ["0"])[0])
    page.keyboard.press("k")
    return {
        "first_frame_ms": round(first, 1),
        "dial": spread(dial),
        "scrub": spread(scrub),
        "exact": spread(exact),
        "guide": spread(guide),
        "played_fps": rate,
    }


def _moved_points(page: Page, rounds: int) -> list[float]:
    """Times from a point that is said to the server's answer."""
    times = []
    box = page.locator(".stage").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.5 * box["width"], box["y"] + 0.6 * box["height"]
    page.keyboard.press("Home")
    page.locator(".stage[data-ready=true]").wait_for(timeout=PATIENCE_MS)
    page.keyboard.press("e")
    page.mouse.click(x, y)
    page.locator(".came").first.wait_for(timeout=PATIENCE_MS)
    page.locator(".stage[data-ready=true]").wait_for(timeout=PATIENCE_MS)
    for step in range(rounds):
        with page.expect_response("**/guide", timeout=PATIENCE_MS) as answered:
            begun = time.perf_counter()
            page.locator(".details input[type=range]").last.fill(str([-1, 0, 1][step % 3]))
        answered.value.finished()
        times.append(1000.0 * (time.perf_counter() - begun))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--gpu", action="store_true", help="draw by the graphics card")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    software = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    about = {**describe(), "drawn_by": "gpu" if args.gpu else "software", "rounds": args.rounds}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [sys.executable, "-m", "vhmae", "app", "--demo", "--no-browser", "--port", "0"]
        with subprocess.Popen([*command, folder], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", *([] if args.gpu else software)],
            )
            size = ViewportSize(width=args.width, height=args.width * 9 // 16)
            page = browser.new_page(viewport=size, locale="en-US")
            found = about | measured(page, address, args.rounds)
            browser.close()
            server.terminate()
    text = json.dumps(found, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
