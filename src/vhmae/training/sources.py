"""Scenes for training: packs made once, dev clips kept apart, batches that depend on the seed and
step alone."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vhmae.color import statistics
from vhmae.config import to_tree
from vhmae.data.clips import Pack, build_pack, read_file_table, read_names
from vhmae.data.labels import LABEL_SUFFIX
from vhmae.data.looks import Blending, LookMixture, blend_changes
from vhmae.data.pairs import PairSampler, read_pairs
from vhmae.data.synthesis import Scene, SceneRecipe, SceneSampler, StackedScenes
from vhmae.errors import InputError
from vhmae.partial_output import whole_file, whole_folder
from vhmae.training.recipe import DataConfig, LookStage, Stage
from vhmae.training.seeds import LAYERS, LIKES


def load_packs(config: DataConfig, cache: Path) -> list[Pack]:
    """Load the packs of the data folders, made at the first call."""
    cache.mkdir(parents=True, exist_ok=True)
    packs = []
    room = config.decoded_mib << 20
    left_out = read_names(config.leave_out, "data.leave_out") if config.leave_out else set()
    if config.dev_list is not None and config.keep_dev:  # kept out in any case, and wanted there
        left_out -= read_names(config.dev_list, "data.dev_list")
    odd = set(left_out)
    listed = read_file_table(config.only, "data.only") if config.only else None
    for folder in config.folders:
        path = cache / _pack_file(config, folder)
        if not path.exists():
            built = build_pack(config.root_path / folder, config.frames_per_video)
            (built.with_regions() if config.regions else built).save(path)
        pack = Pack.load(path, config.together)
        odd -= {part for one in pack.names for part in (one, one.partition("/")[0])}
        _check_plain(odd, pack)
        if left_out:
            kept_names = {one for one in pack.names if not {one, one.partition("/")[0]} & left_out}
            pack = pack.subset(kept_names)
        if listed is not None:
            pack = pack.subset(_listed_names(pack, listed.get(folder, set()), folder))
        if config.decoded_mib:
            # By the names that are left: other lists may leave other frames at the same places.
            kept = f"{path.stem}.{_digest(pack.names)}.{room >> 20}.pixels"
            room -= pack.cache_decoded(path.with_name(kept), room)
        packs.append(pack)
    return packs


def _check_plain(names: set[str], pack: Pack) -> None:
    """Refuse names of what is to be left out that are those of files: what they mean would be
    trained on without a word. Others may be of folders that this recipe does not read."""
    known = {one.partition("/")[0] for one in pack.names}
    for name in sorted(names):
        if (plain := Path(name).stem) in known or (plain := Path(name).name) in known:
            raise InputError(
                f"data.leave_out: {name}: names stand without folders and endings; write {plain}"
            )


def _listed_names(pack: Pack, listed: set[str], folder: str) -> set[str]:
    """Names of a pack that a table lists; those of clips with several objects are NAME/OBJECT."""
    names = {name for name in pack.names if name.partition("/")[0] in listed}
    if not names:
        raise InputError(f"data.only: lists nothing of the folder {folder}; leave the folder out")
    return names


def _restrictions(config: DataConfig) -> list[str]:
    """The lists of what may and what may not be drawn from, as they stand in their files."""
    files = (config.leave_out, config.only)
    return [file.read_text(encoding="utf-8") if file else "" for file in files]


def _files_below(folder: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of all files."""
    found = ((file.relative_to(folder).as_posix(), file.stat()) for file in folder.rglob("*"))
    return sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)


def _pack_file(config: DataConfig, folder: str) -> str:
    """A pack's name in a cache: another for another folder, or what lies in it, or number of
    frames."""
    place = (config.root_path / folder).resolve()
    files = _files_below(place)
    facts = [str(place), files, config.frames_per_video]
    # Packs of before kept the levels of soft masks as objects of their own.
    facts += ["of one subject"] if any(name.endswith(LABEL_SUFFIX) for name, *_ in files) else []
    facts += ["regions"] if config.regions else []
    return f"{Path(folder).name}.{_digest(facts)}.pack.npz"


