"""DCTL: a text file that DaVinci Resolve runs as an effect. A shot's key maps, blended by frame,
with a slider for the strength.

The maps themselves are written, not tables baked from them: thirty numbers a key frame in the place
of 107,811, and no error of interpolation (docs/decisions-engine.md, "Grades").
"""

from __future__ import annotations

from pathlib import Path

from vhmae.color.basis import QUADRATIC
from vhmae.grade.shots import ShotGrade

MOST_KEYS = 512
"""Of a shot, by 31 numbers of four bytes each: 64 KiB are the constant memory that every GPU has."""

_HEAD = """// {title}
// Frames {first} to {last}. Put it on the foreground alone: it knows no matte. As a ResolveFX DCTL effect, not as a LUT: only
// there is the frame's number known. "Shot starts at" is the number of the frame of the time line where the shot begins.
DEFINE_UI_PARAMS(strength, Strength, DCTLUI_SLIDER_FLOAT, 1.0, 0.0, 1.0, 0.01)
DEFINE_UI_PARAMS(shot_start, Shot starts at, DCTLUI_SLIDER_INT, 0, 0, 1000000, 1)

// Frames of the shot, and for each the change of R, G and B over the terms r, g, b, 1, r2, g2, b2, rg, gb, br.
__CONSTANT__ int KEYS[{count}] = {{{keys}}};
__CONSTANT__ float MAPS[{numbers}] = {{
{maps}
}};
"""

_BODY = """
__DEVICE__ float change_of(int key, int channel, float r, float g, float b)
{
    const int at = key * 30 + channel * 10;
    return MAPS[at] * r + MAPS[at + 1] * g + MAPS[at + 2] * b + MAPS[at + 3]
        + MAPS[at + 4] * r * r + MAPS[at + 5] * g * g + MAPS[at + 6] * b * b
        + MAPS[at + 7] * r * g + MAPS[at + 8] * g * b + MAPS[at + 9] * b * r;
}

// What the sliders say is known in transform alone, so it is handed on.
__DEVICE__ float graded(float value, int key, float share, float how_far, int channel, float r, float g, float b)
{
    const int next = key + 1 < KEY_COUNT ? key + 1 : key;
    const float change = (1.0f - share) * change_of(key, channel, r, g, b) + share * change_of(next, channel, r, g, b);
    return _clampf(value + how_far * change, 0.0f, 1.0f);
}

__DEVICE__ float3 transform(int p_Width, int p_Height, int p_X, int p_Y, float p_R, float p_G, float p_B)
{
    const int frame = TIMELINE_FRAME_INDEX - shot_start;
    int key = 0;
    while (key + 1 < KEY_COUNT && KEYS[key + 1] <= frame) key++;
    float share = 0.0f;
    if (key + 1 < KEY_COUNT && frame > KEYS[key]) share = (float)(frame - KEYS[key]) / (float)(KEYS[key + 1] - KEYS[key]);
    const float r = _clampf(p_R, 0.0f, 1.0f);
    const float g = _clampf(p_G, 0.0f, 1.0f);
    const float b = _clampf(p_B, 0.0f, 1.0f);
    return make_float3(graded(r, key, share, strength, 0, r, g, b), graded(g, key, share, strength, 1, r, g, b),
        graded(b, key, share, strength, 2, r, g, b));
}
"""


def write_dctl(grade: ShotGrade, title: str, path: Path) -> None:
    """Write a shot's grade as a DCTL effect."""
    maps = ",\n".join(
        "    " + ", ".join(f"{value:.8f}f" for value in key.coefficients.reshape(-1).tolist())
        for key in grade.keys
    )
    head = _HEAD.format(
        title=" ".join(title.split()),
        first=grade.first,
        last=grade.last,
        count=len(grade.keys),
        numbers=len(grade.keys) * 3 * QUADRATIC,
        keys=", ".join(str(key.index - grade.first) for key in grade.keys),
        maps=maps,
    )
    path.write_text(
        head + _BODY.replace("KEY_COUNT", str(len(grade.keys))), encoding="ascii", errors="replace"
    )
