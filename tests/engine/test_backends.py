"""Torch and ONNX Runtime give the same answers, and the one does without the other."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnxruntime
import pytest
import torch

from tests.support.graphs import SIZE, like_the_packaged, onnx_network, rounding_network
from tests.support.networks import model
from tests.support.scenes import moving_scene, save_bold_weights
from vhmae.color.pixels import merge_sets, read_frame
from vhmae.data.clips import read_mask_bits
from vhmae.engine import backends
from vhmae.engine.backends import idle_gpu, open_network
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.networks import Answer
from vhmae.engine.onnx_network import OnnxNetwork, _options
from vhmae.engine.settings import PrecisionChoice, Quality
from vhmae.engine.sight import small_mask, thumbnail_of
from vhmae.engine.torch_network import TorchNetwork
from vhmae.errors import InputError
from vhmae.model.files import read_card
from vhmae.model.graph import architecture, find_graph, packaged_graph
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import load_model, save_model

COEFFICIENTS = 1e-3


def scene(frames: int, size: int = SIZE, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Frames (T, S, S, 3) with noise, and masks (T, S, S) of a disc."""
    pictures, masks = moving_scene(frames, size, size)
    noise = np.random.default_rng(seed).normal(0.0, 0.05, pictures.shape)
    return np.clip(pictures / 255.0 + noise, 0.0, 1.0).astype(np.float32), masks


def odd_masks(frames: int, size: int = SIZE) -> dict[str, np.ndarray]:
    """Masks that take the ways which an ordinary one does not."""
    made = {name: np.zeros((frames, size, size), bool) for name in ("none", "between", "small")}
    made["between"][:, 5, 5:7] = True  # none of every fourth row and column
    made["small"][:, 8:15, 8:15] = True  # too few pixels at half the size
    made["all"] = np.ones((frames, size, size), bool)
    made["all but one"] = made["all"].copy()
    made["all but one"][0, 3, 3] = False
    made["in one frame"] = np.zeros((frames, size, size), bool)
    made["in one frame"][-1, 10:40, 20:50] = True
    return made


def assert_same(one: Answer, other: Answer, bound: float = COEFFICIENTS) -> None:
    assert one.squared == pytest.approx(other.squared, rel=1e-3, abs=1e-9)
    pairs = [(getattr(one, kind), getattr(other, kind)) for kind in ("overall", "local", "drawn")]
    for ours, theirs in pairs:
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() < bound


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[TorchNetwork, OnnxNetwork]:
    """A network whose answer depends on all that it sees, by torch and by ONNX Runtime."""
    made = like_the_packaged()
    return TorchNetwork(made, "cpu", "fp32"), onnx_network(made, tmp_path_factory.mktemp("graph"))


Both = tuple[TorchNetwork, OnnxNetwork]


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_a_window_of_any_length_gets_the_same_answer(both: Both, frames: int) -> None:
    first, second = (network.ask(*scene(frames)) for network in both)
    assert_same(first, second)


@pytest.mark.parametrize("kind", odd_masks(1))
def test_odd_masks_get_the_same_answer(both: Both, kind: str) -> None:
    frames, mask = scene(2)[0], odd_masks(2)[kind]
    first, second = (network.ask(frames, mask) for network in both)
    assert_same(first, second)


def test_whole_shots_are_read_by_both(both: Both) -> None:
    frames, masks = scene(7)
    shown = [read_frame(one, hole) for one, hole in zip(frames, masks, strict=True)]
    sets = merge_sets([([colors[:, ::2] for colors in one], shares) for one, shares in shown])
    told = [network.ask(frames[:2], masks[:2], sets) for network in both]
    assert_same(told[0], told[1])
    unread = both[1].ask(frames[:2], masks[:2])
    assert unread.overall is not None
    assert np.abs(unread.overall - told[1].overall).max() > 1e-4


def test_the_graph_takes_several_windows_at_once(both: Both) -> None:
    session = both[1].session
    windows = [scene(2, seed=seed) for seed in range(3)]
    values = {
        "frames": np.stack([frames.transpose(0, 3, 1, 2) for frames, _ in windows]),
        "masks": np.stack([masks[:, None] for _, masks in windows]),
        "surveyed": np.array(False),
        "shares": np.zeros((3, 4), np.float32),
    }
    names = ("foreground", "background", "inner_ring", "outer_ring")
    values |= {name: np.zeros((3, 1, 3), np.float32) for name in names}
    overall, local, squared = session.run(["overall", "local", "squared"], values)
    for place, window in enumerate(windows):
        alone = both[1].ask(*window)
        assert np.abs(overall[place] - alone.overall).max() < 1e-5
        assert np.abs(local[place] - alone.local).max() < 1e-5
        assert squared[place] == pytest.approx(alone.squared, rel=1e-3)