def bank_file(
    config: DataConfig,
    scenes: SceneRecipe,
    stage: LookStage,
    seed: int,
    encoder: str = "",
    looks: LookMixture | None = None,
) -> str:
    """A bank's name in a cache: another wherever another one would be drawn.

    Args:
        encoder: digest of what finds likes; empty where none are read.
        looks: the mixture under which likes are looked for.
    """
    drawn_by = [config.luts, config.lut_split, config.cameras, config.looks_pool]
    under = [to_tree(looks), *drawn_by] if looks else []
    facts = [
        "sources",
        *_drawn_from(config, scenes),
        stage.samples,
        stage.image_size,
        stage.clip_frames,
        seed,
        *([encoder, under] if encoder else []),
        *(["layers"] if stage.layers else []),
    ]
    return f"look_bank.{_digest(facts)}.npz"


def scenes_folder(config: DataConfig, scenes: SceneRecipe, stage: Stage, seed: int) -> str:
    """The name of a stage's cut scenes in a cache: another wherever others would be cut."""
    facts = [
        "scenes",
        *_drawn_from(config, scenes),
        stage.kept_scenes,
        stage.image_size,
        stage.clip_frames,
        seed,
    ]
    return f"scenes.{_digest(facts)}"


def _drawn_from(config: DataConfig, scenes: SceneRecipe) -> list[Any]:
    """What scenes depend on, but for their number and size."""
    dev = f"keep {config.keep_dev}"
    if config.dev_list and config.keep_dev:
        dev = config.dev_list.read_text(encoding="utf-8")
    facts = [
        [_pack_file(config, folder) for folder in config.folders],
        list(config.shares),
        list(config.together),
        dev,
        to_tree(scenes),
    ]
    return [*facts, *_restrictions(config)] if config.leave_out or config.only else facts


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Another one for other values, names or shapes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def open_pairs(data: DataConfig) -> PairSampler | None:
    """The composites with their answers that a recipe names; None where it names none."""
    if not data.pairs:
        return None
    list_file = data.root_path / data.pairs
    return PairSampler(read_pairs(list_file.parent, list_file))


Drawn = TypeVar("Drawn", covariant=True)
Item = TypeVar("Item")


class Draws(Protocol[Drawn]):
    """What rows of a batch are drawn from."""

    def draw(self, rng: np.random.Generator, frames: int, size: int) -> Drawn: ...


@dataclasses.dataclass(frozen=True)
class Batches(Dataset[list[Drawn]]):
    """Item ``step`` holds rows of that step's batch: the same for a seed, on however many
    processes."""

    sampler: Draws[Drawn]
    seed: int
    rows: range
    frames: int
    size: int

    def __getitem__(self, step: int) -> list[Drawn]:
        return [
            self.sampler.draw(np.random.default_rng([self.seed, step, row]), self.frames, self.size)
            for row in self.rows
        ]


def iterate_batches(batches: Batches[Drawn], steps: range, workers: int) -> Iterator[list[Drawn]]:
    """The batches of the given steps, cut ahead by worker processes."""
    yield from _loaded(batches, steps, workers, ahead=4)


def _loaded(items: Dataset[Item], order: range, workers: int, ahead: int = 2) -> Iterator[Item]:
    """Items by worker processes, as they are; what one of these has to say to the user comes as its
    one line, not as a traceback within another.

    Args:
        ahead: items that each process makes before they are asked for.
    """
    loader = DataLoader(
        items,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        prefetch_factor=ahead if workers else None,
        worker_init_fn=_one_thread,
        collate_fn=None,
    )
    try:
        yield from loader
    except InputError as error:
        name = f"{InputError.__module__}.{InputError.__qualname__}: "
        raise InputError(str(error).rstrip().rpartition(name)[2]) from None


def _one_thread(_: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)


CHUNK = 50
"""Scenes that a worker hands over at once where many are cut beforehand."""


