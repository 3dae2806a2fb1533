"""The files beside the TorchScript: ``cat.json``, and a script with the nodes set up."""

from __future__ import annotations

import json
from typing import NamedTuple

from vhmae.guide.dials import DIAL_RANGES

NAME = "VHMAE"
MINIMUM_NUKE = 15.1
"""The first whose torch (2.1.1) reads the file."""
CHANNELS = "rgba.red, rgba.green, rgba.blue, rgba.alpha"


class Knob(NamedTuple):
    """A slider of the Inference node; it sets the model's attribute of the same name."""

    name: str
    usual: float
    low: float
    high: float
    hint: str


def knobs(caution: float) -> list[Knob]:
    """The sliders, in their order; ``caution`` is what the weights usually take."""
    hints = {
        "exposure": "stops",
        "temperature": "blue to red; 100 is a stop",
        "tint": "magenta to green; 100 is a stop",
        "contrast": "about middle gray",
        "blacks": "per cent of white that is added",
        "saturation": "about luma",
    }
    return [
        Knob("strength", 1.0, 0.0, 1.0, "0 is untouched, 1 all of the way"),
        Knob(
            "caution", caution, 0.0, 64.0, "half of a change this small is left undone, in levels"
        ),
        *(Knob(name, 0.0, -reach, reach, hints[name]) for name, reach in DIAL_RANGES.items()),
    ]


def cat_json(licence: str) -> str:
    """What lists the model in Nuke's Cattery menu, once the .cat file lies beside it."""
    tree = {
        "minimum_nuke_version_required": MINIMUM_NUKE,
        "version": 1,
        "category": "Compositing",
        "description": f"Video harmonization. Licence of the weights: {licence}",
        "cats": [{"filepath": f"{NAME}.cat", "name": NAME, "icon": ""}],
    }
    return json.dumps(tree, indent=4) + "\n"


def nuke_script(caution: float) -> str:
    """A script: two layers, the foreground's matte copied into the comp's alpha, Inference, and
    the CatFileCreator whose button is to be pressed once.

    Nodes take their inputs from a stack, the last one first. Paths go from the script's folder.
    """
    here = r"\[file dirname \[value root.name]]"
    sliders = "".join(
        f' addUserKnob {{7 {one.name} l {one.name} t "{one.hint}" R {one.low:g} {one.high:g}}}\n'
        f" {one.name} {one.usual:g}\n"
        for one in knobs(caution)
    )
    return f"""#! Nuke{MINIMUM_NUKE} -nx
version {MINIMUM_NUKE} v1
Root {{
 inputs 0
 name {NAME}.nk
}}
StickyNote {{
 inputs 0
 name Steps
 label "1. In NukeX or Nuke Studio: press Create .cat file in the CatFileCreator.\\n2. In the \
Inference node: choose {NAME}.cat as Model File again, if its sliders are not there.\\nThe \
alpha of Inference's input is the foreground's matte."
 xpos -420
 ypos -260
}}
CatFileCreator {{
 inputs 0
 torchScriptFile "{here}/{NAME}.pt"
 catFile "{here}/{NAME}.cat"
 channelsIn "{CHANNELS}"
 channelsOut "{CHANNELS}"
 modelId {NAME}
 outputScale 1
 addUserKnob {{20 User l Harmonize}}
{sliders} name CatFileCreator1
 xpos -420
 ypos -100
}}
Read {{
 inputs 0
 name Foreground
 label "premultiplied, with alpha"
 xpos -150
 ypos -260
}}
set Foreground [stack 0]
push $Foreground
Read {{
 inputs 0
 name Background
 xpos 40
 ypos -260
}}
Merge2 {{
 inputs 2
 operation over
 name Over
 xpos 40
 ypos -150
}}
Copy {{
 inputs 2
 from0 rgba.alpha
 to0 rgba.alpha
 name MatteOfForeground
 xpos 40
 ypos -80
}}
Inference {{
 useGPUIfAvailable true
 halfPrecision false
 tileSize None
 modelFile "{here}/{NAME}.cat"
 name Harmonize
 xpos 40
 ypos 10
}}
"""
