"""Which precision a device is fast in, found by a short measurement: bf16 on a CPU is 5 times
faster or 400 times slower.

What was measured is remembered for the machine (:func:`precision_file`): under load a measurement
can go either way, and frames that are written in another precision differ by a level.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import sys
import time
from pathlib import Path
from typing import Literal

import torch

from vhmae.errors import InputError, did_you_mean
from vhmae.partial_output import partial_name

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
    """The precision that a kind of device is fast in: on a CPU what was measured when it was first
    asked for on this machine."""
    if device_type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if device_type != "cpu":
        return "fp32"
    return _remembered() or _remember(_measured()) or _by_units()


def precision_file() -> Path:
    """Where it is remembered which precision this machine's CPU is fast in; deleting it has it
    measured anew."""
    facts = [platform.machine(), platform.processor(), torch.__version__, *_cpu_facts()]
    name = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]  # the folder may be shared
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "vhmae" / "precision" / f"{name}.txt"


def _cpu_facts() -> list[str]:
    """What Linux says of the CPU's model and of its units."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})


def _remembered() -> Precision | None:
    try:
        text = precision_file().read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, RuntimeError):  # no home folder
        return None
    return text if text in ("fp32", "bf16") else None  # type: ignore[return-value]  # "in" narrows no str


def _remember(measured: Precision) -> Precision | None:
    """Keep what was measured; of several first starts at once, the first one counts for all. None
    where nothing can be kept."""
    with contextlib.suppress(OSError, RuntimeError):
        path = precision_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = partial_name(path)
        try:
            with part.open("x", encoding="utf-8") as file:
                file.write(f"{measured}\n")
            if _remembered() is None:
                path.unlink(missing_ok=True)  # damaged
            with contextlib.suppress(FileExistsError):
                os.link(part, path)
        finally:
            part.unlink(missing_ok=True)
    return _remembered()


def _by_units() -> Precision:
    """What is fast by what the CPU says of itself: less sure than a measurement, but the same at
    each start."""
    return "bf16" if any("amx_bf16" in line.split() for line in _cpu_facts()) else "fp32"


def _measured() -> Precision:
    """Measure a matrix product in fp32 and bf16 (under 100 ms)."""
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


def choose_training_precision(wanted: str, device: torch.device) -> Precision:
    """As :func:`choose_precision`, but never fp16: in it small gradients become zero, unless losses
    are scaled, which no training here does."""
    if wanted == "fp16":
        raise InputError(
            "train.precision=fp16: small gradients would become zero, since no loss is scaled; "
            "take bf16 or fp32"
        )
    found = choose_precision(wanted, device)
    return "fp32" if found == "fp16" else found


def warn_of_another_precision(before: Precision, now: Precision) -> None:
    """Say that a run that is resumed goes on in another precision than it was in."""
    if before != now:
        change = f"the run was in {before}, this machine is fastest in {now}; going on in that"
        print(f"vhmae: warning: {change}", file=sys.stderr)


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
