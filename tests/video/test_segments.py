"""Every codec in every container outlives a kill, or is refused before the work."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.scenes import moving_scene
from vhmae.errors import InputError, VhmaeError
from vhmae.video.containers import CONTAINERS
from vhmae.video.encoders import ENCODERS
from vhmae.video.packets import PacketFile, read_packets
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.segments import SegmentedWriter
from vhmae.video.writer import VideoWriter

FRAMES = 23
CHECKPOINTS = (7, 14)
LAYERS = {"prores_ks": "yuva444p10le", "ffv1": "yuva444p10le", "png": "rgba", "qtrle": "argb"}
LAYERS |= {"libvpx-vp9": "yuva420p"}
"""The pixel formats with alpha that layers are written in."""
PAIRS: list[tuple[str, str, str | None]] = [
    (codec, suffix, None)
    for codec, suffix in itertools.product(dict.fromkeys(ENCODERS.values()), CONTAINERS)
]
PAIRS += [(codec, suffix, LAYERS[codec]) for codec, suffix in itertools.product(LAYERS, CONTAINERS)]
SAMPLE = {
    ("prores_ks", ".mov", None),
    ("prores_ks", ".mov", "yuva444p10le"),
    ("qtrle", ".mov", "argb"),
    ("libsvtav1", ".mp4", None),
    ("utvideo", ".avi", None),
    ("libx264", ".avi", None),
    ("libx264", ".mp4", None),
    ("libx265", ".mkv", None),
    ("libvpx-vp9", ".webm", "yuva420p"),
    ("mpeg2video", ".mkv", None),
}
"""Those that are tried each time; the others have their turn in the long tests."""
KILLED = (
    "import sys, os, signal; from pathlib import Path; from tests.video.test_segments import write;"
    "write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4] or None, killed_at=17)"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with time stamps that no thousandths of a second can hold."""
    path = tmp_path_factory.mktemp("segments") / "in.mov"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame in moving_scene(FRAMES, 96, 64)[0]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode(None))
    return path


def write(
    source: Path, output: Path, codec: str, pix_fmt: str | None, killed_at: int | None = None
) -> None:
    """Write a clip in segments, from where a killed run stood."""
    settings: dict[str, Any] = {"codec": codec, "pix_fmt": pix_fmt}
    info = probe_video(source)
    with SegmentedWriter(output, info, settings, {"codec": codec}) as writer:
        begun = 0 if writer.saved is None else writer.saved[0]["next"]
        for timed in read_frames(info, first=begun):
            writer.write(timed, timed.image.copy())
            if timed.index + 1 in CHECKPOINTS:
                writer.checkpoint({"next": timed.index + 1}, {"none": np.zeros(1)})
            if timed.index == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)


def seen(path: Path) -> tuple[str, list[float], list[np.ndarray]]:
    """Codec, times and frames; AVI keeps no times of presentation."""
    info = probe_video(path)
    frames = list(read_frames(info))
    times = [0.0 if path.suffix == ".avi" else float(one.seconds or 0.0) for one in frames]
    planes = [np.concatenate([p.ravel() for p in one.image.planes]) for one in frames]
    return info.codec + info.pixel_format, times, [plane.astype(np.int32) for plane in planes]


