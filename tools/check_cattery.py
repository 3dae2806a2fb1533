"""Run an exported Nuke model in the torch that Nuke has, which has no vhmae beside it.

python tools/check_cattery.py FOLDER reference.npz        (where vhmae is installed)
python3 -m venv old && old/bin/pip install torch==2.1.1 'numpy<2'
old/bin/python tools/check_cattery.py FOLDER reference.npz

The first call writes what the file makes of frames here; the second, which finds that, compares.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

SIZES = ((270, 480), (555, 777))
KNOBS = {"strength": 0.5, "caution": 4.0, "exposure": 0.5, "temperature": 30.0}
KNOBS |= {"tint": -20.0, "contrast": 0.2, "blacks": 2.0, "saturation": -0.5}
TOLERANCE = 1e-5
"""Of light in [0, 1]; a level of 255 is 3e-4 of it where the sRGB curve is flattest."""


def frame(height: int, width: int) -> torch.Tensor:
    """Linear light and a matte, (1, 4, H, W), the same in every torch."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    light = np.stack([across, 0.3 + 0.2 * np.sin(20 * down), 1.0 - down]) ** 2.2
    matte = np.clip((0.3 - np.hypot(down - 0.5, across - 0.4)) * 30.0, 0.0, 1.0)
    light *= 1.0 - matte * np.array([0.6, 0.2, 0.0])[:, None, None]
    return torch.from_numpy(np.concatenate([light, matte[None]])[None].astype(np.float32))


def made(path: Path) -> dict[str, np.ndarray]:
    """What the model makes of all frames, and of one with each knob turned."""
    model = torch.jit.load(str(path))
    found = {}
    with torch.no_grad(), torch.jit.optimized_execution(False):
        for height, width in SIZES:
            found[f"{width}x{height}"] = model(frame(height, width)).numpy()
        for name, value in KNOBS.items():
            usual = getattr(model, name)
            setattr(model, name, value)
            found[name] = model(frame(*SIZES[0])).numpy()
            setattr(model, name, usual)
        found["half"] = model.half()(frame(*SIZES[0]).half()).float().numpy()
    with torch.no_grad():
        model.float()
        for _ in range(3):  # by then it has been optimized
            found["optimized"] = model(frame(*SIZES[0])).numpy()
    return found


def main() -> int:
    path, reference = Path(sys.argv[1]) / "VHMAE.pt", Path(sys.argv[2])
    found = made(path)
    if not reference.exists():
        np.savez(reference, **found)
        print(f"torch {torch.__version__}: {reference} holds {len(found)} frames to compare with")
        return 0
    usual = found["{1}x{0}".format(*SIZES[0])]
    wanted = np.load(reference)
    worst = 0.0
    for name, values in found.items():
        apart = float(np.abs(values - wanted[name]).max())
        turned = float(np.abs(values - usual).max()) if name in KNOBS else 0.0
        moves = f", turns {turned:.4f}" if name in KNOBS else ""
        print(f"torch {torch.__version__}: {name}: {apart:.1e} apart{moves}")
        worst = max(worst, apart if name != "half" else 0.0)
        if name in KNOBS and turned == 0.0:
            print(f"{name} does nothing")
            return 1
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
