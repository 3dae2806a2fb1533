"""The grammar of methods, and methods of others, tried from folders outside the package."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.networks import maps, model
from tests.support.scenes import moving_scene, save_bold_weights
from vhmae import cli
from vhmae.data.hyoutube import read_list
from vhmae.digest import file_digest
from vhmae.errors import InputError
from vhmae.evaluation.compare import compare
from vhmae.evaluation.job import Comparison
from vhmae.evaluation.methods import Clip, find_method, read_method_text
from vhmae.evaluation.network import silence_tokens
from vhmae.evaluation.runner import evaluate
from vhmae.model.weights import save_model

MINE = """
import numpy as np
import vhmae
from neighbor import LEVELS

def darker(composite, mask):
    out = composite.astype(int)
    out[mask] -= LEVELS
    return out.clip(0, 255).astype(np.uint8)

def of_the_clip(clip):
    assert clip.target is None
    return darker(clip.composite, clip.mask)

def in_place(composite, mask):
    composite[mask] = 0
    mask[:] = False
    return composite

def wrong_type(composite, mask):
    return composite / 255

def too_few(composite, mask):
    return composite[:1]

def broken(composite, mask):
    return composite[999]

def leaves(composite, mask):
    raise SystemExit(3)

number = 5
blind = vhmae.Method("theirs", of_the_clip)
changing = vhmae.Method("theirs", lambda clip: in_place(clip.composite, clip.mask))
failing = vhmae.Method("theirs", lambda clip: clip.composite[999])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's folder, in which the command is called."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    (folder / "my_methods.py").write_text(MINE)
    (folder / "neighbor.py").write_text("LEVELS = 20\n")
    (folder / "needs.py").write_text("import a_library_nobody_has\n")
    (folder / "fails.py").write_text("1 / 0\n")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("my_methods", "neighbor"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


@pytest.fixture
def clip() -> Clip:
    return Clip(*moving_scene(3, 64, 48))


@pytest.mark.parametrize(
    ("text", "label", "source"),
    [
        ("mkl", "mkl", "mkl"),
        ("ours=vhmae", "ours", "vhmae"),
        ("vhmae:runs/a=b.safetensors", "vhmae:runs/a=b.safetensors", "vhmae:runs/a=b.safetensors"),
        ("a=vhmae:runs/a=b.safetensors", "a", "vhmae:runs/a=b.safetensors"),
        ("folder:x=y", "folder:x=y", "folder:x=y"),
        ("my own = my.py:f", "my own", "my.py:f"),
    ],
)
def test_a_label_is_what_stands_before_the_first_equals_sign(
    text: str, label: str, source: str
) -> None:
    method = read_method_text(text)
    assert (method.label, method.source) == (label, source)


def test_what_a_label_stands_for_is_a_path_where_one_is(folder: Path) -> None:
    assert read_method_text("mkl=mkl").finished is None
    assert read_method_text("mkl").finished is None
    (folder / "mkl").mkdir()
    assert read_method_text("mkl=mkl").finished == Path("mkl")
    assert read_method_text("mkl").finished is None
    assert read_method_text("a=results/gone").finished == Path("results/gone")
    assert read_method_text("a=vhmae:gone").finished is None
    with pytest.raises(InputError, match="LABEL=METHOD"):
        read_method_text("=mkl")


@pytest.mark.parametrize("source", ["my_methods.py:darker", "my_methods:darker", "{}:darker"])
@pytest.mark.parametrize("function", ["darker", "of_the_clip"])
def test_a_function_of_a_file_or_a_module_is_a_method(
    source: str, function: str, folder: Path, clip: Clip
) -> None:
    text = source.format(folder / "my_methods.py").replace("darker", function)
    target = dataclasses.replace(clip, target=clip.composite)
    out = find_method(f"mine={text}", Path()).harmonize(target)
    expected = clip.composite.astype(int)
    expected[clip.mask] -= 20
    np.testing.assert_array_equal(out, expected.clip(0, 255))
    assert find_method(text, Path()).name == text
    assert find_method(f"mine={text}", Path()).name == "mine"


def test_a_function_cannot_change_what_it_is_scored_against(folder: Path, clip: Clip) -> None:
    before = clip.composite.copy()
    assert not find_method("my_methods.py:in_place", Path()).run(clip)[clip.mask].any()
    np.testing.assert_array_equal(clip.composite, before)
    assert clip.mask.any()


def test_somebodys_method_is_no_more_trusted_than_their_function(folder: Path, clip: Clip) -> None:
    given = dataclasses.replace(clip, target=clip.composite)
    before = clip.composite.copy()
    made, of_function = (
        find_method(f"my_methods.py:{name}", Path()) for name in ("blind", "of_the_clip")
    )
    np.testing.assert_array_equal(made.run(given), of_function.run(given))
    assert made.facts["code_sha256"] == of_function.facts["code_sha256"]
    find_method("my_methods.py:changing", Path()).run(given)
    np.testing.assert_array_equal(clip.composite, before)
    with pytest.raises(InputError, match=r"failed \(IndexError"):
        find_method("my_methods.py:failing", Path()).run(given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("my_methods.py:darkr", "has no darkr.*did you mean darker"),
        ("my_methods.py:number", r"is no function \(int\)"),
        ("gone.py:f", "there is no file gone.py"),
        ("gone:f", "no module gone"),
        ("needs.py:f", "needs the module a_library_nobody_has"),
        ("fails.py:f", "cannot be imported .ZeroDivisionError: division by zero, fails.py line 1"),
        ("folder:gone", "is not a folder"),
        ("vhmae:gone", "`weights` gone: unknown"),
        ("label=mkll", "did you mean mkl"),
        ("vhmae-lok", "did you mean vhmae-look"),
    ],
)
def test_what_is_no_method_says_why(text: str, said: str, folder: Path) -> None:
    with pytest.raises(InputError, match=said):
        find_method(text, Path())


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("wrong_type", r"gave float64 \(3, 48, 64, 3\); expected uint8"),
        ("too_few", r"gave uint8 \(1, 48, 64, 3\)"),
        ("broken", r"failed \(IndexError: .*, my_methods.py line \d+\)"),
        ("leaves", r"failed \(SystemExit: 3, my_methods.py line \d+\)"),
    ],
)
def test_a_function_that_fails_says_where(
    function: str, said: str, folder: Path, clip: Clip
) -> None:
    with pytest.raises(InputError, match=said):
        find_method(f"my_methods.py:{function}", Path()).run(clip)


