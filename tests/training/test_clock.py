"""What cards tell of a run: its processor time, and the scores of their own weights."""

from __future__ import annotations

import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.training import journal, plain, recipe, write_data
from vhmae.model.files import read_card
from vhmae.training.clock import ProcessorClock
from vhmae.training.loop import Trainer

ENOUGH = 0.3
"""CPU seconds that a test burns; clocks tick by hundredths."""


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(1000))


def burn_and_wait(burnt: object, go: object) -> None:
    burn(ENOUGH)
    burnt.set()  # type: ignore[attr-defined]  # an event of multiprocessing
    go.wait()  # type: ignore[attr-defined]


def test_waiting_costs_nothing_and_work_counts_once() -> None:
    clock = ProcessorClock()
    time.sleep(ENOUGH)
    assert clock.lap() < ENOUGH / 2
    burn(ENOUGH)
    assert clock.lap() == pytest.approx(ENOUGH, abs=0.1)
    assert clock.lap() < ENOUGH / 2


def test_what_is_done_apart_does_not_count() -> None:
    clock = ProcessorClock()
    with clock.apart():
        burn(ENOUGH)
    assert clock.lap() < ENOUGH / 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads workers that run from /proc")
def test_a_worker_counts_while_it_runs_and_not_twice_when_it_has_ended() -> None:
    context = multiprocessing.get_context("fork")
    burnt, go = context.Event(), context.Event()
    clock = ProcessorClock()
    worker = context.Process(target=burn_and_wait, args=(burnt, go))
    worker.start()
    assert burnt.wait(60)
    running = clock.lap()
    assert ENOUGH * 0.9 < running < ENOUGH + 0.5
    go.set()
    worker.join()
    assert clock.lap() < ENOUGH / 2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def test_cards_tell_the_scores_of_their_own_weights(root: Path, tmp_path: Path) -> None:
    # Validation after steps 3, 4 and 8; weights are kept after 2, 4 and 8.
    Trainer(recipe(root, kept_shares=(0.25, 0.5, 1.0)), tmp_path / "run", "cpu").run()
    scored = {line["step"]: line for line in journal(tmp_path / "run", "validation")}
    seen = set()
    for path in (tmp_path / "run").glob("weights*"):
        facts = read_card(str(path)).facts
        told: Any = facts.get("dev_scores")
        assert (told is None) == (facts["steps"] not in scored), path.name
        for name, value in (told or {}).items():
            assert scored[facts["steps"]][name] == value, path.name
        seen.add((facts["steps"], told is None))
    assert seen == {(2, True), (4, False), (8, False)}


def test_a_card_tells_processor_time_where_all_of_it_was_measured(
    root: Path, tmp_path: Path
) -> None:
    trainer = Trainer(plain(root), tmp_path / "run", "cpu")
    spent = trainer.run().processor_seconds
    assert spent is not None
    assert spent > 0.1
    weights = tmp_path / "run" / "weights.safetensors"
    assert read_card(str(weights)).facts["processor_seconds"] == round(spent)
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    saved = torch.load(checkpoint, weights_only=True)
    del saved["state"]["processor_seconds"]  # as one of before
    torch.save(saved, checkpoint)
    again = Trainer(plain(root), tmp_path / "run", "cpu").run(resume=True)
    assert again.processor_seconds is None
    assert "processor_seconds" not in read_card(str(weights)).facts
