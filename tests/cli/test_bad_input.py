"""A battery of bad inputs: each gets one clear line and the right exit code within seconds, and
leaves nothing half-written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.scenes import decode, moving_scene, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits

SECONDS = 10
FRAMES = 12


class Case:
    """A folder with a good clip and its mask, and the command that is run on what was made of
    them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        frames, self.masks = moving_scene(FRAMES, 96, 64)
        self.composite = write_video(folder / "in.mkv", frames)
        self.mask = folder / "m.npz"
        write_mask_bits(self.masks, self.mask)
        self.results = folder / "results"
        self.results.mkdir()
        self.out = self.results / "out.mkv"
        self.options: list[str] = []
        self.limit_bytes: int | None = None

    def run(self, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
        """Run the command; in a process of its own where files are limited in size."""
        files = ("harmonize", self.composite, "--mask", self.mask, "-o", self.out, *self.options)
        arguments = [str(argument) for argument in files]
        began = time.monotonic()
        if self.limit_bytes is None:
            code, err = main(arguments), capsys.readouterr().err
        else:
            limits = (self.limit_bytes, self.limit_bytes)
            command = [sys.executable, "-m", "vhmae", *arguments]
            run = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits),
            )
            code, err = run.returncode, run.stderr
        assert (
            time.monotonic() - began < 6 * SECONDS
        )  # a busy machine takes its time; a hang takes for ever
        return code, err


def truncated(case: Case) -> None:
    whole = write_video(case.folder / "whole.mp4", moving_scene(FRAMES, 96, 64)[0], codec="libx264")
    case.composite = case.folder / "cut.mp4"
    case.composite.write_bytes(whole.read_bytes()[:-400])  # an mp4's index stands at its end


def empty(case: Case) -> None:
    case.composite = case.folder / "empty.mp4"
    case.composite.touch()


def no_frames(case: Case) -> None:
    case.composite = case.folder / "none.mkv"
    with av.open(str(case.composite), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()


def text(case: Case) -> None:
    case.composite = case.folder / "text.mov"
    case.composite.write_text("this is no video\n" * 100)


def sound_only(case: Case) -> None:
    case.composite = case.folder / "sound.mkv"
    with av.open(str(case.composite), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 4800), np.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))


def mask_short(case: Case) -> None:
    write_mask_bits(case.masks[:-1], case.mask)


def mask_of_another_rate_and_length(case: Case) -> None:
    masks = np.repeat(case.masks, 2, axis=0)[:14].astype(np.uint8) * 255
    case.mask = write_video(case.folder / "m.mkv", masks, fps=50)


def mask_white(case: Case) -> None:
    write_mask_bits(np.ones_like(case.masks), case.mask)


def mask_black(case: Case) -> None:
    write_mask_bits(np.zeros_like(case.masks), case.mask)


def mask_of_nan(case: Case) -> None:
    case.mask = case.folder / "m.tiff"
    cv2.imwrite(str(case.mask), np.full((64, 96), np.nan, np.float32))


def mask_folder_empty(case: Case) -> None:
    case.mask = case.folder / "masks"
    case.mask.mkdir()


def mask_of_other_arrays(case: Case) -> None:
    np.savez(case.mask, frames=np.zeros(3))


def disk_full(case: Case) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 96, 128, 3)).astype(np.uint8)
    case.composite = write_video(case.folder / "large.mkv", noise)
    case.mask = case.folder / "one.png"
    cv2.imwrite(str(case.mask), np.pad(np.full((40, 40), 255, np.uint8), ((20, 36), (20, 68))))
    case.limit_bytes = 200_000


def output_folder_gone(case: Case) -> None:
    case.out = case.results / "none" / "out.mkv"


def output_is_a_folder(case: Case) -> None:
    case.out = case.results / "out.mp4"
    case.out.mkdir()


def weights_are_a_pickle(case: Case) -> None:
    (case.folder / "w.pt").write_bytes(b"\x80\x04K\x01.")
    case.options = ["--weights", str(case.folder / "w.pt")]


def weights_are_damaged(case: Case) -> None:
    (case.folder / "w.safetensors").write_bytes(b"\xff" * 64)
    case.options = ["--weights", str(case.folder / "w.safetensors")]


