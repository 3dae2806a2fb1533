"""The rows of Table 1 on equal terms: what each is, and where its weights lie."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from vhmae.comparators.catalogue import COMPARATORS
from vhmae.comparators.weights import load_comparator, read_comparator_card
from vhmae.model.files import read_card
from vhmae.model.weights import load_model

Group = Literal["untouched", "classical", "image", "video", "ours", "time", "packaged", "bound"]
"""``ours`` are trained on equal terms, too; ``time`` for as long as VHMAE with transforms instead,
``packaged`` without bounds, ``bound`` know the target."""


LONG = ", as long as VHMAE"
"""What tells a row of group ``time`` from the same method after equal samples."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table."""

    name: str
    """Of its recipe in configs/comparators and its folder of weights."""
    title: str
    group: Group
    source: str
    """By the grammar of ``--method``; ``{runs}`` is the folder of trained weights."""
    over_time: bool = False
    """Whether it is a method for videos, whose steadiness is measured."""
    mix: float | None = None
    """How far a classical method goes where that is given; None is what dev-two chooses."""

    @property
    def is_map(self) -> bool:
        """Whether what it draws is a map of colors already, so that its colors alone are it."""
        return self.group in ("classical", "bound")

    def missing(self, runs: Path) -> Path | None:
        """The file of weights that the row needs and that is not there."""
        if "{runs}" not in self.source:
            return None
        path = Path(self.source.format(runs=runs).partition(":")[2])
        return None if path.is_file() else path

    def kept(self, runs: Path) -> dict[int, str]:
        """The row as it stood after so many samples, by the grammar of ``--method``."""
        if "{runs}" not in self.source:  # packaged weights have no folder of a run
            return {}
        kind, _, place = self.source.format(runs=runs).partition(":")
        files = Path(place).parent.glob("weights-*.safetensors")
        found = {int(path.stem.rpartition("-")[2]): f"{kind}:{path}" for path in files}
        return dict(sorted(found.items()))

    def facts(self, runs: Path) -> dict[str, Any]:
        """Parameters and course of training, as the weights say."""
        kind, _, place = self.source.format(runs=runs).partition(":")
        if kind == "comparator":
            model, _ = load_comparator(Path(place))
            trained = read_comparator_card(Path(place)).facts
            return {"parameters": sum(one.numel() for one in model.parameters()), **trained}
        if kind.startswith("vhmae"):
            ours = load_model(place or "default")
            told: dict[str, Any] = {"parameters": sum(one.numel() for one in ours.parameters())}
            if self.group != "packaged":
                card = read_card(place)
                known = ("samples", "trained_seconds", "processor_seconds")
                told |= {key: card.facts[key] for key in known if key in card.facts}
                told["image_size"] = card.config.image_size
            return told
        return {"parameters": 0}


VIDEO = ("huang-", "co2net-")
"""How the names of methods for videos begin; that of the network beneath follows."""


def _compared(name: str) -> Row:
    video = name.startswith(VIDEO)
    return Row(
        name,
        COMPARATORS[name].title,
        "video" if video else "image",
        f"comparator:{{runs}}/{name}/weights.safetensors",
        over_time=video,
    )


def _ours(name: str, title: str, method: str = "vhmae") -> Row:
    source = f"{method}:{{runs}}/{name}/weights.safetensors"
    return Row(name, title, "ours", source, over_time=True)


def _as_long(row: Row) -> Row:
    """The row trained for as long as VHMAE with transforms, by a recipe of its own."""
    name = f"{row.name}-equal-time"
    source = row.source.replace(row.name + "/", name + "/")
    title = row.title + LONG
    return dataclasses.replace(row, name=name, title=title, group="time", source=source)


EQUAL_SAMPLES = (
    Row("composite", "composite, untouched", "untouched", "composite", over_time=True),
    Row("gain", "gains to the background's mean", "classical", "gain"),
    Row("gain-0.3", "gains to the background's mean", "classical", "gain", mix=0.3),
    Row("reinhard", "Reinhard", "classical", "reinhard"),
    Row("histogram", "histogram matching", "classical", "histogram"),
    Row("mkl", "Monge-Kantorovich", "classical", "mkl"),
    Row("constant", "a constant map of the set's kind of looks", "bound", "constant"),
    *(_compared(name) for name in COMPARATORS),
    _ours("vhmae-plain", "VHMAE as printed"),
    _ours("vhmae-transforms", "VHMAE with transforms"),
    _ours("vhmae-look", "our look path alone", "vhmae-look"),
)
"""Rows that learn from equally many frames or more, and those that learn from none."""
EQUAL_TIME = tuple(
    _as_long(row)
    for row in EQUAL_SAMPLES
    if row.name in ("is2am", "rainnet", "dovenet", "vhmae-look")
)
"""The same methods trained for the same processor time as :data:`REFERENCE`."""
REFERENCE = "vhmae-transforms"
"""What every other row's difference is taken to."""
PACKAGED = "default"
"""What it is taken to besides."""
BENEATH = {
    **{name: name.partition("-")[2] for name in COMPARATORS if name.startswith(VIDEO)},
    **{row.name: row.name.removesuffix("-equal-time") for row in EQUAL_TIME},
}
"""And what to, of rows that stand on another one: the network for pictures under a method for
videos, the same method after equal samples."""
ROWS = (
    *EQUAL_SAMPLES,
    *EQUAL_TIME,
    Row("default", "packaged weights: default", "packaged", "vhmae:default", over_time=True),
    Row("free", "packaged weights: free", "packaged", "vhmae:free", over_time=True),
    Row("oracle-affine", "best affine map, target known", "bound", "oracle-affine"),
    Row("oracle-quadratic", "best quadratic map, target known", "bound", "oracle-quadratic"),
)
