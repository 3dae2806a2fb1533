"""500 seeded mutations of small valid files: whatever is wrong with a file, it is told in one
line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.networks import model
from tests.support.scenes import moving_scene, write_video
from vhmae.config import read_config
from vhmae.data.clips import read_mask_bits, write_mask_bits
from vhmae.errors import VhmaeError
from vhmae.model.weights import load_model, save_model
from vhmae.training.recipe import Recipe
from vhmae.video.matte import open_matte
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames

MUTATIONS = 100
"""Of each of the five kinds of file."""


def read_video(path: Path) -> None:
    for frame in read_frames(probe_video(path)):
        frame.image.rgb()


def read_mask(path: Path, composite: Path) -> None:
    info = probe_video(composite)
    source = open_matte(path)
    source.check_fits(info, hold_last=True)
    for matte in itertools.islice(source.read(info), 6):
        assert matte.shape == (info.height, info.width)
    read_mask_bits(path)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes turned, cut out, doubled or cut off at the end."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(changed)))
        kind = rng.integers(4)
        if kind == 0:
            changed[at] ^= int(rng.integers(1, 256))
        elif kind == 1:
            del changed[at : at + int(rng.integers(1, 30))]
        elif kind == 2:
            changed[at:at] = changed[at : at + int(rng.integers(1, 30))]
        else:
            del changed[max(1, at) :]
        if not changed:
            break
    return bytes(changed)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("valid")
    frames, masks = moving_scene(6, 48, 32)
    write_video(folder / "v.mkv", frames)
    write_video(folder / "v.mp4", frames, codec="libx264", audio=True)
    write_mask_bits(masks, folder / "m.npz")
    save_model(model(), folder / "w.safetensors", {})
    (folder / "r.yaml").write_text(
        (Path(__file__).parents[2] / "configs" / "tiny.yaml").read_text()
    )
    return folder


@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "m.npz", "w.safetensors", "r.yaml"])
def test_a_mutated_file_is_read_or_refused(name: str, valid: Path, tmp_path: Path) -> None:
    readers: dict[str, Callable[[Path], object]] = {
        ".mkv": read_video,
        ".mp4": read_video,
        ".npz": lambda path: read_mask(path, valid / "v.mkv"),
        ".safetensors": lambda path: load_model(str(path)),
        ".yaml": lambda path: read_config(Recipe, path),
    }
    data = (valid / name).read_bytes()
    path = tmp_path / name
    readers[path.suffix](valid / name)  # as it is, it can be read
    refused = 0
    for seed in range(MUTATIONS):
        path.write_bytes(mutated(data, np.random.default_rng([seed, len(name)])))
        try:
            readers[path.suffix](path)
        except VhmaeError:
            refused += 1
        except Exception as error:
            pytest.fail(f"mutation {seed} of {name}: {type(error).__name__}: {error}")
    assert refused > 0
