"""Where the time of a 1080p frame goes: every part of ``vhmae harmonize`` by itself, in CPU
milliseconds a frame (docs/results-speed.md).

python benchmarks/profile_frame.py --data DATA [--json FILE]

Clip and encoder settings are those of bench_video.py, the quality is ``balanced``; parts that run
once a key frame or once a window are divided by the frames that they serve. About a minute; on an
idle machine, or all parts look slower than they are.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from bench_video import CLIP, CRF
from hardware import describe

from vhmae.arrays import to_unit
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.rendering import render_planes
from vhmae.engine.settings import STRIDES
from vhmae.engine.sight import shows_background, small_mask
from vhmae.engine.smoothing import smoothed
from vhmae.video.cuts import THUMBNAIL, CutDetector
from vhmae.video.matte import open_matte
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.tags import encodable

FRAMES = 40
ROUNDS = 5


def cpu_ms(work: Callable[[], object]) -> float:
    """CPU milliseconds of all threads: the median of a few rounds after a first one."""
    spent = []
    for _ in range(ROUNDS + 1):
        start = time.process_time()
        work()
        spent.append(1000 * (time.process_time() - start))
    return statistics.median(spent[1:])


def encoding(frames: list[Any], preset: str, path: Path) -> Callable[[], None]:
    def encode() -> None:
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(
                "libx264", rate=25, options={"crf": CRF, "preset": preset}
            )
            stream.width, stream.height, stream.pix_fmt = (
                frames[0].width,
                frames[0].height,
                "yuv420p",
            )
            for number, frame in enumerate(frames):
                frame.pts, frame.pict_type = number, 0
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    return encode


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "profile.json"
    )
    args = parser.parse_args()
    composite, mask = (
        args.data / "clips" / f"{CLIP}.{kind}.mp4" for kind in ("foreground", "mask")
    )
    info, source = probe_video(composite, "composite"), open_matte(mask)
    frames = list(itertools.islice(read_frames(info), FRAMES))
    mattes = list(itertools.islice(source.read(info), FRAMES))
    harmonizer = Harmonizer.from_pretrained()
    window, stride = harmonizer.network.config.clip_frames, STRIDES["balanced"]
    image, matte, size = frames[0].image, mattes[0], harmonizer.network.config.image_size
    keys = [
        (at * stride, frames[at].image.thumbnail(size, size), small_mask(mattes[at], size))
        for at in range(window)
    ]
    estimates = [
        estimate for _ in range(8) for estimate in harmonizer._estimate(0, keys, range(window))
    ]
    reach = harmonizer.latency_frames - stride * (window - 1)
    change = smoothed(estimates, 4, stride * window, reach)
    detector = CutDetector()
    parts = {
        "decode": cpu_ms(lambda: list(itertools.islice(read_frames(info), FRAMES))) / FRAMES,
        "decode the mask": cpu_ms(lambda: list(itertools.islice(source.read(info), FRAMES)))
        / FRAMES,
        "cut detection": cpu_ms(lambda: detector.step(image.thumbnail(*THUMBNAIL))),
        "is there foreground, is there background": cpu_ms(
            lambda: (matte.any(), shows_background(matte))
        ),
        "key frames: picture and mask made small": cpu_ms(
            lambda: (image.thumbnail(size, size), small_mask(matte, size))
        )
        / stride,
        "network": cpu_ms(lambda: harmonizer._estimate(0, keys, range(window))) / (stride * window),
        "smoothing": cpu_ms(lambda: smoothed(estimates, 4, stride * window, reach)),
        "rendering": cpu_ms(lambda: render_planes(image, matte, change)),
        "planes to the encoder": cpu_ms(lambda: encodable(image, frames[0].decoded)),
    }
    with tempfile.TemporaryDirectory() as folder:
        pictures = [encodable(frame.image, frame.decoded) for frame in frames]
        for preset in ("veryfast", "medium"):
            parts[f"encode, {preset}"] = (
                cpu_ms(encoding(pictures, preset, Path(folder) / "out.mp4")) / FRAMES
            )
    result = {
        "schema": 1,
        "hardware": describe(),
        "clip": CLIP,
        "size": [image.width, image.height],
        "quality": "balanced",
        "mask_area": round(float(np.mean([to_unit(one).mean() for one in mattes])), 3),
        "precision": harmonizer.precision,
        "cpu_ms_per_frame": {name: round(spent, 2) for name, spent in parts.items()},
    }
    args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
