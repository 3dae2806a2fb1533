"""What goes along with the pictures: sound, subtitles, chapters, names."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.support.scenes import moving_scene, packets, write_video
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.side_data import beside
from vhmae.video.tags import with_fields
from vhmae.video.writer import VideoWriter


def timed_chapters(container: Any) -> list[Any]:
    """Chapters, which all have a unit of time."""
    return list(container.chapters())


CHAPTERS = [(0, 400, "one"), (400, 1000, "two")]


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A second of video with two named sound tracks, of which the second is the default, chapters
    and a title."""
    plain = write_video(tmp_path / "plain.mkv", moving_scene(25, 96, 64)[0], audio=True)
    with av.open(str(plain)) as source, av.open(str(tmp_path / "rich.mkv"), "w") as out:
        picture, sound = source.streams.video[0], source.streams.audio[0]
        streams: dict[int, list[Any]] = {picture.index: [out.add_stream_from_template(picture)]}
        streams[sound.index] = [out.add_stream_from_template(sound) for _ in range(2)]
        for stream, language, disposition in zip(
            streams[sound.index], ("eng", "ger"), (0, 1), strict=True
        ):
            stream.metadata["language"] = language
            stream.disposition = disposition
        out.metadata["title"] = "A film"
        unit = Fraction(1, 1000)
        chapters = [
            {"id": n, "start": a, "end": b, "time_base": unit, "metadata": {"title": t}}
            for n, (a, b, t) in enumerate(CHAPTERS)
        ]
        out.set_chapters(chapters)  # type: ignore[arg-type]
        for packet in source.demux():
            if packet.dts is None:
                continue
            data, own = bytes(packet), packet.stream.index
            for stream in streams[own]:
                copy = av.Packet(data)
                copy.pts, copy.dts, copy.time_base, copy.duration = (
                    packet.pts,
                    packet.dts,
                    packet.time_base,
                    packet.duration,
                )
                copy.is_keyframe, copy.stream = packet.is_keyframe, stream
                out.mux(copy)
    return tmp_path / "rich.mkv"


