"""What benchmarks/evidence_trials.py draws, reads and minimises."""

from __future__ import annotations

import evidence
import evidence_trials
import torch
from evidence import DRAWN, SIDES, Answer, Shown
from evidence_trials import Batch, EvidenceTrial
from torch import Tensor

from vhmae.color.basis import QUADRATIC


def drawn(level: Tensor) -> Shown:
    """A scene of brightness ``level`` (1, 1, 32, 32), its left half the foreground."""
    mask = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    mask[..., :16] = True
    frames = level.unsqueeze(-1).expand(-1, -1, -1, -1, 3).byte()
    bank = evidence.draw_bank(frames, mask, mask, torch.zeros(1, dtype=torch.long))
    pixels = bank.pixels.float() / 255.0
    return evidence_trials.shown_of(bank, torch.arange(1), pixels)


def test_a_neighbor_lies_on_its_pixels_own_side() -> None:
    level = torch.full((1, 1, 32, 32), 40)
    level[..., 16:] = 200
    for colors, near, _ in drawn(level).sides():
        assert torch.equal(colors, near)


def test_pixels_know_their_places() -> None:
    ramp = torch.linspace(0, 255, 32).round().expand(1, 1, 32, 32)
    shown = drawn(ramp)
    across = (shown.places[..., 0] + 1.0) / 2.0
    assert torch.allclose(shown.pixels[:, :DRAWN, 0], across, atol=0.01)


def test_a_map_changes_the_foreground_and_its_neighbors_alone() -> None:
    shown = drawn(torch.full((1, 1, 32, 32), 100))
    darker = torch.zeros(1, 3, QUADRATIC)
    darker[:, range(3), range(1, 4)] = -0.5
    changed = shown.recolored(darker)
    for number, (colors, near, _) in enumerate(changed.sides()):
        assert torch.equal(colors, near)
        assert bool((colors < 0.3).all()) == (number == 0)


def test_of_several_answers_the_likely_one_counts() -> None:
    """A member that gives the right answer among wrong ones is the more likely, the surer it is of
    it; its mean is what is used."""
    colors = torch.full((1, SIDES[0], 3), 0.4)
    weight = torch.full((1, SIDES[0]), 1.0 / SIDES[0])
    batch = Batch({}, colors, colors + 0.2, weight)
    maps = torch.zeros(1, 1, 2, 3, QUADRATIC)
    maps[:, :, 0, :, 0], maps[:, :, 1, :, 0] = 0.2, -0.2
    trial = EvidenceTrial(answers=2, likelihood=1.0, members=1)
    losses = []
    for sure in (0.0, 3.0):
        share = torch.tensor([[[sure, 0.0]]]).log_softmax(-1)
        answer = Answer(maps, share, torch.zeros(1, 1, 2))
        losses.append(float(evidence_trials.loss_of(trial, answer, batch)))
    assert losses[1] < losses[0]
    assert answer.member_means[0, 0, 0, 0] > 0.15
