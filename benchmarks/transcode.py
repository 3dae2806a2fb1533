"""What ``vhmae harmonize`` is measured against: decode, perhaps FFmpeg's lut3d, encode, by the same
library with the same settings.

python benchmarks/transcode.py IN OUT [--crf 18] [--preset veryfast] [--lut FILE.cube]
[--decode-only]
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import av


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--crf", default="18")
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--lut", type=Path)
    parser.add_argument("--decode-only", action="store_true")
    args = parser.parse_args()
    with av.open(str(args.source)) as source:
        original = source.streams.video[0]
        original.thread_type = "AUTO"
        if args.decode_only:
            for _ in source.decode(original):
                pass
            return
        with av.open(str(args.output), "w") as container:
            stream: Any = container.add_stream(
                "libx264",
                rate=original.average_rate,
                options={"crf": args.crf, "preset": args.preset},
            )
            stream.width, stream.height, stream.pix_fmt = original.width, original.height, "yuv420p"
            stream.codec_context.thread_count = 0
            graph = _lut_graph(original, args.lut) if args.lut else None
            for frame in source.decode(original):
                shown: Any = frame
                if graph is not None:
                    graph.push(frame)
                    shown = graph.pull()
                shown.pict_type = 0
                container.mux(stream.encode(shown))
            container.mux(stream.encode(None))


def _lut_graph(stream: Any, lut: Path) -> Any:
    graph = av.filter.Graph()
    steps = [
        graph.add_buffer(template=stream),
        graph.add("lut3d", str(lut)),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    for one, other in itertools.pairwise(steps):
        one.link_to(other)
    graph.configure()
    return graph


if __name__ == "__main__":
    main()
