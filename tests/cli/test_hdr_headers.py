"""What a container's own header tells of HDR, where the pictures say nothing of it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import pytest

from tests.support.hdr import lit_scene, run, write_hdr
from vhmae.errors import InputError
from vhmae.video.probe import probe_video

DISPLAY = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.005, 1000.0)
"""Red, green, blue, white; the least and the most cd/m2."""
WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def with_boxes(source: Path, target: Path, entry: bytes, boxes: bytes) -> Path:
    """A file of QuickTime's kind with boxes at the end of its sample entry (ISO 14496-12 12.1.5);
    what they move lies after the media, so that no offset changes."""
    data = bytearray(source.read_bytes())
    place = data.index(b"moov") - 4
    assert data.index(b"mdat") < place
    places = []
    for name in (*WAY, entry):
        place = data.index(name, place) - 4
        places.append(place)
        place += 8
    sizes = [struct.unpack_from(">I", data, at)[0] for at in places]
    end = places[-1] + sizes[-1]
    data[end:end] = boxes
    for at, size in zip(places, sizes, strict=True):
        struct.pack_into(">I", data, at, size + len(boxes))
    target.write_bytes(data)
    return target


@pytest.fixture(scope="module")
def told(hdr_work: Path) -> Path:
    """ProRes, which cannot say it itself, in a .mov whose boxes mdcv and clli tell mastering and
    light; the same in .mkv."""
    plain = write_hdr(
        hdr_work / "plain.mov", lit_scene()[0], codec="prores_ks", pix_fmt="yuv422p10le"
    )
    order = (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450)  # green, blue, red, white
    boxes = box(b"mdcv", struct.pack(">8H2I", *order, 10_000_000, 50))
    boxes += box(b"clli", struct.pack(">2H", 1000, 400))
    path = with_boxes(plain, hdr_work / "told.mov", b"apch", boxes)
    with av.open(str(path)) as source, av.open(str(hdr_work / "told.mkv"), "w") as made:
        stream = source.streams.video[0]
        copy: Any = made.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = copy
                made.mux(packet)
    assert probe_video(plain).hdr.mastering is None
    return path


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_a_header_is_read(suffix: str, told: Path) -> None:
    hdr = probe_video(told.with_suffix(suffix)).hdr
    assert hdr.mastering == pytest.approx(DISPLAY, rel=1e-6)
    assert hdr.content_light == (1000, 400)


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_what_a_header_tells_is_kept_or_told(
    suffix: str, told: Path, hdr_work: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "out.mp4"
    report = run(hdr_work, f"told{suffix}", kept, "--codec", "libx265", "--pix-fmt", "yuv420p10le")
    assert not any("left out" in one for one in report["warnings"])
    after = probe_video(kept).hdr
    assert after.mastering == pytest.approx(DISPLAY, rel=2e-4, abs=2e-4)
    assert after.content_light == (1000, 400)
    lost = tmp_path / f"out{suffix}"
    (warning,) = run(hdr_work, f"told{suffix}", lost)["warnings"]
    assert f"the mastering display, the content light levels of {hdr_work}" in warning
    assert "left out, its picture (PQ BT.2020) is kept" in warning


def test_dolby_vision_that_a_header_alone_tells_is_told(hdr_work: Path, tmp_path: Path) -> None:
    """A sample entry of its kind (dvh1) without its metadata in the pictures."""
    quiet = {"x265-params": "log-level=error"}
    lights, _ = lit_scene()
    plain = write_hdr(
        tmp_path / "plain.mp4", lights, codec="libx265", pix_fmt="yuv420p10le", options=quiet
    )
    path = hdr_work / "dvh1.mp4"
    with av.open(str(plain)) as source:
        tag = source.streams.video[0].codec_context.codec_tag.encode()
    path.write_bytes(plain.read_bytes().replace(tag, b"dvh1"))
    (warning,) = run(hdr_work, "dvh1.mp4", tmp_path / "out.mp4")["warnings"]
    assert "Dolby Vision metadata of " in warning


def configuration(profile: int, compatible: int) -> bytes:
    """DOVIDecoderConfigurationRecord: version, profile, level 6, with metadata and a base layer."""
    return struct.pack(">BBHB", 1, 0, profile << 9 | 6 << 3 | 0b101, compatible << 4) + bytes(19)


@pytest.fixture(scope="module")
def plain_hevc(hdr_work: Path) -> Path:
    quiet = {"x265-params": "log-level=error"}
    lights, _ = lit_scene()
    path = hdr_work / "hevc.mp4"
    return write_hdr(path, lights, codec="libx265", pix_fmt="yuv420p10le", options=quiet)


def dolby(plain: Path, target: Path, kind: bytes, profile: int, compatible: int) -> Path:
    """HDR10 whose container alone says that it is Dolby Vision: a lone box, or what Matroska makes
    of it."""
    with av.open(str(plain)) as source:
        tag = source.streams.video[0].codec_context.codec_tag.encode()
    boxes = box(kind, configuration(profile, compatible))
    boxed = with_boxes(plain, target.with_suffix(plain.suffix), tag, boxes)
    if target != boxed:
        with (
            av.open(str(boxed)) as source,
            av.open(str(target), "w", options={"strict": "unofficial"}) as made,
        ):
            copy: Any = made.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = copy
                    made.mux(packet)
    return target


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("kind", "profile", "compatible"),
    [(b"dvvC", 8, 1), (b"dvvC", 8, 4), (b"dvcC", 7, 6), (b"dvvC", 10, 1)],
)
def test_a_lone_configuration_of_dolby_vision_is_told(
    kind: bytes,
    profile: int,
    compatible: int,
    suffix: str,
    plain_hevc: Path,
    hdr_work: Path,
    tmp_path: Path,
) -> None:
    path = hdr_work / f"dolby-{profile}-{compatible}{suffix}"
    path = dolby(plain_hevc, path, kind, profile, compatible)
    report = run(hdr_work, path.name, tmp_path / f"out{suffix}", "--check")
    (warning,) = report["warnings"]
    assert f"Dolby Vision metadata of {path} left out, its picture (PQ BT.2020)" in warning


@pytest.mark.parametrize(("kind", "profile"), [(b"dvcC", 5), (b"dvvC", 10)])
def test_a_base_layer_that_is_no_picture_is_refused_by_its_configuration(
    kind: bytes, profile: int, plain_hevc: Path, tmp_path: Path
) -> None:
    path = dolby(plain_hevc, tmp_path / "d.mp4", kind, profile, 0)
    with pytest.raises(InputError, match=f"is Dolby Vision profile {profile}, which shows wrong"):
        probe_video(path)
