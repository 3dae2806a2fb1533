"""Where the samples of chroma lie among the pixels that they span."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Literal, get_args

import av
import av.logging

Siting = Literal["left", "center", "topleft"]
"""Between two rows at the left one's place (H.264's usual one), in the middle of all (JPEG's), or
at the first pixel's (BT.2020's and HDR10's)."""
_CENTERED = ("mjpeg", "webp", "mpeg1video")


def usual_siting(codec: str) -> Siting:
    """Where the chroma of a codec lies if nothing else is said."""
    return "center" if codec in _CENTERED else "left"


def siting_told(frame: av.VideoFrame) -> Siting | None:
    """Where a frame's chroma lies, as its file says; None where it does not, and where nothing is
    spanned."""
    if frame.format.name.startswith(("gb", "rgb", "gray")) or "444" in frame.format.name:
        return None
    # PyAV has no name for it; the filter that shows a frame's facts has.
    graph, level = av.filter.Graph(), av.logging.get_level()
    given = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1),
    )
    graph.link_nodes(given, graph.add("showinfo"), graph.add("buffersink")).configure()
    with av.logging.Capture() as told:
        av.logging.set_level(av.logging.INFO)
        try:
            given.push(frame)
            graph.pull()
        finally:
            av.logging.set_level(level)
    found = re.search(r"\bcl:(\w+)", "".join(text for _, _, text in told))
    return next((one for one in get_args(Siting) if found is not None and found[1] == one), None)
