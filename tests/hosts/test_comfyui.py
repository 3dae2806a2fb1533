"""The nodes for ComfyUI against a stub of its V3 schema; they have not been run in a real one."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

import vhmae
from tests.support.comfy import (
    NODES,
    Host,
    InterruptProcessingException,
    VideoFromFile,
    comfyui,
    executed,
)
from tests.support.scenes import moving_scene, save_bold_weights, write_video
from vhmae.arrays import Array
from vhmae.color.lut import read_cube
from vhmae.engine.settings import FOR_EVERYONE
from vhmae.model.files import read_card

FAST: dict[str, Any] = {"quality": "fast"}
"""What all runs share; ``weights`` is filled in below."""
NAMES = {
    "VhmaeVideoHarmonize": "Video Harmonize",
    "VhmaeHarmonizeWithPoints": "Harmonize with points",
    "VhmaeMatte": "Harmonize: matte",
    "VhmaeGradeToCube": "Grade to .cube",
}


@pytest.fixture(scope="module", autouse=True)
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A small network that changes what it sees by a lot."""
    path = save_bold_weights(tmp_path_factory.mktemp("weights") / "bold.safetensors")
    FAST["weights"] = str(path)


@pytest.fixture
def comfy(tmp_path: Path) -> Iterator[tuple[Any, Host]]:
    with comfyui(tmp_path) as loaded:
        yield loaded


def nodes_of(package: Any) -> dict[str, Any]:
    extension = asyncio.run(package.comfy_entrypoint())
    nodes = asyncio.run(extension.get_node_list())
    return {node.define_schema().node_id: node for node in nodes}


def batch(count: int = 8, channels: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """An IMAGE and its MASK."""
    frames, masks = moving_scene(count, 96, 64)
    images = torch.from_numpy(frames.astype(np.float32) / 255.0)
    mask = torch.from_numpy(masks.astype(np.float32))
    if channels == 4:
        images = torch.cat([images, mask.unsqueeze(-1) * 0.75], dim=-1)
    return images, mask


def harmonized(images: torch.Tensor, mask: torch.Tensor, **options: Any) -> Array:
    harmonizer = vhmae.Harmonizer.from_pretrained(**{**FAST, **options})
    frames = [image.numpy() for image in images[..., :3]]
    return np.stack([*harmonizer.harmonize(frames, [matte.numpy() for matte in mask])])


def pictures(path: str | Path) -> Array:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames)


def test_the_schemas_are_what_comfyui_takes(comfy: tuple[Any, Host]) -> None:
    nodes = nodes_of(comfy[0])
    assert {name: node.define_schema().display_name for name, node in nodes.items()} == NAMES
    for node in nodes.values():
        schema = node.define_schema()
        schema.validate()
        assert schema.description
        taken = inspect.signature(node.execute).parameters
        assert {*taken} == {one.id for one in schema.inputs}
        for one in schema.inputs:
            assert (taken[one.id].default is None) == one.optional
            sockets = ("IMAGE", "MASK", "VIDEO", "COMFY_MATCHTYPE_V3", "COMFY_MULTITYPED_V3")
            assert ("default" in one.said) == (one.io_type not in sockets)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_batch_comes_out_as_the_harmonizer_makes_it(
    comfy: tuple[Any, Host], channels: int
) -> None:
    package, host = comfy
    images, mask = batch(channels=channels)
    given = images.clone()
    out = executed(nodes_of(package)["VhmaeVideoHarmonize"], frames=images, mask=mask, **FAST)
    made, said = out.args
    assert torch.equal(images, given)
    assert np.array_equal(made[..., :3].numpy(), harmonized(images, mask))
    assert torch.equal(made[mask == 0], images[mask == 0])
    assert made.dtype == torch.float32
    assert made.shape == images.shape
    if channels == 4:
        assert torch.equal(made[..., 3], images[..., 3])
    assert host.told == [(number, 8) for number in range(1, 9)]
    assert said.startswith("8 frames, ")
    assert re.search(r" a second, by (onnx|torch) on cpu in (fp32|bf16)$", said)
    assert out.ui == {"text": (said,)}