def test_installed_packages_offer_methods_by_name(
    folder: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = folder / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    points = "[vhmae.methods]\ntheirs = my_methods:darker\nbroken = my_methods:gone\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(folder))
    expected = find_method("my_methods.py:darker", Path()).harmonize(clip)
    np.testing.assert_array_equal(find_method("theirs", Path()).harmonize(clip), expected)
    with pytest.raises(InputError, match="did you mean theirs"):
        find_method("their", Path())
    with pytest.raises(InputError, match="broken: my_methods:gone cannot be loaded"):
        find_method("broken", Path())


def test_installed_packages_make_methods_of_their_weights(
    folder: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "loads.py").write_text(
        "def load(path):\n"
        "    step = int(path.read_text())\n"
        "    return lambda composite, mask: composite - step * mask[..., None].astype('uint8')\n"
    )
    info = folder / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vhmae.method_loaders]\ntheirs = loads:load\n")
    monkeypatch.syspath_prepend(str(folder))
    for name, step in (("a", 1), ("b", 2)):
        (folder / name).write_text(str(step))
        method = find_method(f"theirs:{folder / name}", Path())
        expected = clip.composite - step * clip.mask[..., None].astype(np.uint8)
        np.testing.assert_array_equal(method.harmonize(clip), expected)
        assert method.facts["weights_sha256"] == file_digest(folder / name)
    (folder / "c").write_text("no number")
    with pytest.raises(InputError, match=r"c: loads:load cannot read it \(ValueError"):
        find_method(f"theirs:{folder / 'c'}", Path())
    with pytest.raises(InputError, match="gone: no such file; expected weights for theirs"):
        find_method("theirs:gone", Path())


# --- weights


def test_two_trainings_stand_side_by_side(data: Path, tmp_path: Path) -> None:
    bold = save_bold_weights(tmp_path / "bold.safetensors")
    save_model(model(), tmp_path / "idle.safetensors", {})  # the identity
    methods = [f"idle=vhmae:{tmp_path / 'idle.safetensors'}", f"bold=vhmae:{bold}"]
    reports = [evaluate(data, find_method(text, data), ("fmse",)) for text in methods]
    assert [report["method"] for report in reports] == ["idle", "bold"]
    assert reports[0]["ratio"]["fmse"] == pytest.approx(1.0)
    assert reports[1]["ratio"]["fmse"] > 1.01
    assert reports[0]["digests"]["weights"] != reports[1]["digests"]["weights"]
    sheet = Comparison(output=tmp_path / "s.png", methods=methods, data=data)
    assert compare(sheet) == 4