def cut_scenes(sampler: Draws[Scene], stage: Stage, seed: int, workers: int, folder: Path) -> None:
    """Cut the scenes that a stage keeps into a folder of arrays: 6 to 20 ms a scene and process."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_folder(folder) as part:
            _cut_into(part, sampler, stage, seed, workers)
    except (OSError, InputError):
        if not folder.is_dir():  # or else another run has cut the same ones meanwhile
            raise


def _cut_into(part: Path, sampler: Draws[Scene], stage: Stage, seed: int, workers: int) -> None:
    count, frames, size = stage.kept_scenes, stage.clip_frames, stage.image_size
    kinds = {
        "frames": ((frames, size, size, 3), np.uint8),
        "region": ((frames, size, size), np.bool_),
        "mask": ((frames, size, size), np.bool_),
        "source": ((), np.int64),
    }
    arrays = {
        name: np.lib.format.open_memmap(part / f"{name}.npy", "w+", dtype, (count, *shape))
        for name, (shape, dtype) in kinds.items()
    }
    batches = Batches(sampler, seed, range(CHUNK), frames, size)
    for number, scenes in enumerate(_loaded(batches, range(-(-count // CHUNK)), workers)):
        for row, scene in zip(range(number * CHUNK, count), scenes, strict=False):
            for name, array in arrays.items():
                array[row] = getattr(scene, name)
    for array in arrays.values():
        array.flush()


def load_scenes(folder: Path) -> StackedScenes:
    """Scenes that :func:`cut_scenes` has cut."""
    arrays = (
        torch.from_numpy(np.load(folder / f"{name}.npy"))
        for name in ("frames", "region", "mask", "source")
    )
    return StackedScenes(*arrays)


class LookBank:
    """Drawn pixels of many scenes before the looks: the look path trains on them at thousands of
    samples a second."""

    def __init__(
        self,
        pixels: Tensor,
        region: Tensor,
        shares: Tensor,
        source: Tensor,
        likeness: Tensor | None = None,
        layers: Tensor | None = None,
    ) -> None:
        # (N, P, 3) uint8, the four sets side by side; then the foreground cells and their likes.
        self.pixels = pixels
        self.region = region  # (N, P) bool: pixels that B recolors
        self.shares = shares  # (N, S) float32
        self.source = source  # (N,) int64, numbers of the sources
        self.likeness = likeness  # (N, K, likes) float16, or None where none are read
        # (N, P, 5) float16, see layer_planes; None where nothing is laid over drawn pixels.
        self.layers = layers

    def __len__(self) -> int:
        return len(self.pixels)

    def to(self, device: torch.device) -> LookBank:
        return LookBank(**{name: tensor.to(device) for name, tensor in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in vars(self).items() if tensor is not None}

    def save(self, path: Path) -> None:
        with whole_file(path) as part:
            arrays = {name: tensor.numpy() for name, tensor in self._tensors().items()}
            np.savez(part, **arrays)  # type: ignore[arg-type]  # numpy types the keywords after its own flags

    @classmethod
    def load(cls, path: Path) -> LookBank:
        with np.load(path, allow_pickle=False) as file:
            return cls(**{name: torch.from_numpy(file[name]) for name in file.files})

    @classmethod
    def draw(
        cls,
        sampler: Draws[Scene],
        stage: LookStage,
        seed: int,
        workers: int,
        likes: DrawsLikes | None = None,
    ) -> LookBank:
        """Draw the bank: about 6 ms a scene and process.

        Args:
            likes: finds what is alike in scenes, where the path reads that.
        """
        batches = _DrawnPixels(
            sampler,
            seed,
            CHUNK,
            stage.clip_frames,
            stage.image_size,
            likes is not None,
            stage.layers,
        )
        parts: list[dict[str, Tensor]] = []
        chunks = _loaded(batches, range(-(-stage.samples // CHUNK)), workers)
        for number, (part, whole, planes) in enumerate(chunks):
            if likes is not None:
                assert whole is not None, "likes are looked for in whole scenes"
                frames, recolored, mask = whole
                scenes = StackedScenes(frames, recolored, mask, part["source"])
                found = likes(scenes, np.random.default_rng([seed, number, LIKES]), planes)
                for name in ("pixels", "region", *(("layers",) if stage.layers else ())):
                    part[name] = torch.cat([part[name], getattr(found, name)], dim=1)
                part["likeness"] = found.likeness
            parts.append(part)
        # The last chunk is drawn whole.
        return cls(
            **{name: torch.cat([p[name] for p in parts])[: stage.samples] for name in parts[0]}
        )


@dataclasses.dataclass(frozen=True)
class DrawnLikes:
    """What was found alike in scenes, as it was before the looks."""

    pixels: Tensor
    """(n, K + K * likes, 3) uint8: the foreground cells, then the likes of each."""
    region: Tensor
    """The same cells, bool: those that B recolors."""
    likeness: Tensor
    """(n, K, likes) float16."""
    layers: Tensor | None = None
    """(n, K + K * likes, 5) float16: the cells' means of the planes that came with the scenes."""


