"""Where outputs grow: one run at a time, and never over an input."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.scenes import decode, moving_scene
from vhmae.cli import main
from vhmae.errors import InputError, VhmaeError
from vhmae.partial_output import (
    OutputLock,
    check_apart,
    filled_folder,
    lock_file,
    partial_name,
    resume_folder,
    take_places,
    whole_file,
    whole_folder,
)
from vhmae.video.frame_writer import FrameWriter
from vhmae.video.pictures import open_pictures
from vhmae.video.probe import probe_video
from vhmae.video.sequence import check_picture_output
from vhmae.video.writer import VideoWriter

Maker = Callable[..., tuple[Path, Path]]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    lock = OutputLock(output)
    told = r"out.mkv: is being written by another run; wait for it, or choose another name"
    with pytest.raises(InputError, match=told):
        OutputLock(output)
    lock.release()
    with OutputLock(output):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    output.write_text("before")
    with pytest.raises(IsADirectoryError), whole_file(output) as part:
        (part.write_text("half"), tmp_path.write_text("a folder"))
    assert output.read_text() == "before"
    with whole_file(output) as part:
        assert part.suffix == ".txt"
        part.write_text("after")
        assert output.read_text() == "before"
    assert output.read_text() == "after"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), whole_folder(tmp_path / "set") as part:
        ((part / "one").write_text("half"), tmp_path.write_text("a folder"))
    assert not list(tmp_path.iterdir())
    with whole_folder(tmp_path / "set") as part:
        (part / "one").write_text("whole")
    assert (tmp_path / "set" / "one").read_text() == "whole"


@pytest.mark.parametrize("there", ["nothing", "empty", "link"])
def test_a_folder_is_filled_whole_or_not_at_all(tmp_path: Path, there: str) -> None:
    output = tmp_path / "deep" / "set"
    if there != "nothing":
        output.parent.mkdir()
        place = output if there == "empty" else tmp_path / "disk"
        place.mkdir()
    if there == "link":
        output.symlink_to(tmp_path / "disk")
    with pytest.raises(IsADirectoryError), filled_folder(output) as part:
        ((part / "one").write_text("half"), tmp_path.write_text("a folder"))
    assert not output.exists() or not [*output.iterdir()]
    with filled_folder(output) as part:
        (part / "one").write_text("whole")
        (part / "two").mkdir()
    assert sorted(one.name for one in output.iterdir()) == ["one", "two"]
    assert output.is_symlink() == (there == "link")
    for full in (output, output / "one"):
        with pytest.raises(InputError, match=r"is not empty|is a file"), filled_folder(full):
            pass
    assert len([*output.parent.iterdir()]) == 1


def test_a_folder_that_cannot_be_filled_leaves_nothing_above_it(tmp_path: Path) -> None:
    output = tmp_path / "very" / "deep" / "set"
    with pytest.raises(InputError, match="no pictures"), filled_folder(output):
        raise InputError("no pictures")
    assert not [*tmp_path.iterdir()]
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="link that leads nowhere"), filled_folder(link):
        pytest.fail("refused before the work")
    assert link.is_symlink()


def test_planted_links_are_never_followed(tmp_path: Path) -> None:
    """Names of parts cannot be guessed, and a lock that is a link is refused."""
    output, victim = tmp_path / "out.mkv", tmp_path / "victim"
    victim.write_text("precious")
    assert partial_name(output) != partial_name(output)
    lock_file(output).symlink_to(victim)
    with pytest.raises(InputError, match="cannot be written beside its place"):
        OutputLock(output)
    assert victim.read_text() == "precious"


def test_what_killed_runs_have_left_is_cleared_away(tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    partial_name(output).write_text("half a video")
    partial_name(output).with_suffix("").mkdir()
    (tmp_path / ".other.mkv.part-1.mkv").write_text("of another run")
    with OutputLock(output):
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            ".other.mkv.part-1.mkv",
            ".out.mkv.part-lock",
        ]


@pytest.mark.parametrize("options", [[], ["--resume"]])
@pytest.mark.parametrize("name", ["out.mkv", "out.%03d.png"])
def test_the_second_run_is_refused_and_the_first_one_unharmed(
    name: str,
    options: list[str],
    tmp_path: Path,
    small_clip: Maker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if options and name.endswith("png"):
        pytest.skip("pictures are not gone on with")
    composite, mask = small_clip()
    output = tmp_path / name
    held = OutputLock(output)
    line = error_of("harmonize", composite, "--mask", mask, "-o", output, *options, capsys=capsys)
    assert "is being written by another run" in line
    held.release()
    assert (
        main(["harmonize", str(composite), "--mask", str(mask), "-o", str(output), "-q", *options])
        == 0
    )
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_two_runs_at_once_leave_one_whole_file(tmp_path: Path, small_clip: Maker) -> None:
    composite, _ = small_clip(frames=200, width=320, height=180)
    cv2.imwrite(str(tmp_path / "m.png"), moving_scene(1, 320, 180)[1][0].astype(np.uint8) * 255)
    command = [
        sys.executable,
        "-m",
        "vhmae",
        "harmonize",
        str(composite),
        "--mask",
        str(tmp_path / "m.png"),
        "-o",
        str(tmp_path / "out.mkv"),
    ]
    first = subprocess.Popen([*command, "-q"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not lock_file(tmp_path / "out.mkv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    second = subprocess.run(
        [*command, "-q"], stderr=subprocess.PIPE, text=True, check=False, timeout=120
    )
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert second.returncode == 2 or not second.stderr  # it came when the first was done
    assert len(decode(tmp_path / "out.mkv")) == 200


def test_an_input_where_the_output_would_grow_is_refused(
    tmp_path: Path, small_clip: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip()
    hidden = partial_name(tmp_path / "out.mkv")
    hidden.write_bytes(composite.read_bytes())
    line = error_of("harmonize", hidden, "--mask", mask, "-o", tmp_path / "out.mkv", capsys=capsys)
    assert "lies where" in line
    assert hidden.read_bytes() == composite.read_bytes()
    check_apart(tmp_path / "other.mkv", [hidden])
    within = resume_folder(tmp_path / "out.mkv") / "a.mkv"
    within.parent.mkdir()
    within.write_bytes(composite.read_bytes())
    with pytest.raises(InputError, match="lies where"):
        check_apart(tmp_path / "out.mkv", [within])


def test_a_report_replaces_nothing_but_a_report(
    tmp_path: Path, small_clip: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip()
    run = [
        "harmonize",
        str(composite),
        "--mask",
        str(mask),
        "-o",
        str(tmp_path / "out.mkv"),
        "-q",
        "--json",
    ]
    named = tmp_path / "take=1.mkv"
    named.write_bytes(composite.read_bytes())
    assert "is a file of the work itself" in error_of(
        "harmonize", named, *run[2:], named, capsys=capsys
    )
    assert "is there already and is no report" in error_of(*run, named, capsys=capsys)
    for name, text in (
        ("guide.json", '{"schema": 1, "points": [], "choices": []}'),
        ("clip.vhmae.json", '{"schema": 1, "vhmae": "project", "job": {}}'),
        ("manifest.jsonl", '{"name": "00000"}\n{"name": "00001"}\n'),
        ("secrets.json", '{"token": "mine"}'),
    ):
        (tmp_path / name).write_text(text)
        told = error_of(*run, tmp_path / name, capsys=capsys)
        assert "is there already and is no report" in told
        assert (tmp_path / name).read_text() == text
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    assert main([*run, str(tmp_path / "link.json")]) == 0
    assert (tmp_path / "link.json").is_symlink()
    assert '"frames"' in (tmp_path / "real.json").read_text()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="has no /dev/stdout")
def test_a_report_goes_to_a_device(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/dev/stdout")
    for place in ("/dev/stdout", str(tmp_path / "out")):
        done = subprocess.run(
            [sys.executable, "-m", "vhmae", "weights", "-q", "--json", place],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0
        assert '"weights"' in done.stdout
    assert (tmp_path / "out").is_symlink()


def test_pictures_take_their_places_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [(tmp_path / f"part{number}", tmp_path / f"o.{number}.png") for number in range(4)]
    for part, place in files:
        part.write_text("new")
        place.write_text("old")
    files[2][1].unlink()
    files[2][1].mkdir()
    with pytest.raises(VhmaeError, match=r"o.2.png: is a folder where a file belongs"):
        take_places(files)
    assert [files[number][1].read_text() for number in (0, 1, 3)] == ["old"] * 3
    files[2][1].rmdir()
    plain, calls = Path.replace, []

    def replace(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        take_places(files)
    assert [place.read_text() for _, place in files] == ["new"] * 4


def test_a_picture_that_an_input_links_to_is_not_written_over(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "real.0001.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "f.0001.png").symlink_to(tmp_path / "real.0001.png")
    for output in (tmp_path / "real.0001.png", tmp_path / "real.%04d.png"):
        with pytest.raises(InputError, match=r"would be written over .*f.0001.png"):
            check_picture_output(output, [tmp_path / "in" / "f.%04d.png"])


def test_an_interrupt_while_a_lock_is_taken_leaves_none(tmp_path: Path) -> None:
    """One before each step of the interpreter, as a signal may come: neither file nor lock stays,
    and the next run is not refused."""
    output = tmp_path / "out.mkv"
    steps = 0

    def taken_with_an_interrupt_at(step: int) -> bool:
        """Whether the lock was taken before so many steps were made."""
        left = step

        def traced(frame: FrameType, event: str, _: object) -> Any:
            nonlocal left
            if frame.f_code not in (OutputLock.__init__.__code__, OutputLock._hold.__code__):
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt
            return traced

        before = sys.gettrace()
        sys.settrace(traced)
        try:
            OutputLock(output)
        except KeyboardInterrupt:
            return False
        finally:
            sys.settrace(before)
        return True

    while not taken_with_an_interrupt_at(steps + 1):
        steps += 1
        assert not list(tmp_path.iterdir()), f"left by an interrupt before step {steps}"
        with OutputLock(output):
            assert lock_file(output).exists()
    assert steps > 50


def test_a_lock_that_nobody_has_is_let_go_of(tmp_path: Path) -> None:
    """As an interrupt leaves it between its making and its holder."""
    held = OutputLock(tmp_path / "out.mkv")
    with pytest.raises(InputError, match="is being written by another run"):
        OutputLock(tmp_path / "out.mkv")
    assert held.path.exists()
    del held
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.mkv", "out.%04d.png"])
def test_a_writer_that_nobody_has_leaves_nothing(name: str, small_clip: Maker) -> None:
    """As an interrupt leaves it between its making and its holder."""
    composite, _ = small_clip(frames=2)
    before = sorted(composite.parent.iterdir())
    source = probe_video(composite)
    output = composite.parent / name
    make: Callable[..., FrameWriter] = VideoWriter if name == "out.mkv" else open_pictures
    writer = make(output, source)
    assert any(path.name.startswith(".out") for path in composite.parent.iterdir())
    del writer
    assert sorted(composite.parent.iterdir()) == before
