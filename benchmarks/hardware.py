"""What a result was measured on."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import torch

import vhmae
from vhmae.errors import did_you_mean


def describe() -> dict[str, Any]:
    """Machine, versions, commit and date: kept in every result file."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next(
                (line.split(":", 1)[1].strip() for line in file if line.startswith("model name")),
                model,
            )
    except OSError:
        pass
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit,
        "cpu": model,
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "vhmae": vhmae.__version__,
    }


def chosen(
    parser: argparse.ArgumentParser, option: str, text: str, known: Sequence[str]
) -> list[str]:
    """The names of a list ``NAME,...``; a name that is not known ends the program before it
    starts to work."""
    names = text.split(",")
    for name in names:
        if name not in known:
            guess = did_you_mean(name, known)
            parser.error(f"{option} {name}: unknown{guess}; expected some of {', '.join(known)}")
    return names
