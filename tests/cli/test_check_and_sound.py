"""What is known before the first frame: what will be written, what is there already, and whether
the sound can be held."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.scenes import decode, moving_scene, packets, write_video
from vhmae.app.commands import Taking
from vhmae.app.renders import what_is_there
from vhmae.cli import main
from vhmae.errors import InputError
from vhmae.video.pictures import write_still
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.writer import VideoWriter
from vhmae.work import harmonize as pipeline

Maker = Callable[..., tuple[Path, Path]]
FRAMES = 25


def with_sound(path: Path, codec: str, layout: str = "stereo", rate: int = 48000) -> Path:
    """A second of video with a tone; .mkv and .avi tell how many channels there are, not which."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        sound: Any = container.add_stream(codec, rate=rate, layout=layout)
        for picture in moving_scene(FRAMES, 96, 64)[0]:
            frame = av.VideoFrame.from_ndarray(picture).reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        tone = np.sin(np.arange(rate) * 2 * np.pi * 440 / rate).astype(np.float32) / 4
        channels = sound.codec_context.channels
        samples = np.ascontiguousarray(np.stack([tone] * channels))
        for at in range(0, rate, 1000):
            part = np.ascontiguousarray(samples[:, at : at + 1000])
            heard = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            heard.sample_rate, heard.pts, heard.time_base = rate, at, Fraction(1, rate)
            container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
    return path


def copied(source: Path, output: Path, **options: Any) -> VideoWriter:
    info = probe_video(source)
    with VideoWriter(output, info, codec="libx264", **options) as writer:
        begin, end = options.get("start_seconds", 0.0), options.get("end_seconds", 9.0)
        for timed in read_frames(info):
            if begin <= (timed.seconds or 0.0) < end:
                writer.write(timed, timed.image.copy())
    return writer


