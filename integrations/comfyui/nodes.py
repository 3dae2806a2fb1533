"""The nodes, in ComfyUI's V3 schema; each is a few lines over the public API of vhmae."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.model_management
import folder_paths
import numpy as np
import torch
from comfy_api.latest import ComfyAPISync, ComfyExtension, io, ui

import vhmae
from vhmae.color.cube import write_cube
from vhmae.engine.backends import idle_gpu
from vhmae.engine.remarks import told_of_borrowed, told_of_unread
from vhmae.grade.shots import grade_of_pairs
from vhmae.guide.options import GuideOptions
from vhmae.matting.chroma import ChromaKey
from vhmae.matting.run import make_network
from vhmae.video.cuts import THUMBNAIL, CutDetector
from vhmae.video.planes import shrink
from vhmae.work.guiding import stream_rows, told_of_points

from .batches import Frames, Masks, masks_for, new_batch
from .videos import harmonized_file

CATEGORY = "vhmae"
NOTHING = "nothing"


class Progress:
    """ComfyUI's bar, and its button that interrupts."""

    def __init__(self) -> None:
        self.api = ComfyAPISync()

    def __call__(self, done: int, total: int | None) -> None:
        """Tell how much is done; what interrupts the work is raised here."""
        self.check()
        self.api.execution.set_progress(done, total or max(done, 1))

    def check(self) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()


def said_of(frames: int, seconds: float, backend: str, device: str, precision: str) -> str:
    """What a node shows when it is done."""
    pace = frames / max(seconds, 1e-6)
    return f"{frames} frames, {pace:.1f} a second, by {backend} on {device} in {precision}"


def harmonized_images(
    images: torch.Tensor, mask: torch.Tensor | None, guide: vhmae.Guide, **options: Any
) -> tuple[torch.Tensor, str]:
    """An IMAGE harmonized, its alpha kept, and what is said of it."""
    began, tell = time.monotonic(), Progress()
    frames = Frames(images, tell.check)
    masks = masks_for(frames, mask)
    masks.check_shown()
    height, width = frames.size
    guide.check_fits(width, height, len(frames))
    masks.check_shown_in(guide.frames)
    harmonizer = vhmae.Harmonizer.from_pretrained(**options)
    told: list[str] = []
    if guide:
        prior, told = harmonizer.own_prior
        harmonizer.guide(guide, prior)
    made = new_batch(*images.shape)
    for number, frame in enumerate(harmonizer.harmonize(frames, masks)):
        made[number, ..., :3] = torch.from_numpy(frame)
        if frames.has_alpha:
            made[number, ..., 3] = images[number, ..., 3]
        tell(number + 1, len(frames))
    seconds = time.monotonic() - began
    network = harmonizer.network
    where = (network.backend, network.device, network.precision)
    lines = [
        said_of(len(frames), seconds, *where),
        *told_of_unread(harmonizer),
        *told_of_borrowed(max(0, harmonizer.borrowed - harmonizer.unread)),
        *idle_gpu(network, "auto"),
        *told,
        *told_of_points(stream_rows(harmonizer)),
    ]
    return made, "\n".join(lines)


def harmonized(
    frames: Any, mask: Any, words: GuideOptions, keep: str, **options: Any
) -> io.NodeOutput:
    """What both harmonizing nodes give."""
    kept = () if keep == NOTHING else (keep,)
    if isinstance(frames, torch.Tensor):
        if mask is not None and not isinstance(mask, torch.Tensor):
            raise vhmae.InputError("mask: is a VIDEO but the frames are an IMAGE; connect a MASK")
        made, said = harmonized_images(frames, mask, words.read(), keep=kept, **options)
    else:
        said_by = {
            field.name: getattr(words, field.name)
            for field in dataclasses.fields(words)
            if getattr(words, field.name)
        }
        made, report = harmonized_file(frames, mask, Progress(), keep=kept, **said_by, **options)
        where = (report["backend"], report["device"], report["precision"])
        lines = [
            said_of(report["frames"], report["seconds"], *where),
            *report["warnings"],
        ]
        said = "\n".join(lines)
    return io.NodeOutput(made, said, ui=ui.PreviewText(said))


