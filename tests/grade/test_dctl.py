"""DCTL: its text compiled as C, with no more known where than the host's language knows there."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.dctl import in_c
from vhmae.color.basis import apply_transform
from vhmae.grade.dctl import write_dctl
from vhmae.grade.shots import KeyMap, ShotGrade


def globals_used(text: str) -> set[str]:
    """What a DCTL must not have: sliders and variables of the host that are used outside
    ``transform``, and variables of its own that can change."""
    code = re.sub(r"//[^\n]*", "", text)
    sliders = set(re.findall(r"DEFINE_UI_PARAMS\(\s*(\w+)", code)) | {"TIMELINE_FRAME_INDEX"}
    code = re.sub(r"DEFINE_UI_PARAMS\([^\n]*\)", "", code)
    outside, _, inside = code.partition("__DEVICE__ float3 transform(")
    assert inside.rstrip().endswith("}")
    assert "__DEVICE__" not in inside  # nothing stands behind it
    between = re.sub(r"\{[^{}]*\}", "{}", outside)
    between = re.sub(r"\{[^{}]*\}", "{}", between)
    kept = {
        line.strip()
        for line in between.splitlines()
        if "=" in line and "__CONSTANT__" not in line and "(" not in line
    }
    return {word for word in re.findall(r"\w+", outside) if word in sliders} | kept


def test_a_dctl_uses_its_sliders_where_the_language_knows_them(tmp_path: Path) -> None:
    maps = np.zeros((2, 3, 10))
    colors = np.random.default_rng(0).random((5, 3), np.float32)
    keys = tuple(KeyMap(24 * number, one) for number, one in enumerate(maps))
    write_dctl(
        ShotGrade(1, 0, 40, maps[0], keys, colors, colors, np.zeros(5, np.int64)),
        "a shot",
        tmp_path / "a.dctl",
    )
    text = (tmp_path / "a.dctl").read_text()
    assert globals_used(text) == set()
    for taken in ("strength", "shot_start", "TIMELINE_FRAME_INDEX"):
        wrong = text.replace("value + how_far * change", f"value + {taken} * change")
        assert globals_used(wrong) == {taken}
        (tmp_path / "wrong.dctl").write_text(wrong)
        with pytest.raises(subprocess.CalledProcessError):
            in_c(tmp_path / "wrong.dctl", tmp_path)
    assert globals_used(f"float kept = 1.0f;\n{text}") == {"float kept = 1.0f;"}


@pytest.mark.parametrize(
    ("frame", "start", "strength"),
    [(0, 0, 1.0), (12, 0, 1.0), (1012, 1000, 0.4), (30, 0, 1.0), (99, 0, 1.0)],
)
def test_a_dctl_blends_its_key_maps_as_it_says(
    tmp_path: Path, frame: int, start: int, strength: float
) -> None:
    rng = np.random.default_rng(0)
    maps = 0.1 * rng.normal(size=(3, 3, 10))
    keys = tuple(KeyMap(100 + 24 * number, one) for number, one in enumerate(maps))
    colors = 1.6 * rng.random((500, 3), np.float32) - np.float32(
        0.2
    )  # below black and above white, as on time lines of log or HDR
    grade = ShotGrade(1, 100, 160, maps[0], keys, colors, colors, np.zeros(len(colors), np.int64))
    write_dctl(grade, "a shot\nwith a name in two lines", tmp_path / "look.dctl")
    graded = colors.copy()
    pointer = graded.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    in_c(tmp_path / "look.dctl", tmp_path).run(
        pointer, len(colors), frame, ctypes.c_float(strength), start
    )
    place = min(max((frame - start) / 24.0, 0.0), 2.0)
    low = min(int(place), 1)
    blended = maps[low] + (place - low) * (maps[low + 1] - maps[low])
    shown = np.clip(colors, 0.0, 1.0)
    expected = np.clip(apply_transform(shown, (strength * blended).astype(np.float32)), 0.0, 1.0)
    assert np.abs(graded - expected).max() < 1e-5
