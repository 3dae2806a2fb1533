"""``vhmae export cattery``: the TorchScript does what the Harmonizer does, and what lies beside it
fits it."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.jit._fuser import optimized_execution
from torch.nn import functional

import vhmae
from tests.support.networks import model
from tests.support.scenes import save_bold_weights
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.color.light import carried
from vhmae.color.srgb import encoded, linear
from vhmae.errors import VhmaeError
from vhmae.guide.dials import DIAL_RANGES, Dials, turn
from vhmae.model.files import packaged_weights
from vhmae.model.weights import save_model
from vhmae.nuke.cattery import (
    TERMS,
    TOLERANCE_LEVELS,
    check_structure,
    export_cattery,
    write_terms,
)
from vhmae.nuke.frozen import load
from vhmae.nuke.inference import KNOBS
from vhmae.nuke.job import CatteryJob

ROOT = Path(__file__).parents[2]
HALF_A_LEVEL = 0.5 / 255.0


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that changes what it sees by a lot."""
    return save_bold_weights(tmp_path_factory.mktemp("weights") / "bold.safetensors")


@pytest.fixture(scope="module")
def folder(weights: Path) -> Path:
    output, report = weights.parent / "my VHMAE", weights.parent / "report.json"
    words = ["-o", str(output), "--weights", str(weights), "--json", str(report), "-q"]
    assert main(["export", "cattery", *words]) == 0
    return output


@pytest.fixture(scope="module")
def network(weights: Path) -> vhmae.VHMAE:
    return vhmae.load_model(str(weights))


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Any:
    return load(folder / "VHMAE.pt")


@pytest.fixture
def script(loaded: Any) -> Iterator[Any]:
    usual = {name: getattr(loaded, name) for name in KNOBS}
    yield loaded
    for name, value in usual.items():
        setattr(loaded, name, value)