def schema_of(
    kind: str, name: str, description: str, inputs: list[Any], outputs: list[Any], **more: Any
) -> io.Schema:
    """What ComfyUI is told of a node of ours."""
    return io.Schema(
        node_id=f"Vhmae{kind}",
        display_name=name,
        category=CATEGORY,
        description=description,
        inputs=inputs,
        outputs=outputs,
        **more,
    )


FRAMES = io.MatchType.Template("frames", [io.Image, io.Video])


def inputs_of_both() -> tuple[list[Any], list[Any]]:
    """The sockets and the widgets of both harmonizing nodes."""
    sockets = [
        io.MatchType.Input(
            "frames",
            template=FRAMES,
            tooltip="The composite: an IMAGE batch, or a VIDEO, which is worked on from file to "
            "file (any length, sound kept).",
        ),
        io.MultiType.Input(
            "mask",
            types=[io.Mask, io.Video],
            optional=True,
            tooltip="1 (white) is the foreground that is to be harmonized. Invert the MASK of Load "
            "Image, which is 1 where it is transparent. Nothing connected: the frames' own alpha.",
        ),
    ]
    widgets = [
        io.Combo.Input(
            "quality",
            options=["fast", "balanced", "best"],
            default="balanced",
            tooltip="How often the network looks: every 12, 6 or 3 frames.",
        ),
        io.Float.Input("strength", default=1.0, min=0.0, max=1.0, step=0.05),
        io.Combo.Input(
            "keep",
            options=[NOTHING, "hue", "luma", "saturation"],
            default=NOTHING,
            tooltip="What of the foreground's colors stays as it is.",
        ),
        io.String.Input(
            "weights",
            default="free",
            tooltip="A packaged name or a .safetensors file: free is Apache-2.0, for any use; "
            "default is stronger on film looks, for research only.",
        ),
    ]
    return sockets, widgets


def outputs_of_both() -> list[Any]:
    return [
        io.MatchType.Output(template=FRAMES, id="harmonized", display_name="harmonized"),
        io.String.Output(id="report", display_name="report"),
    ]


class VideoHarmonize(io.ComfyNode):
    """Harmonizes a composite."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        sockets, widgets = inputs_of_both()
        return schema_of(
            "VideoHarmonize",
            "Video Harmonize",
            "Makes the foreground of a composite look as if it had been shot with its "
            "background. Pixels outside the mask stay as they are.",
            [*sockets, *widgets],
            outputs_of_both(),
        )

    @classmethod
    def execute(
        cls,
        frames: Any,
        quality: str,
        strength: float,
        keep: str,
        weights: str,
        mask: Any = None,
    ) -> io.NodeOutput:
        options = {"quality": quality, "strength": strength, "weights": weights}
        return harmonized(frames, mask, GuideOptions(), keep, **options)


class HarmonizeWithPoints(io.ComfyNode):
    """Harmonizes a composite as a person says."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        sockets, widgets = inputs_of_both()
        points = io.String.Input(
            "points",
            multiline=True,
            default="",
            placeholder="match 120,80=400,90\ndial exposure=+0.3",
            tooltip="A word a line, places in pixels, @FRAME where it is not the first: match "
            "X,Y=X,Y | target X,Y=#rrggbb | keep_color X,Y | neutral X,Y | brightness X,Y=STOPS | "
            "dial NAME=VALUE (exposure, temperature, tint, contrast, blacks, saturation).",
        )
        return schema_of(
            "HarmonizeWithPoints",
            "Harmonize with points",
            "As Video Harmonize, guided: what places of the foreground are to look like.",
            [*sockets, points, *widgets],
            outputs_of_both(),
        )

    @classmethod
    def execute(
        cls,
        frames: Any,
        points: str,
        quality: str,
        strength: float,
        keep: str,
        weights: str,
        mask: Any = None,
    ) -> io.NodeOutput:
        options = {"quality": quality, "strength": strength, "weights": weights}
        return harmonized(frames, mask, words_of(points), keep, **options)