@pytest.mark.parametrize("quality", ["fast", "balanced", "best"])
def test_streams_are_the_same_within_a_level(both: Both, quality: Quality) -> None:
    frames, masks = moving_scene(30, 96, 64)
    made = [
        np.stack(list(Harmonizer(one, quality=quality, caution=0.0).harmonize(frames, masks)))
        for one in both
    ]
    assert np.abs(made[0].astype(int) - frames).max() > 10
    assert np.abs(made[0].astype(int) - made[1]).max() <= 1


def test_other_weights_of_the_architecture_run_in_the_graph(tmp_path: Path) -> None:
    other = like_the_packaged(seed=8)
    network = onnx_network(other, tmp_path)
    assert_same(network.ask(*scene(2)), TorchNetwork(other, "cpu", "fp32").ask(*scene(2)))


def test_the_tests_own_graph_is_that_of_their_tiny_networks(tmp_path: Path) -> None:
    path = save_bold_weights(tmp_path / "w.safetensors")
    seen = scene(2, 64)
    network = OnnxNetwork(str(path), "cpu")
    assert_same(network.ask(*seen), TorchNetwork(load_model(str(path)), "cpu", "fp32").ask(*seen))


def test_the_packaged_weights_have_their_graph() -> None:
    card = read_card("default")
    path = packaged_graph(card.config)
    assert path.stat().st_size < 300_000
    network = open_network("default")
    assert (network.backend, network.device, network.precision) == ("onnx", "cpu", "fp32")
    assert network.usual_caution == load_model().usual_caution
    assert network.holds_between_key_frames
    assert network.config == card.config


def answers_of_the_packaged_weights(frames: np.ndarray, masks: np.ndarray) -> list[Answer]:
    size = read_card("default").config.image_size
    seen = np.stack([thumbnail_of(frame, size, size) for frame in frames])
    holes = np.stack([small_mask(mask, size) for mask in masks])
    networks = (open_network("default", name, "cpu", "fp32") for name in ("torch", "onnx"))
    return [network.ask(seen, holes) for network in networks]


def test_the_packaged_weights_say_the_same_by_both() -> None:
    first, second = answers_of_the_packaged_weights(*moving_scene(2, 320, 180))
    assert_same(first, second)


def test_the_packaged_weights_say_the_same_of_real_clips(data_dir: Path) -> None:
    clips = sorted((data_dir / "val").glob("*.mp4"))[:4]
    assert clips
    for clip in clips:
        with av.open(str(clip)) as container:
            decoded = itertools.islice(container.decode(video=0), 2)
            frames = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded])
        masks = read_mask_bits(clip.with_suffix(".mask.npz"))[:2]
        first, second = answers_of_the_packaged_weights(frames, masks)
        assert_same(first, second)


# --- what is refused, and what is chosen


def saved(made: VHMAE, folder: Path) -> Path:
    save_model(made, folder / "w.safetensors", {})
    return folder / "w.safetensors"


def test_weights_without_a_graph_are_torchs(tmp_path: Path) -> None:
    path = str(saved(model(embed_dim=48, encoder_heads=3), tmp_path))
    assert open_network(path, precision="fp32").backend == "torch"
    with pytest.raises(InputError, match=r"no ONNX graph .* vhmae weights export-onnx"):
        open_network(path, "onnx")


def test_without_torch_weights_without_a_graph_say_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(saved(model(embed_dim=48, encoder_heads=3), tmp_path))
    monkeypatch.setattr(backends, "torch_is_here", lambda: False)
    with pytest.raises(InputError, match="vhmae weights export-onnx"):
        open_network(path)
    with pytest.raises(InputError, match=r"`backend` torch: .*pip install 'vhmae\[torch\]'"):
        open_network(path, "torch")


def test_a_graph_of_another_architecture_is_refused(tmp_path: Path) -> None:
    config = dataclasses.replace(read_card("default").config, encoder_heads=6)
    path = saved(VHMAE(config), tmp_path)  # whose tensors have the same sizes
    shutil.copy(packaged_graph(read_card("default").config), path.with_suffix(".onnx"))
    with pytest.raises(InputError, match=r"w\.onnx: is no graph of the architecture of"):
        open_network(str(path), "onnx")


def test_somebody_elses_graph_beside_weights_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"  # as a folder of a hub has both
    shutil.copy(read_card("default").path, path)
    for foreign in (b"", b"another network"):
        path.with_suffix(".onnx").write_bytes(foreign)
        network = open_network(str(path), "onnx")
        assert network.digest() == open_network("default", "onnx").digest()
    shutil.copy(packaged_graph(read_card("default").config), path.with_suffix(".onnx"))
    assert find_graph(path, read_card("default").config) == path.with_suffix(".onnx")


