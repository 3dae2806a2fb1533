"""Tables of jobs as spreadsheets write them: separators, encodings, headings, many lines."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Callable
from pathlib import Path

import pytest

from vhmae.cli import main
from vhmae.errors import InputError
from vhmae.options import options_of
from vhmae.video.sequence import takes_from
from vhmae.work.chains import Chains
from vhmae.work.job import HarmonizeJob
from vhmae.work.jobs_table import NAMES, columns, read_jobs

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("said_first", [False, True])
def test_what_spreadsheets_write_is_read(
    encoding: str, separator: str, end: str, said_first: bool, tmp_path: Path
) -> None:
    rows = [
        ["Composite", "MASK", "Out", "Strength", "Hold-Last-Mask", "start"],
        ["a.mov", "m.mov", "Größe.mov", "0.5", "yes", "2"],
        ["b.mov", "1.png|2.png", "ü.mov", "", "", ""],
    ]
    said = [f"sep={separator}"] if said_first else []
    empty = ["", ""] if separator != "," or said_first else []
    blank = [" "] * 5  # as a spreadsheet keeps of a line that was emptied
    written = [*(row + empty for row in rows), blank]
    text = end.join([*said, *(separator.join(row) for row in written)]) + end
    (tmp_path / "jobs.csv").write_bytes(text.encode(encoding))
    first, second = read_jobs(tmp_path / "jobs.csv", {"strength": 0.25})
    assert first.output == tmp_path / "Größe.mov"
    assert (first.strength, first.hold_last_mask, first.start) == (0.5, True, 2.0)
    assert second.masks == (tmp_path / "1.png", tmp_path / "2.png")
    assert (second.strength, second.hold_last_mask, second.start) == (0.25, False, 0.0)


def test_numbers_have_commas_where_semicolons_separate(tmp_path: Path) -> None:
    table = tmp_path / "jobs.csv"
    table.write_text("composite;mask;out;strength;position;foreground\na;m;o.mov;0,5;3,4;f.mov\n")
    (job,) = read_jobs(table, {})
    assert job.strength == 0.5
    assert job.placement.position == (3.0, 4.0)  # two numbers, not one
    table.write_text('composite,mask,out,strength\na,m,o.mov,"0,5"\n')
    with pytest.raises(InputError, match=r"line 2: strength 0,5: is not a number"):
        read_jobs(table, {})


def test_columns_are_all_options_of_a_job() -> None:
    assert set(columns()) == {NAMES.get(one.name, one.name) for one in options_of(HarmonizeJob)}
    wanted = {"foreground", "foreground_space", "position", "scale", "premultiplied", "guide"}
    assert wanted | {"matte", "matte_weights", "input_space", "dial"} <= set(columns())


def test_layers_guides_and_mattes_are_columns(tmp_path: Path) -> None:
    table = tmp_path / "jobs.csv"
    table.write_text(
        'composite,foreground,position,scale,guide,out\nback.mov,f.mov,"10,20",0.5,g.json,o.mov\n'
    )
    (job,) = read_jobs(table, {})
    assert (job.foreground, job.words.guide) == (tmp_path / "f.mov", tmp_path / "g.json")
    assert (job.placement.position, job.placement.scale) == ((10.0, 20.0), 0.5)
    table.write_text("composite,matte,matte_weights,out\na.mov,rvm,rvm.onnx,o.mov\n")
    (job,) = read_jobs(table, {})
    assert (job.matte, job.matte_weights) == ("rvm", tmp_path / "rvm.onnx")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("composite,mask,matte,out\na,m,rvm,o.mov\n", "line 2: `matte` rvm: makes a mask where"),
        ("composite,mask,matte_weights,out\na,m,w.onnx,o.mov\n", "is the network of `matte`"),
        ("composite,mask,foreground_space,out\na,m,ACEScg,o.mov\n", "give a `foreground`"),
        ("composite,matte,out\na,magic,o.mov\n", "expected rvm, salient"),
    ],
)
def test_what_does_not_go_together_is_refused_by_its_line(
    text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "jobs.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        read_jobs(tmp_path / "jobs.csv", {})


def test_a_table_is_checked_without_any_work(
    tmp_path: Path, small_clip: Callable[..., tuple[Path, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip()
    before = sorted(tmp_path.iterdir())
    table = tmp_path / "jobs.csv"
    table.write_text(
        f"composite,mask,out,codec\n{composite},{mask},o.mkv,\n{composite},{mask},p.mkv,x\n"
    )
    report = tmp_path / "r.json"
    assert main(["batch", str(table), "--check", "--json", str(report)]) == 1
    told = capsys.readouterr()
    assert f"1/2 {tmp_path / 'o.mkv'}: checked, would be 12 frames" in told.out
    assert "--codec x: unknown" in told.err
    counts = json.loads(report.read_text())
    assert [counts[name] for name in ("done", "checked", "skipped", "failed")] == [0, 1, 0, 1]
    assert sorted(tmp_path.iterdir()) == sorted([*before, table, report])


def test_another_encoding_is_told(tmp_path: Path) -> None:
    text = "composite;mask;out\na;m;Größe.mov\n"
    (tmp_path / "jobs.csv").write_bytes(text.encode("cp1252"))
    with pytest.raises(InputError, match="is neither UTF-8 nor UTF-16; save it as CSV UTF-8"):
        read_jobs(tmp_path / "jobs.csv", {})


def test_two_names_of_one_output_are_refused(tmp_path: Path) -> None:
    (tmp_path / "o.mov").touch()
    (tmp_path / "link.mov").symlink_to("o.mov")
    (tmp_path / "jobs.csv").write_text("composite,mask,out\na,m,o.mov\nb,m,link.mov\n")
    with pytest.raises(InputError, match=r"line 3 writes link\.mov, which another line writes too"):
        read_jobs(tmp_path / "jobs.csv", {})


def test_what_all_lines_share_is_looked_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Types and columns, of which each line would cost a millisecond: 20,000 lines take seconds."""
    asked: list[object] = []
    get_type_hints = typing.get_type_hints

    def counted(kind: object) -> object:
        asked.append(kind)
        return get_type_hints(kind)

    monkeypatch.setattr(typing, "get_type_hints", counted)
    lines = [f"c{number}.mov,m.mov,o{number}.mov,0.5" for number in range(300)]
    (tmp_path / "jobs.csv").write_text("\n".join(["composite,mask,out,strength", *lines]))
    assert len(read_jobs(tmp_path / "jobs.csv", {})) == 300
    assert len(asked) <= 10


