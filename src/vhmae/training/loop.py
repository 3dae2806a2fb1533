"""The training loop: stages one after the other, resumable at any step, deterministic for a seed, a
precision and a kind of device.

Randomness never lives in a generator that would have to be saved: each step seeds its own from
(seed, step).
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from vhmae.color.lut import read_lut_bank
from vhmae.config import build, to_tree
from vhmae.data.hyoutube import read_list
from vhmae.data.looks import LookSampler, read_cameras
from vhmae.data.synthesis import SceneSampler
from vhmae.digest import file_digest
from vhmae.engine.harmonizer import Harmonizer
from vhmae.errors import InputError, VhmaeError, counted
from vhmae.evaluation.leftovers import fit_prior_to
from vhmae.guide.prior import prior_beside
from vhmae.model.files import find_card, only_of
from vhmae.model.heads import HEADS, Head, require_complete
from vhmae.model.precision import (
    Precision,
    choose_device,
    choose_training_precision,
    warn_of_another_precision,
)
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import load_model, save_model
from vhmae.partial_output import whole_file
from vhmae.progress import Progress, ProgressMode
from vhmae.training.clock import ProcessorClock
from vhmae.training.fitting import Fitting, TrainingStage
from vhmae.training.journal import Journal, facts_of
from vhmae.training.likeness import LikenessEncoderStage
from vhmae.training.parallel import Processes
from vhmae.training.recipe import LookStage, Recipe
from vhmae.training.resuming import (
    CHECKPOINT,
    check_run_folder,
    load_checkpoint,
    require_same_recipe,
    write_checkpoint,
)
from vhmae.training.seeds import step_seed
from vhmae.training.sources import load_packs, make_sampler, open_pairs
from vhmae.training.splitting import split_dev
from vhmae.training.stages import LookPathStage, SceneStage, load_bank
from vhmae.training.terms import Term, find_term
from vhmae.training.validation import DevSet

WEIGHTS = "weights.safetensors"
CPU = torch.device("cpu")
Planned = tuple[int, Callable[[], TrainingStage]]
"""How many steps a stage takes, and what makes it when its time has come."""


@dataclasses.dataclass
class RunState:
    """Where a run stands: everything that a checkpoint keeps beside the tensors."""

    step: int = 0
    """Steps done, over all stages."""
    trained_seconds: float = 0.0
    """Time spent in steps by the clock on the wall, summed over resumed runs."""
    processor_seconds: float | None = 0.0
    """CPU seconds of the stages, what they draw included, of this process and its workers; None
    where a part of the run was not measured so. Validation is left out."""
    precision: Precision = "fp32"


class Trainer:
    """One run of a recipe in a folder: ``checkpoint.pt``, ``journal.jsonl``,
    ``weights.safetensors``."""

    def __init__(
        self,
        recipe: Recipe,
        run_dir: Path | str,
        device: str = "auto",
        start_from: str | Path | None = None,
        head: type[Head] | None = None,
        terms: Mapping[str, Term] = MappingProxyType({}),
    ) -> None:
        """Make a run; nothing is read and written before :meth:`run`.

        Args:
            run_dir: made where it is missing.
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            start_from: weights whose tensors of the same name and shape are taken over.
            head: the class that ``recipe.model.head`` names, where it stands outside the package.
            terms: loss terms from outside that the recipe names, by those names.
        Raises:
            InputError: for a device that is not there, weights that do not fit, and names from
                outside without what they name.
        """
        train = recipe.train
        _check_named(recipe, head, terms)
        self.recipe = recipe
        self.run_dir = run_dir = Path(run_dir)
        self.device = choose_device(device)
        self.processes = Processes.join(self.device)
        self.state = RunState(
            precision=self.processes.agree(choose_training_precision(train.precision, self.device))
        )
        if train.threads:
            torch.set_num_threads(train.threads)
        torch.manual_seed(train.seed)
        self.model = VHMAE(recipe.model, head).to(self.device)
        self.origin: dict[str, Any] = {}
        """Digest, data and licence of the weights that were started from: what they learned from
        goes on into these."""
        if start_from is not None:
            self.origin = _start_from(self.model, str(start_from), head)
        self.terms, self._head = terms, head
        for name in (train.loss.reconstruction, *(one.term for one in train.loss.more)):
            find_term(name, terms)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        if train.compile:
            self.model.decoder.compile()
        self.fitting: Fitting | None = None
        self._resumed: tuple[int, dict[str, object]] | None = None
        """A stopped run's step and its optimizer's state."""
        self.scores: dict[str, float] = {}
        self.scored_step = -1
        """The step whose averaged weights have these scores."""
        self.cache = Path(recipe.data.cache) if recipe.data.cache else run_dir / "cache"

    # --- what a run is made of

    def plan(self, looks: LookSampler | None, sampler: SceneSampler | None) -> list[Planned]:
        """The stages in order."""
        recipe, train = self.recipe, self.recipe.train
        plan: list[Planned] = []
        if train.likeness is not None:
            if looks is None or sampler is None:
                raise InputError(
                    "train.likeness: needs scenes; name folders under data.folders, or leave the "
                    "stage out (null)"
                )
            make_first = functools.partial(
                LikenessEncoderStage, train.likeness, recipe, self.model, looks, sampler
            )
            plan.append((train.likeness.steps, make_first))
        if train.look is not None and self.model.look_path is not None:
            if looks is None or sampler is None:
                raise InputError(
                    "train.look: needs scenes; name folders under data.folders, or leave the stage "
                    "out (null)"
                )
            plan.append(
                (train.look.steps, functools.partial(self._look_stage, train.look, looks, sampler))
            )
        pairs = open_pairs(recipe.data)
        more = (self.cache, self.state.precision, self.processes, self.terms)
        for stage in train.stages:
            make = functools.partial(
                SceneStage, stage, recipe, self.model, looks, sampler, pairs, *more
            )
            plan.append((stage.steps, make))
        return plan

    def _look_stage(
        self, stage: LookStage, looks: LookSampler, sampler: SceneSampler
    ) -> TrainingStage:
        path, trained = self.average.look_path, self.model.look_path
        assert path is not None
        assert trained is not None
        if path.config.likeness is not None:  # what is read is what the average finds
            trained.likeness.load_state_dict(path.likeness.state_dict())
        bank = load_bank(
            sampler, stage, self.recipe, self.cache, self.processes, path.cpu(), looks.to(CPU)
        )
        path.to(self.device)
        return LookPathStage(stage, self.recipe, self.model, looks, bank.to(self.device))

    def run(self, resume: bool = False) -> RunState:
        """Train to the end of the recipe. A run that is stopped goes on from a checkpoint at most
        ``checkpoint_every_seconds`` old.

        Raises:
            InputError: for a folder or a checkpoint that does not fit, data that is not there, and
                sets that no prior could be fitted to.
        """
        self._check(resume)
        if resume:
            self._load(self.run_dir / CHECKPOINT)
        self.run_dir.mkdir(parents=True, exist_ok=True)
        journal = Journal(self.run_dir, self.state.step) if self.processes.leads else None
        looks, sampler, dev = self._open_data()
        if journal is not None:
            begun = facts_of(self.recipe, self.model, self.device, self.state.precision)
            journal.write("start", self.state.step, **begun, processes=self.processes.count)
        first = 0
        for steps, make in self.plan(looks, sampler):
            if self.state.step < first + steps:
                clock = ProcessorClock()  # what a stage draws beforehand is a part of it
                self._run_stage(make(), first, dev, journal, clock)
            first += steps
        if journal is not None:
            self.save_weights()
            self._fit_prior(journal)
            journal.write(
                "end", self.state.step, trained_seconds=round(self.state.trained_seconds, 1)
            )
        return self.state

    def _check(self, resume: bool) -> None:
        """Refuse before the work what would be refused in it or after it."""
        check_run_folder(self.run_dir, resume)
        data, train = self.recipe.data, self.recipe.train
        if data.prior_sets and not self.model.head.holds_between_key_frames:
            raise InputError(
                "`data.prior_sets`: the head draws pixels, of which no prior can be fitted; leave "
                "the key out"
            )
        for name in data.prior_sets:
            read_list(data.root_path / name)
        if train.stages:
            open_pairs(data)
        for planned in train.stages:
            self.processes.rows(planned.batch_size, train.accumulate)

    def _open_data(self) -> tuple[LookSampler | None, SceneSampler | None, DevSet | None]:
        """The looks and scenes that are drawn from, and, for the process that leads, the clips that
        are kept for validation; None where the recipe names none."""
        data, model = self.recipe.data, self.recipe.model
        if not self.processes.leads:
            self.processes.wait()  # the first process makes the packs
        packs, dev_pack = (
            split_dev(load_packs(data, self.cache), data.dev_list, data.keep_dev)
            if data.folders
            else ([], None)
        )
        if self.processes.leads:
            self.processes.wait()
        if not data.folders:
            return None, None, None
        luts = read_lut_bank(data.root_path / data.luts, data.lut_split) if data.luts else []
        cameras = read_cameras(data.root_path / data.cameras, "train") if data.cameras else ()
        looks = LookSampler.from_luts(
            luts, self.recipe.looks, data.looks_pool, self.recipe.train.seed, cameras
        ).to(self.device)
        dev = None
        if dev_pack is not None and dev_pack.names and luts and self.processes.leads:
            dev = DevSet(dev_pack, luts, min(model.clip_frames, 4), model.image_size)
            dev = dev if dev.scenes["two_look"] else None
        return looks, make_sampler(packs, data, self.recipe.scenes), dev

    # --- one stage

    def _run_stage(
        self,
        stage: TrainingStage,
        first: int,
        dev: DevSet | None,
        journal: Journal | None,
        clock: ProcessorClock,
    ) -> None:
        train, last = self.recipe.train, first + stage.course.steps
        self.fitting = Fitting(stage, self.model, self.average, self.processes)
        if self._resumed is not None and first < self._resumed[0] < last:
            self.fitting.optimizer.load_state_dict(self._resumed[1])
        saved, kept = time.monotonic(), self.recipe.kept_steps()
        sums: dict[str, float] = {}
        summed = 0
        told = ""
        mode: ProgressMode = "auto" if journal is not None and sys.stderr.isatty() else "none"
        with Progress(stage.name, stage.course.steps, mode, lambda: told, "step") as progress:
            for parts in stage.parts(range(self.state.step, last)):
                start = time.monotonic()
                torch.manual_seed(step_seed(train.seed, self.state.step))
                step, every = self.state.step - first, train.norms_every_steps
                norms = journal is not None and every > 0 and step % every == 0
                try:
                    values = self.fitting.update(parts, step, norms)
                except VhmaeError as error:
                    raise VhmaeError(f"{self.run_dir}: {error}") from None
                self.state.step += 1
                self.state.trained_seconds += time.monotonic() - start
                if self.state.processor_seconds is not None:
                    self.state.processor_seconds += clock.lap()
                summed += 1
                for key, value in values.items():
                    sums[key] = sums.get(key, 0.0) + value
                if norms and journal is not None and self.fitting.gradient_norms:
                    rounded = {k: round(v, 6) for k, v in self.fitting.gradient_norms.items()}
                    journal.write("gradients", self.state.step, **rounded)
                if self.state.step % train.log_every_steps == 0 and journal is not None:
                    means = {key: round(value / summed, 6) for key, value in sums.items()}
                    journal.write(
                        "train",
                        self.state.step,
                        **means,
                        trained_seconds=round(self.state.trained_seconds, 1),
                    )
                    told = " ".join(f"{key} {value:.4f}" for key, value in means.items())
                    sums, summed = {}, 0
                progress(self.state.step - first)
                due = self.state.step % train.validate_every_steps == 0 or self.state.step == last
                if due and dev is not None and journal is not None:
                    with clock.apart():
                        self.scores = dev.score(self.average, self.device, self.state.precision)
                    self.scored_step = self.state.step
                    journal.write("validation", self.state.step, **self.scores)
                if due and journal is not None:
                    self.save_weights()
                samples = kept.get(self.state.step)
                if samples is not None and self.processes.leads:
                    self.save_weights(f"weights-{samples}.safetensors")
                if due or time.monotonic() - saved > train.checkpoint_every_seconds:
                    self._save()
                    saved = time.monotonic()
        self._save()

    # --- what is kept

    def save_weights(self, name: str = WEIGHTS) -> None:
        """Write the averaged weights: what ``--weights`` takes."""
        facts: dict[str, object] = {
            "steps": self.state.step,
            "samples": self.recipe.samples_after(self.state.step),
            "trained_seconds": round(self.state.trained_seconds),
            "seed": self.recipe.train.seed,
            "data": list(self.recipe.data.sources),
            "licence": self.recipe.data.told_licence,
        }
        if (only := self.recipe.data.only) is not None:  # of what lies there, these files alone
            table = {"table": only.name, "sha256": file_digest(only)}
            if not self.origin or self.origin.get("only") == table:
                facts["only"] = table
        if self.origin:
            licences = self.recipe.data.told_licence, self.origin["licence"]
            facts["started_from"] = self.origin["digest"]
            facts["data"] = [*dict.fromkeys([*self.recipe.data.sources, *self.origin["data"]])]
            facts["licence"] = "; ".join(dict.fromkeys(licences))
        if self.state.processor_seconds is not None:
            facts["processor_seconds"] = round(self.state.processor_seconds)
        if self.scored_step == self.state.step:
            facts["dev_scores"] = self.scores
        save_model(self.average, self.run_dir / name, facts)

    @property
    def warnings(self) -> list[str]:
        """What is to be said of a run that has ended."""
        return [*self._told_of_look_path(), *self._told_of_prior()]

    def _told_of_look_path(self) -> list[str]:
        train = self.recipe.train
        if self.model.look_path is None or self.origin:
            return []
        stages = any(stage.steps for stage in train.stages)
        if (train.look is not None and train.look.steps) or (stages and train.look_rate):
            return []
        return [
            f"{self.run_dir / WEIGHTS}: its look path was never trained and says nothing; name "
            "train.look or train.look_rate, or leave it out (model.look: null)"
        ]

    def _told_of_prior(self) -> list[str]:
        if self.recipe.data.prior_sets or not self.model.head.holds_between_key_frames:
            return []
        weights = self.run_dir / WEIGHTS
        return [
            f"{weights}: no {prior_beside(weights).name} was fitted, so that guides take that of "
            "other weights, twice as wide; name sets in the recipe's data.prior_sets, or fit one "
            "by vhmae fit-prior"
        ]

    def _fit_prior(self, journal: Journal) -> None:
        """Fit what guided harmonizing knows beforehand, where the recipe names sets for it."""
        data, weights = self.recipe.data, self.run_dir / WEIGHTS
        if not data.prior_sets:
            return
        harmonizer = Harmonizer(
            load_model(str(weights), self._head),
            device=str(self.device),
            precision=self.state.precision,
            cut_detection=False,
        )
        folders = [data.root_path / name for name in data.prior_sets]
        prior = fit_prior_to(folders, harmonizer, str(weights), "vhmae train")
        prior.write(prior_beside(weights))
        journal.write("prior", self.state.step, composites=prior.provenance["composites"])

    def _save(self) -> None:
        assert self.fitting is not None
        if not self.processes.leads:
            return
        state = {
            "state": dataclasses.asdict(self.state),
            "recipe": to_tree(self.recipe),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.fitting.optimizer.state_dict(),
            "scores": {"step": self.scored_step, **self.scores},
            "origin": self.origin,
        }
        with whole_file(self.run_dir / CHECKPOINT) as part:
            write_checkpoint(state, part)

    def _load(self, path: Path) -> None:
        saved = load_checkpoint(path, self.device)
        before = build(Recipe, saved["recipe"], str(path), like=self.recipe)
        require_same_recipe(path, before, self.recipe)
        if self.recipe.train.precision == "auto":
            warn_of_another_precision(saved["state"]["precision"], self.state.precision)
        saved["state"]["precision"] = self.state.precision
        self.state = RunState(**{"processor_seconds": None, **saved["state"]})
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self._resumed = self.state.step, saved["optimizer"]
        scores = saved.get("scores", {"step": -1})  # a run of before kept none
        self.scored_step, self.scores = scores.pop("step"), scores
        self.origin = saved.get("origin", {})


def _check_named(recipe: Recipe, head: type[Head] | None, terms: Mapping[str, Term]) -> None:
    """Refuse what is handed over and not asked for: it would be left out without a word."""
    if head is not None and recipe.model.head in HEADS:
        raise InputError(
            f"head={head.__name__}: the recipe's model.head is {recipe.model.head}, one of the "
            f"package's own; name yours there, as mine:{head.__name__}"
        )
    if head is not None:
        require_complete(head)
    loss = recipe.train.loss
    asked = {loss.reconstruction, *(one.term for one in loss.more)}
    for name in sorted(set(terms) - asked):
        raise InputError(
            f"terms: the recipe names no {name}; add it to train.loss.more, or leave it out"
        )


def _start_from(model: VHMAE, weights: str, head: type[Head] | None) -> dict[str, Any]:
    """Start from other weights: tensors of the same name and shape are taken over; it is told which
    have another shape there.

    Returns:
        What is told of them in the weights that come of it.
    """
    source = load_model(weights, head).state_dict()
    own = model.state_dict()
    shared = {
        key: value for key, value in source.items() if key in own and own[key].shape == value.shape
    }
    if not shared:
        raise InputError(
            "shares no tensor with the recipe's model; check the model section",
            field="start_from",
            value=weights,
        )
    others = [key for key in source if key in own and key not in shared]
    if others:
        print(
            f"vhmae: warning: {weights}: {counted(len(others), 'tensor')} of other shapes than the "
            f"recipe's model has (as {others[0]}) are not taken over and start at random; see the "
            "model section",
            file=sys.stderr,
        )
    model.load_state_dict({**own, **shared})
    card = find_card(weights)
    data, licence = card.facts.get("data"), card.facts.get("licence")
    return {
        "digest": file_digest(card.path),
        "data": data if isinstance(data, list) else [],
        "licence": str(licence or "licence not stated"),
        "only": {**card.facts, **only_of(card)}.get("only"),
    }
