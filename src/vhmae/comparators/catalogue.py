"""All compared methods by name, with the optimiser and the schedule of each publication."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from vhmae.comparators import co2net, dovenet, harmony_transformer, is2am, pct_net, rainnet
from vhmae.comparators.co2net import Co2Net
from vhmae.comparators.comparator import Comparator, Schedule
from vhmae.comparators.dovenet import DoveNet
from vhmae.comparators.harmony_transformer import (
    HarmonyTransformer,
    HarmonyTransformerConfig,
    HarmonyTransformerPlus,
)
from vhmae.comparators.huang import Huang
from vhmae.comparators.idih import Idih, IdihConfig
from vhmae.comparators.is2am import Is2am, Is2amConfig
from vhmae.comparators.pct_net import PctNet, PctNetConfig
from vhmae.comparators.rainnet import RainNet
from vhmae.comparators.unet import UNetConfig
from vhmae.errors import InputError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Entry:
    """A compared method: how it is made and how it was published to be trained."""

    config: type[Any]
    """Dataclass of its sizes; ``config.for_size(side)`` gives those for square frames."""
    build: Callable[[Any], Comparator]
    """Sizes -> network with fresh weights."""
    schedule: Schedule
    title: str
    """As the table names it."""


COMPARATORS: dict[str, Entry] = {
    "is2am": Entry(Is2amConfig, Is2am, is2am.SCHEDULE, "iS2AM"),
    "rainnet": Entry(UNetConfig, RainNet, rainnet.SCHEDULE, "RainNet"),
    "dovenet": Entry(UNetConfig, DoveNet, dovenet.SCHEDULE, "DoveNet"),
    "ht": Entry(
        HarmonyTransformerConfig, HarmonyTransformer, harmony_transformer.SCHEDULE, "ITH (HT)"
    ),
    "ht-plus": Entry(
        HarmonyTransformerConfig, HarmonyTransformerPlus, harmony_transformer.SCHEDULE, "HT+"
    ),
    "idih": Entry(IdihConfig, Idih, is2am.SCHEDULE, "iDIH"),
    "pct-net": Entry(PctNetConfig, PctNet, pct_net.SCHEDULE, "PCT-Net (CNN)"),
    "huang-rainnet": Entry(
        UNetConfig,
        lambda config: Huang(RainNet(config)),
        rainnet.SCHEDULE,
        "Huang et al. (RainNet)",
    ),
    "huang-is2am": Entry(
        Is2amConfig, lambda config: Huang(Is2am(config)), is2am.SCHEDULE, "Huang et al. (iS2AM)"
    ),
    "co2net-rainnet": Entry(
        UNetConfig, lambda config: Co2Net(RainNet(config)), co2net.SCHEDULE, "CO2Net (RainNet)"
    ),
    "co2net-is2am": Entry(
        Is2amConfig, lambda config: Co2Net(Is2am(config)), co2net.SCHEDULE, "CO2Net (iS2AM)"
    ),
}


def find_comparator(name: str) -> Entry:
    """Find a method by its name.

    Raises:
        InputError: if there is none.
    """
    if name not in COMPARATORS:
        known = ", ".join(COMPARATORS)
        raise InputError(
            f"{name}: unknown{did_you_mean(name, COMPARATORS)}; expected one of {known}"
        )
    return COMPARATORS[name]