def test_a_mask_may_stand_still_or_be_the_frames_alpha(comfy: tuple[Any, Host]) -> None:
    node = nodes_of(comfy[0])["VhmaeVideoHarmonize"]
    images, mask = batch(4)
    still = executed(node, frames=images, mask=mask[:1], **FAST).args[0]
    assert np.array_equal(still.numpy(), harmonized(images, mask[:1].expand(4, -1, -1)))
    flat = executed(node, frames=images, mask=mask[0], **FAST).args[0]
    assert torch.equal(flat, still)
    layered = torch.cat([images, mask.unsqueeze(-1)], dim=-1)
    own = executed(node, frames=layered, **FAST).args[0]
    assert np.array_equal(own[..., :3].numpy(), harmonized(images, mask))
    beyond = executed(node, frames=images * 1.5 - 0.1, mask=mask, **FAST).args[0]
    assert 0.0 <= float(beyond.min()) <= float(beyond.max()) <= 1.0
    halved = executed(node, frames=images.half(), mask=mask.half(), **FAST).args[0]
    assert (halved - executed(node, frames=images, mask=mask, **FAST).args[0]).abs().max() < 0.02


def test_wrong_shapes_are_refused_in_one_line(comfy: tuple[Any, Host]) -> None:
    nodes = nodes_of(comfy[0])
    images, mask = batch(4)
    for frames, matte, told in (
        (images[0], mask, r"frames: expected an IMAGE .* got \[64, 96, 3\]"),
        (images[..., :2], mask, r"frames: expected an IMAGE"),
        (images[:0], mask, r"frames: expected an IMAGE .* got \[0, 64, 96, 3\]"),
        (images, mask[:, :32], r"mask: is 96x32 but the frames are 96x64"),
        (images, mask[:3], r"mask: has 3 mattes for 4 frames"),
        (images, images, r"mask: expected a MASK"),
        (images, mask * 0.0, r"mask: has no foreground in any frame"),
        (images, mask[0] * 0.0 + 1.0, r"mask: covers every frame whole"),
        (torch.cat([images, images[..., :1] * 0.0], -1), None, r"mask: has no foreground"),
        (images, None, r"mask: nothing is connected"),
        (images, VideoFromFile("gone.mp4"), r"mask: is a VIDEO"),
    ):
        with pytest.raises(vhmae.InputError, match=told) as caught:
            executed(nodes["VhmaeVideoHarmonize"], frames=frames, mask=matte, **FAST)
        assert "\n" not in str(caught.value)
    with pytest.raises(vhmae.InputError, match="after: is"):
        executed(nodes["VhmaeGradeToCube"], before=images, after=images[:2], mask=mask)


