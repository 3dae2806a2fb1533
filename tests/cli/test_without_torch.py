"""Harmonizing, and all that goes with it, where torch is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.scenes import decode, moving_scene, packets, write_video
from vhmae.engine.harmonizer import Harmonizer

WITHOUT = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Refused())
"""
"""Importing torch raises, as where it is not installed."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    frames, masks = moving_scene(8, 96, 64)
    write_video(folder / "in.mkv", frames)
    write_video(folder / "mask.mkv", masks.astype(np.uint8) * 255, pix_fmt="yuv444p")
    (folder / "jobs.csv").write_text("composite,mask,out\nin.mkv,mask.mkv,batch.mkv\n")
    return folder


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_every_way_of_harmonizing_runs_where_importing_torch_raises(work: Path) -> None:
    mask = ["in.mkv", "--mask", "mask.mkv"]
    commands = [
        ["harmonize", *mask, "-o", "out.mkv", "--json", "out.json"],
        ["harmonize", *mask, "-o", "best.mkv", "--quality", "best", "--dial", "exposure=+0.2"],
        ["preview", *mask, "-o", "sheet.png"],
        ["diagnose", *mask],
        ["alternatives", *mask, "-o", "takes.png"],
        ["export", "cube", *mask, "-o", "look.cube"],
        ["export", "dctl", *mask, "-o", "look.dctl"],
        ["batch", "jobs.csv"],
        ["weights"],
        ["doctor"],
        ["cite"],
    ]
    run = python(
        f"{WITHOUT}\nfrom vhmae.cli import main\n"
        f"for words in {commands!r}:\n    assert main(words) == 0, words\n"
        "assert 'torch' not in sys.modules",
        work,
    )
    assert run.returncode == 0, run.stderr
    names = ("out.mkv", "best.mkv", "sheet.png", "takes.png", "look.cube", "batch.mkv")
    for name in names:
        assert (work / name).stat().st_size > 0
    report = json.loads((work / "out.json").read_text())
    assert (report["backend"], report["precision"]) == ("onnx", "fp32")
    assert report["mean_change"] > 0.5


@pytest.mark.long
def test_the_demo_writes_its_four_files_where_importing_torch_raises(tmp_path: Path) -> None:
    run = python(f"{WITHOUT}\nfrom vhmae.cli import main\nassert main(['demo']) == 0", tmp_path)
    assert run.returncode == 0, run.stderr
    names = {"composite.mp4", "mask.mp4", "harmonized.mp4", "before_after.png"}
    assert {p.name for p in (tmp_path / "demo").iterdir()} == names
    composite, harmonized, mask = (
        tmp_path / "demo" / f"{name}.mp4" for name in ("composite", "harmonized", "mask")
    )
    assert packets(composite, "audio") == packets(harmonized, "audio")
    before, after, holes = decode(composite), decode(harmonized), decode(mask)
    assert len(before) == len(after) == 150
    for index in (0, 74, 75, 149):
        outside = cv2.dilate(holes[index][0], np.ones((17, 17))) <= 20
        difference = np.abs(before[index][0].astype(int) - after[index][0])
        assert difference[outside].mean() < 1.5
        assert difference[holes[index][0] > 230].mean() > 1.0


def test_the_python_interface_runs_where_importing_torch_raises(tmp_path: Path) -> None:
    code = """
import numpy as np
import vhmae
harmonizer = vhmae.Harmonizer.from_pretrained(lookahead=0)
frame = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
mask = np.zeros((48, 64), bool)
mask[10:40, 10:40] = True
out = harmonizer.step(frame, mask)
assert out.shape == frame.shape and np.array_equal(out[~mask], frame[~mask])
assert not np.array_equal(out, frame)
try:
    vhmae.load_model()
except vhmae.InputError as error:
    assert "pip install 'vhmae[torch]'" in str(error), error
else:
    raise AssertionError("load_model ran without torch")
try:
    from vhmae import Trainer
except vhmae.InputError as error:
    assert str(error) == "vhmae.Trainer needs torch; install it with: pip install 'vhmae[torch]'"
else:
    raise AssertionError("Trainer was had without torch")
