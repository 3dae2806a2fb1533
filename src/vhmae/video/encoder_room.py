"""How many frames an encoder holds: where they are large, it looks less far ahead, in fewer
threads.

What a frame takes in an encoder is a few times its pixels: x264 keeps a reference in four versions,
and small copies of those that it looks ahead at.
"""

from __future__ import annotations

import os

from vhmae.memory import how_many

ENCODER_BYTES = 768 << 20
"""Of the frames, as they come, that an encoder may look ahead at, and again of those that its
threads may work on."""
VERSIONS = 4
"""Of a frame in the thread that works on it."""
_LOOKAHEAD = {
    "libx264": {
        "ultrafast": 0,
        "superfast": 0,
        "veryfast": 10,
        "faster": 20,
        "fast": 30,
        "medium": 40,
        "slow": 50,
    },
    "libx265": {
        "ultrafast": 5,
        "superfast": 10,
        "veryfast": 15,
        "faster": 15,
        "fast": 15,
        "medium": 20,
        "slow": 25,
    },
}
"""Frames by preset; slower ones look further."""
_FURTHEST = 60
_X265_WITH_MANY_B_FRAMES = ("slower", "veryslow", "placebo")
_USUAL = {"libvpx-vp9": 25, "libvpx": 25, "libsvtav1": 33}
"""Frames of encoders whose presets look equally far."""


def sparing_options(encoder: str, preset: str | None, frame_bytes: int) -> dict[str, str]:
    """An encoder's options where it would look ahead at more frames than there is room for; none
    where it would not.

    Args:
        frame_bytes: of a frame as it comes.
    """
    known = _LOOKAHEAD.get(encoder)
    usual = _USUAL.get(encoder, 0) if known is None else known.get(preset or "medium", _FURTHEST)
    frames = how_many(usual, frame_bytes, ENCODER_BYTES)
    if frames == usual:
        return {}
    if encoder == "libx264":
        return {"rc-lookahead": str(frames)}
    if encoder == "libx265":  # which wants more than its consecutive B-frames
        least = 9 if preset in _X265_WITH_MANY_B_FRAMES else 5
        return {"x265-params": f"rc-lookahead={max(frames, least)}"}
    if encoder == "libsvtav1":  # a pyramid of eight frames in the place of 32
        return {"svtav1-params": "lookahead=0:hierarchical-levels=3:lp=1"}
    return {"lag-in-frames": str(frames)}


def encoder_threads(frame_bytes: int) -> int:
    """Threads of an encoder; 0 leaves them to it, where frames are not so large that those would be
    too many."""
    usual = 3 * (os.cpu_count() or 1) // 2  # x264's own choice
    fitting = max(1, how_many(usual, VERSIONS * frame_bytes, ENCODER_BYTES))
    return 0 if fitting == usual else fitting