HEADER = (
    b"[Script Info]\nScriptType: v4.00+\nPlayResX: 384\nPlayResY: 288\n\n[V4+ Styles]\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, "
    b"Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, "
    b"Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\n\n"
    b"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


def copied(source: Path, output: Path, **options: object) -> VideoWriter:
    info = probe_video(source)
    with VideoWriter(output, info, **options) as writer:  # type: ignore[arg-type]
        for timed in read_frames(info):
            writer.write(timed, timed.image.copy())
    return writer


@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
def test_names_defaults_and_chapters_are_kept(rich: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    assert copied(rich, output, codec="libx264").left_out == []
    with av.open(str(output)) as container:
        sounds = container.streams.audio
        assert [(one.metadata.get("language"), int(one.disposition) & 1) for one in sounds] == [
            ("eng", 0),
            ("ger", 1),
        ]
        assert container.metadata["title"] == "A film"
        found = [
            (round(c["start"] * c["time_base"] * 1000), c["metadata"]["title"])
            for c in timed_chapters(container)
        ]
    assert found == [(0, "one"), (400, "two")]


def test_chapters_are_cut_with_the_video(rich: Path, tmp_path: Path) -> None:
    info = probe_video(rich)
    with VideoWriter(tmp_path / "out.mkv", info, start_seconds=0.6, end_seconds=0.8) as writer:
        for timed in read_frames(info):
            if timed.seconds is not None and 0.599 <= timed.seconds < 0.8:
                writer.write(timed, timed.image.copy())
    with av.open(str(tmp_path / "out.mkv")) as container:
        (chapter,) = timed_chapters(container)
    assert chapter["metadata"]["title"] == "two"
    assert [round(float(chapter[key] * chapter["time_base"]), 2) for key in ("start", "end")] == [
        0.0,
        0.2,
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_of_a_broadcast_stream_is_kept(suffix: str, tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "in.ts", moving_scene(12, 96, 64)[0], codec="libx264", audio=True
    )
    copied(source, tmp_path / f"out{suffix}")  # verified by the writer
    before, after = packets(source, "audio"), packets(tmp_path / f"out{suffix}", "audio")
    assert len(before) == len(after) > 10
    assert all(
        one.endswith(other) and 7 <= len(one) - len(other) <= 9
        for one, other in zip(before, after, strict=True)
    )


def test_a_picture_that_lies_beside_is_told(rich: Path, tmp_path: Path) -> None:
    with av.open(str(rich)) as source, av.open(str(tmp_path / "covered.mkv"), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        out.add_attachment("cover.png", "image/png", b"no picture, but carried as one")
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    (told,) = copied(tmp_path / "covered.mkv", tmp_path / "out.mkv").left_out
    assert told.startswith(("pictures", "attachment"))


@pytest.mark.parametrize("order", [2, 3], ids=["upper", "lower"])
@pytest.mark.parametrize(
    ("codec", "suffix", "kept"),
    [
        ("ffv1", ".mkv", True),
        ("libx264", ".mkv", True),
        ("libx264", ".mov", True),
        ("libx264", ".mp4", True),
        ("libx264", ".avi", True),
        ("mpeg2video", ".mov", True),
        ("prores_ks", ".mov", True),
        ("libx265", ".mp4", True),
        ("mjpeg", ".mov", True),
        ("v210", ".mov", True),
        ("mpeg4", ".mov", False),
        ("mpeg2video", ".avi", False),
        ("ffv1", ".avi", False),
    ],
)
def test_fields_are_told_where_the_file_can_or_their_loss_is(
    codec: str, suffix: str, kept: bool, order: int, tmp_path: Path
) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.field_order = order
        for frame in moving_scene(3, 96, 64)[0]:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(frame).reformat(format="yuv420p"))
            )
        container.mux(stream.encode(None))
    out = tmp_path / f"out{suffix}"
    writer = copied(tmp_path / "in.mkv", out, codec=codec)
    with av.open(str(out)) as container:
        found = container.streams.video[0].codec_context.field_order
        frames = list(container.decode(video=0))
    assert (found == order) == kept
    if codec in ("libx264", "prores_ks"):
        assert [first_field(frame) for frame in frames] == [order] * 3
    assert writer.left_out == ([] if kept else ["the marks of interlaced fields"])


def first_field(frame: av.VideoFrame) -> int:
    """Which field of a frame is shown first, as its decoder says: 2 the upper, 3 the lower one."""
    for order, name in ((2, "TOPFIRST"), (3, "BOTTOMFIRST")):
        graph = av.filter.Graph()
        given = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        chosen = graph.add("select", f"eq(interlace_type,{name})".replace(",", "\\,"))
        graph.link_nodes(given, chosen, graph.add("buffersink")).configure()
        given.push(frame)
        with contextlib.suppress(BlockingIOError):
            graph.pull()
            return order
    return 0


@pytest.mark.parametrize("order", [2, 3], ids=["upper", "lower"])
@pytest.mark.parametrize("kind", ["v210", "mjpeg", "prores_ks"])
@pytest.mark.parametrize("codec", ["libx264", "prores_ks"])
def test_the_first_field_is_the_same_in_frames_that_change_and_in_those_that_do_not(
    codec: str, kind: str, order: int, tmp_path: Path
) -> None:
    formats = {"v210": "yuv422p10le", "mjpeg": "yuvj420p", "prores_ks": "yuv422p10le"}
    with av.open(str(tmp_path / "in.mov"), "w") as container:
        options = {"flags": "+ildct+ilme"} if kind == "prores_ks" else {}
        stream: Any = container.add_stream(kind, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, formats[kind]
        stream.codec_context.field_order = order
        for picture in moving_scene(6, 96, 64)[0]:
            frame = av.VideoFrame.from_ndarray(picture).reformat(format=formats[kind])
            container.mux(stream.encode(with_fields(frame, upper_first=order == 2)))
        container.mux(stream.encode(None))
    info = probe_video(tmp_path / "in.mov")
    with VideoWriter(tmp_path / "out.mov", info, codec=codec) as writer:
        for timed in read_frames(info):
            writer.write(timed, timed.image.copy() if timed.index % 2 else timed.image)
    with av.open(str(tmp_path / "out.mov")) as container:
        assert [first_field(frame) for frame in container.decode(video=0)] == [order] * 6
    assert writer.left_out == []


def captions(number: int) -> bytes:
    """A message in H.264 that holds a pair of bytes of closed captions (ATSC A/53, CEA-608)."""
    said = bytes([0xB5, 0, 0x31, *b"GA94", 3, 0xC1, 0xFF, 0xFC, 0x41 + number, 0x42, 0xFF])
    return b"\0\0\0\1\x06\x04" + bytes([len(said)]) + said + b"\x80"


def test_closed_captions_stay_with_frames_that_change(tmp_path: Path) -> None:
    write_video(tmp_path / "plain.h264", moving_scene(6, 96, 64)[0], codec="libx264")
    told, count, start = b"", 0, b"\0\0\1"
    for unit in (tmp_path / "plain.h264").read_bytes().split(start)[1:]:
        if unit[0] & 31 in (1, 5) and unit[1] & 0x80:  # a frame's first slice
            told, count = told + captions(count), count + 1
        told += start + unit
    (tmp_path / "in.h264").write_bytes(told)
    info = probe_video(tmp_path / "in.h264")
    with VideoWriter(tmp_path / "out.mkv", info, codec="libx264") as writer:
        for timed in read_frames(info):
            assert "A53_CC" in beside(timed.decoded)
            writer.write(timed, timed.image.copy() if timed.index % 2 else timed.image)
    with av.open(str(tmp_path / "out.mkv")) as container:
        found: list[Any] = [frame.side_data.get("A53_CC") for frame in container.decode(video=0)]
    assert [bytes(one) for one in found if one is not None] == [
        bytes([0xFC, 0x41 + number, 0x42]) for number in range(6)
    ]


def test_frames_of_a_height_without_fields_are_not_coded_as_such(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 62, "yuv420p"
        stream.codec_context.field_order = 2
        for frame in moving_scene(3, 96, 62)[0]:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(frame).reformat(format="yuv420p"))
            )
        container.mux(stream.encode(None))
    writer = copied(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="libx264")
    assert writer.left_out == ["the marks of interlaced fields"]


def test_subtitles_of_mp4_become_subrip(tmp_path: Path) -> None:
    frames, _ = moving_scene(25, 96, 64)
    plain = write_video(tmp_path / "plain.mp4", frames)
    with (
        av.open(str(plain)) as source,
        av.open(str(tmp_path / "in.mp4"), "w") as container,
    ):
        pictures = container.add_stream_from_template(source.streams.video[0])
        words = container.add_stream("mov_text")
        words.codec_context.subtitle_header = HEADER
        words.metadata["language"] = "deu"
        for packet in source.demux():
            if packet.size:
                packet.stream = pictures
                container.mux(packet)
        for begins, text in ((100, "hello"), (500, "zwei\nZeilen, ä")):
            data = text.encode()
            packet = av.Packet(len(data).to_bytes(2, "big") + data)
            packet.pts = packet.dts = begins
            packet.duration, packet.time_base, packet.stream = 300, Fraction(1, 1000), words
            container.mux(packet)
    writer = copied(tmp_path / "in.mp4", tmp_path / "out.mkv")
    assert writer.left_out == []
    info = probe_video(tmp_path / "in.mp4")
    with VideoWriter(tmp_path / "cut.mkv", info, start_seconds=0.2) as writer:
        for timed in read_frames(info, first=5):
            writer.write(timed, timed.image.copy())
    with av.open(str(tmp_path / "cut.mkv")) as container:  # words that began before are shown on
        shown = [
            (round(float(packet.pts * packet.time_base), 2), packet.duration)
            for packet in container.demux(container.streams.subtitles[0])
            if packet.size and packet.pts is not None
        ]
    assert shown == [(0.0, 200), (0.3, 300)]
    with av.open(str(tmp_path / "out.mkv")) as container:
        (stream,) = container.streams.subtitles
        assert stream.codec_context.name in ("srt", "subrip")
        assert stream.metadata["language"].startswith(("deu", "ger"))
        found = [
            (float(packet.pts * packet.time_base), packet.duration, bytes(packet).decode())
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]
    assert [at for at, _, _ in found] == pytest.approx([0.1, 0.5], abs=0.002)
    assert [text.replace("\r", "") for *_, text in found] == ["hello", "zwei\nZeilen, ä"]
    assert [length for _, length, _ in found] == [300, 300]


MAKERS = {
    "com.apple.quicktime.make": "Maker",
    "com.apple.quicktime.creationdate": "2026-05-01T10:00:00+0200",
    "com.apple.quicktime.location.ISO6709": "+48.1374+011.5755/",
}


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_a_cameras_own_keys_are_kept_or_told(suffix: str, tmp_path: Path) -> None:
    source, output = tmp_path / "in.mov", tmp_path / f"out{suffix}"
    plain = write_video(tmp_path / "plain.mkv", moving_scene(5, 96, 64)[0], codec="libx264")
    flags = {"movflags": "use_metadata_tags"}
    with av.open(str(plain)) as read, av.open(str(source), "w", options=flags) as out:
        stream = out.add_stream_from_template(read.streams.video[0])
        out.metadata.update({**MAKERS, "title": "A film", "com.android.version": "14"})
        for packet in read.demux(read.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    left_out = copied(source, output, codec="libx264").left_out
    with av.open(str(output)) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
    assert found["title"] == "A film"
    if suffix == ".mp4":
        assert left_out == [f"metadata ({', '.join(MAKERS)})"]
    else:
        assert left_out == []
        assert {key: found[key.lower()] for key in MAKERS} == MAKERS
    if suffix == ".mov":  # by the name that Apple's players know, too
        assert found["com.apple.quicktime.title"] == "A film"


def test_web_subtitles_stay_in_webm(tmp_path: Path) -> None:
    source = tmp_path / "in.webm"
    plain = write_video(tmp_path / "plain.mkv", moving_scene(25, 96, 64)[0], codec="libvpx-vp9")
    with av.open(str(plain)) as read, av.open(str(source), "w") as out:
        stream = out.add_stream_from_template(read.streams.video[0])
        words: Any = out.add_stream("webvtt")
        words.codec_context.subtitle_header = HEADER
        for packet in read.demux(read.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
        text = av.Packet(b"a word")
        text.pts = text.dts = 100
        text.duration, text.time_base, text.stream = 500, Fraction(1, 1000), words
        out.mux(text)
    output = tmp_path / "out.webm"
    assert copied(source, output).left_out == []
    with av.open(str(output)) as container:
        assert [one.codec_context.name for one in container.streams.subtitles] == ["webvtt"]
