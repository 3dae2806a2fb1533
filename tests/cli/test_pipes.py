"""``vhmae harmonize - -o -``: video through pipes."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO
from unittest import mock

import av
import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.scenes import (
    decode,
    heeding_interrupts,
    moving_scene,
    save_bold_weights,
    write_video,
)
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.work.harmonize import harmonize_video
from vhmae.work.job import StreamJob
from vhmae.work.report import Tally
from vhmae.work.stream import RawFormat, harmonize_stream

Maker = Callable[..., tuple[Path, Path]]
FRAMES = 40


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipes")
    frames, masks = moving_scene(FRAMES, 96, 64)
    write_video(folder / "in.mkv", frames)
    write_mask_bits(masks, folder / "m.npz")
    save_bold_weights(folder / "w.safetensors")
    return folder


def y4m(path: Path, kind: str = "yuv4mpegpipe") -> bytes:
    """A video as a pipe carries it."""
    out = path.with_suffix(f".{kind}")
    with av.open(str(path)) as source, av.open(str(out), "w", format=kind) as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame in source.decode(video=0):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.read_bytes()


def command_of(work: Path, *options: str) -> list[str]:
    mask = () if "--mask" in options else ("--mask", str(work / "m.npz"))
    return ["harmonize", "-", "-o", "-", *mask, "--weights", str(work / "w.safetensors"), *options]


def piped(work: Path, data: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Through the pipes of a process of its own."""
    command = [sys.executable, "-m", "vhmae", *command_of(work, *options)]
    return subprocess.run(command, input=data, capture_output=True, timeout=120, check=False)