DrawsLikes = Callable[[StackedScenes, np.random.Generator, Tensor | None], DrawnLikes]


def layer_planes(scenes: StackedScenes, rng: np.random.Generator) -> Tensor:
    """What drawn pixels must know of their scene for layers to be laid over them.

    Returns:
        (n, T, 5, S, S): x and y in [-1, 1], and what a whole Poisson blend of the region into a
        place drawn at random would add to red, green and blue.
    """
    frames = scenes.frames.permute(0, 1, 4, 2, 3).float() / 255.0
    blendings = [Blending.draw(rng) for _ in range(len(frames))]
    change = blend_changes(frames, scenes.region.unsqueeze(2), blendings)
    height, width = frames.shape[-2:]
    y, x = torch.meshgrid(
        torch.linspace(-1.0, 1.0, height), torch.linspace(-1.0, 1.0, width), indexing="ij"
    )
    places = torch.stack([x, y]).expand(*frames.shape[:2], 2, height, width)
    return torch.cat([places, change], dim=2)


Whole = tuple[Tensor, Tensor, Tensor]
"""Frames, region and mask of scenes."""
Chunk = tuple[dict[str, Tensor], Whole | None, Tensor | None]
"""A part of a bank; where likes are looked for, its scenes, and their planes where layers are laid
over drawn pixels."""


class _DrawnPixels(Dataset[Chunk]):
    def __init__(
        self,
        sampler: Draws[Scene],
        seed: int,
        chunk: int,
        frames: int,
        size: int,
        whole: bool = False,
        layers: bool = False,
    ) -> None:
        self.scenes = Batches(sampler, seed, range(chunk), frames, size)
        self.whole, self.layers = whole, layers

    def __getitem__(self, index: int) -> Chunk:
        scenes = StackedScenes.of(self.scenes[index])
        mask = scenes.mask.unsqueeze(2)
        colors = torch.cat(
            [scenes.frames.flatten(1, 3).float(), scenes.region.flatten(1).unsqueeze(-1).float()],
            dim=-1,
        )
        planes = None
        if self.layers:
            planes = layer_planes(scenes, np.random.default_rng([self.scenes.seed, index, LAYERS]))
            colors = torch.cat([colors, planes.transpose(2, 1).flatten(2).transpose(1, 2)], dim=-1)
        members = statistics.pixel_set_masks(mask)
        generator = torch.Generator().manual_seed(index)
        drawn = []
        for number, count in enumerate(statistics.PIXELS):
            offset = torch.rand(len(scenes), count, generator=generator)
            drawn.append(statistics.draw_pixels(colors, members[:, number], count, offset))
        pixels = torch.cat(drawn, dim=1)
        part = {
            "pixels": pixels[..., :3].byte(),
            "region": pixels[..., 3] > 0.5,
            "shares": members.float().mean(dim=2),
            "source": scenes.source,
        }
        if planes is not None:
            part["layers"] = pixels[..., 4:].half()
        whole = (scenes.frames, scenes.region, scenes.mask) if self.whole else None
        return part, whole, planes if self.whole else None


def make_sampler(packs: list[Pack], config: DataConfig, scenes: SceneRecipe) -> SceneSampler:
    """What scenes are drawn by.

    Raises:
        InputError: where nothing is left of a folder that has a share.
    """
    for folder, pack, share in zip(config.folders, packs, config.shares, strict=True):
        if share > 0.0 and not pack.names:
            raise InputError(
                f"data.folders: nothing of {folder} is left to train on; leave it out, or mend "
                "data.leave_out and data.dev_list"
            )
    return SceneSampler(packs, list(config.shares), scenes)
