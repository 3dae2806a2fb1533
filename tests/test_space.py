"""What the hub reads of a static Space."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SPACE = ROOT / "space"


def test_the_readme_says_what_the_hub_asks_for() -> None:
    _, front, _ = (SPACE / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    said = yaml.safe_load(front)
    assert said["title"]
    assert (said["sdk"], said["app_file"], said["license"]) == (
        "static",
        "index.html",
        "apache-2.0",
    )
    assert len(said["short_description"]) <= 60  # the hub refuses more
    assert said["custom_headers"] == {  # for threads
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "cross-origin",
    }


def test_binary_files_of_the_page_go_through_lfs() -> None:
    kept = {line.split()[0] for line in (SPACE / ".gitattributes").read_text().splitlines()}
    build = (ROOT / "frontend" / "build.mjs").read_text(encoding="utf-8")
    for suffix in ("gz", "jpg", "onnx", "png"):
        assert f'.{suffix}"' in build
        assert f"*.{suffix}" in kept
