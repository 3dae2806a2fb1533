"""Training the compared methods: the house's batches, published courses, runs that resume."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.comparators.networks import FRAME_METHODS, UNET, clip, tiny
from tests.support.commands import error_of
from tests.support.looks import luts
from tests.support.networks import TINY
from vhmae.comparators.catalogue import COMPARATORS, Entry
from vhmae.comparators.comparator import Schedule
from vhmae.comparators.critic import Critic
from vhmae.comparators.recipe import ComparatorRecipe, Course
from vhmae.comparators.run import train_comparator
from vhmae.comparators.training import (
    ComparatorTrainer,
    build_comparator,
    comparator_losses,
    draw_batches,
)
from vhmae.comparators.weights import load_comparator, save_comparator
from vhmae.data.looks import LookMixture, LookSampler
from vhmae.data.synthesis import Scene, StackedScenes, TrainingBatch, make_batch
from vhmae.digest import file_digest
from vhmae.errors import InputError
from vhmae.model.precision import Precision
from vhmae.model.vhmae import VHMAE
from vhmae.training.recipe import DataConfig, Recipe, Stage, TrainConfig
from vhmae.training.resuming import CHECKPOINT
from vhmae.training.sources import Batches, open_pairs
from vhmae.training.stages import SceneStage


class Scenes:
    """A sampler of smooth scenes with a block, as the house's sampler cuts them from clips."""

    def draw(self, rng: np.random.Generator, frames: int, size: int) -> Scene:
        rough = torch.from_numpy(rng.random((1, 3, 4, 4), dtype=np.float32))
        picture = torch.nn.functional.interpolate(rough, (size, size), mode="bilinear")[0]
        levels = (picture.permute(1, 2, 0) * 255.0).byte().numpy()
        region = np.zeros((frames, size, size), bool)
        top = int(rng.integers(size // 2))
        region[:, top : top + size // 2, size // 4 : 3 * size // 4] = True
        return Scene(np.stack([levels] * frames), region, region, int(rng.integers(100)))


def looks() -> LookSampler:
    return LookSampler.from_luts(luts(3), LookMixture(), pool_size=8, seed=0)


def batch_of(parts: tuple[Tensor, ...]) -> TrainingBatch:
    composite, mask, target = parts
    return TrainingBatch(composite, target, mask, mask, torch.zeros(len(composite)).long())


@pytest.fixture
def tiny_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every method of the catalogue as small as in the other tests, at any size."""
    for name, entry in COMPARATORS.items():
        kind, sizes = FRAME_METHODS[name.removeprefix("huang-").removeprefix("co2net-")]
        config = type(sizes)
        if config is type(UNET):
            sizes = dataclasses.replace(UNET, levels=4)
        monkeypatch.setattr(config, "for_size", classmethod(lambda cls, side, sizes=sizes: sizes))
        monkeypatch.setitem(
            COMPARATORS, name, Entry(config, entry.build, entry.schedule, kind.__name__)
        )


def recipe(name: str, **course: object) -> ComparatorRecipe:
    settings = {"samples": 8, "batch_size": 2, "image_size": 16, "log_every_steps": 1, **course}
    data = DataConfig(cameras="looks/wb_maps.npz", workers=0)
    return ComparatorRecipe(comparator=name, data=data, train=Course(**settings))  # type: ignore[arg-type]


def test_batches_are_those_of_the_houses_own_training() -> None:
    course, device = Course(batch_size=3, image_size=16, clip_frames=2, seed=5), torch.device("cpu")
    [mine] = draw_batches(Scenes(), looks(), course, range(7, 8), device)
    scenes = Batches(Scenes(), 5, range(3), 2, 16)[7]
    rng = np.random.default_rng([5, 7, 1])
    house = make_batch(StackedScenes.of(scenes), looks(), rng, range(3), 3)
    for name, value in vars(mine).items():
        assert torch.equal(value, getattr(house, name)), name


def test_a_card_tells_processor_time_where_all_of_it_was_measured(
    tiny_catalogue: None, tmp_path: Path
) -> None:
    course, run = recipe("is2am"), tmp_path / "run"
    spent = ComparatorTrainer(course, run).run(Scenes(), looks()).processor_seconds
    assert spent is not None
    assert spent > 0.01
    weights = run / "weights.safetensors"
    assert load_comparator(weights)[1].facts["processor_seconds"] == round(spent)
    saved = torch.load(run / "checkpoint.pt", weights_only=True)
    del saved["state"]["processor_seconds"]  # as one of before
    torch.save(saved, run / "checkpoint.pt")
    again = ComparatorTrainer(course, run).run(Scenes(), looks(), resume=True)
    assert again.processor_seconds is None
    assert "processor_seconds" not in load_comparator(weights)[1].facts


def test_a_batch_that_a_method_cannot_normalize_over_is_told(
    tiny_catalogue: None, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"`train.batch_size` 1: normalizes over the batch"):
        ComparatorTrainer(recipe("idih", batch_size=1, image_size=32), tmp_path / "run").run(
            Scenes(), looks()
        )


QUICK = ("is2am", "co2net-is2am")
"""Of each kind of training one, an image's and a clip's; the others learn in `test-long`."""


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in COMPARATORS],
)
def test_losses_fall(name: str) -> None:
    model, batch = tiny(name).train(), batch_of(clip(batch=1))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    seen = []
    for step in range(20):
        torch.manual_seed(step)
        loss = comparator_losses(model, batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(float(loss.detach()))
    assert np.mean(seen[-3:]) < 0.9 * seen[0]


@pytest.mark.parametrize("name", COMPARATORS)
def test_lower_precision_finds_the_same_loss_and_goes_down_the_same_way(name: str) -> None:
    model, batch = tiny(name).train(), batch_of(clip(batch=2))
    found = {}
    for precision in ("fp32", "bf16"):
        model.zero_grad()
        torch.manual_seed(0)
        loss = comparator_losses(model, batch, precision=precision)["loss"]
        loss.backward()
        slopes = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        assert loss.dtype == torch.float32
        found[precision] = float(loss.detach()), torch.cat(slopes)
    assert found["bf16"][0] != found["fp32"][0]
    assert found["bf16"][0] == pytest.approx(found["fp32"][0], rel=0.1)
    likeness = torch.cosine_similarity(found["bf16"][1], found["fp32"][1], dim=0)
    assert likeness > 0.8


@pytest.mark.parametrize("name", ["rainnet", "dovenet"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_generator_and_critic_do_not_meet_in_their_gradients(
    name: str, precision: Precision
) -> None:
    torch.manual_seed(0)
    model, critic = tiny(name).train(), Critic(levels=5, width=4)
    losses = comparator_losses(model, batch_of(clip()), critic, precision=precision)
    assert losses.keys() >= {"loss", "l1", "adversarial", "critic_loss", "critic_penalty"}
    torch.testing.assert_close(
        losses["loss"].float(), 100.0 * losses["l1"].float() + losses["adversarial"]
    )
    losses["loss"].backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in critic.parameters())
    model.zero_grad()
    losses["critic_loss"].backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert any(parameter.grad is not None for parameter in critic.parameters())


def test_methods_without_a_critic_say_so() -> None:
    with pytest.raises(InputError, match="critics"):
        comparator_losses(tiny("huang-rainnet"), batch_of(clip()), Critic(levels=5, width=4))


def test_rates_follow_the_published_courses() -> None:
    steps = COMPARATORS["is2am"].schedule
    factors = [steps.factor(epoch / 120) for epoch in (0, 104.9, 105.1, 114.9, 115.1)]
    assert factors == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01])
    line = COMPARATORS["dovenet"].schedule
    factors = [line.factor(epoch / 200) for epoch in (0, 100, 150, 200)]
    assert factors == pytest.approx([1.0, 1.0, 0.5, 0.0])
    assert COMPARATORS["pct-net"].schedule.factor(0.99) == 1.0
    assert COMPARATORS["co2net-is2am"].schedule.learning_rate == 1e-5


def test_the_optimizer_is_the_published_one() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    adam = COMPARATORS["ht"].schedule.make_optimizer(parameters)
    assert type(adam) is torch.optim.Adam
    assert (adam.defaults["lr"], adam.defaults["betas"]) == (1e-4, (0.5, 0.999))
    other = Schedule(optimizer="adamw", learning_rate=1.0, batch_size=1, epochs=1)
    assert type(other.make_optimizer(parameters)) is torch.optim.AdamW


@pytest.mark.parametrize("name", ["is2am", "rainnet", "huang-rainnet"])
@pytest.mark.usefixtures("tiny_catalogue")
def test_a_run_leaves_a_learning_curve_of_weights(name: str, tmp_path: Path) -> None:
    frames = 2 if name.startswith("huang") else 1
    state = ComparatorTrainer(recipe(name, clip_frames=frames), tmp_path).run(Scenes(), looks())
    assert state.step == 4
    for samples in (2, 4, 8):
        model, card = load_comparator(tmp_path / f"weights-{samples}.safetensors")
        assert (card.name, card.facts["samples"]) == (name, samples)
    last = load_comparator(tmp_path / "weights.safetensors")[0].state_dict()
    assert all(torch.equal(value, last[key]) for key, value in model.state_dict().items())
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    events = [(line["event"], line["step"]) for line in lines]
    assert events == [("start", 0), *(("train", step) for step in (1, 2, 3, 4)), ("end", 4)]


@pytest.mark.usefixtures("tiny_catalogue")
def test_a_killed_run_resumes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = recipe("rainnet", checkpoint_every_seconds=0.0, critics=True)
    critic = Critic(levels=4, width=4)
    monkeypatch.setattr("vhmae.comparators.training.Critic", lambda levels: critic)
    start = {key: value.clone() for key, value in critic.state_dict().items()}
    ComparatorTrainer(plan, tmp_path / "whole").run(Scenes(), looks())
    critic.load_state_dict(start)
    update = ComparatorTrainer._update

    def dying(self: ComparatorTrainer, batch: TrainingBatch) -> dict[str, float]:
        if self.state.step == 3:
            raise KeyboardInterrupt
        return update(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(ComparatorTrainer, "_update", dying)
        with pytest.raises(KeyboardInterrupt):
            ComparatorTrainer(plan, tmp_path / "killed").run(Scenes(), looks())
    with (tmp_path / "killed" / "journal.jsonl").open("a") as file:
        file.write('{"event": "train", "step": 9, "lo')
    with pytest.raises(InputError, match="holds a run already"):
        ComparatorTrainer(plan, tmp_path / "killed").run(Scenes(), looks())
    other = dataclasses.replace(plan, train=dataclasses.replace(plan.train, seed=3))
    with pytest.raises(InputError, match=r"another recipe: train\.seed was 0, now it is 3"):
        ComparatorTrainer(other, tmp_path / "killed").run(Scenes(), looks(), resume=True)
    # Where and how it works, and what it tells on the way, is not what it learns.
    elsewhere = dataclasses.replace(plan.data, root=str(tmp_path), workers=1)
    course = dataclasses.replace(plan.train, checkpoint_every_seconds=9.0)
    plan = dataclasses.replace(plan, data=elsewhere, train=course)
    ComparatorTrainer(plan, tmp_path / "killed").run(Scenes(), looks(), resume=True)
    whole, killed = (
        load_comparator(tmp_path / name / "weights.safetensors")[0].state_dict()
        for name in ("whole", "killed")
    )
    assert all(torch.equal(whole[key], killed[key]) for key in whole)
    journal = (tmp_path / "killed" / "journal.jsonl").read_text().splitlines()
    steps = [one["step"] for one in map(json.loads, journal) if one["event"] == "train"]
    assert steps == [1, 2, 3, 4]


@pytest.mark.usefixtures("tiny_catalogue")
def test_what_is_wrong_with_a_run_is_told_before_data_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object) -> None:
        raise AssertionError("the packs are read")

    monkeypatch.setattr("vhmae.comparators.run.load_packs", never)
    plan = recipe("is2am")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        train_comparator(plan, tmp_path / "file", "cpu")
    with pytest.raises(InputError, match="no checkpoint"):
        train_comparator(plan, tmp_path / "none", "cpu", resume=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").touch()
    with pytest.raises(InputError, match="holds a run already"):
        train_comparator(plan, tmp_path / "run", "cpu")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="by one process"):
        train_comparator(plan, tmp_path / "new", "cpu")
    with pytest.raises(InputError, match=r"data\.prior_sets"):
        dataclasses.replace(plan, data=dataclasses.replace(plan.data, prior_sets=("dev",)))


@pytest.mark.usefixtures("tiny_catalogue")
def test_a_resumed_run_tells_the_mean_over_the_steps_that_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = recipe("is2am", checkpoint_every_seconds=0.0, log_every_steps=4)
    dies = [3]

    def update(self: ComparatorTrainer, batch: TrainingBatch) -> dict[str, float]:
        if self.state.step in dies:
            dies.clear()
            raise KeyboardInterrupt
        return {"loss": float(self.state.step)}

    monkeypatch.setattr(ComparatorTrainer, "_update", update)
    with pytest.raises(KeyboardInterrupt):
        ComparatorTrainer(plan, tmp_path).run(Scenes(), looks())
    ComparatorTrainer(plan, tmp_path).run(Scenes(), looks(), resume=True)
    lines = map(json.loads, (tmp_path / "journal.jsonl").read_text().splitlines())
    [line] = [one for one in lines if one["event"] == "train"]
    assert (line["step"], line["loss"]) == (4, 3.0)


@pytest.mark.usefixtures("tiny_catalogue")
def test_what_stands_on_a_network_takes_its_trained_weights(tmp_path: Path) -> None:
    entry = COMPARATORS["is2am"]
    config = entry.config.for_size(16)
    trained = entry.build(config)
    for parameter in trained.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    path = tmp_path / "is2am.safetensors"
    save_comparator(trained, "is2am", config, path, {})
    course = Course(image_size=16, clip_frames=2)
    plan = ComparatorRecipe(comparator="co2net-is2am", backbone=str(path), train=course)
    model = build_comparator(plan)
    trainer = ComparatorTrainer(plan, tmp_path / "run")
    assert trainer.origin == {
        "backbone_sha256": file_digest(path),
        "backbone_licence": "not told",
    }
    expected = load_comparator(path)[0].state_dict()
    assert all(
        torch.equal(value, expected[key])
        for key, value in model.get_submodule("backbone").state_dict().items()
    )
    trainer.run_dir.mkdir()
    trainer._save()
    save_comparator(entry.build(config), "is2am", config, path, {})  # of the same name
    with pytest.raises(InputError, match="stands on another backbone"):
        ComparatorTrainer(plan, trainer.run_dir)._load(trainer.run_dir / CHECKPOINT)
    other = ComparatorRecipe(comparator="huang-rainnet", backbone=str(path), train=course)
    with pytest.raises(InputError, match="not the network"):
        build_comparator(other)


def write_pairs(root: Path) -> None:
    """Three stills of noise with their answers, and a list of them."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(3):
        names = [f"{part}/{number}.png" for part in ("real", "mask", "composite")]
        for name in names:
            (root / name).parent.mkdir(exist_ok=True)
            picture = rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)
            cv2.imwrite(str(root / name), picture if "mask" not in name else picture[..., 0] // 128)
        lines.append(" ".join(names))
    (root / "pairs.txt").write_text("\n".join(lines))


def test_batches_of_pairs_are_those_of_the_houses_own_training(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    device = torch.device("cpu")
    course = Course(batch_size=6, image_size=16, seed=5)
    stage = Stage(steps=8, batch_size=6, image_size=16)
    for share in (0.5, 1.0):
        data = DataConfig(
            root=str(tmp_path), pairs="pairs.txt", pairs_share=share, folders=("a",), shares=(1.0,)
        )
        pairs = open_pairs(data)
        sampler = Scenes() if share < 1.0 else None
        [drawn] = draw_batches(sampler, looks(), course, range(7, 8), device, pairs, share)
        train = TrainConfig(look=None, stages=(stage,), seed=5)
        house = SceneStage(
            stage,
            Recipe(model=TINY, data=dataclasses.replace(data, workers=0), train=train),
            VHMAE(TINY),
            looks(),
            sampler,  # type: ignore[arg-type]  # it draws as the house's does
            pairs,
            tmp_path,
        )
        expected = house._batch(
            next(house._scenes(range(6), range(7, 8))) if sampler else None,
            next(house._pairs(range(6), range(7, 8))),
            7,
            range(6),
            0,
        )
        for name, value in vars(drawn).items():
            assert torch.equal(value, getattr(expected, name)), name


@pytest.mark.usefixtures("tiny_catalogue")
def test_a_compared_method_learns_from_pairs_alone(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    data = DataConfig(
        root=str(tmp_path), pairs="pairs.txt", pairs_share=1.0, folders=(), shares=(), luts="none"
    )
    plan = dataclasses.replace(recipe("is2am"), data=data)
    assert train_comparator(plan, tmp_path / "run", "cpu").step == 4
    assert (tmp_path / "run" / "weights.safetensors").exists()
    missing = dataclasses.replace(plan, data=dataclasses.replace(data, pairs="none/list.txt"))
    with pytest.raises(InputError, match=r"list\.txt: cannot be read"):
        train_comparator(missing, tmp_path / "other", "cpu")


def test_a_backbone_is_named_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one key of a recipe that stands in no section, as the recipes' page says."""
    recipe = Path(__file__).parents[2] / "configs" / "comparators" / "co2net-rainnet.yaml"
    words = ("train", "--config", str(recipe), "-o", str(tmp_path / "run"), "--data.root", "none")
    said = error_of(*words, "--backbone", "mine.safetensors", capsys=capsys)
    assert "--backbone mine.safetensors: no such file; train that method first" in said
    assert "did you mean --backbone" in error_of(*words, "--backbones", "x", capsys=capsys)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"PK damaged")
    trainer = ComparatorTrainer(ComparatorRecipe(comparator="rainnet"), tmp_path)
    with pytest.raises(InputError, match="is damaged"):
        trainer.run(None, None, resume=True)