def test_what_training_alone_needs_is_no_part_of_the_architecture() -> None:
    said = architecture(model(drop_path=0.3, caution=3.0, clip_frames=4).config)
    assert said == architecture(model().config)
    assert said != architecture(model(patch_size=8).config)


def test_a_damaged_graph_is_refused(tmp_path: Path) -> None:
    path = saved(model(), tmp_path)
    path.with_suffix(".onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match=r"w\.onnx: cannot be run"):
        open_network(str(path), "onnx")


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("cudda", "did you mean cuda"),
        ("mps", "mps is torch's"),
        ("directml", "no DmlExecutionProvider here"),
        ("cpu:3", r"`device` cpu:3: unknown.*expected auto, cpu, cuda\[:N\], directml\[:N\]"),
        ("coreml:2", r"expected auto, cpu, cuda\[:N\], directml\[:N\] or coreml"),
        ("cuda:x", r"expected auto, cpu, cuda\[:N\]"),
    ],
)
def test_devices_that_are_not_there_are_refused(device: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        open_network("default", "onnx", device)


@pytest.mark.parametrize(
    ("device", "precision", "told"),
    [
        ("mps", "auto", "`device` mps: this device needs torch"),
        ("auto", "bf16", "`precision` bf16: this precision needs torch"),
        ("cdua", "auto", "did you mean cuda"),
    ],
)
def test_what_torch_alone_can_do_is_told_where_it_lacks(
    device: str, precision: PrecisionChoice, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "torch_is_here", lambda: False)
    with pytest.raises(InputError, match=told):
        open_network("default", "auto", device, precision)


@pytest.mark.parametrize("backend", ["banana", "directml"])
def test_an_unknown_backend_is_refused(backend: Any) -> None:
    with pytest.raises(InputError, match=f"`backend` {backend}: unknown.*expected auto, onnx"):
        Harmonizer.from_pretrained(backend=backend)


def test_precisions_that_are_not_offered_are_refused() -> None:
    with pytest.raises(InputError, match="take fp32 or fp16, or `backend` torch"):
        open_network("default", "onnx", precision="bf16")


@pytest.mark.parametrize("weights", ["default", "free"])
def test_products_in_fp16_make_the_same_picture_within_a_level(weights: str) -> None:
    frames, masks = moving_scene(14, 320, 180)
    whole, half = open_network(weights, "onnx", "cpu", "fp32"), rounding_network(weights)
    assert half.precision == "fp16"
    made = [
        np.stack(list(Harmonizer(one, caution=0.0).harmonize(frames, masks)))
        for one in (whole, half)
    ]
    assert np.abs(made[0].astype(int) - frames).max() > 10
    assert np.abs(made[0].astype(int) - made[1]).max() <= 1
    first, second = (one.ask(*scene(2)) for one in (whole, half))
    assert first.overall is not None
    assert second.overall is not None
    apart = np.abs(first.overall - second.overall).max()
    assert 1e-6 < apart < 5 * COEFFICIENTS


def test_a_missing_graph_in_fp16_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    shutil.copy(read_card("default").path, path)
    shutil.copy(packaged_graph(read_card("default").config), path.with_suffix(".onnx"))
    told = r"own\.fp16\.onnx: is missing; .* or take `precision` fp32"
    with pytest.raises(InputError, match=told):
        open_network(str(path), "onnx", precision="fp16")


def test_fp16_is_torchs_where_only_torch_may_have_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no fast fp16"):  # of torch, on a CPU
        open_network("default", "auto", "cpu", "fp16")
    monkeypatch.setattr(backends, "gpu_providers", lambda: ["cuda"])
    assert open_network("default", "auto", "cpu", "fp16").backend == "onnx"


def test_an_idle_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    network = open_network("default")
    monkeypatch.setattr(backends, "gpu_here", lambda: None)
    assert idle_gpu(network, "auto") == []
    monkeypatch.setattr(backends, "gpu_here", lambda: "NVIDIA")
    (told,) = idle_gpu(network, "auto")
    assert "NVIDIA GPU lies idle" in told
    assert "pip install 'onnxruntime-gpu[cuda,cudnn]' in the place of onnxruntime" in told
    assert idle_gpu(network, "cpu") == []  # it was asked for


def torch_cpu(device: str) -> torch.device:
    """Whatever is asked for, as machines without CUDA run these tests."""
    del device
    return torch.device("cpu")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_finds_no_cuda_is_told_and_torch_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loads: list[str] = []

    def preload() -> None:
        loads.append("CUDA")
        print("Failed to load libcudart.so.12")  # as ONNX Runtime does

    path = tmp_path / "own.safetensors"  # whose session nobody holds
    shutil.copy(read_card("default").path, path)
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    # As with onnxruntime-gpu: compiled in; a session that asks for it runs on the CPU.
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload)
    monkeypatch.setattr(backends, "gpu_here", lambda: "NVIDIA")
    for of_cuda, taken in ((True, "torch"), (False, "onnx")):  # no gain by a build for CPUs
        monkeypatch.setattr(torch.cuda, "is_available", lambda has=of_cuda: has)
        with monkeypatch.context() as without_cuda:
            without_cuda.setattr("vhmae.engine.torch_network.choose_device", torch_cpu)
            assert open_network(str(path), precision="fp32").backend == taken
    monkeypatch.setattr(backends, "torch_is_here", lambda: False)
    network = open_network(str(path))
    assert (network.backend, network.device) == ("onnx", "cpu")
    assert set(loads) == {"CUDA"}
    assert capsys.readouterr().out == ""  # where a video may go out
    (told,) = idle_gpu(network, "auto")
    assert "a CUDA provider that could not be loaded" in told
    assert "in the place of" not in told
    with pytest.raises(InputError, match="no CUDAExecutionProvider here that finds a device"):
        open_network(str(path), device="cuda")


