"""What is known before the work is told before it, and what is lost in it is told at its end."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.runs import same_frames
from tests.support.scenes import decode, moving_scene, write_video
from vhmae.arrays import Frame, UnitMatte
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.guide.document import Guide, Point
from vhmae.matting.job import MatteJob
from vhmae.matting.maker import MatteMaker
from vhmae.matting.run import CutOut, made_matte, matte_video, of_each_number
from vhmae.video.layers import LayeredSource
from vhmae.video.matte import open_matte
from vhmae.video.placement import Placement
from vhmae.video.probe import probe_video
from vhmae.video.reader import TimedFrame, read_frames
from vhmae.work.batch import is_done
from vhmae.work.job import HarmonizeJob
from vhmae.work.jobs_table import read_jobs
from vhmae.work.masking import masked_job
from vhmae.work.renderer import Renderer

Maker = Callable[..., tuple[Path, Path]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-o", "out.mpeg4"], "out.mpeg4"),
        (["-o", "there.mkv", "--no-overwrite"], "is there already"),
        (["-o", "out.mkv", "--codec", "libx246"], "libx246"),
        (["-o", "out.mkv", "--start", "99"], "choose a start within it"),
        (["-o", "out.mkv", "--cuts", "gone.txt"], "gone.txt"),
        (["-o", "out.mkv", "--weights", "gone"], "gone"),
    ],
)
def test_what_is_wrong_is_told_before_a_mask_is_made(
    words: list[str],
    told: str,
    small_clip: Maker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def never(*given: object, **more: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr("vhmae.matting.run.made_matte", never)
    composite, _ = small_clip()
    (tmp_path / "there.mkv").write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    assert told in error_of("harmonize", composite, "--matte", "salient", *words, capsys=capsys)


@pytest.mark.parametrize("more", [[], ["--check"]])
def test_older_pictures_are_refused_under_strict_before_the_work(
    more: list[str],
    small_clip: Maker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    composite, mask = small_clip()
    (tmp_path / "x.0099.png").write_bytes(b"older")

    def never(*given: object, **more: object) -> Iterator[Any]:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(Renderer, "rendered", never)
    words: list[str | Path] = ["harmonize", composite, "--mask", mask, "--strict"]
    words += ["-o", tmp_path / "x.%04d.png"]
    assert "older picture" in error_of(*words, *more, capsys=capsys)
    assert (tmp_path / "x.0099.png").read_bytes() == b"older"


def test_a_check_counts_the_frames_that_would_be_written(small_clip: Maker, tmp_path: Path) -> None:
    composite, mask = small_clip()
    report = tmp_path / "r.json"
    words = ["harmonize", str(composite), "--mask", str(mask), "-q", "--json", str(report)]
    counts = []
    for more in (["--check"], []):
        assert main([*words, "-o", str(tmp_path / "o.mkv"), "--end", "0.2", *more]) == 0
        counts.append(json.loads(report.read_text())["frames"])
    assert counts[0] == counts[1]


@pytest.mark.parametrize("lost", [{2}, {0}, {5}, {2, 3, 5}])
def test_a_lost_frame_of_a_layer_takes_the_one_beside_it_and_is_told(
    lost: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = np.arange(6) * 40
    frames = np.broadcast_to(levels[:, None, None, None], (6, 48, 64, 3)).astype(np.uint8)
    write_video(tmp_path / "front.mkv", frames, codec="ffv1")
    write_video(tmp_path / "back.mkv", np.full_like(frames, 255), codec="ffv1")
    write_mask_bits(np.ones((6, 48, 64), bool), tmp_path / "m.npz")
    front, back = (probe_video(tmp_path / f"{name}.mkv") for name in ("front", "back"))

    def damaged(info: Any, **more: Any) -> Iterator[TimedFrame]:
        gone = lost if info.path == front.path else set()
        return (one for one in read_frames(info, **more) if one.index not in gone)

    monkeypatch.setattr("vhmae.video.layers.read_frames", damaged)
    mattes = open_matte(tmp_path / "m.npz")
    layers = LayeredSource(back, front, mattes, Placement(), 6)
    laid = [int(timed.image.rgb().mean() * 255 + 0.5) for timed, _ in layers.read()]
    kept = [number for number in range(6) if number not in lost]
    beside = [max([k for k in kept if k <= n], default=kept[0]) for n in range(6)]
    assert laid == pytest.approx([int(levels[n]) for n in beside], abs=1)
    assert layers.lost == lost
    (told,) = layers.told_of_lost()
    assert f"front.mkv is damaged: {len(lost)} of its 6 frames could not be decoded" in told


def test_a_matte_that_shows_somebody_for_a_moment_is_none_that_is_empty(tmp_path: Path) -> None:
    frames, masks = moving_scene(30, 96, 64)
    write_video(tmp_path / "in.mkv", frames, codec="ffv1")
    masks[:] = False
    masks[7, 30:34, 40:44] = True  # .3 % of one frame of 30
    write_mask_bits(masks, tmp_path / "m.npz")
    job = MatteJob(
        video=tmp_path / "in.mkv", output=tmp_path / "o.mkv", way="file", matte=tmp_path / "m.npz"
    )
    assert matte_video(job)["frames"] == 30
    shown = [bool((frame[0] > 128).any()) for frame in decode(tmp_path / "o.mkv")]
    assert shown == [number == 7 for number in range(30)]
    write_mask_bits(np.zeros_like(masks), tmp_path / "m.npz")
    with pytest.raises(InputError, match="the matte is empty"):
        matte_video(job)


def test_a_lost_frame_keeps_its_time_in_a_matte(tmp_path: Path) -> None:
    frames, _ = moving_scene(6, 96, 64)
    write_video(tmp_path / "in.mkv", frames, codec="ffv1")
    info = probe_video(tmp_path / "in.mkv")
    assert info.timestamps is not None

    class Cut:
        def __init__(self, timed: TimedFrame) -> None:
            self.timed = timed

        def again(self, number: int, info: Any) -> Any:
            return CutOut(self.timed, np.zeros((1, 1), np.float32), None).again(number, info)

    kept = (Cut(one) for one in read_frames(info) if one.index not in (2, 5))
    times = [one.timed.pts for one in of_each_number(kept, info)]  # type: ignore[arg-type]
    assert times == info.timestamps.tolist()


def test_pictures_that_were_taken_out_are_made_anew(small_clip: Maker, tmp_path: Path) -> None:
    composite, mask = small_clip()
    job = HarmonizeJob(composite=composite, masks=(mask,), output=tmp_path / "x.%04d.png")
    for number in range(1, 4):
        (tmp_path / f"x.{number:04d}.png").write_bytes(b"made")
    assert is_done(job)
    (tmp_path / "x.0002.png").unlink()
    assert not is_done(job)
    plates = tmp_path / "plates"
    plates.mkdir()
    for number in (1, 3):  # one that was never there
        (plates / f"p.{number:04d}.png").write_bytes(b"plate")
    for number in (1, 3):
        (tmp_path / f"x.{number:04d}.png").write_bytes(b"made")
    assert is_done(dataclasses.replace(job, composite=plates / "p.%04d.png"))


def test_files_of_a_table_count_from_it(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "w.safetensors").write_bytes(b"mine")
    table = tmp_path / "t" / "jobs.csv"
    table.write_text(
        "composite,mask,out,weights,matte\n"
        "a.mp4,m.mp4,o.mkv,w.safetensors,\nb.mp4,m.mp4,p.mkv,default,\nc.mp4,,q.mkv,,rvm\n"
    )
    own, packaged, matted = read_jobs(table, {"resume": True})
    assert (own.weights, packaged.weights) == (str(tmp_path / "t" / "w.safetensors"), "default")
    assert (own.resume, matted.resume, matted.matte) == (True, False, "rvm")


def test_a_mask_that_a_killed_run_left_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(job: MatteJob, within: range | None) -> None:
        assert job.output is not None
        job.output.write_bytes(b"matte")

    monkeypatch.setattr("vhmae.matting.run.matte_video", made)
    output = tmp_path / "o.mkv"
    killed = made_matte(tmp_path / "v.mkv", "rvm", output)
    killed.__enter__()
    lock = next(tmp_path.glob("*lock"))
    left = [path for path in tmp_path.iterdir() if path != lock]
    lock.unlink()  # as the system lets go of what is killed
    assert left
    with made_matte(tmp_path / "v.mkv", "rvm", output) as mask:
        assert mask.read_bytes() == b"matte"
        assert not left[0].exists()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("named", "looked_at"), [((), (4, 8)), ((5,), (4, 8)), ((2,), (0, 27)), ((30,), (0, 40))]
)
def test_the_mask_of_a_part_is_made_of_what_is_looked_at_alone(
    named: tuple[int, ...],
    looked_at: tuple[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames, _ = moving_scene(40, 96, 64)
    write_video(tmp_path / "v.mkv", frames, codec="ffv1")
    fps = float(probe_video(tmp_path / "v.mkv").fps)
    seen: list[int] = []

    class Bright(MatteMaker):
        def mattes(self, frames: Iterable[Frame]) -> Iterator[UnitMatte]:
            for frame in frames:
                seen.append(self.index)
                yield np.full(frame.shape[:2], 1, np.float32)

    monkeypatch.setattr("vhmae.matting.run.make_network", lambda *_: Bright())
    job = HarmonizeJob(
        composite=tmp_path / "v.mkv",
        output=tmp_path / "o.mkv",
        start=4 / fps,
        end=8 / fps,
        matte="rvm",
    )
    guide = Guide(points=tuple(Point(kind="keep", at=(1.0, 1.0), frame=one) for one in named))
    with masked_job(job, "rvm", job.output, guide) as masked:
        source = open_matte(masked.masks[0])
        covers = [float(matte.mean()) for matte in source.stored()]
    assert seen == [*range(*looked_at)]
    assert [number for number, cover in enumerate(covers) if cover] == seen
    assert len(covers) == len(frames)


def test_a_word_about_a_frame_outside_of_the_part_is_heard_where_the_mask_is_made(
    small_clip: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as with the mask as a file."""
    composite, mask = small_clip(frames=10)
    stored = open_matte(mask).read(probe_video(composite))
    masks = [matte / 255.0 for matte in itertools.islice(stored, 10)]

    class Known(MatteMaker):
        def mattes(self, frames: Iterable[Frame]) -> Iterator[UnitMatte]:
            for _ in frames:
                yield masks[self.index].astype(np.float32)

    monkeypatch.setattr("vhmae.matting.run.make_network", lambda *_: Known())
    fps = float(probe_video(composite).fps)
    rows, columns = np.nonzero(masks[5])
    at = f"{np.median(columns):.0f},{np.median(rows):.0f}"
    part = ("--start", str(2 / fps), "--end", str(4 / fps), "--target", f"{at}=#805030@5")
    for name, words in (("file", ("--mask", str(mask))), ("made", ("--matte", "rvm"))):
        out = tmp_path / f"{name}.mkv"
        assert main(["harmonize", str(composite), *words, "-o", str(out), *part]) == 0
    assert same_frames(tmp_path / "file.mkv", tmp_path / "made.mkv")
    assert len(decode(out)) == 2


