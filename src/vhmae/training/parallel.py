"""Several processes as one: torch's own DistributedDataParallel, started by torchrun.

Every process draws the same numbers for a step and works on its rows of the batch, so that a run on
several processes has the losses of a run on one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from vhmae.errors import InputError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Processes:
    """This process among its like."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: torch.device) -> Processes:
        """Join the processes that torchrun started; alone without it."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), count)

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def rows(self, batch_size: int, parts: int = 1) -> list[range]:
        """This process's rows of a batch, in ``parts`` equal parts."""
        share = batch_size // (self.count * parts)
        if share * self.count * parts != batch_size:
            raise InputError(
                f"batch_size={batch_size} does not divide into {self.count} processes x {parts} "
                "parts; "
                f"try {max(1, share) * self.count * parts}"
            )
        begin = self.rank * share * parts
        return [range(begin + part * share, begin + (part + 1) * share) for part in range(parts)]

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model with its gradients averaged over the processes."""
        if self.count == 1:
            return model
        ids = [device] if device.type == "cuda" else None
        return DistributedDataParallel(
            model, device_ids=ids, broadcast_buffers=False, find_unused_parameters=True
        )

    def holding(self, model: nn.Module, last: bool) -> contextlib.AbstractContextManager[None]:
        """Where a step has several parts, gradients are averaged after the last one."""
        if isinstance(model, DistributedDataParallel) and not last:
            return model.no_sync()
        return contextlib.nullcontext()

    def mean(self, values: dict[str, Tensor]) -> dict[str, float]:
        """Values averaged over the processes."""
        stacked = torch.stack([value.detach().float() for value in values.values()])
        if self.count > 1:
            distributed.all_reduce(stacked)
            stacked /= self.count
        return dict(zip(values, stacked.tolist(), strict=True))

    def agree(self, value: T) -> T:
        """The first process's value."""
        values = [value]
        if self.count > 1:
            distributed.broadcast_object_list(values)
        return values[0]

    def wait(self) -> None:
        """Wait for the others."""
        if self.count > 1:
            distributed.barrier()