def scene(height: int, width: int, thin: bool = False) -> tuple[Array, Array]:
    """Linear light (H, W, 3) whose foreground has a cast, and its matte (H, W)."""
    rng = np.random.default_rng(height)
    coarse = rng.random((5, 8, 3)).astype(np.float32)
    frame: Array = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) * 0.8 + 0.1
    matte: Array = np.zeros((height, width), np.float32)
    if thin:
        matte[height // 3, width // 3 : width // 3 + 9] = 0.4
    else:
        matte[height // 4 : height // 2, width // 3 : 2 * width // 3] = 1.0
        matte = cv2.GaussianBlur(matte, (7, 7), 0)
    frame[matte > 0] *= (0.5, 0.9, 1.0)
    return linear(frame), matte


def image_of(light: Array, matte: Array) -> torch.Tensor:
    return torch.from_numpy(np.dstack([light, matte]).transpose(2, 0, 1)[None].copy())


def made(script: Any, light: Array, matte: Array) -> Array:
    with torch.no_grad(), optimized_execution(False):
        out = script(image_of(light, matte))
    assert out.shape == (1, 4, *matte.shape)
    assert np.array_equal(out[0, 3].numpy(), matte)
    return np.asarray(out[0, :3].numpy().transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("height", "width", "thin"),
    [
        (288, 512, False),
        (555, 777, False),
        (200, 150, False),
        (1080, 1920, False),
        (300, 400, True),
    ],
)
def test_it_makes_what_the_harmonizer_makes(
    script: Any, network: vhmae.VHMAE, height: int, width: int, thin: bool
) -> None:
    light, matte = scene(height, width, thin)
    wanted = vhmae.Harmonizer(network, precision="fp32", lookahead=0).step(encoded(light), matte)
    got = made(script, light, matte)
    assert wanted is not None
    assert np.abs(encoded(got) - wanted).max() * 255.0 < TOLERANCE_LEVELS
    assert np.array_equal(got[matte == 0], light[matte == 0])
    if not thin:
        assert np.abs(got - light)[matte > 0.5].mean() > HALF_A_LEVEL


def test_knobs_act_after_freezing(script: Any, network: vhmae.VHMAE) -> None:
    light, matte = scene(90, 160)
    matte = (matte > 0.5).astype(np.float32)
    usual = made(script, light, matte)
    assert set(KNOBS) == {"strength", "caution", *DIAL_RANGES}

    script.strength = 0.0
    assert np.array_equal(made(script, light, matte), light)
    script.strength = 0.5
    part = vhmae.Harmonizer(network, precision="fp32", lookahead=0, strength=0.5)
    assert (
        np.abs(encoded(made(script, light, matte)) - part.step(encoded(light), matte)).max() < 4e-5
    )
    script.strength, script.caution = 1.0, 0.0
    bold = vhmae.Harmonizer(network, precision="fp32", lookahead=0, caution=0.0)
    assert (
        np.abs(encoded(made(script, light, matte)) - bold.step(encoded(light), matte)).max() < 4e-5
    )
    script.caution = network.usual_caution

    inside = matte > 0
    values = {"exposure": 0.5, "temperature": 40.0, "tint": -30.0}
    values |= {"contrast": 0.2, "blacks": 2.0, "saturation": -0.5}
    for name, value in values.items():
        setattr(script, name, value)
        wanted = turn(encoded(usual[inside]), Dials(**{name: value})).clip(0.0, 1.0)
        got = encoded(made(script, light, matte)[inside])
        assert np.abs(got - encoded(usual[inside])).max() > HALF_A_LEVEL, name
        # Where the maps led out of [0, 1] the dials are turned before the result is clipped.
        within = (encoded(usual[inside]) > 0.001).all(-1) & (encoded(usual[inside]) < 0.999).all(-1)
        assert np.abs(got - wanted)[within].max() < 1e-4, name
        setattr(script, name, 0.0)


def test_light_above_one_moves_as_that_of_files_and_nothing_is_made_of_what_says_nothing(
    script: Any,
) -> None:
    light, matte = scene(90, 160)
    bright = light.copy()
    bright[30, 70] = (4.0, 3.0, 2.0)
    white = np.minimum(bright, 1.0)
    got, at_white = made(script, bright, matte), made(script, white, matte)
    wanted = carried(bright[30, 70], white[30, 70], at_white[30, 70])
    assert got[30, 70] == pytest.approx(wanted, abs=1e-4)
    assert np.abs(got[30, 70] - bright[30, 70]).max() > HALF_A_LEVEL
    script.exposure = -2.0
    assert made(script, bright, matte)[30, 70].max() < 0.6 * got[30, 70].max()
    script.exposure = 0.0
    assert np.array_equal(got[matte == 0], light[matte == 0])
    bright[31, 70] = np.nan
    broken = made(script, bright, matte)
    assert np.isnan(broken[31, 70]).all()
    assert np.isfinite(np.delete(broken.reshape(-1, 3), 31 * 160 + 70, axis=0)).all()
    for nothing in (np.zeros_like(matte), np.ones_like(matte)):
        assert np.array_equal(made(script, light, nothing), light)


def test_half_precision_is_no_trap(script: Any) -> None:
    light, matte = scene(90, 160)
    usual = made(script, light, matte)
    with torch.no_grad(), optimized_execution(False):
        out = script.half()(image_of(light, matte).half())
    assert out.dtype == torch.float16
    got = out[0, :3].float().numpy().transpose(1, 2, 0)
    assert np.abs(encoded(got.clip(0)) - encoded(usual)).max() < HALF_A_LEVEL


def test_nothing_in_it_is_unknown_to_nukes_torch_or_bound_to_a_device(
    folder: Path, tmp_path: Path
) -> None:
    path = folder / "VHMAE.pt"
    check_structure(path)
    with zipfile.ZipFile(path) as archive:
        code = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")]
    assert any("CONSTANTS.c" in text for text in code)
    for text in code:
        assert "_upsample_lanczos2d_aa" not in text
        constants = re.findall(r".*CONSTANTS\.c\d+.*", text)
        assert all("prim.device(image)" in line for line in constants)

    class Resizes(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return functional.interpolate(image, scale_factor=2.0, mode="bilinear")

    class StaysOnTheProcessor(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image + torch.zeros(1, device=torch.device("cpu"))

    for trap, named in ((Resizes(), "lanczos"), (StaysOnTheProcessor(), "device")):
        torch.jit.save(torch.jit.script(trap), str(tmp_path / "trap.pt"))
        with pytest.raises(VhmaeError, match=named):
            check_structure(tmp_path / "trap.pt")


def test_cat_json_is_what_nuke_looks_for(folder: Path) -> None:
    tree = json.loads((folder / "cat.json").read_text())
    assert tree["minimum_nuke_version_required"] == 15.1
    assert "not stated" in tree["description"]
    assert [one["filepath"] for one in tree["cats"]] == ["VHMAE.cat"]


def test_a_name_that_nuke_trips_over_is_told(folder: Path) -> None:
    (told,) = json.loads((folder.parent / "report.json").read_text())["warnings"]
    assert told.startswith(f"{folder}: its name has spaces")


def test_what_is_exported_by_default_is_for_everyone(tmp_path: Path) -> None:
    report = export_cattery(CatteryJob(output=tmp_path / "VHMAE"))
    assert report["levels_apart"] < TOLERANCE_LEVELS
    assert report["licence"].startswith("Apache-2.0")
    terms = {"LICENSE", "MODEL_CARD.free.md", "free.pictures.csv"}
    names = {Path(name).name for name in report["files"]}
    assert names == {"VHMAE.pt", "VHMAE.nk", "cat.json", *terms}
    assert "Apache-2.0" in json.loads((tmp_path / "VHMAE/cat.json").read_text())["description"]
    assert (tmp_path / "VHMAE/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    for name in terms:
        assert "Any other use is not permitted" not in (tmp_path / "VHMAE" / name).read_text()
    assert report["bytes"] < 40e6


def test_weights_for_research_go_with_their_licence(tmp_path: Path) -> None:
    report = export_cattery(CatteryJob(output=tmp_path / "VHMAE", weights="default"))
    names = {Path(name).name for name in report["files"]}
    assert names == {"VHMAE.pt", "VHMAE.nk", "cat.json", "LICENSE-WEIGHTS.txt"}
    assert "Research use only" in (tmp_path / "VHMAE/LICENSE-WEIGHTS.txt").read_text()
    assert (
        "research use only" in json.loads((tmp_path / "VHMAE/cat.json").read_text())["description"]
    )


def test_terms_follow_the_file_whatever_it_is_called(tmp_path: Path, weights: Path) -> None:
    write_terms(str(packaged_weights()["free"]), tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == set(TERMS["free"])
    own = tmp_path / "own"
    own.mkdir()
    write_terms(str(weights), own)
    assert not [*own.iterdir()]
    assert set(TERMS) == set(packaged_weights())


def nodes_of(text: str) -> list[tuple[str, str, list[str]]]:
    """A Nuke script's nodes: class, body and the names of their inputs, by its stack."""
    found: list[tuple[str, str, list[str]]] = []
    stack: list[str] = []
    kept: dict[str, str] = {}
    for part in re.finditer(
        r"^(?:(\w+) \{\n(.*?)^\}|set (\w+) \[stack 0\]|push \$(\w+))", text, re.M | re.S
    ):
        kind, body, remembered, pushed = part.groups()
        if remembered:
            kept[remembered] = stack[-1]
        elif pushed:
            stack.append(kept[pushed])
        elif kind != "Root":
            count = int((re.search(r"^ inputs (\d)", body, re.M) or ["", "1"])[1])
            inputs = [stack.pop() for _ in range(count)]
            name = re.search(r"^ name (\w+)", body, re.M)[1]  # type: ignore[index]
            found.append((kind, body, inputs))
            stack.append(name)
    return found


def test_the_script_sets_the_nodes_up(folder: Path, script: Any) -> None:
    text = (folder / "VHMAE.nk").read_text()
    assert text.count("{") == text.count("}")
    nodes = {kind: (body, inputs) for kind, body, inputs in nodes_of(text)}
    assert nodes["Merge2"][1] == ["Background", "Foreground"]  # B, A
    assert nodes["Copy"][1] == ["Over", "Foreground"]
    body, inputs = nodes["Inference"]
    assert inputs == ["MatteOfForeground"]
    assert "tileSize None" in body
    assert body.index("tileSize") < body.index("modelFile")
    creator = nodes["CatFileCreator"][0]
    named = re.findall(r"^ (\w+) \"(?:.*/)?(VHMAE\.\w+)\"", creator, re.M)
    assert dict(named) == {"torchScriptFile": "VHMAE.pt", "catFile": "VHMAE.cat"}
    sliders = re.findall(r"addUserKnob \{7 (\w+) .* R (\S+) (\S+)\}\n (\w+) (\S+)", creator)
    assert [one[0] for one in sliders] == [*KNOBS]
    for name, low, high, again, value in sliders:
        assert name == again
        assert float(low) <= float(value) <= float(high)
        assert getattr(script, name) == float(value)


def test_what_is_of_a_video_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    out = str(tmp_path / "out")
    for words, told in (
        (["clip.mp4", "-o", out], "clip.mp4: export cattery is of weights"),
        (["--mask", "m.mp4", "-o", out], "--mask: export cattery is of weights"),
        ([], "-o: missing"),
        (["-o", str(folder)], "is there already"),
        (["-o", out, "--weights", "none"], "--weights none: unknown"),
    ):
        assert main(["export", "cattery", *words]) == 2
        assert told in capsys.readouterr().err
    save_model(model(head="pixel"), tmp_path / "pixel.safetensors", {})
    assert (
        main(["export", "cattery", "-o", out, "--weights", str(tmp_path / "pixel.safetensors")])
        == 2
    )
    assert "draws pixels" in capsys.readouterr().err
    assert not Path(out).exists()
