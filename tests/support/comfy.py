"""A stub of what the nodes take of ComfyUI, written from the documentation of its V3 schema
(docs.comfy.org: V3 migration; ``comfy_api.latest``). It is not ComfyUI: it checks what ComfyUI
checks of a schema, and records what a node tells.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

NODES = Path(__file__).parents[2] / "integrations" / "comfyui"


class InterruptProcessingException(Exception):
    """What ComfyUI raises in a node whose run is interrupted."""


@dataclasses.dataclass
class Host:
    """What a node did to the host."""

    temp: Path
    output: Path
    told: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    interrupt_after: int | None = None
    """Interrupt once so much has been told."""

    def throw_exception_if_processing_interrupted(self) -> None:
        if self.interrupt_after is not None and len(self.told) >= self.interrupt_after:
            raise InterruptProcessingException


class Socket:
    """An input or an output of any type."""

    def __init__(self, id: str | None = None, **said: Any) -> None:
        self.id = id
        self.said = said
        self.optional = said.get("optional", False)


@dataclasses.dataclass
class Schema:
    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Any] = dataclasses.field(default_factory=list)
    outputs: list[Any] = dataclasses.field(default_factory=list)
    description: str = ""
    is_output_node: bool = False

    def validate(self) -> None:
        """Ids are there once, over inputs and outputs."""
        ids = [one.id for one in (*self.inputs, *self.outputs)]
        assert None not in ids
        assert len({*ids}) == len(ids), f"ids must be unique: {ids}"


class NodeOutput:
    def __init__(self, *args: Any, ui: Any = None) -> None:
        self.args, self.ui = args, ui


class ComfyNode:
    pass


class ComfyExtension:
    pass


class VideoFromFile:
    """A VIDEO of a file; ``window`` is the cut that ComfyUI's own node has made of it."""

    def __init__(self, file: str, window: tuple[float, float] = (0.0, 0.0)) -> None:
        self.file, self.window = file, window
        self.saved: list[str] = []

    def get_stream_source(self) -> str:
        return self.file

    def get_active_trim_window(self) -> tuple[float, float]:
        return self.window

    def has_pending_frame_edits(self) -> bool:
        return False

    def get_dimensions(self) -> tuple[int, int]:
        with av.open(self.file) as container:
            return container.streams.video[0].width, container.streams.video[0].height

    def get_frame_rate(self) -> Fraction:
        with av.open(self.file) as container:
            rate = container.streams.video[0].average_rate
            assert rate is not None
            return Fraction(rate)

    def save_to(self, path: str) -> None:
        self.saved.append(path)
        shutil.copyfile(self.file, path)


def _type(name: str) -> Any:
    def kind(part: str) -> type:
        return type(part, (Socket,), {"io_type": name})

    return types.SimpleNamespace(Input=kind("Input"), Output=kind("Output"), io_type=name)


class _Template:
    def __init__(self, template_id: str, allowed_types: list[Any]) -> None:
        self.template_id, self.allowed_types = template_id, allowed_types


def _modules(host: Host) -> dict[str, Any]:
    modules: dict[str, Any] = {
        name: types.ModuleType(name)
        for name in (
            "comfy",
            "comfy.model_management",
            "comfy_api",
            "comfy_api.latest",
            "folder_paths",
        )
    }
    latest = modules["comfy_api.latest"]
    io = types.SimpleNamespace(Schema=Schema, NodeOutput=NodeOutput, ComfyNode=ComfyNode)
    for name in ("Image", "Mask", "Video", "Combo", "Float", "String"):
        setattr(io, name, _type(name.upper()))
    io.MatchType, io.MultiType = _type("COMFY_MATCHTYPE_V3"), _type("COMFY_MULTITYPED_V3")
    io.MatchType.Template = _Template

    class ComfyAPISync:
        execution = types.SimpleNamespace(
            set_progress=lambda value, max_value: host.told.append((value, max_value))
        )

    latest.io, latest.ComfyAPISync, latest.ComfyExtension = io, ComfyAPISync, ComfyExtension
    latest.ui = types.SimpleNamespace(PreviewText=lambda value: {"text": (value,)})
    latest.InputImpl = types.SimpleNamespace(VideoFromFile=VideoFromFile)
    management = modules["comfy.model_management"]
    management.throw_exception_if_processing_interrupted = (
        host.throw_exception_if_processing_interrupted
    )
    modules["comfy"].model_management = management
    paths = modules["folder_paths"]
    paths.get_temp_directory = lambda: str(host.temp)
    paths.get_output_directory = lambda: str(host.output)

    def get_save_image_path(prefix: str, folder: str) -> tuple[str, str, int, str, str]:
        place = Path(folder) / prefix
        place.parent.mkdir(parents=True, exist_ok=True)
        return str(place.parent), place.name, 1, str(Path(prefix).parent), prefix

    paths.get_save_image_path = get_save_image_path
    return modules


@contextmanager
def comfyui(folder: Path) -> Iterator[tuple[Any, Host]]:
    """The nodes, imported as ComfyUI imports a folder of ``custom_nodes``, and the host."""
    host = Host(folder / "temp", folder / "output")
    stubs = _modules(host)
    name = "custom_nodes_vhmae"
    before = {key: sys.modules.get(key) for key in stubs}
    sys.modules.update(stubs)
    try:
        spec = importlib.util.spec_from_file_location(
            name, NODES / "__init__.py", submodule_search_locations=[str(NODES)]
        )
        assert spec is not None
        assert spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules[name] = package
        spec.loader.exec_module(package)
        yield package, host
    finally:
        for key in [key for key in sys.modules if key.partition(".")[0] == name]:
            del sys.modules[key]
        for key, module in before.items():
            if module is None:
                del sys.modules[key]
            else:
                sys.modules[key] = module


def executed(node: Any, **values: Any) -> Any:
    """Run a node as ComfyUI does: inputs by their ids, widgets that are not given by default."""
    schema = node.define_schema()
    given: dict[str, Any] = {}
    for one in schema.inputs:
        if one.id in values:
            given[one.id] = values.pop(one.id)
        elif not one.optional:
            given[one.id] = one.said["default"]
    assert not values, f"no such inputs: {values}"
    call: Callable[..., Any] = node.execute
    return call(**given)