def streamed(work: Path, data: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    """The same command in this process, from one file to another, which costs no start."""
    command, told = command_of(work, *options), io.StringIO()
    (work / "sent").write_bytes(data)
    with (
        (work / "sent").open() as source,
        (work / "got").open("w") as out,
        mock.patch("sys.stdin", source),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(told),
    ):
        code = main(command)
    got = (work / "got").read_bytes()
    return subprocess.CompletedProcess(command, code, got, told.getvalue().encode())


@pytest.mark.parametrize("kind", ["yuv4mpegpipe", "rawvideo"])
def test_a_pipe_gives_the_frames_of_the_file(kind: str, work: Path, tmp_path: Path) -> None:
    files = (
        "harmonize",
        work / "in.mkv",
        "--mask",
        work / "m.npz",
        "-o",
        tmp_path / "out.mkv",
        "--weights",
        work / "w.safetensors",
    )
    assert main([*map(str, files), "--precision", "fp32", "-q"]) == 0
    raw = ("--raw", "96x64:yuv420p:25") if kind == "rawvideo" else ()
    run = piped(
        work,
        y4m(work / "in.mkv", kind),
        "--precision",
        "fp32",
        "--json",
        str(tmp_path / "r.json"),
        *raw,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["frames"] == FRAMES
    sizes = [64 * 96, 32 * 48, 32 * 48]
    body = run.stdout if kind == "rawvideo" else run.stdout[run.stdout.index(b"\n") + 1 :]
    head = 0 if kind == "rawvideo" else len(b"FRAME\n")
    assert len(body) == FRAMES * (head + sum(sizes))
    for number, expected in enumerate(decode(tmp_path / "out.mkv")):
        at = number * (head + sum(sizes)) + head
        for plane, size in zip(expected, sizes, strict=True):
            assert np.array_equal(
                np.frombuffer(body[at : at + size], np.uint8).reshape(plane.shape), plane
            )
            at += size


def test_a_live_pipe_gives_each_frame_at_once(work: Path) -> None:
    data = y4m(work / "in.mkv")
    header, frame = data.index(b"\n") + 1, len(b"FRAME\n") + 64 * 96 * 3 // 2
    command = [
        sys.executable,
        "-m",
        "vhmae",
        "harmonize",
        "-",
        "--mask",
        str(work / "m.npz"),
        "-o",
        "-",
        "--lookahead",
        "0",
        "-q",
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(data[: header + 12 * frame])
        got = b""
        deadline = time.monotonic() + 60
        # While the input stays open: what was sent comes out, but for the frames that wait between
        # the stages.
        while len(got) < 6 * frame and time.monotonic() < deadline:
            got += process.stdout.read(frame)
        assert len(got) >= 6 * frame
        process.stdin.close()
        got += process.stdout.read()
        assert got.count(b"FRAME\n") >= 12
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def test_wrong_pipes_get_one_line(work: Path) -> None:
    for data, options, message in (
        (b"", (), b"Y4M"),
        (b"not a video at all" * 100, (), b"Y4M"),
        (y4m(work / "in.mkv"), ("--crf", "3"), b"--crf: is for files"),
        (y4m(work / "in.mkv"), ("--raw", "96:64"), b"expected WIDTHxHEIGHT"),
    ):
        run = streamed(work, data, *options)
        assert run.returncode == 2
        assert message in run.stderr
        assert run.stderr.count(b"\n") <= 4
        assert b"Traceback" not in run.stderr


def test_a_mask_that_ends_before_the_stream_is_refused(work: Path, tmp_path: Path) -> None:
    write_mask_bits(moving_scene(FRAMES - 1, 96, 64)[1], tmp_path / "short.npz")
    run = streamed(work, y4m(work / "in.mkv"), "--mask", str(tmp_path / "short.npz"))
    assert run.returncode == 2
    assert b"has 39 frames but the stream goes on" in run.stderr
    assert (
        streamed(
            work, y4m(work / "in.mkv"), "--mask", str(tmp_path / "short.npz"), "--hold-last-mask"
        ).returncode
        == 0
    )


def test_a_mask_that_goes_on_after_the_stream_is_told(work: Path, tmp_path: Path) -> None:
    write_mask_bits(moving_scene(FRAMES + 3, 96, 64)[1], tmp_path / "long.npz")
    run = streamed(work, y4m(work / "in.mkv"), "--mask", str(tmp_path / "long.npz"))
    assert (run.returncode, b"the mask's last 3 were not used" in run.stderr) == (0, True)


@pytest.mark.parametrize("watched", [True, False])
def test_a_pipe_reports_the_change_that_the_file_reports(
    watched: bool, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vhmae.work.stream.WATCHES_PIPES", watched)  # Windows does not
    masks = moving_scene(FRAMES, 96, 64)[1]
    masks[10:30] = False  # frames that nothing is done to do not count in the mean
    write_mask_bits(masks, tmp_path / "m.npz")
    weights = str(work / "w.safetensors")
    whole = harmonize_video(
        work / "in.mkv",
        tmp_path / "out.mkv",
        mask=tmp_path / "m.npz",
        weights=weights,
        precision="fp32",
    )
    (tmp_path / "in.y4m").write_bytes(y4m(work / "in.mkv"))
    job = StreamJob(masks=(tmp_path / "m.npz",), weights=weights, precision="fp32")
    with (tmp_path / "in.y4m").open("rb") as source:
        piped_through = harmonize_stream(job, source, io.BytesIO())
    assert piped_through["passed_through"] == whole["passed_through"] == 20
    assert piped_through["mean_change"] == whole["mean_change"] > 1.0


def test_frames_that_nothing_is_done_to_do_not_count_in_the_mean() -> None:
    tally = Tally()
    for levels in (2.0, None, None, 5.0):
        tally.count(levels)
    assert tally.mean_change == 3.5
    assert (tally.changed_frames, tally.passed_through) == (2, 2)


@pytest.mark.parametrize("lookahead", [("--lookahead", "0"), ()])
@pytest.mark.parametrize("kind", ["yuv4mpegpipe", "rawvideo"])
def test_a_stream_that_ends_within_a_frame_is_an_error_after_the_whole_frames(
    work: Path, kind: str, lookahead: tuple[str, ...]
) -> None:
    data = y4m(work / "in.mkv", kind)
    raw = ("--raw", "96x64:yuv420p:24") if kind == "rawvideo" else ()
    less = 100 if lookahead else 3  # a Y4M frame has a line of its own before its pixels
    whole, cut = (streamed(work, sent, *lookahead, *raw) for sent in (data, data[:-less]))
    assert whole.returncode == 0, whole.stderr
    assert cut.returncode == 1
    assert b"ends within frame" in cut.stderr
    assert (b"--raw says" in cut.stderr) == (kind == "rawvideo")
    assert cut.stderr.count(b"\n") == 1
    assert len(cut.stdout) >= len(whole.stdout) - 96 * 64 * 3 // 2 - 6


def test_raw_video_with_unused_bytes_comes_through_whole(work: Path) -> None:
    data = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 4), np.uint8).tobytes()
    whole, cut = (
        streamed(work, sent, "--lookahead", "0", "--raw", "96x64:bgr0:25", "--hold-last-mask")
        for sent in (data, data[:-100])
    )
    assert whole.returncode == 0, whole.stderr
    assert len(whole.stdout) == len(data)
    assert cut.returncode == 1


SENT = {"nothing": 0, "header": 60, "a few frames": 5 * 64 * 96 * 3 // 2}
"""Bytes of a stream that come before its sender falls silent: less than a pipe holds."""


@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_silent_sender_does_not_hold_an_interrupt_up(
    sent: str, by: signal.Signals, work: Path
) -> None:
    lookahead = ["--lookahead", "0"] if sent == "a few frames" else []
    # A word on stderr says that the stream is about to be opened.
    code = (
        "import sys, vhmae.work.stream as s; opened = s._open; "
        "s._open = lambda *a: (print('open', file=sys.stderr, flush=True), opened(*a))[1]; "
        "from vhmae.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    run = ["harmonize", "-", "--mask", str(work / "m.npz"), "-o", "-", *lookahead, "-q"]
    with heeding_interrupts():
        process = subprocess.Popen(
            [sys.executable, "-c", code, *run],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    data = y4m(work / "in.mkv")
    header = data.index(b"\n") + 1
    process.stdin.write(data[: min(SENT[sent], header) if sent == "header" else SENT[sent]])
    assert process.stderr.readline() == b"open\n"
    if lookahead:
        assert process.stdout.read(100)  # it is at work
    time.sleep(0.5)
    process.send_signal(by)
    # The sender's end stays open: whoever waits for it would say nothing.
    assert select.select([process.stderr], [], [], 60)[0]
    err = process.stderr.readline()
    process.wait(timeout=60)
    err += process.stderr.read()
    process.stdin.close()
    process.stderr.close()
    process.stdout.close()
    assert process.returncode == 130
    assert err.count(b"\n") == 1
    assert b"stopped" in err


def wait_until_full(pipe: IO[bytes]) -> None:
    """Wait until a pipe has no room for another frame, and nothing more comes."""
    frame, held, before = len(b"FRAME\n") + 64 * 96 * 3 // 2, 0, -1
    deadline = time.monotonic() + 120
    while held <= 65_536 - frame or held != before:
        assert time.monotonic() < deadline, f"{held} bytes came"
        time.sleep(0.2)
        waiting = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
        before, held = held, int.from_bytes(waiting, sys.byteorder)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_reader_that_reads_nothing_does_not_hold_an_interrupt_up(
    by: signal.Signals, work: Path
) -> None:
    """Once frames lie in the pipe, as many as it holds."""
    with heeding_interrupts():
        process = subprocess.Popen(
            [sys.executable, "-m", "vhmae", *command_of(work, "--lookahead", "0", "-q")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    assert process.stdin
    assert process.stdout
    sender = threading.Thread(target=_send, args=(process.stdin, y4m(work / "in.mkv")))
    sender.start()
    wait_until_full(process.stdout)
    process.send_signal(by)
    try:
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()  # its end of the pipe is what the sender may still wait for
        sender.join()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    assert process.stderr
    err = process.stderr.read()
    assert err == b"vhmae: error: stopped: interrupted; nothing half-written was left\n"
    process.stdout.close()
    process.stderr.close()


def test_strict_pipes_take_warnings_as_errors(work: Path, tmp_path: Path) -> None:
    write_mask_bits(np.ones((FRAMES, 64, 96), bool), tmp_path / "full.npz")
    run = streamed(work, y4m(work / "in.mkv"), "--mask", str(tmp_path / "full.npz"))
    assert (run.returncode, b"left untouched" in run.stderr) == (0, True)
    assert (
        streamed(
            work, y4m(work / "in.mkv"), "--mask", str(tmp_path / "full.npz"), "--strict"
        ).returncode
        == 2
    )


def test_a_pipe_says_how_its_mask_was_read(work: Path, tmp_path: Path) -> None:
    narrow = np.full((64, 96), 16, np.uint8)
    narrow[20:40, 30:60] = 235
    assert cv2.imwrite(str(tmp_path / "narrow.png"), narrow)
    run = streamed(work, y4m(work / "in.mkv"), "--mask", str(tmp_path / "narrow.png"))
    assert (run.returncode, b"narrow.png" in run.stderr) == (0, True)
    stretched = ("--mask", str(tmp_path / "narrow.png"), "--strict")
    assert streamed(work, y4m(work / "in.mkv"), *stretched).returncode == 2
    clip = np.repeat(np.repeat(narrow[None], FRAMES, 0)[..., None], 3, axis=-1) // 235 * 255
    slow = write_video(tmp_path / "slow.mkv", clip, fps=12)
    run = streamed(work, y4m(work / "in.mkv"), "--mask", str(slow))
    assert b"has 12.000 frames a second, - 25.000: they are paired one by one" in run.stderr


def test_pipes_and_files_do_not_mix(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "a pipe goes to a pipe" in error_of(
        "harmonize", "-", "--mask", work / "m.npz", "-o", tmp_path / "o.mkv", capsys=capsys
    )
    run = ("harmonize", work / "in.mkv", "--mask", work / "m.npz", "-o", tmp_path / "o.mkv")
    assert "are for pipes" in error_of(*run, "--lookahead", "0", capsys=capsys)
    for text, message in (
        ("96x64:yuv421p:25", "unknown pixel format"),
        ("96x64:yuv420p:25/0", "expected"),
        ("0x64:yuv420p:25", "expected"),
    ):
        with pytest.raises(InputError, match=message):
            RawFormat.parse(text)


def _send(pipe: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        pipe.write(data)
        pipe.flush()


def test_progress_is_told_on_stderr_as_it_is_for_files(work: Path) -> None:
    """Live, so that frames come out while the sender is slow: the JSON tells of each second."""
    command = [sys.executable, "-m", "vhmae", "harmonize", "-", "-o", "-", "--lookahead", "0"]
    command += ["--mask", str(work / "m.npz"), "--weights", str(work / "w.safetensors")]
    command += ["--precision", "fp32", "--progress", "json"]
    data = y4m(work / "in.mkv")
    size = (len(data) - data.index(b"\n") - 1) // FRAMES
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    # In a thread: what comes out is read meanwhile, so that neither pipe is full for good.
    sender = threading.Thread(target=_send, args=(process.stdin, data[: len(data) - 2 * size]))
    sender.start()
    came = 0
    waiting = 8  # frames between the stages
    while came < len(data) - (2 + waiting) * size:  # what was sent has come out but for those
        piece = process.stdout.read1(1 << 16)  # type: ignore[attr-defined]
        assert piece, process.stderr.read()
        came += len(piece)
    sender.join()
    time.sleep(1.1)  # what comes now is due to be told
    out, err = process.communicate(data[len(data) - 2 * size :])
    assert process.returncode == 0, err
    assert came + len(out) == len(data)
    rows = [json.loads(line) for line in err.splitlines() if line.startswith(b"{")]
    assert rows
    told = rows[-1]
    assert (told["event"], told["what"], told["total"]) == ("progress", "harmonize", FRAMES)
    assert FRAMES - 2 - waiting <= told["done"] <= FRAMES
    assert told["size_bytes"] == told["done"] * 96 * 64 * 3 // 2


def test_raw_formats_of_less_than_a_byte_a_pixel_come_through(work: Path) -> None:
    data = np.random.default_rng(0).integers(0, 255, 20 * 96 * 64 // 8, np.uint8).tobytes()
    ran = streamed(work, data, "--lookahead", "0", "--raw", "96x64:monob:24")
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout) == len(data)
