"""One stage fitted: what is trained, what decays, and the average that counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.support.training import journal, losses_of, plain, write_data
from vhmae.errors import VhmaeError
from vhmae.training.fitting import (
    Course,
    Fitting,
    Part,
    Trained,
    fit,
    gradient_norms,
    make_optimizer,
)
from vhmae.training.loop import Trainer


class Line(nn.Module):
    """y = weight x + bias, with a token, held as a matrix, that nothing should pull to zero."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.token = nn.Parameter(torch.ones(1, 1))


@dataclasses.dataclass
class LineStage:
    """Fits a line to y = 3 x + 1."""

    model: Line
    course: Course
    loss_factor: float = 1.0
    name: str = "line"

    def trained(self) -> list[Trained]:
        return [Trained(dict(self.model.named_parameters()))]

    def begin(self) -> nn.Module:
        return self.model.train()

    def parts(self, steps: range) -> Iterator[list[Part]]:
        for step in steps:
            x = torch.rand(16, 1, generator=torch.Generator().manual_seed(step))

            def losses(x: Tensor = x) -> dict[str, Tensor]:
                return {
                    "loss": self.loss_factor * (self.model.layer(x) - 3.0 * x - 1.0).square().mean()
                }

            yield [losses]


def test_a_stage_fits_what_it_says() -> None:
    torch.manual_seed(0)
    model, average = Line(), Line()
    fit(
        LineStage(model, Course(steps=400, learning_rate=0.1, weight_decay=0.0, ema=0.9)),
        model,
        average,
    )
    assert float(average.layer.weight.detach()) == pytest.approx(3.0, abs=0.1)
    assert float(average.layer.bias.detach()) == pytest.approx(1.0, abs=0.1)


def test_tokens_and_biases_do_not_decay() -> None:
    model = Line()
    stage = LineStage(
        model,
        Course(steps=10, learning_rate=1.0, warmup_steps=0, weight_decay=0.5),
        loss_factor=0.0,
    )
    before = {name: float(value.detach()) for name, value in model.named_parameters()}
    Fitting(stage, model, Line()).update(next(stage.parts(range(1))), 0)
    after = {name: float(value.detach()) for name, value in model.named_parameters()}
    assert after["layer.weight"] == pytest.approx(0.5 * before["layer.weight"])
    assert (after["layer.bias"], after["token"]) == (before["layer.bias"], before["token"])


def test_what_is_frozen_is_not_trained() -> None:
    model = Line()

    class Frozen(LineStage):
        def trained(self) -> list[Trained]:
            named = dict(self.model.named_parameters())
            return [
                Trained({"layer.bias": named["layer.bias"]}),
                Trained({"layer.weight": named["layer.weight"]}, rate=0.0),
            ]

    stage = Frozen(model, Course(steps=2, learning_rate=0.1))
    before = float(model.layer.weight.detach())
    fit(stage, model, Line())
    assert float(model.layer.weight.detach()) == before
    assert not model.layer.weight.requires_grad
    assert len(make_optimizer(stage, model).param_groups) == 2


def test_a_loss_that_is_not_finite_changes_nothing() -> None:
    model = Line()
    stage = LineStage(model, Course(steps=2, learning_rate=0.1), loss_factor=float("nan"))
    before = model.layer.weight.detach().clone()
    with pytest.raises(VhmaeError, match="not finite at step 0 of stage line"):
        Fitting(stage, model, Line()).update(next(stage.parts(range(1))), 0)
    assert torch.equal(model.layer.weight.detach(), before)


def test_norms_are_those_of_each_terms_gradient() -> None:
    model = Line()
    weight, bias = model.layer.weight, model.layer.bias
    losses = {
        "reconstruction": 3.0 * weight.sum() + 4.0 * bias.sum(),
        "alignment": 2.0 * weight.sum(),
        "balance": torch.ones(()),  # of what is not trained
        "loss": weight.sum(),
    }
    found = gradient_norms(losses, model.parameters())
    assert found == pytest.approx({"reconstruction": 5.0, "alignment": 2.0})
    losses["loss"].backward()
    assert weight.grad is not None
    assert float(weight.grad.sum()) == 1.0  # nothing was added on the way


def test_the_journal_says_how_hard_each_term_pulls(tmp_path: Path) -> None:
    root = write_data(tmp_path)
    told = {}
    for every in (2, 0):
        run = tmp_path / f"run{every}"
        Trainer(plain(root, norms_every_steps=every), run, device="cpu").run()
        told[every] = losses_of(run)
        lines = journal(run, "gradients")
        # Stages of 3 and 2 steps on scenes after 3 of the look path, which has no such terms.
        assert [line["step"] for line in lines] == ([4, 6, 7] if every else [])
        for line in lines:
            for name in ("reconstruction", "alignment", "balance"):
                assert float(str(line[name])) > 0.0
    assert told[2] == told[0]  # to look changes nothing
