"""A DCTL compiled as C."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path


def in_c(path: Path, folder: Path) -> ctypes.CDLL:
    """Compile a DCTL's text as C: what the host defines is defined here.

    As in the host's language the sliders, and the frame's number, are known in ``transform`` alone:
    they come as arguments of it, so what uses one without being handed it does not compile.
    """
    shim = """
    typedef struct { float x, y, z; } float3;
    static float3 make_float3(float x, float y, float z) { float3 v = {x, y, z}; return v; }
    static float _clampf(float v, float lo, float hi) { return v < lo ? lo : v > hi ? hi : v; }
    #define __DEVICE__
    #define __CONSTANT__ static const
    #define DEFINE_UI_PARAMS(...)
    """
    tail = """
    void run(float *rgb, int count, int frame, float how_far, int start) {
        for (int i = 0; i < count; i++) {
            float *p = rgb + 3 * i;
            float3 v = transform(1, 1, 0, 0, p[0], p[1], p[2], how_far, start, frame);
            rgb[3 * i] = v.x; rgb[3 * i + 1] = v.y; rgb[3 * i + 2] = v.z;
        }
    }
    """
    source, library = folder / "grade.c", folder / f"{path.stem}.so"
    text = path.read_text()
    assert text.count("float p_B)") == 1
    given = "float p_B, float strength, int shot_start, int TIMELINE_FRAME_INDEX)"
    source.write_text(shim + text.replace("float p_B)", given) + tail)
    subprocess.run(
        [
            "cc",
            "-O1",
            "-Wall",
            "-Werror",
            "-Wno-unused-function",
            "-shared",
            "-fPIC",
            "-o",
            library,
            source,
            "-lm",
        ],
        check=True,
    )
    return ctypes.CDLL(str(library))
