"""Small sets built of small footage."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.scenes import moving_scene, write_video
from vhmae.cli import main


def few(footage: Path, tmp_path: Path, files: dict[str, str]) -> Path:
    """Footage of its own: files by their names, with what they are copies of."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for name, source in files.items():
        (raw / name).write_bytes((footage / source).read_bytes())
    return raw


def build_few(raw: Path, mattes: Path, out: Path, *more: str) -> int:
    options = [
        "--count",
        "3",
        "--seconds",
        "1:2",
        "--foreground-ratio",
        "0.1:0.8",
        "--workers",
        "1",
        "-q",
    ]
    return main(
        [
            "rcvh",
            "build",
            "--raw",
            str(raw),
            "--out",
            str(out),
            "--matte",
            "file",
            "--mattes",
            str(mattes),
            *options,
            *more,
        ]
    )


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five sources with mattes; a dark one, one without a subject, a copy of the first, and one of
    two shots."""
    root = tmp_path_factory.mktemp("footage")
    (root / "raw").mkdir()
    (root / "mattes").mkdir()

    def put(name: str, pictures: np.ndarray, masks: np.ndarray) -> None:
        write_video(root / "raw" / f"{name}.mp4", pictures, codec="libx264")
        np.savez(
            root / "mattes" / f"{name}.npz",
            bits=np.packbits(masks, axis=-1),
            shape=np.array(masks.shape),
        )

    for number in range(5):
        put(f"take{number}", *clip(number))
    put("again", *clip(0))
    dark, masks = clip(6)
    put("dark", dark // 20, masks)
    put("empty", clip(7)[0], np.zeros_like(masks))
    (one, one_masks), (two, two_masks) = clip(8), clip(9)
    put("shots", np.concatenate([one, two]), np.concatenate([one_masks, two_masks]))
    put("short", clip(10, 6)[0], clip(10, 6)[1])
    (root / "raw" / "sources.csv").write_text(
        "file,source,licence\ntake1.mp4,studio,CC0\ntake2.mp4,studio,CC0\n"
    )
    return root


@pytest.fixture(scope="module")
def built(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "set"
    assert (
        main(
            arguments(
                footage,
                out,
                8,
                "--sheet",
                str(out.parent / "sheet.png"),
                "--json",
                str(out.parent / "report.json"),
            )
        )
        == 0
    )
    return out


def clip(number: int, frames: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """A scene that looks like no other, with a subject of its own color."""
    rng = np.random.default_rng(number)
    pictures, masks = moving_scene(frames, 128, 96)
    texture = cv2.resize(
        rng.integers(30, 220, (5, 7, 3)).astype(np.uint8), (128, 96), interpolation=cv2.INTER_CUBIC
    )
    pictures[:] = texture
    pictures[masks] = rng.integers(60, 250, 3)
    return pictures, masks


def arguments(footage: Path, out: Path, count: int = 8, *more: str) -> list[str]:
    options = [
        "--matte",
        "file",
        "--mattes",
        str(footage / "mattes"),
        "--seconds",
        "1:2",
        "--foreground-ratio",
        "0.1:0.8",
    ]
    return [
        "rcvh",
        "build",
        "--raw",
        str(footage / "raw"),
        "--out",
        str(out),
        "--count",
        str(count),
        *options,
        "--workers",
        "1",
        "-q",
        *more,
    ]
