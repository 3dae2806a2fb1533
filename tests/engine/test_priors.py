"""Weights have a prior beside them, or take the packaged one with care."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch

from tests.support.commands import error_of
from tests.support.scenes import moving_scene, save_bold_weights, write_video
from vhmae import harmonize_video
from vhmae.data.clips import write_mask_bits
from vhmae.digest import file_digest
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.priors import find_prior, prior_of
from vhmae.engine.settings import BackendChoice
from vhmae.engine.torch_network import TorchNetwork
from vhmae.errors import InputError
from vhmae.guide.colors import SIZE
from vhmae.guide.document import Guide, Point
from vhmae.guide.prior import Prior, prior_beside, read_prior
from vhmae.model.files import DEFAULT
from vhmae.model.precision import DTYPES
from vhmae.model.weights import load_model
from vhmae.work.guiding import stream_warnings
from vhmae.work.job import StreamJob
from vhmae.work.renderer import Renderer


def test_weights_without_a_prior_take_that_of_everyone_twice_as_wide(tmp_path: Path) -> None:
    usual, nothing = find_prior("free")
    assert not nothing
    assert usual.spread != pytest.approx(find_prior(DEFAULT)[0].spread)
    weights = save_bold_weights(tmp_path / "own.safetensors")
    found, told = find_prior(str(weights))
    assert found.spread == pytest.approx(4.0 * usual.spread)
    assert len(told) == 1
    assert "no own.prior.json beside it); that of the weights free was taken" in told[0]
    assert told[0].endswith("twice as wide; fit one by vhmae fit-prior")
    of_hub, told = find_prior("hf:someone/weights")
    assert of_hub.spread == pytest.approx(found.spread)
    assert "has no prior of its own" in told[0]


def test_a_prior_beside_the_weights_is_theirs(tmp_path: Path) -> None:
    weights = save_bold_weights(tmp_path / "own.safetensors")
    own = Prior(np.eye(SIZE) * 0.25, np.ones(1), np.ones(1))
    own.write(prior_beside(weights))
    found, told = find_prior(str(weights))
    assert not told
    assert found.spread == pytest.approx(own.spread)
    harmonizer = Harmonizer.from_pretrained(str(weights), device="cpu", precision="fp32")
    harmonizer.guide(Guide(points=(Point(kind="neutral", at=(1, 1)),)))
    assert harmonizer.stream_guide.prior is not None
    assert harmonizer.stream_guide.prior.spread == pytest.approx(own.spread)


def test_a_prior_of_other_weights_is_told_and_taken_twice_as_wide(tmp_path: Path) -> None:
    weights = save_bold_weights(tmp_path / "own.safetensors")
    for sha, usual in ((file_digest(weights), True), ("of others", False)):
        facts = {"weights_sha256": sha}
        own = Prior(np.eye(SIZE) * 0.25, np.ones(1), np.ones(1), facts)
        own.write(prior_beside(weights))
        found, told = find_prior(str(weights))
        assert found.spread == pytest.approx((1.0 if usual else 4.0) * own.spread)
        assert [
            line for line in told if "own.prior.json: was fitted to other weights" in line
        ] == told
        assert len(told) == (not usual)


def test_the_warning_is_heeded_where_warnings_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(2, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames)
    write_mask_bits(masks, tmp_path / "m.npz")
    weights = save_bold_weights(tmp_path / "own.safetensors")
    files = ("harmonize", composite, "--mask", tmp_path / "m.npz", "-o", tmp_path / "out.mkv")
    more = ("--weights", weights, "--precision", "fp32", "--dial", "exposure=1", "--strict")
    assert "has no prior of its own" in error_of(*files, *more, capsys=capsys)
    assert not (tmp_path / "out.mkv").exists()


def test_what_a_guide_is_warned_of_is_refused_before_the_first_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, masks = moving_scene(2, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames)
    write_mask_bits(masks, tmp_path / "m.npz")
    weights = save_bold_weights(tmp_path / "own.safetensors")

    def rendered(_: Renderer) -> NoReturn:
        raise AssertionError("nothing is rendered that will be thrown away")

    monkeypatch.setattr(Renderer, "rendered", rendered)
    with pytest.raises(InputError, match="has no prior of its own"):
        harmonize_video(
            composite,
            tmp_path / "out.mkv",
            mask=tmp_path / "m.npz",
            weights=str(weights),
            precision="fp32",
            dial=("exposure=1",),
            strict=True,
        )


WORD = Guide(points=(Point(kind="neutral", at=(1, 1)),))


def test_who_guides_by_python_is_warned_once_of_a_prior_of_others(tmp_path: Path) -> None:
    weights = save_bold_weights(tmp_path / "own.safetensors")
    harmonizer = Harmonizer.from_pretrained(str(weights), device="cpu", precision="fp32")
    with pytest.warns(UserWarning, match=r"no own.prior.json beside it.*twice as wide"):
        harmonizer.guide(WORD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        harmonizer.guide(WORD)
        usual = Harmonizer.from_pretrained(DEFAULT, device="cpu", precision="fp32")
        usual.guide(WORD)


def test_a_model_by_hand_has_the_prior_of_the_weights_whose_numbers_it_has(tmp_path: Path) -> None:
    weights = save_bold_weights(tmp_path / "own.safetensors")
    harmonizer = Harmonizer(load_model(str(weights)), precision="fp32")
    with pytest.warns(UserWarning, match="the model that was given"):
        harmonizer.guide(WORD)
    assert harmonizer.stream_guide.prior is not None
    assert harmonizer.stream_guide.prior.spread == pytest.approx(4.0 * find_prior("free")[0].spread)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = Harmonizer(load_model(DEFAULT), precision="fp32")
        known.guide(WORD)
    assert known.stream_guide.prior is not None
    assert known.stream_guide.prior.spread == pytest.approx(find_prior(DEFAULT)[0].spread)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_model_by_hand_is_known_in_any_precision(precision: str) -> None:
    model = load_model(DEFAULT)
    for _ in range(2):  # by itself, and held for that precision
        prior, told = prior_of(TorchNetwork(model, "cpu", precision), None)
        assert not told
        assert prior.spread == pytest.approx(find_prior(DEFAULT)[0].spread)
        model.hold_at(DTYPES[TorchNetwork(model, "cpu", precision).precision])
    with torch.no_grad():
        next(model.parameters()).mul_(1.5)
    told = prior_of(TorchNetwork(model, "cpu", precision), None)[1]
    assert "of no packaged weights" in told[0]


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_a_network_that_is_shared_keeps_the_prior_of_its_weights(
    backend: BackendChoice, tmp_path: Path
) -> None:
    weights = save_bold_weights(tmp_path / "own.safetensors")
    own = Prior(np.eye(SIZE) * 0.25, np.ones(1), np.ones(1))
    own.write(prior_beside(weights))
    first = Harmonizer.from_pretrained(
        str(weights), backend=backend, device="cpu", precision="fp32"
    )
    prior, told = Harmonizer(first.network).own_prior
    assert not told
    assert prior.spread == pytest.approx(own.spread)


def test_skin_heard_by_a_prior_of_others_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(4, 96, 64)
    weights = save_bold_weights(tmp_path / "own.safetensors")
    read: list[Path] = []

    def counted(path: Path) -> Prior:
        read.append(path)
        return read_prior(path)

    monkeypatch.setattr("vhmae.engine.priors.read_prior", counted)
    harmonizer = Harmonizer.from_pretrained(
        str(weights), device="cpu", precision="fp32", skin=True, lookahead=0
    )
    with pytest.warns(UserWarning, match="has no prior of its own") as told:
        list(map(harmonizer.step, frames, masks))
    assert len(told) == len(read) == 1
    composite = write_video(tmp_path / "in.mkv", frames)
    write_mask_bits(masks, tmp_path / "m.npz")
    files = ("harmonize", composite, "--mask", tmp_path / "m.npz", "-o", tmp_path / "out.mkv")
    more = ("--weights", weights, "--precision", "fp32", "--skin", "--strict")
    assert "has no prior of its own" in error_of(*files, *more, capsys=capsys)


@pytest.mark.parametrize("move", ["foreground", "both", "background"])
def test_a_stream_is_warned_of_a_prior_that_skin_is_heard_by(move: str, tmp_path: Path) -> None:
    weights = str(save_bold_weights(tmp_path / "own.safetensors"))
    job = StreamJob(
        masks=(tmp_path / "m.npz",), weights=weights, precision="fp32", skin=True, move=move
    )
    told = stream_warnings(job, Harmonizer.from_settings(job))
    assert len(told) == (move != "background")  # whose skin nobody looks at