def test_a_gpu_that_torch_alone_uses_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "gpu_here", lambda: "NVIDIA")
    assert open_network("default", precision="fp32").backend == "torch"
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    assert backends._fitting("default", "auto", "fp32") == "onnx"


def test_networks_of_one_file_share_its_session_until_it_changes(tmp_path: Path) -> None:
    path, seen = saved(like_the_packaged(seed=8), tmp_path), scene(2)
    first, second = (OnnxNetwork(str(path), "cpu") for _ in range(2))
    assert first.session is second.session
    assert OnnxNetwork(str(path), "cpu", threads=1).session is not first.session
    saved(like_the_packaged(seed=9), tmp_path)
    changed = OnnxNetwork(str(path), "cpu")
    assert changed.session is not first.session
    assert_same(changed.ask(*seen), TorchNetwork(load_model(str(path)), "cpu", "fp32").ask(*seen))
    assert_same(first.ask(*seen), second.ask(*seen), 1e-9)


def test_a_window_takes_its_memory_once() -> None:
    options = OnnxNetwork("default", "cpu").session.get_session_options()
    assert not options.enable_mem_pattern  # or a plan of the same size is laid beside it


def test_graphs_are_rewritten_where_that_pays() -> None:
    """On a CPU in full precision it takes longer than it spares."""
    left = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    wanted = {("cpu", "fp32"): True, ("cpu", "fp16"): False, ("cuda", "fp32"): False}
    for (kind, precision), is_left in wanted.items():
        options = _options({}, kind, 1, precision)  # type: ignore[arg-type]
        assert (options.graph_optimization_level == left) is is_left, (kind, precision)


def test_threads_ask_directml_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sessions are not for several threads at once; the others are."""
    inside: list[int] = []
    met = threading.Barrier(2)

    class OnDirectml(onnxruntime.InferenceSession):  # type: ignore[misc]
        """Says that it runs there, and looks whether another call comes in meanwhile."""

        def __init__(self, graph: bytes, options: Any, providers: Any) -> None:
            del providers
            super().__init__(graph, options, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return ["DmlExecutionProvider"]

        def run(self, *words: Any) -> Any:
            inside.append(1)
            with contextlib.suppress(threading.BrokenBarrierError):
                met.wait(0.3)
                raise AssertionError("two threads were in the session at once")
            inside.pop()
            return super().run(*words)

    path = tmp_path / "own.safetensors"  # whose session nobody holds
    shutil.copy(read_card("default").path, path)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["DmlExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", OnDirectml)
    networks = [open_network(str(path), "onnx", "directml") for _ in range(2)]
    assert networks[0].device == "directml"
    with ThreadPoolExecutor(2) as pool:
        for asked in [pool.submit(network.ask, *scene(1)) for network in networks]:
            asked.result()
    assert not inside


def test_the_digest_is_that_of_the_numbers(tmp_path: Path) -> None:
    networks = []
    for number, weights in enumerate(map(like_the_packaged, (1, 2, 1))):
        folder = tmp_path / str(number)
        folder.mkdir()
        networks.append(onnx_network(weights, folder))
    first, other, again = (network.digest() for network in networks)
    assert first == again != other