def test_a_part_without_a_frame_is_told_before_a_mask_is_made(
    small_clip: Maker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("vhmae.matting.run.make_network", lambda *_: pytest.fail("it has begun"))
    run = ("harmonize", small_clip()[0], "--matte", "rvm", "-o", tmp_path / "o.mkv")
    monkeypatch.setattr("vhmae.matting.rvm.Rvm.mattes", lambda *_: pytest.fail("it has begun"))
    told = error_of(*run, "--start", "0.045", "--end", "0.055", capsys=capsys)
    assert "no frame is shown within; choose a longer part" in told
    words = ("--start", "0.1", "--end", "0.2", "--target", "4,4=#805030@9999")
    assert "frame 9999" in error_of(*run, *words, capsys=capsys)


def test_a_folder_that_nobody_may_enter_is_the_users_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exists = Path.exists

    def guarded(self: Path) -> bool:
        if "locked" in self.parts:
            raise PermissionError(13, "Permission denied", str(self))
        return exists(self)

    monkeypatch.setattr(Path, "exists", guarded)
    told = error_of(
        "harmonize", "locked/a.mkv", "--mask", "m.png", "-o", tmp_path / "o.mkv", capsys=capsys
    )
    assert "locked/a.mkv: Permission denied; check its permissions" in told


def test_a_name_like_an_address_is_a_file_where_it_is_said_to_be_one(
    small_clip: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composite, mask = small_clip()
    monkeypatch.chdir(tmp_path)
    assert main(["harmonize", str(composite), "--mask", str(mask), "-o", "./pipe:x.mkv"]) == 0
    assert (tmp_path / "pipe:x.mkv").is_file()
