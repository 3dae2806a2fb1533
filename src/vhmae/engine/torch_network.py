"""A network that torch runs."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from vhmae.arrays import Mask, UnitFrames
from vhmae.color.pixels import ReadSets
from vhmae.engine.networks import Answer, Backend
from vhmae.errors import InputError
from vhmae.model.config import ModelConfig
from vhmae.model.precision import DTYPES, Precision, autocast, choose_device, choose_precision
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import load_model
from vhmae.model.window import answer_window


class TorchNetwork:
    """A network on a device, in the precision that the device is fast in."""

    backend: Backend = "torch"

    def __init__(
        self, model: VHMAE, device: torch.device | str = "cpu", precision: str = "auto"
    ) -> None:
        """Take a model.

        Args:
            precision: "auto", "fp32", "bf16" or "fp16".
        """
        self.weights: str | None = None
        """What it was opened from; None is a model that was given."""
        self._device = torch.device(device)
        self.precision: Precision = choose_precision(precision, self._device)
        self.model = model.to(self._device).eval()
        if model.embed.weight.dtype not in (torch.float32, DTYPES[self.precision]):
            model.hold_at(DTYPES[self.precision])  # it was held for another precision

    @property
    def device(self) -> str:
        return str(self._device)

    @property
    def config(self) -> ModelConfig:
        return self.model.config

    @property
    def holds_between_key_frames(self) -> bool:
        return self.model.head.holds_between_key_frames

    @property
    def usual_caution(self) -> float:
        return self.model.usual_caution

    @torch.no_grad()
    def ask(self, frames: UnitFrames, masks: Mask, sets: ReadSets | None = None) -> Answer:
        seen = torch.from_numpy(frames).permute(0, 3, 1, 2)[None].to(self._device)
        covered = torch.from_numpy(masks)[None, :, None].to(self._device)
        read = None
        if sets is not None:
            colors, shares = [torch.from_numpy(one) for one in sets[0]], torch.from_numpy(sets[1])
            read = [one.to(self._device) for one in colors], shares.to(self._device)
        with autocast(self._device, self.precision):
            change, squared = answer_window(self.model, seen, covered, read)
        maps = change.maps()
        if maps is not None:
            overall, local = (part[0].float().cpu().numpy() for part in (maps.overall, maps.local))
            return Answer(overall, local, None, float(squared))
        if self.holds_between_key_frames:
            raise InputError(
                f"head {self.config.head}: says that its changes hold between key frames but has "
                "no color maps; let maps() return them, or set holds_between_key_frames = False"
            )
        drawn = (change.apply(seen) - seen)[0].float().permute(0, 2, 3, 1).cpu().numpy()
        return Answer(None, None, np.ascontiguousarray(drawn), float(squared))

    def digest(self) -> str:
        found = hashlib.sha256()
        for key, tensor in sorted(self.model.state_dict().items()):
            values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            found.update(key.encode() + values.tobytes())
        return found.hexdigest()

    def has_numbers_of(self, model: VHMAE) -> bool:
        """Whether its numbers are a model's, each rounded to the type that it is held in here."""
        held, known = self.model.state_dict(), model.state_dict()
        return held.keys() == known.keys() and all(
            values.shape == known[key].shape
            and torch.equal(values.cpu(), known[key].cpu().to(values.dtype))
            for key, values in held.items()
        )


def open_by_torch(weights: str, device: str, precision: str) -> TorchNetwork:
    """Load weights by name; the model is held in the precision that it runs in.

    Raises:
        InputError: for unknown weights, or a device or precision that is not there.
    """
    network = TorchNetwork(load_model(weights), choose_device(device), precision)
    network.model.hold_at(DTYPES[network.precision])
    network.weights = weights
    return network
