"""``vhmae doctor`` tells what is here, and fails where something that is needed is not."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from vhmae.cli import doctor, main
from vhmae.version import __version__


def test_it_tells_versions_encoders_devices_weights_and_licences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--json", str(tmp_path / "doctor.json")]) == 0
    report = json.loads((tmp_path / "doctor.json").read_text())
    assert report["vhmae"] == __version__
    assert report["problems"] == []
    assert report["encoders"]["libx264"] is True
    assert "cpu" in report["devices"]
    assert "research" in report["weights"]["default"]["licence"]
    assert report["networks"].keys() == {"rvm", "salient"} == doctor.NETWORK_LICENCES.keys()
    text = capsys.readouterr().out
    for word in (f"vhmae {__version__}", "H.264 (libx264)", "research", "GPL-3.0", "nothing is"):
        assert word in text


def test_what_is_required_comes_from_the_metadata_of_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [
        "torch>=2.10",
        "no-such-package>=1",
        "openexr>=3; extra == 'exr'",
        "vhmae[exr]; extra == 'dev'",
        "pytest; extra == 'dev'",
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: lines)
    report = doctor.examine()
    assert report["required"].keys() == {"torch", "no-such-package"}
    assert report["extras"].keys() == {"exr"}
    assert len(report["problems"]) == 1
    assert "no-such-package: is not installed" in report["problems"][0]


def test_a_build_for_gpus_stands_in_for_the_one_that_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {"onnxruntime-gpu": "1.30.0", "opencv-python": "5.0.0", "numpy": "2.4.0"}

    def version(name: str) -> str:
        if name not in there:
            raise importlib.metadata.PackageNotFoundError(name)
        return there[name]

    lines = ["numpy>=2", "onnxruntime>=1.20", "opencv-python-headless>=5"]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: lines)
    monkeypatch.setattr("importlib.metadata.version", version)
    report = doctor.examine()
    assert report["required"] == there
    assert report["problems"] == []
    del there["onnxruntime-gpu"]
    report = doctor.examine()
    assert report["required"]["onnxruntime"] is None
    (problem,) = report["problems"]
    assert problem.startswith("onnxruntime: is not installed")


def test_what_is_broken_is_told_and_the_rest_is_told_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ImportError("libavcodec.so: cannot open")

    monkeypatch.setattr(doctor, "_encoders", broken)
    assert main(["doctor"]) == 1
    said = capsys.readouterr()
    assert "encoders: ImportError: libavcodec.so" in said.err
    assert "weights default" in said.out
    assert "nothing is wrong" not in said.out