def protocol(case: Case) -> None:
    case.composite = Path("concat:in.mkv|in.mkv")


def protocol_in_a_mask(case: Case) -> None:
    case.mask = Path("http://127.0.0.1:9/m.png")


def one_pixel(case: Case) -> None:
    case.composite = write_video(
        case.folder / "dot.mkv", np.zeros((4, 1, 1, 3), np.uint8), pix_fmt="yuv444p"
    )
    case.mask = case.folder / "dot.png"
    cv2.imwrite(str(case.mask), np.full((1, 1), 255, np.uint8))


CASES: dict[Callable[[Case], None], tuple[int, str]] = {
    truncated: (2, "cut.mp4: is not a video"),
    empty: (2, "empty.mp4: is not a video"),
    no_frames: (2, "none.mkv: is not a video"),
    text: (2, "text.mov: is not a video"),
    sound_only: (2, "sound.mkv: has no video stream"),
    mask_short: (2, "has 11 frames but in.mkv has 12; trim one or pass --hold-last-mask"),
    mask_of_another_rate_and_length: (2, "it ends 0.20 s before the frames do"),
    mask_white: (2, "covers every frame whole"),
    mask_black: (2, "has no foreground in any frame"),
    mask_of_nan: (2, "m.tiff: holds values that are no numbers"),
    mask_folder_empty: (2, "holds no pictures"),
    mask_of_other_arrays: (2, "is not a packed mask"),
    disk_full: (1, "check the space on the disk"),
    output_folder_gone: (2, "does not exist"),
    output_is_a_folder: (2, "is a folder"),
    weights_are_a_pickle: (2, "never pickles"),
    weights_are_damaged: (2, "cannot be read as safetensors"),
    protocol: (2, "concat:in.mkv|in.mkv: is an address"),
    protocol_in_a_mask: (2, "is an address"),
    one_pixel: (2, "covers every frame whole"),
}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_a_bad_input_gets_one_line(
    make: Callable[[Case], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case(tmp_path)
    make(case)
    before = sorted(path.name for path in case.results.iterdir())
    code, err = case.run(capsys)
    expected, message = CASES[make]
    last = err.strip().splitlines()[-1]
    assert code == expected, err
    assert last.startswith("vhmae: error: ")
    assert message in last
    assert "Traceback" not in err
    assert "internal error" not in err
    assert len(err) <= 400
    assert sorted(path.name for path in case.results.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case(tmp_path)
    case.results.chmod(0o500)
    code, err = case.run(capsys)
    assert (code, "cannot be written" in err) == (2, True)


@pytest.mark.parametrize(
    "name", ["with space.mkv", 'it\'s "quoted".mkv', "-dashed.mkv", "ü%d 100%.mkv", "a:b.mkv"]
)
def test_odd_names_are_names(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case(tmp_path)
    composite = case.composite.rename(case.folder / name)
    case.out = case.results / name
    case.composite = composite
    code, err = case.run(capsys)
    assert code == 0, err
    assert len(decode(case.out)) == len(decode(composite)) == FRAMES


def test_what_is_given_for_another_thing_is_told_as_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("guide.json").write_text('{"schema": 1, "points": []}')
    Path("told.json").write_text('{"schema": 1, "shots": [], "warnings": []}')
    Path("-c.mkv").write_bytes(b"")
    rest = ("--mask", "m.mkv", "-o", "o.mkv")
    no_job = "is the report of a command that keeps no job"
    by_name = "is a word too many; name it by its option, as --mask b.mkv"
    lines = {
        "is a guide and no job; give it by --guide": ("harmonize", "--job", "guide.json"),
        no_job: ("harmonize", "--job", "told.json"),
        "/dev/stdout prints the report": ("harmonize", "a.mkv", *rest, "--json", "-"),
        "(the file is ./-c.mkv)": ("harmonize", "-c.mkv", *rest),
        "is a word too many; see": ("harmonize", "a.mkv", "b.mkv", *rest),
        by_name: ("harmonize", "a.mkv", "b.mkv"),
        "gone.safetensors: no such file": (
            "weights",
            "join",
            "gone.safetensors",
            "-o",
            "x.safetensors",
        ),
    }
    for said, words in lines.items():
        assert said in error_of(*words, capsys=capsys)
    assert not Path("-").exists()
