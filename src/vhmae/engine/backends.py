"""Which of what is installed runs a network. Importable without torch."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, Literal, get_args

from vhmae.engine.gpus import gpu_here
from vhmae.engine.networks import WindowNetwork
from vhmae.engine.onnx_network import OnnxNetwork, gpu_providers, knows_device
from vhmae.engine.settings import BackendChoice, HarmonizerSettings, PrecisionChoice
from vhmae.errors import InputError, did_you_mean, needs_torch
from vhmae.model.files import find_card
from vhmae.model.graph import find_graph

if TYPE_CHECKING:
    from vhmae.model.vhmae import VHMAE


def network_of(model: VHMAE | WindowNetwork, device: Any, precision: str) -> WindowNetwork:
    """A network where it runs: a torch model is taken to a device, anything else is one."""
    if isinstance(model, WindowNetwork):
        return model
    from vhmae.engine.torch_network import TorchNetwork

    return TorchNetwork(model, device, precision)


def open_network(
    weights: str,
    backend: BackendChoice = "auto",
    device: str = "auto",
    precision: PrecisionChoice = "auto",
    threads: int | None = None,
) -> WindowNetwork:
    """Open weights where they are to run.

    Args:
        weights: packaged name, path, or ``hf:owner/name``.
        backend: auto is ONNX Runtime, but for what torch alone can do: run weights that have no
            graph, use a GPU that ONNX Runtime has no provider for, bf16 and mps.
        threads: CPU threads; None leaves them to the backend.
    Raises:
        InputError: for unknown weights, a backend or a device that is not there, or what a backend
            cannot do.
    """
    if backend not in (known := get_args(BackendChoice)):
        told = f"unknown{did_you_mean(str(backend), known)}; expected {', '.join(known)}"
        raise InputError(told, field="backend", value=backend)
    chosen = _fitting(weights, device, precision) if backend == "auto" else backend
    if chosen == "onnx":
        network = OnnxNetwork(weights, device, precision, threads)
        # Where its provider could not be loaded, torch's build may be one that uses the GPU.
        if backend == "onnx" or not (_idle_gpu(network, device) and _torch_has_gpu()):
            return network
    if not torch_is_here():
        raise InputError(needs_torch("this backend"), field="backend", value="torch")
    import torch

    from vhmae.engine.torch_network import open_by_torch

    if threads:
        torch.set_num_threads(threads)
    return open_by_torch(weights, device, precision)


def network_for(settings: HarmonizerSettings) -> WindowNetwork:
    """Open what settings name, as :func:`open_network` does."""
    where = (settings.backend, settings.device, settings.precision, settings.threads)
    return open_network(settings.weights, *where)


def _fitting(weights: str, device: str, precision: str) -> BackendChoice:
    """What runs weights where nobody says."""
    here = torch_is_here()
    for field, value in (("device", device), ("precision", precision)):
        if value in ("mps", "bf16"):
            if not here:
                raise InputError(needs_torch(f"this {field}"), field=field, value=value)
            return "torch"
    if here and not knows_device(device):
        return "torch"  # which says what is wrong with it
    if precision == "fp16" and here and not gpu_providers():
        return "torch"
    card = find_card(weights)
    if here and find_graph(card.path, card.config) is None:
        return "torch"
    if here and device != "cpu" and gpu_here() and not gpu_providers():
        return "torch"  # whose build may be one that uses it
    return "onnx"


def torch_is_here() -> bool:
    """Whether torch is installed; it is not imported."""
    if "torch" in sys.modules:
        return sys.modules["torch"] is not None
    try:
        return importlib.util.find_spec("torch") is not None
    except ImportError:
        return False


def _torch_has_gpu() -> bool:
    """Whether torch is installed in a build that uses the GPU; it is imported for that."""
    if not torch_is_here():
        return False
    import torch

    return torch.cuda.is_available()  # of ROCm's build, too


def idle_gpu(network: WindowNetwork, device: str) -> list[str]:
    """What is to be said where a GPU lies idle, since nothing that is installed uses it.

    Args:
        device: what was asked for.
    """
    kind = _idle_gpu(network, device)
    if kind is None:
        return []
    by_torch = "'vhmae[torch]' with torch's CUDA build"
    if kind == "AMD":
        remedy = "install torch's ROCm build with 'vhmae[torch]'"
    elif "cuda" in gpu_providers():
        remedy = (
            "ONNX Runtime has a CUDA provider that could not be loaded, for want of CUDA or cuDNN "
            "in the versions that it needs; pip install 'onnxruntime-gpu[cuda,cudnn]', or "
            f"{by_torch}"
        )
    else:
        remedy = (
            f"pip install 'onnxruntime-gpu[cuda,cudnn]' in the place of onnxruntime, or {by_torch}"
        )
    return [f"an {kind} GPU lies idle: the network ran on the CPU; {remedy}"]


def _idle_gpu(network: WindowNetwork, device: str) -> Literal["NVIDIA", "AMD"] | None:
    """The make of a GPU that a network could have run on, and does not."""
    return gpu_here() if network.device == "cpu" and device != "cpu" else None
