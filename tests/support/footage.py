"""Small sets built of small footage."""

from __future__ import annotations

from pathlib import Path

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