def loudness(path: Path) -> tuple[str, float, float]:
    """Codec, seconds and mean square of the sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        samples = np.concatenate([one.reshape(-1) for one in frames]).astype(np.float64)
        samples /= 1.0 if samples.max() <= 1.0 else 32768.0
        seconds = len(samples) / stream.codec_context.channels / stream.codec_context.sample_rate
        return stream.codec_context.name, seconds, float((samples**2).mean())


@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv", ".avi", ".m4v"])
@pytest.mark.parametrize(
    ("kind", "codec", "layout"),
    [
        (".mkv", "pcm_s16le", "stereo"),
        (".mkv", "pcm_s16le", "mono"),
        (".mkv", "pcm_s24le", "5.1"),
        (".avi", "pcm_s16le", "stereo"),
        (".mkv", "flac", "stereo"),
        (".mkv", "libopus", "stereo"),
        (".mov", "pcm_s16be", "stereo"),
    ],
)
def test_sound_is_copied_or_refused_before_the_work(
    kind: str, codec: str, layout: str, target: str, tmp_path: Path
) -> None:
    source, output = with_sound(tmp_path / f"in{kind}", codec, layout), tmp_path / f"out{target}"
    refused = ""
    try:
        writer = VideoWriter(output, probe_video(source), codec="libx264")
    except InputError as error:
        refused = str(error)
    if refused:
        assert "`audio`" in refused
        assert copied(source, output, audio="none").frames == FRAMES
        return
    writer.abandon()
    copied(source, output)
    assert b"".join(packets(output, "audio")) == b"".join(packets(source, "audio"))


@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    ("codec", "layout", "rate"),
    [("pcm_s16le", "stereo", 48000), ("pcm_s16le", "mono", 8000), ("pcm_s16le", "stereo", 192000)],
)
def test_sound_becomes_aac(codec: str, layout: str, rate: int, target: str, tmp_path: Path) -> None:
    source = with_sound(tmp_path / "in.mkv", codec, layout, rate)
    copied(source, tmp_path / f"out{target}", audio="aac")
    name, seconds, power = loudness(tmp_path / f"out{target}")
    assert name == "aac"
    assert seconds == pytest.approx(1.0, abs=0.3 if rate == 8000 else 0.1)
    assert power == pytest.approx(1 / 32, rel=0.1)
    copied(source, tmp_path / f"cut{target}", audio="aac", start_seconds=0.5, end_seconds=0.8)
    assert loudness(tmp_path / f"cut{target}")[1] == pytest.approx(0.3, abs=0.3)


@pytest.mark.parametrize("audio", ["copy", "aac"])
@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(("kind", "layout"), [(".mkv", "5.1"), (".mkv", "4.0"), (".avi", "5.1")])
def test_surround_whose_file_tells_its_number_alone_is_kept(
    kind: str, layout: str, target: str, audio: str, tmp_path: Path
) -> None:
    source = with_sound(tmp_path / f"in{kind}", "pcm_s16le", layout)
    copied(source, tmp_path / f"out{target}", audio=audio)
    with av.open(str(tmp_path / f"out{target}")) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name == ("aac" if audio == "aac" else "pcm_s16le")
        assert sound.codec_context.channels == (6 if layout == "5.1" else 4)
        heard = [frame.to_ndarray() for frame in container.decode(audio=0)]
    assert sum(one.size for one in heard) >= 48000 * (6 if layout == "5.1" else 4)


@pytest.mark.parametrize("kind", ["size", "text"])
@pytest.mark.parametrize("wrong", ["composite", "mask"])
def test_a_check_looks_at_every_picture_of_a_sequence(
    wrong: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(5, 96, 64)
    for name in ("composite", "mask"):
        (tmp_path / name).mkdir()
    for number, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        write_still(tmp_path / "composite" / f"c.{number}.png", frame)
        write_still(
            tmp_path / "mask" / f"m.{number}.png", mask[..., None] * np.full(3, 255, np.uint8)
        )
    last = next((tmp_path / wrong).glob("*.4.png"))
    if kind == "size":
        write_still(last, np.full((48, 60, 3), 255, np.uint8))
    else:
        last.write_text("no picture")
    files = (tmp_path / "composite", "--mask", tmp_path / "mask", "-o", tmp_path / "out.mkv")
    line = error_of("harmonize", *files, "--check", capsys=capsys)
    assert str(last) in line
    assert ("is 60x48" if kind == "size" else "no picture in it") in line
    assert not (tmp_path / "out.mkv").exists()


def test_webm_holds_no_aac(tmp_path: Path) -> None:
    source = with_sound(tmp_path / "in.mkv", "pcm_s16le")
    for audio in ("copy", "aac"):
        with pytest.raises(InputError, match="`audio` none"):
            VideoWriter(tmp_path / "o.webm", probe_video(source), codec="libvpx", audio=audio)


@pytest.mark.parametrize(("target", "other"), [(".mp4", ", or take an .mkv file"), (".mkv", "")])
def test_damaged_sound_is_told_before_the_work_with_what_helps(
    target: str, other: str, tmp_path: Path
) -> None:
    source = with_sound(tmp_path / "in.ts", "aac")
    begins = b"\xff\xf1"  # of each piece of AAC in a transport stream
    first, *rest = source.read_bytes().split(begins)
    source.write_bytes(begins.join([first, rest[0]]) + b"".join(b"\0\0" + one for one in rest[1:]))
    with pytest.raises(InputError) as refused:
        VideoWriter(tmp_path / f"out{target}", probe_video(source), codec="libx264")
    assert str(refused.value).endswith(f"; pass `audio` aac or none{other}")


def with_unknown_track(source: Path, output: Path, sounds: int) -> Path:
    """A .mov whose last track of sound has a codec that nothing knows, as spatial audio's."""
    with av.open(str(source)) as original, av.open(str(output), "w") as container:
        picture, sound = original.streams.video[0], original.streams.audio[0]
        made: dict[int, list[Any]] = {picture.index: [container.add_stream_from_template(picture)]}
        made[sound.index] = [container.add_stream_from_template(sound) for _ in range(sounds)]
        for packet in original.demux():
            for stream in made[packet.stream.index] if packet.dts is not None else ():
                copy: Any = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                copy.is_keyframe, copy.stream = packet.is_keyframe, stream
                container.mux(copy)
    data = output.read_bytes()
    at = data.rindex(b"sowt")
    output.write_bytes(data[:at] + b"zzzz" + data[at + 4 :])
    return output


