"""``vhmae export cattery``: a folder for Nuke's Cattery (docs/nuke.md)."""

from __future__ import annotations

import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.jit._fuser import optimized_execution

from vhmae.arrays import Array
from vhmae.color.srgb import encoded, linear
from vhmae.engine.harmonizer import Harmonizer
from vhmae.errors import InputError, VhmaeError
from vhmae.model.files import PREFIX, find_weights, packaged_weights, read_card
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import load_model
from vhmae.nuke.frozen import freeze, load, save
from vhmae.nuke.inference import KNOBS, InferenceModel
from vhmae.nuke.job import CatteryJob
from vhmae.nuke.script import NAME, cat_json, knobs, nuke_script
from vhmae.partial_output import whole_folder

TOLERANCE_LEVELS = 0.01
"""Levels of 255 by which the TorchScript may differ from the Harmonizer on the test frame: both
calculate in fp32, in another order."""
TERMS = {
    "default": {"LICENSE-WEIGHTS.txt": "LICENSE-WEIGHTS.txt"},
    "free": {
        "LICENSE": "LICENSE-APACHE.txt",
        "MODEL_CARD.free.md": "MODEL_CARD.free.md",
        "free.pictures.csv": "free.pictures.csv",
    },
}
"""By packaged weights, what goes with them: the name in the folder, and the asset it is."""
SPACED = "{}: its name has spaces, over which Nuke's Cattery menu trips; rename it"


def export_cattery(job: CatteryJob) -> dict[str, Any]:
    """Write the folder of a set of weights and return the report of docs/nuke.md.

    The file that was written is loaded again and compared with the :class:`Harmonizer` on a frame.

    Raises:
        InputError: for an output that is there, and for weights that draw pixels.
        VhmaeError: where the written file does not do what the Harmonizer does.
    """
    if job.output.exists():
        raise InputError(f"{job.output}: is there already; choose another folder, or remove it")
    model = load_model(job.weights)
    if not model.head.holds_between_key_frames:
        raise InputError(
            "draws pixels at the network's size; Nuke gets color maps: take weights that say them",
            field="weights",
            value=job.weights,
        )
    licence = "not stated"
    if not job.weights.startswith(PREFIX):
        licence = str(read_card(job.weights).facts.get("licence", licence))
    with whole_folder(job.output) as folder:
        path = folder / f"{NAME}.pt"
        save(frozen_model(model), path)
        check_structure(path)
        apart = levels_apart(path, model)
        if apart > TOLERANCE_LEVELS:
            raise VhmaeError(
                f"{job.output}: the TorchScript differs from the Harmonizer by {apart:.3f} levels, "
                f"of which {TOLERANCE_LEVELS} are allowed; report it"
            )
        (folder / "cat.json").write_text(cat_json(licence), encoding="utf-8")
        (folder / f"{NAME}.nk").write_text(nuke_script(model.usual_caution), encoding="utf-8")
        write_terms(job.weights, folder)
        names = sorted(one.name for one in folder.iterdir())
        size = path.stat().st_size
    return {
        "schema": 1,
        "kind": "cattery",
        "files": [str(job.output / name) for name in names],
        "bytes": size,
        "torch": torch.__version__,
        "knobs": [one.name for one in knobs(model.usual_caution)],
        "levels_apart": round(apart, 6),
        "licence": licence,
        "warnings": [SPACED.format(job.output)] if " " in job.output.name else [],
    }


def write_terms(weights: str, folder: Path) -> None:
    """Put the terms of packaged weights beside what was made of them; others get none.

    Args:
        weights: as ``--weights`` takes them; a packaged file by its path is what its name is.
        folder: where to.
    """
    if weights.startswith(PREFIX):
        return
    path = find_weights(weights)
    for name, packaged in packaged_weights().items():
        if path.samefile(packaged):
            for there, asset in TERMS[name].items():
                text = (resources.files("vhmae") / "assets" / asset).read_bytes()
                (folder / there).write_bytes(text)


def frozen_model(model: VHMAE) -> torch.jit.ScriptModule:
    """A network (in fp32, in evaluation mode) as Nuke runs it."""
    packed, model.packed = model.packed, False  # masked tokens as keys: no shape depends on a mask
    try:
        with torch.no_grad():
            return freeze(InferenceModel(model), KNOBS)
    finally:
        model.packed = packed


def check_structure(path: Path) -> None:
    """Refuse a TorchScript that the torch of Nuke could not read, or that is bound to a device.

    Raises:
        VhmaeError: with what was found.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if "/code/" not in name or not name.endswith(".py"):
                continue
            code = archive.read(name).decode()
            for unwanted in ("_upsample_lanczos2d_aa", "torch.device("):
                if unwanted in code:
                    raise VhmaeError(f"{path.name}: {name} names {unwanted}; report it")


def levels_apart(path: Path, model: VHMAE) -> float:
    """The largest difference of a TorchScript and the Harmonizer on a frame, in levels of 255."""
    frame, matte = _test_frame()
    light = linear(frame)
    image = torch.from_numpy(np.dstack([light, matte]).transpose(2, 0, 1)[None].copy())
    # Without optimizing: one frame would not pay it back.
    with torch.no_grad(), optimized_execution(False):
        made = load(path)(image)[0, :3].numpy().transpose(1, 2, 0)
    wanted = Harmonizer(model, precision="fp32", lookahead=0).step(encoded(light), matte)
    assert wanted is not None, "without look-ahead each frame leaves at once"
    return float(np.abs(encoded(made) - wanted).max()) * 255.0


def _test_frame() -> tuple[Array, Array]:
    """A frame (H, W, 3) in [0, 1] whose foreground has another cast, and its soft matte (H, W)."""
    down, across = np.mgrid[0.0:1.0:270j, 0.0:1.0:480j].astype(np.float32)
    waves = 0.5 + 0.5 * np.sin(40.0 * down * across)
    frame = np.dstack([0.2 + 0.6 * across, 0.3 + 0.4 * waves, 0.8 - 0.5 * down])
    far = np.hypot((down - 0.5) * 2.0, across - 0.4)
    matte = np.clip((0.45 - far) * 40.0, 0.0, 1.0)
    cast = np.array([0.9, 0.6, 0.5], np.float32)
    return (frame * (1.0 - matte[..., None] * (1.0 - cast))).astype(np.float32), matte
