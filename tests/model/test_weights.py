"""Weights on disk: they carry their configuration, and nothing but safetensors is read."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.support.networks import TINY, model, window
from vhmae import Harmonizer
from vhmae.cli import main
from vhmae.errors import InputError
from vhmae.model.files import find_weights, packaged_weights, read_card
from vhmae.model.graph import architecture
from vhmae.model.heads import head_class
from vhmae.model.precision import choose_device, choose_precision
from vhmae.model.weights import count_parameters, load_model, read_tensors, save_model


def test_weights_come_back_with_their_configuration(tmp_path: Path) -> None:
    network = model()
    torch.nn.init.normal_(network.get_parameter("head.local.weight"), std=0.02)
    save_model(network, tmp_path / "w.safetensors", {"steps": 5}, half=False)
    loaded = load_model(str(tmp_path / "w.safetensors"))
    assert loaded.config == TINY
    composite, mask = window()
    with torch.no_grad():
        assert torch.equal(loaded(composite, mask).frames, network(composite, mask).frames)
    assert read_card(str(tmp_path / "w.safetensors")).facts == {"steps": 5}


def test_others_may_read_weights_as_they_may_read_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    save_model(model(), tmp_path / "w.safetensors", {})
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("plain", "w.safetensors")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(odd: float, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    network = model()
    save_model(network, path, {})
    tensors = read_tensors(path)
    name = sorted(tensors)[-1]
    tensors[name].view(-1)[-1] = odd
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata)
    with pytest.raises(InputError, match=rf"{name} holds numbers that are not finite"):
        load_model(str(path))


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_no_backend_takes_weights_that_are_not_finite(backend: str, tmp_path: Path) -> None:
    free, path = find_weights("free"), tmp_path / "w.safetensors"
    tensors = read_tensors(free)
    name = sorted(key for key, one in tensors.items() if one.is_floating_point())[0]
    tensors[name].view(-1)[0] = torch.nan
    with safe_open(free, framework="pt") as file:
        save_file(tensors, path, file.metadata())
    with pytest.raises(InputError, match=rf"{name} holds numbers that are not finite"):
        Harmonizer.from_pretrained(str(path), backend=backend)  # type: ignore[arg-type]


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/ran",)

    torch.save(Evil(), tmp_path / "evil.pt")
    with pytest.raises(InputError, match="never pickles"):
        load_model(str(tmp_path / "evil.pt"))
    (tmp_path / "evil.pt").rename(tmp_path / "evil.safetensors")
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load_model(str(tmp_path / "evil.safetensors"))
    assert not (tmp_path / "ran").exists()


def test_weights_of_others_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="holds no vhmae weights"):
        load_model(str(tmp_path / "other.safetensors"))


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(InputError, match="did you mean default"):
        find_weights("defualt")


def test_the_packaged_weights_are_within_their_bounds() -> None:
    path = packaged_weights()["default"]
    assert path.stat().st_size <= 32 * 2**20
    network = load_model("default")
    assert count_parameters(network) <= 8_000_000
    card = read_card("default")
    assert "research use" in str(card.facts["licence"])
    assert card.path.with_name("MODEL_CARD.md").exists()


def test_the_free_weights_are_the_same_network_but_for_members_under_a_free_licence() -> None:
    card, usual = read_card("free"), read_card("default")
    assert str(card.facts["licence"]).startswith("Apache-2.0")
    assert card.path.with_name("MODEL_CARD.free.md").exists()
    look = usual.config.look
    assert look is not None
    assert card.config.look is not None
    members = dataclasses.replace(look, members=card.config.look.members)
    assert architecture(card.config) == architecture(
        dataclasses.replace(usual.config, look=members)
    )
    assert count_parameters(load_model("free")) <= count_parameters(load_model("default"))


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean cuda"):
        choose_device("cudda")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="0 CUDA devices"):
            choose_device("cuda")
    with pytest.raises(InputError, match="no fast fp16"):
        choose_precision("fp16", torch.device("cpu"))
    assert choose_precision("auto", torch.device("cpu")) in ("fp32", "bf16")


def test_weights_are_loaded_without_torchs_compiler(tmp_path: Path) -> None:
    """Which takes a second and a half to import."""
    save_model(model(), tmp_path / "w.safetensors", {})
    program = (
        "import sys; from vhmae.model.weights import load_model; load_model(sys.argv[1]); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert not subprocess.call([sys.executable, "-c", program, str(tmp_path / "w.safetensors")])


def test_a_folder_in_the_hubs_form_is_loaded(tmp_path: Path) -> None:
    from tests.support.networks import TINY
    from vhmae.model.hub import save_for_hub
    from vhmae.model.vhmae import VHMAE

    source = VHMAE(TINY).eval()
    save_for_hub(source, tmp_path / "hub")
    assert {path.name for path in (tmp_path / "hub").iterdir()} >= {
        "config.json",
        "model.safetensors",
    }
    loaded = load_model(f"hf:{tmp_path / 'hub'}")
    assert loaded.config == TINY
    assert all(
        torch.equal(a, b) for a, b in zip(source.parameters(), loaded.parameters(), strict=True)
    )
    (tmp_path / "hub" / "config.json").write_text('{"image_sze": 64}')
    with pytest.raises(InputError, match="did you mean image_size"):
        load_model(f"hf:{tmp_path / 'hub'}")


def test_a_hub_name_that_cannot_be_had_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_OFFLINE", True
    )  # the variable is read at the first import alone
    with pytest.raises(InputError, match="`weights` hf:nobody/nothing: cannot be loaded"):
        load_model("hf:nobody/nothing")


def test_the_help_of_weights_promises_what_the_files_hold(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split()).partition("list the packaged weights: ")[2]
    promised = [word.strip() for word in told.partition("steps")[0].split(",")]
    assert promised == ["size", "data", "licence", ""]
    for name in ("default", "free"):
        assert {"data", "licence", "steps"} <= read_card(name).facts.keys()


@pytest.mark.parametrize(("name", "module"), [("runs/mine.py:Gains", "mine"), ("a.b:Gains", "a.b")])
def test_a_head_outside_that_is_not_given_is_told_how_to_give(name: str, module: str) -> None:
    with pytest.raises(InputError) as caught:
        head_class(name, None)
    said = str(caught.value)
    assert f"the head {name} stands outside the package" in said
    assert f"import {module}; vhmae.load_model(PATH, head={module}.Gains)" in said