import inspect, pydoc
assert hasattr(vhmae, "Harmonizer")
assert "Trainer" not in dir(vhmae) and "harmonize_video" in dir(vhmae)
names = {name for name, _ in inspect.getmembers(vhmae)}
assert "harmonize_video" in names and "Trainer" not in names
assert "harmonize_video" in pydoc.render_doc(vhmae, renderer=pydoc.plaintext)
"""
    run = python(WITHOUT + code, tmp_path)
    assert run.returncode == 0, run.stderr


def test_torch_is_not_imported_where_it_is_installed(work: Path) -> None:
    run = python(
        "import sys\nfrom vhmae.cli import main\n"
        "words = ['harmonize', 'in.mkv', '--mask', 'mask.mkv', '-o', 'light.mkv', '-q']\n"
        "assert main(words) == 0\nassert 'torch' not in sys.modules",
        work,
    )
    assert run.returncode == 0, run.stderr


def test_a_small_still_waits_for_no_compiled_code(work: Path) -> None:
    """It is harmonized before numba would be loaded, and as a clip is."""
    frames, masks = moving_scene(1, 96, 64)
    for name, picture, scale in (("still.png", frames[0], 1), ("still-mask.png", masks[0], 255)):
        assert cv2.imwrite(str(work / name), picture.astype(np.uint8) * np.uint8(scale))
    run = python(
        "import sys\nfrom vhmae.cli import main\n"
        "words = ['harmonize', 'still.png', '--mask', 'still-mask.png', '-o', 'done.png', '-q']\n"
        "assert main([*words, '--json', 'still.json']) == 0\nassert 'numba' not in sys.modules",
        work,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads((work / "still.json").read_text())["mean_change"] > 1
    stills = [cv2.imread(str(work / name)) for name in ("still.png", "done.png")]
    before, done = (one[..., ::-1] for one in stills if one is not None)
    matte = masks[0].astype(np.uint8) * np.uint8(255)
    made = Harmonizer.from_pretrained("default", backend="onnx").harmonize([before], [matte])
    assert np.abs(next(iter(made)).astype(int) - done).max() <= 1
    assert (done[~masks[0]] == before[~masks[0]]).all()


def test_a_study_of_finished_results_needs_no_torch(work: Path) -> None:
    for folder in ("pasted", "ours", "theirs"):
        (work / folder).mkdir()
        (work / folder / "clip.mkv").write_bytes((work / "in.mkv").read_bytes())
    run = python(
        f"{WITHOUT}\nfrom vhmae.cli import main\n"
        "words = ['study', 'create', '--input', 'pasted', '--method', 'a=ours']\n"
        "words += ['--method', 'b=theirs', '--clips', '1', '-o', 'finished', '-q']\n"
        "assert main(words) == 0",
        work,
    )
    assert run.returncode == 0, run.stderr
    assert (work / "finished" / "study.json").is_file()


def test_what_needs_torch_says_so_in_one_line(work: Path) -> None:
    root = Path(__file__).parents[2]
    commands = {
        "train": ["train", "--config", str(root / "configs" / "tiny.yaml"), "-o", "run"],
        "evaluate": ["evaluate", "--data", ".", "--method", "composite"],
        "study create": [
            *("study", "create", "--input", ".", "--method", "composite", "--method", "mkl"),
            *("--mask", ".", "--clips", "1", "-o", "study"),
        ],
        "weights export-onnx": ["weights", "export-onnx", "-o", "new.onnx"],
        "harmonize": [
            *("harmonize", "in.mkv", "--mask", "mask.mkv", "-o", "no.mkv"),
            *("--backend", "torch"),
        ],
    }
    run = python(
        f"{WITHOUT}\nfrom vhmae.cli import main\n"
        f"for words in {list(commands.values())!r}:\n    assert main(words) == 2, words",
        work,
    )
    assert run.returncode == 0, run.stderr
    lines = run.stderr.strip().splitlines()
    assert len(lines) == len(commands)
    for command, line in zip(commands, lines, strict=True):
        subject = "--backend" if command == "harmonize" else f"vhmae {command}"
        assert line.startswith(f"vhmae: error: {subject}")
        assert "pip install 'vhmae[torch]'" in line


def test_nothing_is_kept_of_the_device_and_nothing_sent(tmp_path: Path) -> None:
    """ONNX Runtime has telemetry, which is on unless it is told before it is loaded."""
    home = tmp_path / "home"
    home.mkdir()
    code = "import vhmae; vhmae.Harmonizer.from_pretrained('free', backend='onnx')"
    names = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    known = {key: value for key, value in os.environ.items() if key not in names}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=known | {"HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert not [path for path in home.rglob("*") if "microsoft" in path.name.lower()]
