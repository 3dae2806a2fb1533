"""PQ, HLG and the spaces of OpenColorIO: against formulas written down a second time, and against
OpenColorIO's and zimg's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import numpy as np
import PyOpenColorIO as ocio
import pytest

from tests.support.hdr import TO_2020, WHITE, hlg_display, pq, pq_inverse, signal_of, srgb_light
from vhmae.arrays import Array
from vhmae.color.light import (
    HdrSpace,
    LightSpace,
    WideSpace,
    between_primaries,
    carried,
    moved,
    shown,
)
from vhmae.color.primaries import BT709, between
from vhmae.color.spaces import OcioSpace, find_space, named_space
from vhmae.color.srgb import linear
from vhmae.errors import InputError

CAMERAS = ("ACEScg", "ACEScct", "ARRI LogC3 (EI800)", "ARRI LogC4", "V-Log V-Gamut", "Apple Log")
HDR = (HdrSpace("PQ"), HdrSpace("HLG"))


def colors(count: int = 4000) -> Array:
    """Values of red, green and blue (3, count) in [0, 1], greys and both ends among them."""
    values = np.random.default_rng(3).random((3, count))
    values[:, :500] = np.linspace(0.0, 1.0, 500)
    return values


def check_light(found: Array, expected: Array, share: float = 1e-4) -> None:
    """Within a share of the brightest of a pixel's three values, from which the others come."""
    assert (np.abs(found - expected) <= share * np.abs(expected).max(axis=0) + 1e-5).all()


def in_709(light_2020: Array) -> Array:
    return np.linalg.solve(TO_2020, light_2020)


def test_diffuse_white_is_1() -> None:
    for space, signal in ((HdrSpace("PQ"), float(pq(np.array(203.0)))), (HdrSpace("HLG"), 0.75)):
        light = space.to_light(np.full((3, 1), signal, np.float32))
        # 75 % of HLG are 203.15 cd/m2, which BT.2408 rounds to 203; PQ is within float32.
        assert light == pytest.approx(1.0, abs=1e-3 if space.curve == "HLG" else 1e-6)
    assert pq(np.array(203.0)) == pytest.approx(0.5807, abs=5e-5)  # BT.2408 table 1


@pytest.mark.parametrize("space", HDR, ids=lambda space: space.name)
def test_light_is_that_of_the_standards(space: HdrSpace) -> None:
    values = colors()
    display = pq_inverse(values) if space.curve == "PQ" else hlg_display(values.T).T
    expected = in_709(display) / WHITE
    # float32 knows a signal to 6e-8; where PQ is steepest light changes by e^24 over it.
    check_light(space.to_light(values.astype(np.float32)), expected, share=3e-5)


@pytest.mark.parametrize("space", HDR, ids=lambda space: space.name)
def test_values_come_from_light_as_the_standards_have_it(space: HdrSpace) -> None:
    light = np.random.default_rng(5).random((4000, 3)) * np.linspace(0.001, 4.0, 4000)[:, None]
    expected = signal_of(light, space.curve)
    found = space.from_light(light.T.astype(np.float32)).T
    # A hundredth of a code of 10 bit: it rounds to another one once in fifty times at the most.
    assert np.abs(found - expected).max() * 876 <= 0.01


@pytest.mark.parametrize("curve", ["PQ", "HLG"])
def test_light_is_that_of_opencolorio(curve: str) -> None:
    config = ocio.Config.CreateFromFile("ocio://studio-config-latest")
    display = f"Rec.2100-{curve} - Display"
    to_display = config.getColorSpace(display).getTransform(ocio.COLORSPACE_DIR_FROM_REFERENCE)
    processor = config.getProcessor(
        to_display, ocio.TRANSFORM_DIR_INVERSE
    ).getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS)
    values = colors().astype(np.float32)
    rows = np.ascontiguousarray(values.T)
    processor.applyRGB(rows)  # XYZ, where 1 is 100 cd/m2
    to_xyz = np.array(
        [
            [0.4123907992659595, 0.357584339383878, 0.1804807884018343],
            [0.21263900587151, 0.715168678767756, 0.0721923153607337],
            [0.0193308187155918, 0.119194779794626, 0.9505321522496607],
        ]
    )
    expected = np.linalg.solve(to_xyz, rows.T.astype(np.float64)) * 100.0 / WHITE
    check_light(HdrSpace(curve).to_light(values), expected)  # type: ignore[arg-type]