def test_frames_that_could_not_be_read_are_told(
    comfy: tuple[Any, Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vhmae.engine.backends.gpu_here", lambda: "NVIDIA")
    waits = vhmae.Harmonizer.from_pretrained(**FAST).latency_frames
    images, mask = batch(1)
    images = images[:, ::2, ::2].expand(waits + 8, -1, -1, -1)
    mask = mask[:, ::2, ::2].repeat(waits + 8, 1, 1)
    mask[: waits + 3] = mask[waits + 6 :] = 1.0
    node = nodes_of(comfy[0])["VhmaeVideoHarmonize"]
    made, said = executed(node, frames=images, mask=mask, **FAST).args
    _, unread, borrowed, idle = said.splitlines()
    assert unread == "3 frames of shots that had shown no background yet were left untouched"
    assert torch.equal(made[:3], images[:3])
    assert (made[3] - images[3]).abs().max() > 0.0
    taken = f"{waits + 2} frames show no background and took the transform of the nearest"
    assert borrowed.startswith(taken)
    assert idle.startswith("an NVIDIA GPU lies idle")


def test_a_long_batch_takes_no_more_memory_than_a_short_one(
    comfy: tuple[Any, Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    import custom_nodes_vhmae.batches as batches  # type: ignore[import-not-found]

    taken: list[weakref.ref[Array]] = []
    alive: list[int] = []
    frames_of = batches.Frames.__iter__

    def watched(self: Any) -> Iterator[Array]:
        for frame in frames_of(self):
            taken.append(weakref.ref(frame))
            alive.append(sum(one() is not None for one in taken))
            yield frame

    monkeypatch.setattr(batches.Frames, "__iter__", watched)
    monkeypatch.setattr(batches, "LARGEST_IN_MEMORY", 0)  # what goes out lies in a file
    images, mask = batch(1)
    images = images[:, ::2, ::2].expand(70, -1, -1, -1)  # takes no memory of its own
    node = nodes_of(comfy[0])["VhmaeVideoHarmonize"]
    made = executed(node, frames=images, mask=mask[:, ::2, ::2], **FAST).args[0]
    assert made.shape == (70, 32, 48, 3)
    assert torch.equal(made[-1][mask[0, ::2, ::2] == 0], images[0][mask[0, ::2, ::2] == 0])
    waiting = vhmae.Harmonizer.from_pretrained(**FAST).latency_frames
    assert len(taken) == 70
    assert max(alive) <= waiting + 3


def test_the_button_interrupts(comfy: tuple[Any, Host], tmp_path: Path) -> None:
    package, host = comfy
    node = nodes_of(package)["VhmaeVideoHarmonize"]
    images, mask = batch(8)
    host.interrupt_after = 3
    with pytest.raises(InterruptProcessingException):
        executed(node, frames=images, mask=mask, **FAST)
    assert len(host.told) == 3

    host.told.clear()
    frames, masks = moving_scene(8, 96, 64)
    composite = write_video(tmp_path / "in.mp4", frames, codec="libx264")
    matte = write_video(tmp_path / "mask.mkv", masks.astype(np.uint8) * 255)
    with pytest.raises(InterruptProcessingException):
        executed(node, frames=VideoFromFile(str(composite)), mask=VideoFromFile(str(matte)), **FAST)
    assert not [path for path in host.temp.rglob("*") if path.is_file()]


@pytest.mark.parametrize("form", ["mask", "video", "still"])
def test_a_video_keeps_its_sound(comfy: tuple[Any, Host], tmp_path: Path, form: str) -> None:
    package, host = comfy
    frames, masks = moving_scene(10, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames, audio=True)
    matte = write_video(tmp_path / "mask.mkv", masks.astype(np.uint8) * 255, pix_fmt="gray")
    mask: Any = VideoFromFile(str(matte))
    if form != "video":
        mask = torch.from_numpy(masks.astype(np.float32))
    if form == "still":
        mask = mask[:1]
    video = VideoFromFile(str(composite))
    out = executed(
        nodes_of(package)["VhmaeVideoHarmonize"], frames=video, mask=mask, strength=0.5, **FAST
    )
    made, said = out.args
    assert isinstance(made, VideoFromFile)
    assert Path(made.file).is_relative_to(host.temp)
    with av.open(made.file) as container:
        assert len(container.streams.audio) == 1
    got = pictures(made.file)
    assert len(got) == 10
    if form != "still":
        direct = tmp_path / "direct.mkv"
        vhmae.harmonize_video(composite, direct, mask=matte, strength=0.5, **FAST)
        assert np.array_equal(got, pictures(direct))
    assert host.told[-1] == (10.0, 10.0)
    assert said.startswith("10 frames, ")
    assert video.saved == []


def test_a_video_that_was_cut_is_written_first(comfy: tuple[Any, Host], tmp_path: Path) -> None:
    frames, masks = moving_scene(6, 96, 64)
    composite = write_video(tmp_path / "in.mp4", frames, codec="libx264")
    video = VideoFromFile(str(composite), window=(0.0, 0.2))
    mask = torch.from_numpy(masks.astype(np.float32))
    node = nodes_of(comfy[0])["VhmaeVideoHarmonize"]
    executed(node, frames=video, mask=mask, **FAST)
    assert [Path(path).name for path in video.saved] == ["composite.mp4"]
    with pytest.raises(vhmae.InputError, match=r"mask: expected a MASK \[B, 64, 96\]"):
        executed(node, frames=video, mask=mask[:, :, :32], **FAST)


def test_points_are_heard(comfy: tuple[Any, Host], tmp_path: Path) -> None:
    node = nodes_of(comfy[0])["VhmaeHarmonizeWithPoints"]
    images, mask = batch(6)
    rows, columns = np.nonzero(mask[0].numpy())
    x, y = int(np.median(columns)), int(np.median(rows))
    words = f"target {x},{y}=#20c040\n\n dial exposure=+0.3 "
    made, said = executed(node, frames=images, mask=mask, points=words, **FAST).args
    made = made.numpy()
    assert "has no prior of its own" in said
    guide = vhmae.Guide(
        points=(vhmae.Point(kind="target", at=(x, y), to=(32 / 255, 192 / 255, 64 / 255)),),
        dials=vhmae.Dials(exposure=0.3),
    )
    harmonizer = vhmae.Harmonizer.from_pretrained(**FAST)
    with pytest.warns(UserWarning, match="has no prior of its own"):
        harmonizer.guide(guide)
    wanted = harmonizer.harmonize([one.numpy() for one in images], [one.numpy() for one in mask])
    assert np.array_equal(made, np.stack([*wanted]))
    assert np.abs(made - harmonized(images, mask))[mask.numpy() > 0].mean() > 0.02

    frames, masks = moving_scene(6, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames)
    matte = write_video(tmp_path / "mask.mkv", masks.astype(np.uint8) * 255)
    videos = {"frames": VideoFromFile(str(composite)), "mask": VideoFromFile(str(matte))}
    out = executed(node, points=words, **videos, **FAST).args[0]
    vhmae.harmonize_video(
        composite,
        tmp_path / "direct.mkv",
        mask=matte,
        **FAST,
        target=[f"{x},{y}=#20c040"],
        dial=["exposure=+0.3"],
    )
    assert np.array_equal(pictures(out.file), pictures(tmp_path / "direct.mkv"))

    for wrong, told in (
        ("turn 1,2", "points: 'turn 1,2' says nothing known"),
        ("match", "points: 'match' says nothing known"),
        ("match 1,2", "is not a place"),
        ("neutral 500,2", "lies outside the frame"),
        (f"neutral {x},{y}@6", "names frame 6 of a video of 6"),
    ):
        with pytest.raises(vhmae.InputError, match=told):
            executed(node, frames=images, mask=mask, points=wrong, **FAST)


def test_words_that_cannot_be_heard_are_told(comfy: tuple[Any, Host]) -> None:
    node = nodes_of(comfy[0])["VhmaeHarmonizeWithPoints"]
    images, mask = batch(6)
    rows, columns = np.nonzero(mask[0].numpy())
    place = f"{int(np.median(columns))},{int(np.median(rows))}"
    words = f"target {place}=#000000\ntarget {place}=#ffffff"
    _, said = executed(node, frames=images, mask=mask, points=words, **FAST).args
    assert "point 1" in said
    assert "contradict each other" in said
    mask[:2] = 0.0
    with pytest.raises(vhmae.InputError, match="points: frame 0 has no foreground"):
        executed(node, frames=images, mask=mask, points=words, **FAST)


def test_a_matte_is_cut_out(comfy: tuple[Any, Host]) -> None:
    node = nodes_of(comfy[0])["VhmaeMatte"]
    images, mask = batch(5)
    screen = torch.tensor([0.1, 0.8, 0.15]).expand_as(images)
    red = torch.tensor([0.7, 0.3, 0.3]).expand_as(images)
    shown = torch.where(mask.unsqueeze(-1) > 0.5, red, screen)
    (made,) = executed(node, frames=shown).args
    assert made.shape == mask.shape
    assert (made - mask).abs().mean() < 0.05
    assert comfy[1].told == [(number, 5) for number in range(1, 6)]
    with pytest.raises(vhmae.InputError, match="no green or blue screen"):
        executed(node, frames=images * 0.0 + 0.5)
    with pytest.raises(vhmae.InputError, match=r"gone\.onnx: no such file"):
        executed(node, frames=images, way="salient", network="gone.onnx")


def test_a_grade_is_written(comfy: tuple[Any, Host]) -> None:
    package, host = comfy
    node = nodes_of(package)["VhmaeGradeToCube"]
    images, mask = batch(9)
    after = torch.where(mask.unsqueeze(-1) > 0.5, images * 0.8 + 0.05, images)
    paths = [executed(node, before=images, after=after, mask=mask).args[0] for _ in range(2)]
    assert [Path(path).relative_to(host.output).as_posix() for path in paths] == [
        "vhmae/look_00001.cube",
        "vhmae/look_00002.cube",
    ]
    graded = read_cube(Path(paths[0]))(images[mask > 0.5])
    assert (graded - after[mask > 0.5]).abs().max() < 0.01
    with pytest.raises(vhmae.InputError, match="no frame has a foreground"):
        executed(node, before=images, after=after, mask=mask * 0.0)


def test_the_example_fits_the_nodes(comfy: tuple[Any, Host]) -> None:
    nodes = nodes_of(comfy[0])
    files = sorted((NODES / "example_workflows").glob("*.json"))
    assert files
    for file in files:
        tree = json.loads(file.read_text())
        by_id = {node["id"]: node for node in tree["nodes"]}
        assert len(by_id) == len(tree["nodes"])
        links = {link[0]: link for link in tree["links"]}
        for number, origin, slot, target, place, _ in links.values():
            assert number in by_id[origin]["outputs"][slot]["links"]
            assert by_id[target]["inputs"][place]["link"] == number
        own = [node for node in tree["nodes"] if node["type"] in nodes]
        assert own
        for node in own:
            schema = nodes[node["type"]].define_schema()
            widgets = [one.id for one in schema.inputs if "default" in one.said]
            sockets = [one.id for one in schema.inputs if "default" not in one.said]
            assert [one["name"] for one in node["inputs"]] == sockets
            assert [one["name"] for one in node["outputs"]] == [one.id for one in schema.outputs]
            assert len(node["widgets_values"]) == len(widgets)
            for one, value in zip(
                (one for one in schema.inputs if "default" in one.said),
                node["widgets_values"],
                strict=True,
            ):
                assert value in one.said.get("options", [value])
                if one.id == "weights":
                    assert value == FOR_EVERYONE["weights"]


def test_the_nodes_start_with_weights_that_everyone_may_use(comfy: tuple[Any, Host]) -> None:
    started = [
        one.said["default"]
        for node in nodes_of(comfy[0]).values()
        for one in node.define_schema().inputs
        if one.id == "weights"
    ]
    assert started == [FOR_EVERYONE["weights"]] * 2
    assert str(read_card(FOR_EVERYONE["weights"]).facts["licence"]).startswith("Apache-2.0")
    page = (NODES.parents[1] / "docs" / "comfyui.md").read_text()
    assert "## Licences" in page


def test_examples_take_weights_that_everyone_may_use() -> None:
    examples = sorted((NODES.parents[1] / "examples").glob("*.py"))
    assert examples
    for file in examples:
        calls = [
            node
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Call)
            and getattr(node.func, "attr", "") in ("from_pretrained", "harmonize_video")
        ]
        assert calls, file
        for call in calls:
            named = [one.value for one in call.keywords if one.arg == "weights"]
            said = [*call.args, *named]
            assert FOR_EVERYONE["weights"] in [getattr(one, "value", None) for one in said], file
