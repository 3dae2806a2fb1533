"""A network that ONNX Runtime runs: a graph of its architecture, with the numbers of its
safetensors file."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from vhmae.arrays import Array, Mask, UnitFrames
from vhmae.color.pixels import SETS, ReadSets
from vhmae.engine.networks import Answer, Backend, Precision
from vhmae.errors import InputError, did_you_mean
from vhmae.model.config import ModelConfig
from vhmae.model.files import WeightsCard, find_card
from vhmae.model.graph import ARCHITECTURE, FACTS, GraphFacts, architecture, find_graph, half_of
from vhmae.onnx_runtime import onnxruntime

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""By the kind of device."""
NUMBERED = ("cuda", "directml")
"""Kinds of which there may be several."""
FOUND_BY_ITSELF = ("cuda", "directml", "cpu")
"""Kinds that ``auto`` tries, in this order. CoreML takes graphs of fixed sizes, and would be handed
this one in many small parts."""


class OnnxNetwork:
    """A network by ONNX Runtime."""

    backend: Backend = "onnx"

    def __init__(
        self,
        weights: str,
        device: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
    ) -> None:
        """Open weights.

        Args:
            weights: packaged name, path, or ``hf:owner/name``.
            device: "auto", "cpu", "cuda[:N]", "directml[:N]" or "coreml".
            precision: "auto" (fp32), "fp32", or "fp16": the products of layers, which GPUs are
                faster in; a CPU is not.
            threads: CPU threads; None takes one a core.
        Raises:
            InputError: for unknown weights, weights without a graph, a device that is not there, or
                a precision that is not offered.
        """
        if precision not in ("auto", "fp32", "fp16"):
            raise InputError(
                "is not offered by ONNX Runtime here; take fp32 or fp16, or `backend` torch",
                field="precision",
                value=precision,
            )
        self.weights = weights
        self.precision: Precision = "fp16" if precision == "fp16" else "fp32"
        card = find_card(weights)
        graph = find_graph(card.path, card.config)
        if graph is None:
            raise InputError(
                "there is no ONNX graph of its architecture; make one by vhmae weights export-onnx "
                f"{weights}, or take `backend` torch",
                field="weights",
                value=weights,
            )
        if self.precision == "fp16":
            graph = half_of(graph)
            if not graph.is_file():
                raise InputError(
                    f"{graph}: is missing; make it by vhmae weights export-onnx {weights}, or take "
                    "`precision` fp32"
                )
        self._graph = graph.read_bytes()
        self.config: ModelConfig = card.config
        try:
            self._opened = _shared(self._graph, card, device, threads, self.precision)
        except InputError:
            raise
        except Exception as error:  # ONNX Runtime's errors have no common base
            reason = " ".join(str(error).split())[:160]
            raise InputError(
                f"{graph}: cannot be run with {card.path} ({reason}); make it again by vhmae "
                "weights export-onnx"
            ) from None
        self.session, self.device = self._opened.session, self._opened.device
        self._facts = _facts_of(self.session, graph, card)
        self._card = card
        self._takes = {one.name for one in self.session.get_inputs()}

    @property
    def holds_between_key_frames(self) -> bool:
        return self._facts.holds_between_key_frames

    @property
    def usual_caution(self) -> float:
        own = self.config.caution
        return self._facts.usual_caution if own is None else own

    def ask(self, frames: UnitFrames, masks: Mask, sets: ReadSets | None = None) -> Answer:
        values: dict[str, Array] = {
            "frames": np.ascontiguousarray(frames.transpose(0, 3, 1, 2)[None], np.float32),
            "masks": np.ascontiguousarray(masks[None, :, None]),
        }
        if "surveyed" in self._takes:
            values["surveyed"] = np.array(sets is not None)
            colors, shares = _nothing() if sets is None else sets
            values |= dict(zip(SETS, colors, strict=True)) | {"shares": shares}
        names = [one.name for one in self.session.get_outputs()]
        with self._opened.asking:
            found = dict(zip(names, self.session.run(names, values), strict=True))
        squared = float(found["squared"][0])
        if "drawn" in found:
            drawn = np.ascontiguousarray(found["drawn"][0].transpose(0, 2, 3, 1))
            return Answer(None, None, drawn, squared)
        return Answer(found["overall"][0], found["local"][0], None, squared)

    def digest(self) -> str:
        found = hashlib.sha256(self._graph)
        for key, values in sorted(_numbers(self._card).items()):  # files order them as they like
            found.update(key.encode() + values.tobytes())
        return found.hexdigest()


def _nothing() -> ReadSets:
    """Sets that are not read."""
    return [np.zeros((1, 1, 3), np.float32) for _ in SETS], np.zeros((1, len(SETS)), np.float32)


def _numbers(card: WeightsCard) -> dict[str, Array]:
    """The numbers of a weights file by their names, in fp32."""
    found = {}
    try:
        with safe_open(card.path, framework="numpy") as file:
            for key in file.keys():  # noqa: SIM118 - not a mapping
                values = file.get_tensor(key)
                if values.dtype.kind == "f":  # others count what training has seen
                    found[key] = values.astype(np.float32)
    except (OSError, TypeError, ValueError) as error:
        raise InputError(
            f"{card.path}: cannot be read as fp16 or fp32 ({error}); fetch or train the weights "
            "again"
        ) from None
    odd = next((key for key, values in found.items() if not np.isfinite(values).all()), None)
    if odd is not None:
        raise InputError(
            f"{card.path}: {odd} holds numbers that are not finite; fetch or train the weights "
            "again"
        )
    return found