def test_a_second_track_that_nothing_decodes_is_left_out(tmp_path: Path) -> None:
    source = with_sound(tmp_path / "in.mov", "pcm_s16le")
    two = with_unknown_track(source, tmp_path / "two.mov", 2)
    for audio in ("copy", "aac"):
        writer = copied(two, tmp_path / f"{audio}.mov", audio=audio)
        assert writer.left_out == ["sound of an unknown codec (stream 2)"]
        with av.open(str(tmp_path / f"{audio}.mov")) as container:
            assert len(container.streams.audio) == 1
    one = with_unknown_track(source, tmp_path / "one.mov", 1)
    with pytest.raises(InputError, match="`audio` none"):
        VideoWriter(tmp_path / "o.mov", probe_video(one), codec="libx264")
    assert copied(one, tmp_path / "o.mov", audio="none").left_out == []


def run_of(composite: Path, mask: Path, out: Path, *options: str) -> list[str]:
    return ["harmonize", str(composite), "--mask", str(mask), "-o", str(out), *options]


def test_check_says_what_will_be_written_and_writes_nothing(
    small_clip: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip(audio=True)
    out, before = tmp_path / "out.mkv", set(tmp_path.iterdir())
    for more in ([], ["--resume"], ["--audio", "none", "--start", "0.2"]):
        report = tmp_path / "r.json"
        assert main([*run_of(composite, mask, out, "--check", "--json", str(report)), *more]) == 0
        said = capsys.readouterr().out
        told = json.loads(report.read_text())
        report.unlink()
        assert set(tmp_path.iterdir()) == before
        frames = 12 - 5 * ("--start" in more)
        assert f"out.mkv: would be {frames} frames of 96x64 at 25 fps, ffv1 yuv420p" in said
        assert (told["frames"], told["codec"], told["replaces"]) == (frames, "ffv1", False)
        assert bool(told["audio"]) != ("none" in more)


def test_check_refuses_what_the_work_refuses(
    small_clip: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip()
    out = tmp_path / "out.mkv"
    wrong = [["--codec", "ffv2"], ["--crf", "16"], ["--weights", "none"], ["--start", "9"]]
    for options in wrong:
        run = run_of(composite, mask, out, *options)
        assert error_of(*run, "--check", capsys=capsys) == error_of(*run, capsys=capsys)


def test_what_is_there_is_kept_on_request(
    small_clip: Maker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    composite, mask = small_clip()
    monkeypatch.setattr(pipeline, "Analysis", None)  # refused before the work
    (tmp_path / "f.0003.png").write_bytes(b"precious")
    (tmp_path / "out.mkv").write_bytes(b"precious")
    for name in ("g.0001.png", "g.00001.png"):  # two of one number
        (tmp_path / name).write_bytes(b"precious")
    assert what_is_there(Taking("video", tmp_path / "g.%04d.png", {}, {}, {}))  # what the page asks
    for name in ("out.mkv", "f.%04d.png", "g.%04d.png"):
        line = error_of(*run_of(composite, mask, tmp_path / name, "--no-overwrite"), capsys=capsys)
        assert "is there already" in line
        assert "--no-overwrite" in line
    assert (tmp_path / "out.mkv").read_bytes() == b"precious"


def test_a_layers_sound_that_is_not_taken_is_told(
    small_clip: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, mask = small_clip(frames=FRAMES)
    talk = with_sound(tmp_path / "talk.mkv", "pcm_s16le")
    back = write_video(tmp_path / "back.mkv", moving_scene(FRAMES, 96, 64)[0])
    run = ["harmonize", "--foreground", str(talk), "--background", str(back), "--mask", str(mask)]
    run += ["-o", str(tmp_path / "out.mkv")]
    assert main(run) == 0
    assert "talk.mkv was left out" in capsys.readouterr().err
    assert len(decode(tmp_path / "out.mkv")) == FRAMES
    assert main([*run, "--audio", "none", "--check"]) == 0
    assert "talk.mkv" not in capsys.readouterr().err
