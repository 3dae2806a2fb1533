"""Which precision a device is fast in, found by a short measurement: bf16 on a CPU is 5 times
faster or 400 times slower."""

from __future__ import annotations

import contextlib
import functools
import time
from typing import Literal

import torch

from vhmae.errors import InputError, did_you_mean

Precision = Literal["fp32", "bf16", "fp16"]
DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def _product_seconds(size: int, repeats: int) -> tuple[float, float]:
    """Best times of a matrix product in fp32 and bf16, taken in turns so that other load meets
    both."""
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    matrices = {dtype: torch.ones(size, size, dtype=dtype) for dtype in best}
    for _ in range(repeats):
        for dtype, matrix in matrices.items():
            start = time.perf_counter()
            matrix @ matrix
            best[dtype] = min(best[dtype], time.perf_counter() - start)
    return best[torch.float32], best[torch.bfloat16]


@functools.cache
def fastest_precision(device_type: str) -> Precision:
    """Measure a matrix product in fp32 and bf16, once a process (under 100 ms)."""
    if device_type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if device_type != "cpu":
        return "fp32"
    # A small product first: on a CPU without bf16 units a large one would take seconds.
    single, half = _product_seconds(128, 2)
    if half > 4.0 * single:
        return "fp32"
    single, half = _product_seconds(512, 8)
    return "bf16" if half < 0.7 * single else "fp32"


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """Resolve ``auto``; refuse what the device cannot do."""
    if wanted == "auto":
        return fastest_precision(device.type)
    if wanted not in DTYPES:
        raise InputError(
            f"unknown{did_you_mean(wanted, ['auto', *DTYPES])}; expected auto, fp32, bf16 or fp16",
            field="precision",
            value=wanted,
        )
    if wanted == "fp16" and device.type == "cpu":
        raise InputError("`precision` fp16: a CPU has no fast fp16; use auto, fp32 or bf16")
    return wanted  # type: ignore[return-value]  # checked against the names above


def choose_device(wanted: str) -> torch.device:
    """Resolve ``auto`` (CUDA, then MPS, then CPU); refuse a device that is not there."""
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, number = wanted.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdigit()):
        raise InputError(
            f"unknown{did_you_mean(kind, ['auto', 'cpu', 'cuda', 'mps'])}; expected auto, cpu, "
            "cuda[:N] or mps",
            field="device",
            value=wanted,
        )
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise InputError(
            f"this machine has {torch.cuda.device_count()} CUDA devices; use `device` cpu",
            field="device",
            value=wanted,
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("`device` mps: is not available here; use `device` cpu")
    return torch.device(wanted)


def autocast(
    device: torch.device, precision: Precision
) -> contextlib.AbstractContextManager[object]:
    """Autocast for a precision; nothing for fp32."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=DTYPES[precision])
