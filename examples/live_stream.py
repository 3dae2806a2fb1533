"""Harmonize a stream of frames, one in, one out: here made of random frames, in practice of a
camera and its matting.

python examples/live_stream.py
"""

import numpy as np

import vhmae

harmonizer = vhmae.Harmonizer.from_pretrained("free", lookahead=0)
rng = np.random.default_rng(0)
mask = np.zeros((360, 640), bool)
mask[90:270, 220:420] = True
for number in range(10):
    frame = rng.integers(60, 200, (360, 640, 3), dtype=np.uint8)
    harmonized = harmonizer.step(frame, mask)
    assert harmonized is not None  # no lookahead: each frame leaves at once
    print(
        f"frame {number}: changed by {np.abs(harmonized.astype(int) - frame)[mask].mean():.1f} "
        "levels"
    )
