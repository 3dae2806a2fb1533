"""What a training recipe (configs/*.yaml) can say. Units stand in the names; a wrong value is
refused with the remedy."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Literal

from vhmae.config import BESIDE_RECIPE
from vhmae.data.looks import LookMixture
from vhmae.data.synthesis import SceneRecipe
from vhmae.errors import InputError
from vhmae.model.config import ModelConfig
from vhmae.model.heads import head_class
from vhmae.model.losses import BalanceVariant, Reduction
from vhmae.training.terms import find_term


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where scenes and looks come from."""

    root: str = ""
    """Folder of the data; empty takes the environment variable VHMAE_DATA."""
    folders: tuple[str, ...] = ("train", "photos", "scenes")
    """Folders of clips or stills below the root."""
    shares: tuple[float, ...] = (0.45, 0.4, 0.15)
    """How often a scene comes from each folder."""
    pairs: str = ""
    """List of composites with their answers, below the root, in the forms of
    ``data.pairs.read_pairs``; paths in it count from its folder. Empty is none."""
    pairs_share: float = 0.0
    """Share of a batch that comes from the pairs; with 1 no scenes are cut, and no folders are
    needed."""
    luts: str = "luts/hyoutube_luts.npz"
    """Bank of LUTs below the root. Empty is none: for mixtures whose looks need none; dev scores,
    whose looks are LUTs, are left out then."""
    lut_split: Literal["train", "all"] = "train"
    """Which LUTs are drawn: all but the held-out ones, or all of them."""
    cameras: str = ""
    """Bank of camera renderings below the root, for looks.camera and looks.one_scene; held-out
    scenes are never drawn."""
    leave_out: Path | None = dataclasses.field(default=None, metadata=BESIDE_RECIPE)
    """A file with names of clips and stills, one a line, that no scene is cut from: those of dev
    and val sets. In a recipe it counts from the recipe's folder."""
    only: Path | None = dataclasses.field(default=None, metadata=BESIDE_RECIPE)
    """A table (CSV) whose column ``file`` lists, below the root, all that scenes may be cut from:
    for weights whose every picture must be accounted for. In a recipe it counts from the recipe's
    folder."""
    dev_list: Path | None = dataclasses.field(default=None, metadata=BESIDE_RECIPE)
    """A file with names of clips of the first folder that are kept for validation, one a line; null
    keeps every 20th of its videos. In a recipe it counts from the recipe's folder."""
    together: tuple[str, ...] = ()
    """Sources whose clips are all takes of one thing, as of one person: of NAME in clips called
    NAME__SEQUENCE. No split and no fold parts them; takes that differ in a number at their end are
    known without."""
    keep_dev: bool = True
    """Keep clips for validation; false trains on all of them, and scores none."""
    prior_sets: tuple[str, ...] = ()
    """Sets of dev composites with their answers, below the root: at its end a run fits to them what
    guided harmonizing knows beforehand, and puts it beside the weights. Empty fits none; vhmae
    fit-prior does it later."""
    licence: str = ""
    """What the weights say of their licence, which follows from that of the data; empty says that
    nobody stated one."""
    regions: bool = False
    """Divide stills that have no label map into regions of like color, and take a union of
    neighbors as foreground; false lays random blobs over them."""
    frames_per_video: int = 24
    """Frames that are taken of each clip, evenly spaced among those with a foreground."""
    cache: str = ""
    """Folder for packs and banks; empty puts them into the run's folder."""
    decoded_mib: int = 1024
    """Size limit of all decoded frames that are kept, memory-mapped, beside the packs; 0 decodes
    each time."""
    looks_pool: int = 4096
    """Looks that are baked at the start."""
    workers: int = 1
    """Processes that cut scenes; 0 cuts them in the training process."""

    def __post_init__(self) -> None:
        _at_least("data", self, 1, "looks_pool", "frames_per_video")
        _at_least("data", self, 0, "workers", "decoded_mib")
        if self.shares and (min(self.shares) < 0.0 or sum(self.shares) <= 0.0):
            raise InputError(f"data.shares={list(self.shares)}: expected 0 or more, not all 0")
        if not 0.0 <= self.pairs_share <= 1.0:
            raise InputError(f"data.pairs_share={self.pairs_share}: out of range; expected 0 to 1")
        if (self.pairs_share > 0.0) != bool(self.pairs):
            raise InputError(
                "data.pairs and data.pairs_share: belong together; give a list and its share, or "
                "neither"
            )
        if not self.folders and self.pairs_share < 1.0:
            raise InputError(
                "data.folders: names none, so no scenes can be cut; name some, or train on pairs "
                "alone (data.pairs and data.pairs_share: 1)"
            )
        if len(self.folders) != len(self.shares):
            raise InputError(
                f"data: {len(self.folders)} folders but {len(self.shares)} shares; give one share "
                "a folder"
            )

    @property
    def told_licence(self) -> str:
        """What weights say of their licence."""
        return self.licence or "not stated: that of the data it was trained on"

    @property
    def sources(self) -> tuple[str, ...]:
        """What is trained on, below the root: folders of scenes, the list of pairs."""
        return (*self.folders, self.pairs) if self.pairs else self.folders

    @property
    def root_path(self) -> Path:
        root = self.root or os.environ.get("VHMAE_DATA", "")
        if not root or not Path(root).is_dir():
            raise InputError(
                f"data.root: {root or 'not set'}: no such folder; pass `data.root` DIR or set "
                "VHMAE_DATA"
            )
        return Path(root)