def test_lines_are_counted_as_they_stand_and_fields_beyond_the_columns_are_refused(
    tmp_path: Path,
) -> None:
    table = tmp_path / "jobs.csv"
    table.write_text("sep=;\ncomposite;mask;out;;\na;m;o.mov;;\n ; ;\nb;m;p.mov;x;\n")
    with pytest.raises(InputError, match="line 5 does not have the fields of the first line"):
        read_jobs(table, {})


def test_outputs_that_are_spelled_otherwise_are_one(tmp_path: Path) -> None:
    text = "composite,mask,out\na,m,o/f.%04d.png\nb,m,o/f.####.png\n"
    (tmp_path / "jobs.csv").write_text(text)
    with pytest.raises(InputError, match=re.escape("line 3 writes f.####.png")):
        read_jobs(tmp_path / "jobs.csv", {})


@pytest.mark.parametrize(
    ("path", "output", "is_its"),
    [
        ("o/shot-0001.png", "o/shot-%04d.png", True),
        ("o/a-12.png", "o/a-%d.png", True),
        ("o/f-004.png", "o/f-###.png", True),
        ("o/take20007.png", "o/take2%04d.png", True),
        ("o/s.-003.png", "o/s.%04d.png", True),
        ("o/f.%04d.png", "o/f.####.png", True),
        ("o/f.*.png", "o/f.%04d.png", True),
        ("o/f.1001-1024.png", "o/f.%04d.png", True),
        ("o/f.%04d.png 1001-1024", "o/f.%04d.png", True),
        ("o/f.0007.png", "o/f.%04d.png", True),
        ("o/f.%04d.png", "o/f.0007.png", True),
        ("o", "o/f.%04d.png", True),
        ("./o/../o", "o/f.png", True),
        ("a.mov", "o/../a.mov", True),
        ("o", "o/a.mov", False),
        ("o/g.%04d.png", "o/f.%04d.png", False),
        ("o/f.%04d.exr", "o/f.%04d.png", False),
        ("o/f.jpg", "o/f.%04d.png", False),
        ("o/f.%04d.png", "o/f.mask.png", False),
        ("o/%04d.png", "o/ref_out.png", False),
        ("f.%04d.png", "o/f.%04d.png", False),
    ],
)
def test_what_takes_an_output_is_known_by_names(
    path: str, output: str, is_its: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert takes_from(Path(path), Path(output)) is is_its
    job = HarmonizeJob(composite=Path("a"), masks=(Path("m"),), output=Path(output))
    assert (Chains([job]).makers(Path(path)) == {0}) is is_its


def test_a_chain_is_checked_as_far_as_it_is_there(
    tmp_path: Path, small_clip: Callable[..., tuple[Path, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip()
    table = tmp_path / "jobs.csv"
    lines = [f"o/*.png,{mask},p.mkv", f"{composite},{mask},o/f.%04d.png", f"gone,{mask},q.mkv"]
    lines += [f"o,{mask},r.mkv"]
    (tmp_path / "o").mkdir()
    table.write_text("\n".join(["composite,mask,out", *lines]) + "\n")
    assert main(["batch", str(table), "--check"]) == 1
    told = capsys.readouterr()
    assert "f.%04d.png: checked, would be 12 frames" in told.out
    assert f"p.mkv: checked ({tmp_path / 'o/*.png'}: is made by another line" in told.out
    assert f"r.mkv: checked ({tmp_path / 'o'}: is made by another line" in told.out
    assert "q.mkv: failed" in told.err


def test_many_pictures_of_one_folder_are_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def counted(path: Path, output: Path) -> bool:
        asked.append(path)
        return takes_from(path, output)

    monkeypatch.setattr("vhmae.work.chains.takes_from", counted)
    jobs = [
        HarmonizeJob(
            composite=tmp_path / f"{number:05d}.png",
            masks=(tmp_path / f"{number:05d}_m.png",),
            output=tmp_path / f"{number:05d}_out.png",
        )
        for number in range(300)
    ]
    numbered = HarmonizeJob(
        composite=jobs[7].output, masks=jobs[7].masks, output=tmp_path / "s.%04d.png"
    )
    last = HarmonizeJob(
        composite=tmp_path / "s.0003.png", masks=jobs[7].masks, output=tmp_path / "t.png"
    )
    waves = Chains([last, numbered, *jobs]).waves([(one, None) for one in [last, numbered, *jobs]])
    assert [len(wave) for wave in waves] == [300, 1, 1]
    assert len(asked) < 5


def test_a_line_whose_mask_is_made_in_the_work_is_checked_beside_the_others(
    tmp_path: Path,
    small_clip: Callable[..., tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    composite, mask = small_clip()
    table = tmp_path / "jobs.csv"
    table.write_text(
        f"composite,mask,matte,out\n{composite},,salient,o.mkv\n{composite},,rvm,p.mkv\n"
        f"{composite},{mask},,q.mkv\n"
    )

    def opened(way: str, *more: object) -> None:
        if way == "rvm":
            raise InputError("rvm: needs a network file")

    monkeypatch.setattr("vhmae.matting.run.make_network", opened)
    before = sorted(tmp_path.iterdir())
    assert main(["batch", str(table), "--check"]) == 1
    told = capsys.readouterr()
    assert "o.mkv: checked, would be 12 frames (the mask is made by salient in the work" in told.out
    assert "q.mkv: checked, would be 12 frames\n" in told.out
    assert "p.mkv: failed (rvm: needs a network file)" in told.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_name_like_an_address_counts_from_the_tables_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    table = tmp_path / "sub" / "jobs.csv"
    table.write_text("composite,mask,out\n./pipe:a.mkv,./m:a.mkv|b.mkv,./o:a.mkv\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    for path in (table, Path("sub/jobs.csv")):
        (job,) = read_jobs(path, {})
        paths = [job.composite, *job.masks, job.output]
        assert [one.resolve() for one in paths] == [
            tmp_path / "sub" / name for name in ("pipe:a.mkv", "m:a.mkv", "b.mkv", "o:a.mkv")
        ]
        assert paths[0].is_absolute()
