"""Whether there is a GPU, asked of its driver alone."""

from __future__ import annotations

import ctypes
import functools
import sys
from pathlib import Path
from typing import Literal


@functools.cache
def gpu_here() -> Literal["NVIDIA", "AMD"] | None:
    """The make of a GPU that could run a network; None where no driver says of one."""
    if _cuda_devices():
        return "NVIDIA"
    return "AMD" if sys.platform == "linux" and Path("/dev/kfd").exists() else None


def _cuda_devices() -> int:
    """Devices that NVIDIA's driver knows."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
        return count.value
    except (OSError, AttributeError):
        return 0