def test_caution_belongs_to_the_weights(tmp_path: Path, clip: Clip) -> None:
    pixel, color = tmp_path / "pixel.safetensors", tmp_path / "color.safetensors"
    save_model(model(head="pixel", look=None), pixel, {})
    save_model(model(), color, {})
    facts = {path.stem: find_method(f"vhmae:{path}", Path()).facts for path in (pixel, color)}
    assert facts["pixel"]["caution"] == 0.0
    assert facts["color"]["caution"] == 16.0
    assert find_method(f"vhmae:{pixel}", Path(), caution=3.0).facts["caution"] == 3.0
    given = find_method(f"vhmae:{pixel}", Path(), precision="fp32")
    bold = find_method(f"vhmae:{pixel}", Path(), precision="fp32", caution=0.0)
    np.testing.assert_array_equal(given.harmonize(clip), bold.harmonize(clip))


def test_the_look_path_alone_hears_no_token() -> None:
    torch.manual_seed(2)
    network = model(trust=True)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    composite, mask = torch.rand(1, 2, 3, 64, 64), torch.zeros(1, 2, 1, 64, 64, dtype=torch.bool)
    mask[..., 20:40, 20:40] = True
    with torch.no_grad():
        before = network.predict(composite, mask)
        silence_tokens(network, "x")
        alone = network.predict(composite, mask)
    assert before.look is not None
    assert not torch.allclose(maps(before.change).overall, before.look.coefficients)
    torch.testing.assert_close(maps(alone.change).overall, before.look.coefficients)
    assert not maps(alone.change).local.any()
    for other in (model(look=None), model(head="pixel")):
        with pytest.raises(InputError, match="no look path"):
            silence_tokens(other, "x")


# --- results left in folders


def test_written_frames_are_read_again_to_the_same_scores(
    data: Path,
    tmp_path: Path,
) -> None:
    wanted = ("fmse", "psnr")
    kept = tmp_path / "kept"
    first = evaluate(data, find_method("mkl", data), wanted, write=kept)
    again = evaluate(data, find_method(f"folder:{kept}", data), wanted)
    assert again["overall"] == first["overall"]
    assert {p.parent.relative_to(kept).as_posix() for p in kept.rglob("*.png")} == {
        sample.name for sample in read_list(data)
    }
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(InputError, match="exists already"):
        evaluate(data, find_method("mkl", data), wanted, write=kept)
    with pytest.raises(InputError, match="leave `swap_background` out"):
        evaluate(data, find_method("mkl", data), swap_background=True, write=tmp_path / "other")


def test_a_run_that_fails_leaves_no_frames(data: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="failed"):
        evaluate(data, find_method("my_methods.py:broken", data), write=folder / "kept")
    assert not (folder / "kept").exists()
    assert not list(folder.glob(".*part*"))


def test_several_methods_are_paired_and_written_apart(
    data: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    call = ["evaluate", "--data", str(data), "--metrics", "fmse", "--write", "kept"]
    call += ["--method", "mine=my_methods.py:darker", "--method", "composite"]
    assert cli.main([*call, "--json", "report.json"]) == 0
    report = json.loads(Path("report.json").read_text())
    assert [one["method"] for one in report["reports"]] == ["mine", "composite"]
    (pair,) = report["paired"]
    assert pair["methods"] == ["mine", "composite"]
    assert pair["ratio_difference"]["mean"] == pytest.approx(
        report["reports"][0]["ratio"]["fmse"] - 1.0, abs=1e-3
    )
    assert "mine - composite: fmse ratio" in capsys.readouterr().out
    assert sorted(path.name for path in Path("kept").iterdir()) == ["composite", "mine"]
    assert cli.main([*call, "--method", "composite"]) == 2
    assert "is given twice" in capsys.readouterr().err
    broken = ["mine=my_methods.py:darker", "my_methods.py:broken"]
    call = ["evaluate", "--data", str(data), "--metrics", "fmse", "--write", "others"]
    assert cli.main([*call, *(f"--method={one}" for one in broken)]) == 2
    assert not [path for path in Path().iterdir() if "others" in path.name], "all or nothing"


def test_other_results_and_other_objects_have_other_digests(tmp_path: Path) -> None:
    found = []
    for level in (1, 2):
        folder = tmp_path / f"results{level}" / "v" / "object_0"
        folder.mkdir(parents=True)
        (folder / "00000.png").write_bytes(bytes([level]))
        found.append(find_method(f"r=folder:{folder.parents[1]}", tmp_path).digest)
    moved = tmp_path / "results1"
    assert found[0] != found[1]
    assert find_method(f"folder:{moved.rename(tmp_path / 'moved')}", tmp_path).digest == found[0]
    found = []
    for level in (1, 2):
        file = tmp_path / f"object{level}.py"
        file.write_text(
            "class Called:\n    def __call__(self, composite, mask):\n"
            f"        return composite + {level}\n\nmethod = Called()\n"
        )
        found.append(find_method(f"{file}:method", tmp_path).facts["code_sha256"])
    assert None not in found
    assert found[0] != found[1]