@dataclasses.dataclass(eq=False)
class _Opened:
    """A session that several networks may hold."""

    session: onnxruntime.InferenceSession
    device: str
    """Where it runs."""
    asking: contextlib.AbstractContextManager[object]
    """Held while it is asked: one thread at a time may ask DirectML's (ONNX Runtime's page of
    it)."""


_OPEN: weakref.WeakValueDictionary[tuple[object, ...], _Opened] = weakref.WeakValueDictionary()
"""What somebody holds, by what it was opened from."""
_OPENING = threading.Lock()


def _shared(
    graph: bytes, card: WeightsCard, device: str, threads: int | None, precision: Precision
) -> _Opened:
    """The session that another network holds of the same files, since one has no state between
    calls, or a new one."""
    file = card.path.stat()
    key = (
        hashlib.sha256(graph).digest(),
        *(card.path.resolve(), file.st_ino, file.st_size, file.st_mtime_ns),
        *(device, threads, precision),
    )
    with _OPENING:
        opened = _OPEN.get(key)
        if opened is None:
            session, where = _opened(graph, _numbers(card), device, threads, precision)
            alone = where.startswith("directml")
            opened = _Opened(
                session, where, threading.Lock() if alone else contextlib.nullcontext()
            )
            _OPEN[key] = opened
        return opened


def _opened(
    graph: bytes,
    numbers: dict[str, Array],
    device: str,
    threads: int | None,
    precision: Precision,
) -> tuple[onnxruntime.InferenceSession, str]:
    """A session, and the device that it runs on."""
    kind, _, number = device.partition(":")
    numbered = not number or (number.isdigit() and kind in NUMBERED)
    if device != "auto" and not (kind in PROVIDERS and numbered):
        raise InputError(
            f"unknown{did_you_mean(kind, ['auto', *PROVIDERS])}; expected auto, cpu, cuda[:N], "
            "directml[:N] or coreml; mps is torch's (`backend` torch)",
            field="device",
            value=device,
        )
    installed = onnxruntime.get_available_providers()
    values = {key: onnxruntime.OrtValue.ortvalue_from_numpy(one) for key, one in numbers.items()}
    for tried in FOUND_BY_ITSELF if device == "auto" else (kind,):
        provider = PROVIDERS[tried]
        if provider not in installed:
            continue
        if tried == "cuda":
            _load_cuda()
        options = {"device_id": number} if number else {}
        chosen = _options(values, tried, threads, precision)
        session = onnxruntime.InferenceSession(graph, chosen, providers=[(provider, options)])
        if session.get_providers()[0] == provider:
            return session, f"{tried}:{number}" if number else tried
    raise InputError(
        f"ONNX Runtime has no {PROVIDERS.get(kind, kind)} here that finds a device (there are "
        f"{', '.join(installed)}); use `device` cpu, or `backend` torch",
        field="device",
        value=device,
    )


def _load_cuda() -> None:
    """Load CUDA and cuDNN from the packages that hold them, which no loader finds by itself; newer
    versions of ONNX Runtime know where these lie. What they print of missing ones is told in a line
    of ours, and would stand amid a video that goes out by the standard output."""
    load = getattr(onnxruntime, "preload_dlls", None)
    if load is not None:
        with contextlib.redirect_stdout(io.StringIO()):
            load()


def _options(
    values: dict[str, Any], kind: str, threads: int | None, precision: Precision
) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    # Threads that wait for the next step by turning round would take the renderer's time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if kind == "cpu" and precision == "fp32":
        # Rewriting the graph takes longer than all windows of a short clip are spared by it.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Where all steps of a window lie is planned after the first one, which has its own memory then.
    options.enable_mem_pattern = False
    if kind == "directml":  # which needs both
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_external_initializers(list(values), list(values.values()))
    return options


def _facts_of(session: onnxruntime.InferenceSession, graph: Path, card: WeightsCard) -> GraphFacts:
    """What a graph says of itself, once it is known to be that of the weights' architecture."""
    told = session.get_modelmeta().custom_metadata_map
    try:
        same = json.loads(told[ARCHITECTURE]) == architecture(card.config)
        facts = GraphFacts(**json.loads(told[FACTS]))
    except (KeyError, ValueError, TypeError):
        same = False
    if not same:
        raise InputError(
            f"{graph}: is no graph of the architecture of {card.path}; make it again by vhmae "
            "weights export-onnx, or delete it"
        )
    return facts


def knows_device(device: str) -> bool:
    """Whether ONNX Runtime may be asked for a device; ``auto`` is one."""
    return device.partition(":")[0] in ("auto", *PROVIDERS)


def gpu_providers() -> list[str]:
    """Kinds of devices with a provider that uses a GPU by itself: it is compiled in, which does not
    say that it can be loaded."""
    installed = onnxruntime.get_available_providers()
    return [kind for kind in FOUND_BY_ITSELF if kind != "cpu" and PROVIDERS[kind] in installed]
