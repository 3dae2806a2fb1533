"""FFmpeg's filters, for a single frame."""

from __future__ import annotations

from fractions import Fraction

import av


def filtered(frame: av.VideoFrame, name: str, arguments: str | None = None) -> av.VideoFrame:
    """What a filter makes of a frame.

    Args:
        name, arguments: as FFmpeg knows them.
    """
    graph = av.filter.Graph()
    given = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1),
    )
    graph.link_nodes(given, graph.add(name, arguments), graph.add("buffersink")).configure()
    given.push(frame)
    found = graph.pull()
    assert isinstance(found, av.VideoFrame)
    return found
