"""The journal of a run: one JSON object a line, and TensorBoard beside it where it is installed."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vhmae.config import to_tree
from vhmae.model.weights import count_parameters
from vhmae.partial_output import write_text_whole


def facts_of(
    recipe: object, model: nn.Module, device: torch.device, precision: str
) -> dict[str, Any]:
    """What a journal begins with."""
    return {
        "recipe": to_tree(recipe),
        "device": str(device),
        "precision": precision,
        "parameters": count_parameters(model),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


class Journal:
    """Appends to ``journal.jsonl``; after a kill, lines beyond the resumed step are dropped."""

    def __init__(self, run_dir: Path, step: int) -> None:
        self.path = run_dir / "journal.jsonl"
        if self.path.exists():
            kept = [line for line in self.path.read_text().splitlines() if _step_of(line) <= step]
            write_text_whole(self.path, "".join(f"{line}\n" for line in kept))
        self._board = _summary_writer(run_dir / "tensorboard", step)

    def write(self, event: str, step: int, **values: Any) -> None:
        """Append one line: what happened, at which step, with its numbers; null stands for those
        that are not finite, which JSON does not know."""
        line = {
            "event": event,
            "step": step,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **{key: None if _is_odd(value) else value for key, value in values.items()},
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
        if self._board is not None:
            for key, value in values.items():
                if isinstance(value, (int, float)):
                    self._board.add_scalar(f"{event}/{key}", value, step)
            self._board.flush()


def _is_odd(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 1 << 62  # half a line, left by a kill


def _summary_writer(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra: the journal has everything
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
