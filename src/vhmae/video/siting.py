"""Where the samples of chroma lie among the pixels that they span."""

from __future__ import annotations

import re
import threading
from typing import Literal, get_args

import av
import av.logging

from vhmae.video.filters import filtered

Siting = Literal["left", "center", "topleft"]
"""Between two rows at the left one's place (H.264's usual one), in the middle of all (JPEG's), or
at the first pixel's (BT.2020's and HDR10's)."""
_logging = threading.Lock()
_CENTERED = ("mjpeg", "webp", "mpeg1video")


def usual_siting(codec: str) -> Siting:
    """Where the chroma of a codec lies if nothing else is said."""
    return "center" if codec in _CENTERED else "left"


def siting_told(frame: av.VideoFrame) -> Siting | None:
    """Where a frame's chroma lies, as its file says; None where it does not, and where nothing is
    spanned."""
    if frame.format.name.startswith(("gb", "rgb", "gray")) or "444" in frame.format.name:
        return None
    # PyAV has no name for it; the filter that shows a frame's facts has. What is logged is one
    # setting of the whole process.
    with _logging, av.logging.Capture() as told:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            filtered(frame, "showinfo")
        finally:
            av.logging.set_level(level)
    found = re.search(r"\bcl:(\w+)", "".join(text for _, _, text in told))
    return next((one for one in get_args(Siting) if found is not None and found[1] == one), None)
