"""The registry's metadata of the nodes: by the registry's rules, and by its own parser where that
is installed (docs/comfyui.md names the command)."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.support.comfy import NODES

PYPROJECT = NODES / "pyproject.toml"


def test_the_metadata_follow_the_registrys_rules() -> None:
    tree = tomllib.loads(PYPROJECT.read_text())
    project, comfy = tree["project"], tree["tool"]["comfy"]
    assert re.fullmatch(r"[a-z][a-z0-9._-]{0,98}[a-z0-9]", project["name"])
    assert "comfyui" not in project["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert isinstance(project["license"], dict)
    assert {"file", "text"} & project["license"].keys()
    assert project["urls"]["Repository"].startswith("https://")
    assert project["requires-python"]
    assert "Operating System :: OS Independent" in project["classifiers"]
    assert comfy["PublisherId"]
    assert comfy["DisplayName"]
    floor = re.fullmatch(r">=(\d+)\.(\d+)\.\d+", comfy["requires-comfyui"])
    assert floor is not None
    # v0.4.0 is the first after sockets of matching types (io.MatchType) worked.
    assert tuple(map(int, floor.groups())) >= (0, 4)


def test_nothing_that_is_installed_fights_the_hosts_torch() -> None:
    wanted = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    listed = (NODES / "requirements.txt").read_text().split()
    assert wanted == listed  # what the manager installs, and what pip does by hand
    names = {re.split(r"[\[<>=!~ ;]", one)[0].lower() for one in wanted}
    assert names == {"vhmae"}
    assert not any("[" in one for one in wanted)  # no extra: those bring torch
    own = tomllib.loads((NODES.parents[1] / "pyproject.toml").read_text())["project"]
    if "torch" in own["optional-dependencies"]:
        assert not [one for one in own["dependencies"] if one.startswith("torch")]


def test_the_registrys_own_parser_reads_them(capsys: pytest.CaptureFixture[str]) -> None:
    parser = pytest.importorskip("comfy_cli.registry.config_parser")
    found = parser.extract_node_configuration(str(PYPROJECT))
    assert found.project.name == "vhmae-video-harmonization"
    assert found.project.license.text or found.project.license.file
    assert found.project.urls.repository
    assert found.project.supported_os == ["OS Independent"]
    assert found.project.dependencies == ["vhmae>=0.2"]
    assert found.tool_comfy.publisher_id
    assert "Warning" not in capsys.readouterr().out