def test_light_is_that_of_zscale() -> None:
    """By FFmpeg's filter of zimg, where an FFmpeg that has it is at hand."""
    ffmpeg = shutil.which("ffmpeg")
    filters = (
        subprocess.run([ffmpeg, "-hide_banner", "-filters"], capture_output=True, text=True).stdout
        if ffmpeg
        else ""
    )
    if "zscale" not in filters:
        pytest.skip("no ffmpeg with zscale is installed")
    values = colors(4096).astype(np.float32)
    for curve, name in (("PQ", "smpte2084"), ("HLG", "arib-std-b67")):
        wide = f"tin={name}:pin=2020:min=gbr:rin=full"
        chain = f"zscale={wide}:t=linear:p=709:m=gbr:r=full:npl=203:agamma=false,format=gbrpf32le"
        command = [str(ffmpeg), "-v", "error", "-f", "rawvideo", "-pix_fmt", "gbrpf32le"]
        command += ["-s", "64x64", "-i", "-", "-vf", chain, "-f", "rawvideo", "-"]
        data = values[[1, 2, 0]].tobytes()
        made = subprocess.run(command, input=data, capture_output=True, check=True).stdout
        expected = np.frombuffer(made, np.float32).reshape(3, -1)[[2, 0, 1]]
        check_light(HdrSpace(curve).to_light(values), expected)  # type: ignore[arg-type]


def test_what_is_converted_is_not_written_over() -> None:
    values = (
        np.random.default_rng(1).random((50, 3), dtype=np.float32).T
    )  # lies as OpenColorIO has it
    before = values.copy()
    for space in (*HDR, OcioSpace("ARRI LogC4")):
        space.to_light(values)
        space.from_light(values)
        assert np.array_equal(values, before)


@pytest.mark.parametrize("name", CAMERAS)
def test_spaces_of_cameras_turn_back(name: str) -> None:
    space = find_space(name)
    values = colors().astype(np.float32)
    if name == "ACEScg":
        values *= 8.0
    found = space.from_light(space.to_light(values))
    assert np.abs(found - values).max() <= 0.5 / 1023


def logc3(light: Array) -> Array:
    """ALEXA Log C curve, EI 800 (ARRI, 'Usage in VFX')."""
    log = 0.247190 * np.log10(5.555556 * np.maximum(light, 1e-9) + 0.052272) + 0.385537
    return np.where(light > 0.010591, log, 5.367655 * light + 0.092809)


def logc4(light: Array) -> Array:
    """ARRI LogC4 specification, 2022."""
    a, b, c = (2.0**18 - 16.0) / 117.45, (1023.0 - 95.0) / 1023.0, 95.0 / 1023.0
    s = (7.0 * np.log(2.0) * 2.0 ** (7.0 - 14.0 * c / b)) / (a * b)
    t = (2.0 ** (14.0 * (-c / b) + 6.0) - 64.0) / a
    log = (np.log2(a * np.maximum(light, t) + 64.0) - 6.0) / 14.0 * b + c
    return np.where(light >= t, log, (light - t) / s)


def slog3(light: Array) -> Array:
    """Sony, 'Technical Summary for S-Gamut3.Cine/S-Log3'."""
    log = (420.0 + np.log10((np.maximum(light, 0.0) + 0.01) / 0.19) * 261.5) / 1023.0
    line = (light * (171.2102946929 - 95.0) / 0.01125 + 95.0) / 1023.0
    return np.where(light >= 0.01125, log, line)


def vlog(light: Array) -> Array:
    """Panasonic, 'V-Log/V-Gamut reference manual'."""
    log = 0.241514 * np.log10(np.maximum(light, 0.0) + 0.00873) + 0.598206
    return np.where(light < 0.01, 5.6 * light + 0.125, log)


@pytest.mark.parametrize(
    ("name", "curve"),
    [
        ("ARRI LogC3", logc3),
        ("ARRI LogC4", logc4),
        ("S-Log3 S-Gamut3.Cine", slog3),
        ("V-Log", vlog),
        ("ACEScg", lambda light: light),
    ],
)
def test_greys_of_cameras_are_those_of_their_makers(
    name: str, curve: Callable[[Array], Array]
) -> None:
    light = np.geomspace(0.002, 4.0, 200)
    found = find_space(name).to_light(np.tile(curve(light), (3, 1)).astype(np.float32))
    assert np.abs(found / light - 1.0).max() <= 1e-4  # constants are given with six digits


