"""Methods by name: one grammar for ``evaluate``, ``compare`` and ``study create``.

``NAME | vhmae:WEIGHTS | comparator:WEIGHTS | folder:PATH | module:function | FILE.py:function |
LABEL=ANY OF THESE``

NAME is one of ``METHODS`` or an entry point of the group ``vhmae.methods`` of any installed
package; ``comparator`` is one of the group ``vhmae.method_loaders``, which any package may add to.
Our model, classical maps, somebody's function and a folder of somebody's results are
scored by the same code.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from vhmae.engine.settings import HarmonizerSettings, Quality
from vhmae.errors import InputError, did_you_mean
from vhmae.evaluation.classical import classical_method, map_method, oracle_method
from vhmae.evaluation.clip import Clip, Method
from vhmae.evaluation.constant import looks_of, map_digest, read_constant
from vhmae.evaluation.functions import (
    function_method,
    installed_loaders,
    installed_method,
    installed_methods,
    loaded_method,
)
from vhmae.evaluation.grammar import (
    CLASSICAL,
    METHODS,
    NETWORKS,
    ORACLES,
    MethodText,
    read_method_text,
)
from vhmae.evaluation.network import network_method
from vhmae.evaluation.results import folder_method

__all__ = ["METHODS", "NETWORKS", "Clip", "Method", "MethodText", "find_method", "read_method_text"]

_FUNCTION = re.compile(r"(?!(?:vhmae|vhmae-look|folder):)(?:.*\.py|\w+(?:\.\w+)*):[^\W\d]\w*")


def find_method(
    text: str,
    data: Path | str,
    weights: str | Path = "default",
    device: str = "auto",
    precision: Any = "auto",
    threads: int | None = None,
    quality: Quality = "balanced",
    caution: float | None = None,
    mix: float = 1.0,
) -> Method:
    """Find a method by the grammar above.

    Args:
        data: the data set; decides which constant map is meant.
        weights: of ``vhmae`` and ``vhmae-look`` where the text names none.
        caution: of the network, in levels of 255; None is that of the weights.
        mix: how far the classical methods go, 0 to 1; other methods take 1 only.
    Raises:
        InputError: if there is no such method, with what could have been meant.
    """
    settings = HarmonizerSettings(
        weights=str(weights),
        device=device,
        precision=precision,
        threads=threads,
        quality=quality,
        caution=caution,
    )
    return method_with(text, Path(data), settings, mix)


def method_with(text: str, data: Path, settings: HarmonizerSettings, mix: float = 1.0) -> Method:
    """:func:`find_method`, told at once how the network harmonizes and where."""
    written = read_method_text(text)
    source = written.source
    if not 0.0 <= mix <= 1.0:
        raise InputError("out of range; expected 0 (untouched) to 1", field="mix", value=mix)
    if mix != 1.0 and source not in CLASSICAL:
        raise InputError(
            f"{source} has no such setting; it is for {', '.join(CLASSICAL)}", field="mix"
        )
    finished = written.finished
    if written.labeled and finished is not None and finished.exists():
        method = folder_method(written.label, finished)
    else:
        method = _find(written.label, source, data, settings, mix)
    if written.labeled:
        method = dataclasses.replace(method, name=written.label)
    kind = source.rpartition(":")[2] if _FUNCTION.fullmatch(source) else source.partition(":")[0]
    return dataclasses.replace(method, facts={"method": source, "kind": kind, **method.facts})


def _find(label: str, source: str, data: Path, settings: HarmonizerSettings, mix: float) -> Method:
    kind, colon, rest = source.partition(":")
    if kind in NETWORKS and (rest or not colon):
        own = dataclasses.replace(settings, weights=rest or settings.weights)
        return network_method(label, own, look_alone=kind == "vhmae-look")
    if kind == "folder" and rest:
        return folder_method(label, Path(rest))
    if source == "composite":
        return Method(source, lambda clip: clip.composite)
    if source == "constant":
        coefficients = read_constant(looks_of(data))
        facts = {"map_sha256": map_digest(coefficients)}
        return dataclasses.replace(map_method(source, coefficients), facts=facts)
    if source in CLASSICAL:
        return classical_method(source, mix)
    if source in ORACLES:
        return oracle_method(source)
    loaders = installed_loaders()
    if kind in loaders and rest:
        path, threads = Path(rest), settings.threads
        return loaded_method(label, loaders[kind], path, settings.device, threads)
    if _FUNCTION.fullmatch(source):
        return function_method(label, source)
    installed = installed_methods()
    if source in installed:
        return installed_method(label, installed[source])
    known = (*METHODS, *installed)
    raise InputError(
        f"unknown{did_you_mean(source, known)}; expected {', '.join(known)}, "
        "vhmae:WEIGHTS, comparator:WEIGHTS, folder:PATH, module:function or FILE.py:function",
        field="methods",
        value=source,
    )