def words_of(text: str) -> GuideOptions:
    """A word a line as the options that say it.

    Raises:
        InputError: for a line that says nothing known.
    """
    known = [field.name for field in dataclasses.fields(GuideOptions) if field.name != "guide"]
    said: dict[str, tuple[str, ...]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        kind, _, rest = line.partition(" ")
        if kind not in known or not rest.strip():
            raise vhmae.InputError(
                f"points: '{line}' says nothing known; write {', '.join(known)} and what follows, "
                "as in match 120,80=400,90"
            )
        said[kind] = (*said.get(kind, ()), rest.strip())
    return GuideOptions(**said)


class HarmonizeMatte(io.ComfyNode):
    """Cuts a foreground out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema_of(
            "Matte",
            "Harmonize: matte",
            "A MASK of what is to be harmonized: a green or blue screen, or by a "
            "network of your own (people: RVM; whatever stands out: ISNet and its like).",
            [
                io.Image.Input("frames"),
                io.Combo.Input("way", options=["chroma", "rvm", "salient"], default="chroma"),
                io.Combo.Input(
                    "screen",
                    options=["auto", "green", "blue"],
                    default="auto",
                    tooltip="chroma: the screen's color.",
                ),
                io.String.Input(
                    "network",
                    default="",
                    tooltip="rvm, salient: the .onnx file; empty takes VHMAE_RVM or VHMAE_ISNET.",
                ),
            ],
            [io.Mask.Output(id="mask", display_name="mask")],
        )

    @classmethod
    def execute(cls, frames: Any, way: str, screen: str, network: str) -> io.NodeOutput:
        tell = Progress()
        source = Frames(frames, tell.check)
        if way == "chroma":
            maker: Any = ChromaKey(screen)
        else:
            maker = make_network(way, Path(network) if network.strip() else None, None)
        made = new_batch(len(source), *source.size)
        number = 0
        for shot in shots(source):
            for matte in maker.mattes(shot):
                made[number] = torch.from_numpy(np.ascontiguousarray(matte))
                number += 1
                tell(number, len(source))
        if not any(bool((matte > 0.5).any()) for matte in made):
            raise vhmae.InputError(
                f"frames: {maker.complaint or 'nothing was found; try another way'}"
            )
        return io.NodeOutput(made)


def shots(frames: Frames) -> Iterator[Iterator[np.ndarray]]:
    """Frames as uint8, shot by shot: what cuts out forgets what it knows at each cut."""
    cuts = CutDetector()

    def numbered() -> Iterator[tuple[int, np.ndarray]]:
        shot = 0
        for frame in frames:
            shot += cuts.step(shrink(frame, *THUMBNAIL))
            yield shot, np.rint(frame * 255.0).astype(np.uint8)

    for _, group in itertools.groupby(numbered(), key=lambda pair: pair[0]):
        yield (frame for _, frame in group)


class GradeToCube(io.ComfyNode):
    """Writes what harmonizing did as a table."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema_of(
            "GradeToCube",
            "Grade to .cube",
            "One 33x33x33 LUT that takes the foreground from what it was to what it "
            "became; put it on the foreground layer alone. What differs from place to place and "
            "over time is lost: give one shot.",
            [
                io.Image.Input("before"),
                io.Image.Input("after"),
                io.Mask.Input("mask", optional=True, tooltip="Nothing connected: before's alpha."),
                io.String.Input("filename_prefix", default="vhmae/look"),
            ],
            [io.String.Output(id="path", display_name="path")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, before: Any, after: Any, filename_prefix: str, mask: Any = None
    ) -> io.NodeOutput:
        tell = Progress()
        first, second = Frames(before, tell.check), Frames(after, tell.check)
        if first.size != second.size or len(first) != len(second):
            raise vhmae.InputError(
                f"after: is {list(after.shape)}, before is {list(before.shape)}; connect the same "
                "frames, harmonized"
            )
        masks: Masks = masks_for(first, mask)
        grade = grade_of_pairs(zip(first, second, masks, strict=True))
        folder, name, counter, _, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory()
        )
        path = Path(folder) / f"{name}_{counter:05}.cube"
        while path.exists():
            counter += 1
            path = path.with_name(f"{name}_{counter:05}.cube")
        lut = grade.lut()
        write_cube(lut, path)
        left = grade.levels_left(grade.graded_by_tables([lut]))
        said = f"{path}: changes by {grade.change_levels:.1f} levels, {left:.1f} are left"
        return io.NodeOutput(str(path), ui=ui.PreviewText(said))


class VhmaeExtension(ComfyExtension):
    """The nodes of this folder."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [VideoHarmonize, HarmonizeWithPoints, HarmonizeMatte, GradeToCube]


async def comfy_entrypoint() -> ComfyExtension:
    """What ComfyUI calls."""
    return VhmaeExtension()