def test_half_of_the_wide_codes_are_srgb_and_the_others_go_up_in_equal_ratios() -> None:
    codes = np.array([0.0, 0.1, 0.25, 0.5, 0.75, 1.0], np.float32)
    light = [*linear(2.0 * codes[:3]), 1.0, 65504.0**0.5, 65504.0]
    np.testing.assert_allclose(WideSpace().to_light(codes), light, rtol=1e-5)
    np.testing.assert_allclose(WideSpace().from_light(np.array(light)), codes, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_a_white_without_light_is_refused_on_either_side(turned: bool) -> None:
    """Of a red so deep, Bradford's middle waves have less than nothing."""
    dark = (*BT709[:6], 0.7, 0.28)
    pair = (BT709, dark) if turned else (dark, BT709)
    with pytest.raises(ValueError, match="its white is no light"):
        between(*pair)


def test_primaries_are_those_of_the_standards() -> None:
    assert np.allclose(between_primaries("BT.709", "BT.2020"), TO_2020, atol=2e-6)
    for space in HDR:  # the primary of one is beyond the other
        light = space.to_light(np.array([[0.5], [0.0], [0.0]], np.float32))
        assert light[0] > 0 > light[1]


@pytest.mark.parametrize("space", [*HDR, OcioSpace("ARRI LogC4")], ids=lambda space: space.name)
def test_a_change_is_carried_as_the_loop_has_it(space: LightSpace) -> None:
    values = colors(600).astype(np.float32).reshape(3, 20, 30)
    change = np.random.default_rng(9).normal(0.0, 0.1, values.shape).astype(np.float32)
    change[:, :5] = 0.0
    steps = moved(space, values, change)
    assert not steps[:, :5].any()
    light = space.to_light(values).astype(np.float64)
    for y in range(20):
        for x in range(0, 30, 7):
            wanted = []
            for channel in range(3):
                own = float(light[channel, y, x])
                seen = float(shown(np.array([own], np.float32))[0])
                after = min(max(seen + float(change[channel, y, x]), 0.0), 1.0)
                new = float(srgb_light(np.array(after)))
                wanted.append(own * new if own > 1.0 else own + new - min(max(own, 0.0), 1.0))
            again = space.from_light(np.array(wanted, np.float32)[:, None])[:, 0]
            expected = again - space.from_light(light[:, y, x, None].astype(np.float32))[:, 0]
            if np.abs(expected).max() < 0.5:
                # A hundredth of a code of 10 bit.
                assert np.abs(steps[:, y, x] - expected).max() <= 0.01 / 876


def test_highlights_are_multiplied_and_the_rest_is_added() -> None:
    light = np.array([0.25, 1.0, 4.0, -0.1], np.float32)
    was = np.array([0.25, 1.0, 1.0, 0.0], np.float32)
    is_now = np.array([0.5, 0.8, 0.8, 0.1], np.float32)
    assert carried(light, was, is_now) == pytest.approx([0.5, 0.8, 3.2, 0.0], abs=1e-6)
    assert np.array_equal(linear(shown(np.array([9.0], np.float32))), np.array([1.0], np.float32))


def test_names_and_parts_of_names() -> None:
    assert find_space("pq") == find_space("Rec.2100-PQ - Display") == HdrSpace("PQ")
    assert find_space("hlg") == HdrSpace("HLG")
    assert find_space("acescg") == OcioSpace("ACEScg")
    assert find_space("ARRI logc3") == OcioSpace("ARRI LogC3 (EI800)")
    assert find_space("slog3_sgamut3") == OcioSpace("S-Log3 S-Gamut3")  # an alias
    assert named_space(None) is None


def test_names_that_mean_none_or_several_are_refused() -> None:
    with pytest.raises(InputError, match=r"`input_space` S-Log3: may be S-Log3 S-Gamut3 or "):
        named_space("S-Log3")
    with pytest.raises(InputError, match=r"did you mean ACEScg\?"):
        named_space("ACESgc")
    with pytest.raises(InputError, match=r"`foreground_space` Raw: unknown"):
        named_space("Raw", "foreground_space")


def test_without_opencolorio_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from vhmae.color import spaces

    monkeypatch.setitem(sys.modules, "PyOpenColorIO", None)
    spaces._config.cache_clear()
    with pytest.raises(InputError, match=r"pip install 'vhmae\[ocio\]'"):
        named_space("ACEScg")
    assert named_space("PQ") == HdrSpace("PQ")  # needs none
