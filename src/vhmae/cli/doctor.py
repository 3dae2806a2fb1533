"""``vhmae doctor``: what is installed, what it can do here, and under which licences."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vhmae.cli.options import add_report_options
from vhmae.cli.parser import add_command, write_report
from vhmae.errors import VhmaeError
from vhmae.version import __version__

ENCODERS = {
    "libx264": "H.264",
    "libx265": "HEVC",
    "libsvtav1": "AV1",
    "libvpx-vp9": "VP9",
    "prores_ks": "ProRes",
    "dnxhd": "DNxHR",
    "ffv1": "FFV1",
}
"""Those that people ask for by name; all others are in PyAV's own list."""
NETWORK_LICENCES = {
    "rvm": "GPL-3.0; not part of this project",
    "salient": "ISNet: none stated for its weights; not part of this project",
}

STANDS_IN = {
    "onnxruntime": (
        "onnxruntime-gpu",
        "onnxruntime-directml",
        "onnxruntime-openvino",
        "onnxruntime-migraphx",
    ),
    "opencv-python-headless": (
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-contrib-python",
    ),
}
"""Builds of a package under other names, which hold the same modules: one of them is enough, and
two of them write over each other."""


def add_doctor(commands: Any) -> None:
    parser = add_command(
        commands,
        "doctor",
        _doctor,
        "tell what is installed and works here: versions, encoders, devices, weights and licences",
    )
    add_report_options(parser)


def _doctor(args: Any) -> None:
    report = examine()
    write_report(report, args.json)
    if not args.quiet:
        print("\n".join(_lines(report)))
    if report["problems"]:
        raise VhmaeError("; ".join(report["problems"]))


def examine() -> dict[str, Any]:
    """All that is told; ``problems`` holds what keeps the package from working."""
    problems: list[str] = []
    required, extras = _packages()
    for name, version in required.items():
        if version is None:
            problems.append(f"{name}: is not installed; run: pip install {name}")
    report: dict[str, Any] = {
        "schema": 1,
        "vhmae": __version__,
        "folder": str(Path(__file__).parents[1]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "required": required,
        "extras": extras,
    }
    parts = {
        "devices": _devices,
        "encoders": _encoders,
        "libraries": _ffmpeg,
        "providers": _providers,
        "weights": _weights,
        "networks": _networks,
    }
    for name, look in parts.items():
        try:
            report[name] = look()
        except Exception as error:  # whatever a library says when it is broken: it is what is told
            report[name] = None
            problems.append(f"{name}: {type(error).__name__}: {error}; install the package again")
    return {**report, "problems": problems}


def _packages() -> tuple[dict[str, str | None], dict[str, dict[str, str | None]]]:
    """Versions of what the package requires, and of what each of its extras does, as its own
    metadata lists them; a build that stands in for one is told by its own name."""
    required: dict[str, str | None] = {}
    extras: dict[str, dict[str, str | None]] = {}
    try:
        lines = importlib.metadata.requires("vhmae") or []
    except importlib.metadata.PackageNotFoundError:  # run from its sources
        lines = []
    for line in lines:
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", line)
        if name != "vhmae":
            place = extras.setdefault(extra[1], {}) if extra else required
            names = (name, *STANDS_IN.get(name, ()))
            there = next((one for one in names if _version(one) is not None), name)
            place[there] = _version(there)
    extras.pop("dev", None)
    return required, extras


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> dict[str, str]:
    """Where a network can run, by the name that --device takes."""
    from vhmae.engine.backends import torch_is_here
    from vhmae.engine.onnx_network import PROVIDERS
    from vhmae.onnx_runtime import onnxruntime

    installed = onnxruntime.get_available_providers()
    # That a provider is compiled in does not say that it can be loaded.
    told = "ONNX Runtime has it compiled in"
    names = {name: told for name, one in PROVIDERS.items() if one in installed}
    found = {"cpu": f"{os.cpu_count()} threads", **{k: v for k, v in names.items() if k != "cpu"}}
    if not torch_is_here():
        return found
    import torch

    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            found[f"cuda:{number}"] = f"{torch.cuda.get_device_name(number)}, torch"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU, torch"
    return found


def _encoders() -> dict[str, bool]:
    import av

    return {name: name in av.codecs_available for name in ENCODERS}


def _ffmpeg() -> dict[str, str]:
    import av

    return {
        name: ".".join(map(str, version)) for name, version in sorted(av.library_versions.items())
    }


def _providers() -> list[str]:
    """Where networks can run by ONNX Runtime."""
    from vhmae.onnx_runtime import onnxruntime

    return list(onnxruntime.get_available_providers())


def _weights() -> dict[str, dict[str, Any]]:
    from safetensors import safe_open

    from vhmae.model.files import packaged_weights

    found: dict[str, dict[str, Any]] = {}
    for name, path in packaged_weights().items():
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
        found[name] = {
            "path": str(path),
            "bytes": path.stat().st_size,
            "licence": facts.get("licence") or facts.get("license") or "not stated",
        }
    if not found:
        raise FileNotFoundError("no packaged weights")
    return found


def _networks() -> dict[str, dict[str, str | None]]:
    """The network files for cutting out that are at hand."""
    from vhmae.errors import InputError
    from vhmae.matting.networks import FILES, find_network

    found: dict[str, dict[str, str | None]] = {}
    for way in FILES:
        try:
            path = str(find_network(way))
        except InputError:
            path = None
        found[way] = {"path": path, "licence": NETWORK_LICENCES.get(way)}
    return found


def _lines(report: dict[str, Any]) -> Iterator[str]:
    def versions(packages: dict[str, str | None]) -> str:
        return ", ".join(f"{name} {version or 'missing'}" for name, version in packages.items())

    yield f"vhmae {report['vhmae']} in {report['folder']} (code: Apache-2.0)"
    yield f"Python {report['python']} on {report['platform']}, {report['cpus']} CPUs"
    yield f"required: {versions(report['required']) or 'not known: run from its sources'}"
    for extra, packages in report["extras"].items():
        missing = None in packages.values()
        hint = f"; for all of it: pip install 'vhmae[{extra}]'" if missing else ""
        yield f"extra {extra}: {versions(packages)}{hint}"
    devices = report["devices"] or {}
    yield "devices: " + ", ".join(f"{name} ({what})" for name, what in devices.items())
    encoders = report["encoders"] or {}
    yield "encoders: " + ", ".join(
        f"{ENCODERS[name]} ({name}{'' if there else ': missing'})"
        for name, there in encoders.items()
    )
    yield f"FFmpeg: {versions(report['libraries'] or {})}"
    yield f"onnxruntime providers: {', '.join(report['providers'] or []) or 'none'}"
    for name, facts in (report["weights"] or {}).items():
        yield f"weights {name}: {facts['bytes'] / 2**20:.1f} MiB, {facts['licence']}"
    for way, facts in (report["networks"] or {}).items():
        yield f"network {way}: {facts['path'] or 'not here (docs/matting.md)'} ({facts['licence']})"
    if not report["problems"]:
        yield "nothing is wrong"