def check_average(key: str, ema: float) -> None:
    """Refuse a share that is kept of a moving average and is none."""
    if not 0.0 <= ema < 1.0:
        raise InputError(f"{key}.ema={ema}: out of range; expected 0 to less than 1")


def check_seed(key: str, seed: int) -> None:
    """Refuse a seed of which no step's can be made in 64 bits (:func:`step_seed`)."""
    if not 0 <= seed < 1 << 42:
        raise InputError(f"{key}.seed={seed}: out of range; expected 0 to less than 2^42")


def _at_least(key: str, part: object, least: int, *names: str) -> None:
    """Refuse numbers that no run could go by."""
    for name in names:
        if getattr(part, name) < least:
            raise InputError(f"{key}.{name}={getattr(part, name)}: expected {least} or more")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LookStage:
    """First stage: the look path alone, on a bank of drawn pixels under looks drawn anew in each
    step."""

    steps: int = 3000
    """Updates of the weights."""
    samples: int = 60000
    """Scenes in the bank."""
    batch_size: int = 256
    """Scenes an update."""
    learning_rate: float = 1e-3
    """The highest rate of AdamW; it falls along a cosine."""
    image_size: int = 160
    """Side of the crops that the pixels are drawn from."""
    clip_frames: int = 1
    """Frames that a scene's pixels are drawn from."""
    shown: int = 1
    """How often a composite is shown, the later times as harmonized so far (docs/decisions.md,
    "Shown again")."""
    ema: float = 0.998
    """Share of the moving average that a step keeps."""
    layers: bool = False
    """Lay over drawn foregrounds what looks.lighting, poisson, haze and noise ask for; false leaves
    these to the later stages, in which a frozen look path does not learn of them."""

    def __post_init__(self) -> None:
        _at_least("train.look", self, 0, "steps", "learning_rate")
        check_average("train.look", self.ema)
        counts = ("samples", "batch_size", "image_size", "clip_frames", "shown")
        _at_least("train.look", self, 1, *counts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LikenessStage:
    """Before the look path: the encoder that finds likes learns that a place stays itself under
    every look."""

    steps: int = 1500
    """Updates of the weights."""
    batch_size: int = 16
    """Scenes an update, each under two looks."""
    learning_rate: float = 1e-3
    """The highest rate of AdamW; it falls along a cosine."""
    image_size: int = 160
    """Side of the crops, a multiple of 8."""
    places: int = 96
    """Cells of a scene that are told apart from one another."""
    temperature: float = 0.1
    """What cosines are divided by: the smaller, the more the nearest rival counts."""
    noise: float = 0.01
    """Largest deviation of noise that is laid over each showing."""
    ema: float = 0.998
    """Share of the moving average that a step keeps."""

    def __post_init__(self) -> None:
        if self.image_size % 8 or not 1 < self.places <= (self.image_size // 8) ** 2:
            raise InputError(
                "train.likeness: image_size must be a multiple of 8, and places at least 2 and at "
                "most as many as a crop has cells of 8 pixels"
            )
        _at_least("train.likeness", self, 0, "steps", "learning_rate", "noise")
        _at_least("train.likeness", self, 1, "batch_size")
        check_average("train.likeness", self.ema)
        if not self.temperature > 0.0:
            told = "expected more than 0"
            raise InputError(f"train.likeness.temperature={self.temperature}: {told}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of the whole network at one size and clip length."""

    steps: int
    """Updates of the weights."""
    image_size: int = 160
    """Side of the square frames, a multiple of the patch size."""
    clip_frames: int = 1
    """Frames that the network sees at once."""
    batch_size: int = 24
    """Windows an update, over all processes."""
    learning_rate: float = 1e-3
    """The highest rate of AdamW; it rises over the warm-up and falls along a cosine."""
    kept_scenes: int = 0
    """Scenes that are cut beforehand and lie on the device that trains, under new looks each time:
    for a GPU that trains faster than the CPU cuts. 5 S^2 T bytes each. 0 cuts new scenes for each
    step."""

    def __post_init__(self) -> None:
        _at_least("train.stages", self, 0, "steps", "kept_scenes", "learning_rate")
        _at_least("train.stages", self, 1, "image_size", "clip_frames", "batch_size")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossTerm:
    """A further term of the loss."""

    term: str
    """A name of ``training.terms.TERMS``, or module:function, that the command line must name, too
    (--loss)."""
    weight: float = 1.0
    """What the term is multiplied by."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Which losses, and how they are weighed (Eq. 6)."""

    reconstruction: str = "masked_patches"
    """Which term of ``training.terms.TERMS`` leads: ``masked_patches`` is Eq. 1; ``relative`` is
    each sample's error over the recolored region against its composite's."""
    alignment_weight: float = 1.0
    """a in Eq. 6: how much the distance of the Gram matrices counts (Eq. 3)."""
    balance_weight: float = 1.0
    """b in Eq. 6: how much patch balancing counts (Eq. 4)."""
    balance: BalanceVariant = "total"
    """Patch balancing: ``total`` over all neighbors (the paper), ``border`` across patch borders
    alone, ``target`` as the difference to the target's gradients."""
    reduction: Reduction = "mean"
    """``mean`` gives each equation a unit of its own; ``literal`` keeps the paper's sums."""
    more: tuple[LossTerm, ...] = ()
    """Further terms, each added with its weight."""
    floor: float = 0.01
    """Added to the composite's error in ``relative``."""
    harm_weight: float = 0.0
    """Extra weight, in ``relative``, of what is worse than the untouched composite."""
    luma_weight: float = 0.0
    """Extra weight, in the look path's own course, of the squared error of the foreground's mean
    luma: its exposure."""

    def __post_init__(self) -> None:
        weights = ("alignment_weight", "balance_weight", "harm_weight", "luma_weight")
        _at_least("train.loss", self, 0, *weights)
        if not self.floor > 0.0:
            told = "expected more than 0: a composite may be right already"
            raise InputError(f"train.loss.floor={self.floor}: {told}")
        for name in (self.reconstruction, *(one.term for one in self.more)):
            if ":" not in name:
                find_term(name, {})


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The course of a training run."""

    likeness: LikenessStage | None = None
    """The course of the look path's encoder of likes, first of all; null where it has none, or
    where it stays as it is (``vhmae train --from``)."""
    look: LookStage | None = dataclasses.field(default_factory=LookStage)
    """The look path's own course, before the stages; null leaves it out."""
    stages: tuple[Stage, ...] = ()
    """What the whole network is trained on, one after the other."""
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    """Which losses, and their weights (Eq. 6)."""
    cross_fit: bool = False
    """Fit the look path's members crosswise: none learns from the scenes of its own fold, and the
    later stages are told for each scene what the member that has not seen it says. They learn from
    its errors on new scenes, not on known ones."""
    look_rate: float = 0.0
    """Learning rate of the look path in the later stages, relative to the rest; 0 freezes it."""
    weight_decay: float = 0.05
    """Of AdamW."""
    warmup_steps: int = 100
    """Steps in which a stage's rate rises from nothing."""
    clip_norm: float = 1.0
    """Largest norm of the gradient; 0 is no limit."""
    ema: float = 0.999
    """Share of the moving average that a step keeps; the average is what is saved. 0 saves the
    weights as they are."""
    seed: int = 0
    """Of weights, scenes and looks: two runs of one seed are the same run."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of products; auto measures which one is fast."""
    threads: int = 0
    """CPU threads; 0 takes all."""
    accumulate: int = 1
    """Parts that a batch is worked off in: less memory, the same gradients, but for a look path
    that is trained on: it normalizes by each part."""
    compile: bool = False
    """Compile the decoder (torch.compile; on a CPU it needs a C++ compiler)."""
    log_every_steps: int = 20
    """Steps from one line of the journal to the next."""
    norms_every_steps: int = 500
    """Steps from one line of the journal with the gradient norm of each term of Eq. 6 to the next;
    each costs about as much as two steps. 0 writes none."""
    validate_every_steps: int = 500
    """Steps from one look at the dev clips to the next; the weights so far are written then."""
    checkpoint_every_seconds: float = 120.0
    """A run that is killed loses at most so much."""
    kept_shares: tuple[float, ...] = ()
    """Shares of the run's steps after which weights are kept, as ``weights-SAMPLES.safetensors``: a
    curve of learning can be scored from them. Empty keeps the last ones alone."""

    def __post_init__(self) -> None:
        if not all(0.0 < share <= 1.0 for share in self.kept_shares):
            raise InputError(
                f"train.kept_shares={list(self.kept_shares)}: out of range; expected shares above "
                "0, up to 1"
            )
        _at_least("train", self, 1, "accumulate", "log_every_steps", "validate_every_steps")
        counts = ("seed", "threads", "norms_every_steps", "warmup_steps")
        _at_least("train", self, 0, *counts, "look_rate", "weight_decay", "clip_norm")
        check_seed("train", self.seed)
        fewest = [stage.batch_size // self.accumulate for stage in self.stages if self.look_rate]
        fewest += [self.look.batch_size] if self.look is not None and self.look.steps else []
        if min(fewest, default=2) < 2:
            raise InputError(
                "train: a look path that is trained normalizes by its batch, and needs two samples "
                "or more in each part; take a larger batch_size, or fewer parts (train.accumulate)"
            )
        check_average("train", self.ema)
        if self.cross_fit and self.look is not None and self.look.shown > 1:
            raise InputError(
                "train.cross_fit: is of no use with train.look.shown over 1, which shows what all "
                "members say; leave one out"
            )
        if not self.stages and self.look is None:
            raise InputError("train: has no stages; list at least one under train.stages")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe: one YAML file."""

    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    scenes: SceneRecipe = dataclasses.field(default_factory=SceneRecipe)
    looks: LookMixture = dataclasses.field(default_factory=LookMixture)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)

    def samples_after(self, step: int) -> int:
        """Scenes that the first ``step`` steps learn from, counted as often as they are seen."""
        samples = 0
        for part in self._parts:
            done = min(step, part.steps)
            samples += done * part.batch_size
            step -= done
        return samples

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(part.steps for part in self._parts)

    @property
    def _parts(self) -> list[LikenessStage | LookStage | Stage]:
        """What is trained, in order."""
        train = self.train
        look = train.look if self.model.look is not None else None
        return [part for part in (train.likeness, look, *train.stages) if part is not None]

    def kept_steps(self) -> dict[int, int]:
        """Steps after which ``train.kept_shares`` keep weights, with the samples seen by then."""
        steps = (max(1, round(share * self.steps)) for share in self.train.kept_shares)
        return {step: self.samples_after(step) for step in steps}

    def __post_init__(self) -> None:
        if not self.steps:
            raise InputError(
                "train: nothing is to be trained: give train.stages, or train.look with a model "
                "that has a look path (model.look), of a step or more"
            )
        if self.train.cross_fit and self.model.look is not None and self.model.look.members < 2:
            raise InputError("train.cross_fit: needs model.look.members of 2 or more")
        patch = self.model.patch_size
        for stage in self.train.stages:
            if stage.image_size % patch:
                raise InputError(
                    f"train.stages.image_size={stage.image_size}: does not divide into patches of "
                    f"{patch} pixels; give a multiple (model.patch_size)"
                )
        if ":" not in self.model.head:
            head_class(self.model.head, None)  # a misspelled one is told before the data is read