def killed_and_resumed(
    source: Path, tmp_path: Path, codec: str, suffix: str, pix_fmt: str | None
) -> None:
    plain, output = tmp_path / f"plain{suffix}", tmp_path / f"out{suffix}"
    info = probe_video(source)
    try:
        with VideoWriter(plain, info, codec=codec, pix_fmt=pix_fmt) as writer:
            for timed in read_frames(info):
                writer.write(timed, timed.image.copy())
    except VhmaeError as error:
        if not isinstance(error, InputError):
            pytest.skip(f"nor can it be written in one go: {error}")
        with pytest.raises(InputError):
            SegmentedWriter(output, info, {"codec": codec, "pix_fmt": pix_fmt}, {})
        return
    run = [sys.executable, "-c", KILLED, str(source), str(output), codec, pix_fmt or ""]
    paths = os.pathsep.join([*sys.path, str(Path(__file__).parents[2])])
    stopped = subprocess.run(
        run, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert stopped.returncode == -signal.SIGKILL, stopped.stderr
    write(source, output, codec, pix_fmt)
    assert sorted(path.name for path in tmp_path.iterdir()) == [output.name, plain.name]
    one, other = seen(plain), seen(output)
    assert other[0] == one[0]
    assert other[1] == pytest.approx(one[1], abs=1e-6)
    assert len(other[2]) == FRAMES
    # Lossy encoders begin anew at each segment.
    moved = max(float(np.abs(a - b).mean()) for a, b in zip(one[2], other[2], strict=True))
    assert moved <= (0.0 if codec in ("ffv1", "utvideo", "qtrle", "png", "prores_ks") else 8.0)


@pytest.mark.parametrize(("codec", "suffix", "pix_fmt"), sorted(SAMPLE, key=str))
def test_a_killed_run_goes_on(
    codec: str, suffix: str, pix_fmt: str | None, source: Path, tmp_path: Path
) -> None:
    killed_and_resumed(source, tmp_path, codec, suffix, pix_fmt)


@pytest.mark.long
@pytest.mark.parametrize(("codec", "suffix", "pix_fmt"), [p for p in PAIRS if p not in SAMPLE])
def test_a_killed_run_goes_on_in_every_container(
    codec: str, suffix: str, pix_fmt: str | None, source: Path, tmp_path: Path
) -> None:
    killed_and_resumed(source, tmp_path, codec, suffix, pix_fmt)


@pytest.mark.parametrize("checkpoints", [(), (20, 40, 60)])
@pytest.mark.parametrize("start", [0.0, 0.7, 1.0])
def test_uneven_frames_keep_their_times(
    tmp_path: Path, start: float, checkpoints: tuple[int, ...]
) -> None:
    """As of a phone, from a start between two frames: .mp4 tells by an edit when the first is
    shown."""
    source, unit = tmp_path / "in.mp4", Fraction(1, 12288)
    steps = np.random.default_rng(3).integers(200, 1200, 96)
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = unit
        for frame, at in zip(moving_scene(96, 96, 64)[0], np.cumsum(steps) - steps[0], strict=True):
            picture = av.VideoFrame.from_ndarray(frame).reformat(format="yuv420p")
            picture.pts, picture.time_base = int(at), unit
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    info = probe_video(source)
    kept = [timed for timed in read_frames(info) if float(timed.seconds or 0.0) >= start]
    settings = {"codec": "libx264", "start_seconds": start}
    with VideoWriter(tmp_path / "whole.mp4", info, **settings) as whole:  # type: ignore[arg-type]
        for timed in kept:
            whole.write(timed, timed.image.copy())
    with SegmentedWriter(tmp_path / "parts.mp4", info, settings, {}) as parts:
        for number, timed in enumerate(kept, 1):
            parts.write(timed, timed.image.copy())
            if number in checkpoints:
                parts.checkpoint({"next": number}, {"none": np.zeros(1)})
    one, other = (seen(tmp_path / name)[1] for name in ("whole.mp4", "parts.mp4"))
    assert other == pytest.approx(one, abs=1e-6)
    assert one[0] < 0.1


def test_packets_come_back_as_they_were_given(tmp_path: Path) -> None:
    given = []
    for number in range(5):
        packet: Any = av.Packet(bytes([number]) * (100 + number))
        packet.pts, packet.dts = (3, 0, 2, 1, None)[number], None if number == 2 else number - 2
        packet.duration, packet.time_base = number, Fraction(1001, 30000)
        packet.is_keyframe = number == 0
        given.append(packet)
    file = PacketFile(tmp_path / "p.packets")
    file.add(given)
    file.close()

    def facts(packet: Any) -> tuple[Any, ...]:
        times = (packet.pts, packet.dts, packet.duration, packet.time_base)
        return bytes(packet), times, packet.is_keyframe

    assert list(map(facts, read_packets(file.path))) == list(map(facts, given))
    file.path.write_bytes(file.path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="ends within a packet"):
        list(read_packets(file.path))


def test_a_full_disk_leaves_no_lock_and_is_told(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, info = tmp_path / "out.mkv", probe_video(source)
    settings = {"codec": "libx264"}
    writer = SegmentedWriter(out, info, settings, {})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def closed(packets: PacketFile) -> None:
        packets._file.close()
        full()

    frames = list(read_frames(info))
    with monkeypatch.context() as limited:
        limited.setattr("vhmae.video.packets.PacketFile.add", full)
        limited.setattr("vhmae.video.packets.PacketFile.close", closed)
        with pytest.raises(VhmaeError, match=r"out.mkv: .*\(No space left on device\)"):  # noqa: PT012
            for timed in frames:
                writer.write(timed, timed.image.copy())
            writer.checkpoint({}, {})
        writer.abandon()
    again = SegmentedWriter(out, info, settings, {})  # the lock was let go
    again.checkpoint({}, {})
    with monkeypatch.context() as limited:
        limited.setattr("vhmae.video.segments.write_text_whole", full)
        with pytest.raises(VhmaeError, match=r"out.mkv: what a later run could go on from"):
            again.checkpoint({}, {})
    again.abandon()
