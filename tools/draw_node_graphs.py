"""Draw the node graphs of docs/comfyui.md and docs/nuke.md, from the files that set them up, and
the way of a frame through the page of docs/browser.md, from its sources.

python tools/draw_node_graphs.py  (needs the package; writes docs/pictures/*-graph.svg)
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from vhmae.nuke.script import knobs, nuke_script

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
WORKFLOW = ROOT / "integrations" / "comfyui" / "example_workflows" / "video.json"
BROWSER = ROOT / "browser"
ROW = 18
STYLE = (
    "text{font:13px sans-serif;fill:#e8e8e8}.title{font-weight:bold}.quiet{fill:#b4b4b4}"
    "rect{fill:#383838;stroke:#757575}.page{fill:#202020;stroke:none}.own{fill:#24463a;stroke:#5fb391}"
    "path{fill:none;stroke:#d9a441;stroke-width:2}"
)


class Box(NamedTuple):
    """A node as it is drawn."""

    x: float
    y: float
    width: float
    title: str
    lines: list[str]
    own: bool

    @property
    def height(self) -> float:
        return ROW * (len(self.lines) + 1) + 14


def svg(boxes: list[Box], wires: list[str], note: str) -> str:
    """The drawing, with what it is drawn from written under it."""
    width = max(box.x + box.width for box in boxes) + 30
    bottom = max(box.y + box.height for box in boxes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {bottom + 50:g}" '
        f'width="{width:g}" height="{bottom + 50:g}">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width:g}" height="{bottom + 50:g}"/>',
        *(f'<path d="{wire}"/>' for wire in wires),
    ]
    for box in boxes:
        kind = ' class="own"' if box.own else ""
        parts.append(
            f'<rect{kind} x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" '
            f'height="{box.height:g}" rx="6"/>'
        )
        for number, line in enumerate([box.title, *box.lines]):
            look = "title" if number == 0 else "quiet"
            parts.append(
                f'<text class="{look}" x="{box.x + 12:g}" y="{box.y + ROW * (number + 1):g}">'
                f"{escape(line)}</text>"
            )
    parts.append(f'<text class="quiet" x="30" y="{bottom + 32:g}">{escape(note)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def comfyui() -> str:
    """The example workflow for videos."""
    tree = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    named = ("quality", "strength", "keep", "weights")
    boxes = {}
    for node in tree["nodes"]:
        own = node["type"].startswith("Vhmae")
        sockets = [f"> {one['name']}" for one in node["inputs"]]
        outs = [f"{one['name']} >" for one in node["outputs"]]
        values = [
            f"{name}: {value}" for name, value in zip(named, node["widgets_values"], strict=False)
        ]
        if not own:
            values = [str(value) for value in node["widgets_values"][:1]]
        title = "Video Harmonize" if own else node["type"]
        (x, y), (width, _) = node["pos"], node["size"]
        boxes[node["id"]] = Box(x, y, width, title, [*sockets, *values, *outs], own)
    wires = []
    for _, origin, slot, target, place, _ in tree["links"]:
        start, end = boxes[origin], boxes[target]
        outs = len(next(node for node in tree["nodes"] if node["id"] == origin)["outputs"])
        begin = start.y + ROW * (len(start.lines) + 1 - outs + slot + 1) - 5
        stop = end.y + ROW * (place + 2) - 5
        left, right = start.x + start.width, end.x
        middle = (left + right) / 2
        wires.append(
            f"M{left:g} {begin:g}C{middle:g} {begin:g} {middle:g} {stop:g} {right:g} {stop:g}"
        )
    note = f"Drawn from {WORKFLOW.name} by tools/draw_node_graphs.py; no picture of ComfyUI."
    return svg([*boxes.values()], wires, note)


def nuke() -> str:
    """The script that ``vhmae export cattery`` writes."""
    text = nuke_script(16.0)
    boxes: dict[str, Box] = {}
    wires: list[str] = []
    stack: list[str] = []
    kept: dict[str, str] = {}
    pattern = r"^(?:(\w+) \{\n(.*?)^\}|set (\w+) \[stack 0\]|push \$(\w+))"
    for kind, body, remembered, pushed in re.findall(pattern, text, re.M | re.S):
        if remembered:
            kept[remembered] = stack[-1]
        elif pushed:
            stack.append(kept[pushed])
        elif kind not in ("Root", "StickyNote"):
            facts = dict(re.findall(r"^ (\w+) (.+)$", body, re.M))
            name = facts["name"]
            lines = {
                "Read": [facts.get("label", "").strip('"')],
                "CatFileCreator": [
                    "VHMAE.pt to VHMAE.cat: press once,",
                    "in NukeX or Nuke Studio",
                    *(f"{one.name} {one.usual:g}" for one in knobs(16.0)),
                ],
                "Copy": ["alpha of the foreground to alpha"],
                "Inference": ["VHMAE.cat: rgb and the matte"],
                "Merge2": ["over"],
            }[kind]
            own = kind in ("CatFileCreator", "Inference")
            x, y = float(facts["xpos"]) * 1.6 + 702, float(facts["ypos"]) * 1.1 + 316
            box = Box(x, y, 270, f"{kind}: {name}", [line for line in lines if line], own)
            for _ in range(int(facts.get("inputs", "1"))):
                above = boxes[stack.pop()]
                begin, top = above.x + above.width / 2, above.y + above.height
                if above.x < x:  # from the side
                    bend = f"{begin:g} {y + 25:g}"
                    wires.append(f"M{begin:g} {top:g}C{bend} {bend} {x:g} {y + 25:g}")
                else:
                    wires.append(f"M{begin:g} {top:g}L{begin:g} {y:g}")
            boxes[name] = box
            stack.append(name)
    note = "Drawn from the script that vhmae export cattery writes, by tools/draw_node_graphs.py; "
    return svg([*boxes.values()], wires, note + "no picture of Nuke.")


def told_in(file: str, name: str) -> str:
    """The words of a list that a source of the page without a server has by a name."""
    text = (BROWSER / file).read_text(encoding="utf-8")
    (found,) = re.findall(rf"const {name}\b[^=]*= \[(.+?)\]", text)
    return ", ".join(re.findall(r'"(\w+)"', found))


def browser() -> str:
    """The way of a frame through the page without a server; each box names where it is written."""
    layout = {
        "frontend/src": (700, 30, "Drawn at full size", ["WebGL2: maps inside the matte"], True),
        "src/video/clip.ts": (30, 30, "Composite", ["a video or picture", "by WebCodecs"], False),
        "src/video/mattes.ts": (
            *(30, 150, "Mask"),
            [told_in("src/video/mattes.ts", "MATTE_KINDS")],
            False,
        ),
        "src/analysis": (
            *(365, 30, "Key frames and maps"),
            ["ONNX Runtime in a worker,", "maps averaged over a shot"],
            True,
        ),
        "src/said.ts": (365, 150, "What is said", ["takes, points, strength"], True),
        "src/video/write.ts": (
            *(700, 150, "The file"),
            [f"mp4: {told_in('src/video/write.ts', 'CODECS')}; sound copied"],
            False,
        ),
    }
    boxes = {}
    for file, (x, y, title, lines, own) in layout.items():
        place = BROWSER.parent if file.startswith("frontend") else BROWSER
        if not (place / file).exists():
            raise FileNotFoundError(place / file)
        boxes[title] = Box(x, y, 270, title, [*lines, file], own)

    def wire(start: str, end: str, out: float, into: float) -> str:
        left, right = boxes[start], boxes[end]
        if left.x == right.x:
            return f"M{left.x + 135:g} {left.y + left.height:g}L{left.x + 135:g} {right.y:g}"
        begin, stop = left.y + out, right.y + into
        middle = (left.x + left.width + right.x) / 2
        bend = f"{middle:g} {begin:g} {middle:g} {stop:g}"
        return f"M{left.x + left.width:g} {begin:g}C{bend} {right.x:g} {stop:g}"

    wires = [
        wire("Composite", "Key frames and maps", 25, 25),
        wire("Mask", "Key frames and maps", 25, 60),
        wire("Key frames and maps", "Drawn at full size", 25, 25),
        wire("What is said", "Drawn at full size", 25, 55),
        wire("Drawn at full size", "The file", 0, 0),
    ]
    note = "Drawn from the sources in browser/ by tools/draw_node_graphs.py; the page has no nodes."
    return svg([*boxes.values()], wires, note)


DRAWINGS = {
    "comfyui-graph.svg": comfyui,
    "nuke-graph.svg": nuke,
    "browser-graph.svg": browser,
}

if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        (PICTURES / name).write_text(draw(), encoding="utf-8")
