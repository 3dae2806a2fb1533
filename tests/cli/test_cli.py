"""The command line as a user meets it; where the process itself matters, in one of its own."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.support.commands import error_of, harmonize, vhmae
from tests.support.scenes import (
    break_packets,
    decode,
    heeding_interrupts,
    moving_scene,
    packets,
    save_bold_weights,
    write_video,
)
from vhmae import cli
from vhmae.data.clips import write_mask_bits

Maker = Callable[..., tuple[Path, Path]]


def in_a_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vhmae", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_help_does_not_wait_for_torch() -> None:
    assert "harmonize" in in_a_process("--help").stdout
    script = (
        "import sys; from vhmae.cli import build_parser as b; b().format_help(); "
        "sys.exit(bool({'torch', 'cv2'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(("done", "code"), [("3", 3), ("1 / 0", 1)])
def test_a_command_ends_as_soon_as_all_is_put_away(done: str, code: int) -> None:
    """Its process, not Python, gives the libraries back, which may take seconds under load; but for
    a fault, whose trace Python tells."""
    script = f"""
import atexit, sys, vhmae.cli
class Kept:
    def __del__(self):
        print("taken down")
kept = Kept()
vhmae.cli.main = lambda: (atexit.register(print, "put away"), {done})[1]
vhmae.cli.run()
"""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "put away\n" + ("" if code == 3 else "taken down\n")
    assert ended.returncode == code, ended.stderr


def test_a_video_is_harmonized_with_its_audio_and_background(
    small_clip: Maker, tmp_path: Path
) -> None:
    composite, mask = small_clip(frames=30, width=160, height=90, audio=True)
    done = in_a_process(
        "harmonize",
        composite,
        "--mask",
        mask,
        "-o",
        tmp_path / "out.mkv",
        "--json",
        tmp_path / "r.json",
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    keys = (
        "schema frames fps seconds seconds_by_stage mean_change passed_through skipped warnings "
        "device precision quality latency_frames"
    )
    assert report.keys() >= set(keys.split())
    assert report["frames"] == 30
    assert report["seconds_by_stage"].keys() == {"decode", "network", "render", "encode"}
    assert packets(composite, "audio") == packets(tmp_path / "out.mkv", "audio")
    before, after = decode(composite), decode(tmp_path / "out.mkv")
    masks = moving_scene(30, 160, 90)[1]
    changed = 0
    for old, new, hole in zip(before, after, masks, strict=True):
        assert np.array_equal(old[0][~hole], new[0][~hole])  # luma outside the matte, bit for bit
        chroma_hole = hole.reshape(45, 2, 80, 2).any((1, 3))
        assert np.array_equal(old[1][~chroma_hole], new[1][~chroma_hole])
        changed += int((old[0] != new[0]).sum())
    assert changed
    assert not list(tmp_path.glob(".*"))


def test_ten_bit_backgrounds_stay_bit_exact(small_clip: Maker, tmp_path: Path) -> None:
    composite, mask = small_clip(pix_fmt="yuv420p10le")
    harmonize(composite, "--mask", mask, "-o", tmp_path / "out.mkv")
    masks = moving_scene(12, 96, 64)[1]
    for old, new, hole in zip(decode(composite), decode(tmp_path / "out.mkv"), masks, strict=True):
        assert old[0].dtype == np.uint16
        assert np.array_equal(old[0][~hole], new[0][~hole])


def test_a_part_of_a_clip_is_cut_out(
    small_clip: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip(frames=30, audio=True, suffix=".mp4", codec="libx264")
    run = vhmae(
        "harmonize",
        composite,
        "--mask",
        mask,
        "-o",
        tmp_path / "o.mp4",
        "--start",
        "0.4",
        "--end",
        "0.8",
        "--json",
        tmp_path / "r.json",
        capsys=capsys,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["frames"], report["skipped"]) == (10, 20)
    with av.open(str(tmp_path / "o.mp4")) as container:
        sound: Any = container.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(0.4, abs=0.05)


def test_wrong_options_get_a_hint(
    tmp_path: Path, small_clip: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip(frames=2)
    out = tmp_path / "out.mp4"
    run = ("harmonize", composite, "--mask", mask, "-o", out)
    for arguments, message in (
        (("harmonise",), "did you mean harmonize"),
        (("harmonize", composite, "-o", out), "--mask: missing"),
        ((*run, "--qualty", "fast"), "did you mean --quality"),
        ((*run, "--quality", "bset"), "did you mean best"),
        ((*run, "--strength", "2"), "out of range"),
        ((*run, "--strength", "much"), "--strength"),
        ((*run, "--weights", "defalt"), "did you mean default"),
        ((*run, "--device", "gpu"), "--device gpu"),
        ((*run, "--codec", "libx246"), "did you mean libx26"),
        ((*run, "--codec", "aac"), "--codec aac"),
        ((*run, "--start", "99"), "--start 99.0"),
        ((*run, "--start", "nan"), "--start nan"),
        ((*run, "--end", "inf"), "--end inf"),
        ((*run, "--strength", "nan"), "out of range"),
        ((*run, "--threads", "-1"), "--threads"),
        ((*run, "--threads", "0"), "from 1 up"),
        ((*run, "--json", tmp_path / "none" / "r.json"), "--json"),
        (
            (*run, "--json", tmp_path / "w.safetensors", "--weights", tmp_path / "w.safetensors"),
            "is a file of the work itself",
        ),
        ((*run, "--crf", "9"), "has no such setting"),
        ((*run, "--start", "0.05", "--end", "0.01"), "--end 0.01"),
    ):
        assert message in error_of(*arguments, capsys=capsys)
    assert not out.exists()


def test_wrong_files_are_named_and_nothing_is_left(
    tmp_path: Path, small_clip: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip(frames=6)
    (tmp_path / "text.mp4").write_text("not a video")
    write_mask_bits(moving_scene(5, 96, 64)[1], tmp_path / "short.npz")
    write_mask_bits(np.zeros((6, 64, 96), bool), tmp_path / "empty.npz")
    write_mask_bits(np.ones((6, 64, 96), bool), tmp_path / "full.npz")
    broken = bytearray((tmp_path / "full.npz").read_bytes())
    (tmp_path / "cut.npz").write_bytes(broken[: len(broken) // 2])
    cv2.imwrite(str(tmp_path / "square.png"), np.full((64, 64), 255, np.uint8))
    out = tmp_path / "results" / "out.mkv"
    out.parent.mkdir()
    for video, hole, target, message in (
        ("gone.mp4", mask, out, "gone.mp4: no such file"),
        ("text.mp4", mask, out, "text.mp4: is not a video"),
        (composite, "gone.png", out, "gone.png: no such file"),
        (composite, "short.npz", out, "has 5 frames but composite.mkv has 6"),
        (composite, "empty.npz", out, "has no foreground in any frame"),
        (composite, "cut.npz", out, "is not a packed mask"),
        (composite, "full.npz", out, "covers every frame whole"),
        (composite, "square.png", out, "is 64x64 but composite.mkv is 96x64"),
        (composite, mask, tmp_path / "nowhere" / "out.mkv", "does not exist"),
        (composite, mask, composite, "is one of the inputs"),
    ):
        assert message in error_of(
            "harmonize", tmp_path / video, "--mask", tmp_path / hole, "-o", target, capsys=capsys
        )
    assert list(out.parent.iterdir()) == []


def test_held_masks_are_warned_of(
    tmp_path: Path, small_clip: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, _ = small_clip(frames=6)
    write_mask_bits(moving_scene(5, 96, 64)[1], tmp_path / "short.npz")
    arguments = (
        "harmonize",
        composite,
        "--mask",
        tmp_path / "short.npz",
        "-o",
        tmp_path / "out.mkv",
        "--hold-last-mask",
    )
    run = vhmae(*arguments, capsys=capsys)
    assert run.returncode == 0
    assert "has 5 frames" in run.stderr
    (tmp_path / "out.mkv").unlink()
    strict = vhmae(*arguments, "--strict", capsys=capsys)
    assert strict.returncode == 2
    assert not (tmp_path / "out.mkv").exists()


def test_a_video_that_is_damaged_in_the_middle_fails_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(40, 96, 64)
    whole = write_video(tmp_path / "whole.mkv", frames)
    break_packets(whole, tmp_path / "in.mkv", lambda number: number >= 30)
    cv2.imwrite(str(tmp_path / "m.png"), masks[0].astype(np.uint8) * 255)
    run = vhmae(
        "harmonize",
        tmp_path / "in.mkv",
        "--mask",
        tmp_path / "m.png",
        "-o",
        tmp_path / "out.mkv",
        "--strict",
        capsys=capsys,
    )
    assert run.returncode in (1, 2)
    assert run.stderr.strip().splitlines()[-1].startswith("vhmae: error: ")
    assert "in.mkv" in run.stderr
    assert not (tmp_path / "out.mkv").exists()


def test_a_close_up_at_the_start_borrows_from_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(60, 96, 64)
    masks[:50] = True
    composite = write_video(tmp_path / "in.mkv", frames)
    write_mask_bits(masks, tmp_path / "m.npz")
    save_bold_weights(tmp_path / "w.safetensors")
    run = vhmae(
        "harmonize",
        composite,
        "--mask",
        tmp_path / "m.npz",
        "-o",
        tmp_path / "out.mkv",
        "--weights",
        tmp_path / "w.safetensors",
        capsys=capsys,
    )
    assert run.returncode == 0, run.stderr
    assert "50 frames show no background" in run.stderr
    before, after = decode(composite), decode(tmp_path / "out.mkv")
    assert not np.array_equal(before[0][0], after[0][0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_work_leaves_nothing(
    number: signal.Signals, tmp_path: Path, small_clip: Maker
) -> None:
    composite, _ = small_clip(frames=400, width=320, height=180)
    cv2.imwrite(str(tmp_path / "m.png"), moving_scene(1, 320, 180)[1][0].astype(np.uint8) * 255)
    out = tmp_path / "results" / "out.mkv"
    out.parent.mkdir()
    out.write_bytes(b"old")
    command = [
        sys.executable,
        "-m",
        "vhmae",
        "harmonize",
        str(composite),
        "--mask",
        str(tmp_path / "m.png"),
        "-o",
        str(out),
    ]
    with heeding_interrupts():
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while (
        not list(out.parent.glob(".out.*.part*"))
        and time.monotonic() < deadline
        and process.poll() is None
    ):
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("vhmae: error: stopped")
    assert [p.name for p in out.parent.iterdir()] == ["out.mkv"]
    assert out.read_bytes() == b"old"


def test_the_weights_are_listed_with_their_licence(capsys: pytest.CaptureFixture[str]) -> None:
    listing = vhmae("weights", capsys=capsys).stdout
    assert "default:" in listing
    assert "licence: research use" in listing
    assert re.search(r"val-two: 0\.\d{3} \[0\.\d\d, 0\.\d\d\], \d+%", listing)


def test_a_set_is_made_and_scored_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for number in range(2):
        frames, masks = moving_scene(6, 96, 64)
        write_video(videos / f"v{number}.mp4", np.roll(frames, number * 20, 2), codec="libx264")
        write_mask_bits(np.roll(masks, number * 20, 2), videos / f"v{number}.mask.npz")
    made = vhmae(
        "synthesize",
        "--videos",
        videos,
        "--shifts",
        "parametric",
        "--frames",
        "3",
        "-o",
        tmp_path / "set",
        capsys=capsys,
    )
    assert made.returncode == 0, made.stderr
    scored = vhmae(
        "evaluate",
        "--data",
        tmp_path / "set",
        "--method",
        "vhmae",
        "--json",
        tmp_path / "s.json",
        "--natural",
        videos,
        capsys=capsys,
    )
    assert scored.returncode == 0, scored.stderr
    report = json.loads((tmp_path / "s.json").read_text())
    assert report["composites"] == 4
    assert report.keys() >= {
        "schema",
        "method",
        "data",
        "protocol",
        "swap_background",
        "overall",
        "ratio",
        "bins",
        "thirds",
        "worse_share",
        "natural_drift",
    }
    assert report["overall"]["fmse"].keys() == {"mean", "ci95"}


def test_no_environment_of_one_machine_is_needed() -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("VHMAE")}
    run = subprocess.run(
        [sys.executable, "-m", "vhmae", "--version"],
        capture_output=True,
        text=True,
        env=clean,
        check=True,
    )
    assert run.stdout.startswith("vhmae ")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return None


class _Boastful(_Quiet):
    """A server whose lengths are no numbers."""

    def send_header(self, keyword: str, value: str) -> None:
        super().send_header(keyword, "abc" if keyword == "Content-Length" else value)


def test_addresses_and_lengths_that_are_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.mkv").write_bytes(b"frames")
    out = ["--mask", "m.npz", "-o", str(tmp_path / "out.mkv"), "--allow-url"]
    told = error_of("harmonize", "http://[x/a.mp4", *out, capsys=capsys)
    assert "http://[x/a.mp4: is no address" in told
    handler = functools.partial(_Boastful, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_address[1]}"
        told = error_of("harmonize", f"{host}/in.mkv", *out, capsys=capsys)
        server.shutdown()
    assert "in.mkv: cannot be fetched" in told
    assert "abc" in told


def test_addresses_are_fetched_where_they_are_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(6, 96, 64)
    (tmp_path / "served").mkdir()
    write_video(tmp_path / "served" / "in.mkv", frames)
    write_mask_bits(masks, tmp_path / "m.npz")
    handler = functools.partial(_Quiet, directory=str(tmp_path / "served"))
    out = ["--mask", str(tmp_path / "m.npz"), "-o", str(tmp_path / "out.mkv"), "-q"]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_address[1]}"
        assert "is an address" in error_of("harmonize", f"{host}/in.mkv", *out, capsys=capsys)
        assert "cannot be fetched" in error_of(
            "harmonize", f"{host}/gone.mkv", *out, "--allow-url", capsys=capsys
        )
        told = ["--json", str(tmp_path / "r.json")]
        assert cli.main(["harmonize", f"{host}/in.mkv", *out, "--allow-url", *told]) == 0
        again = ["--job", str(tmp_path / "r.json"), "-o", str(tmp_path / "again.mkv"), "-q"]
        assert "is an address" in error_of("harmonize", *again, capsys=capsys)
        assert cli.main(["harmonize", *again, "--allow-url"]) == 0
        sheet = ["--mask", str(tmp_path / "m.npz"), "-o", str(tmp_path / "sheet.png"), "-q"]
        assert "is an address" in error_of("preview", f"{host}/in.mkv", *sheet, capsys=capsys)
        assert cli.main(["preview", f"{host}/in.mkv", *sheet, "--allow-url"]) == 0
        server.shutdown()
    error_of(
        "harmonize", f"concat:{tmp_path / 'served' / 'in.mkv'}", *out, "--allow-url", capsys=capsys
    )
    assert len(decode(tmp_path / "out.mkv")) == 6


@pytest.mark.parametrize("name", ["numpy", "vhmae.cli.preview"])
@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "ImportError"])
def test_ctrl_c_while_libraries_are_loaded_is_ctrl_c(name: str, raised: str) -> None:
    # A compiled module that is interrupted while it begins makes an ImportError of it.
    code = f"""
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as error:
                if {raised!r} == "ImportError":
                    raise ImportError("initialization failed") from error
                raise
sys.meta_path.insert(0, Interrupted())
sys.argv = ["vhmae", "preview", "clip.mkv"]
from vhmae.__main__ import run
run()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 130
    assert run.stderr.startswith("vhmae: error: stopped: interrupted")
    assert len(run.stderr.splitlines()) == 1
