"""Methods as they are written: a label, and what the method is (``methods``). Needs no torch."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from vhmae.color.basis import AFFINE, QUADRATIC
from vhmae.errors import InputError
from vhmae.evaluation.functions import installed_methods

CLASSICAL = ("reinhard", "histogram", "mkl", "gain")
ORACLES = {"oracle-affine": AFFINE, "oracle-quadratic": QUADRATIC}
"""The best global map with the target known: how much a perfect guess of the look would gain."""
NETWORKS = ("vhmae", "vhmae-look")
"""The network, and its look path alone: the tokens' answer taken out."""
METHODS = ("composite", "constant", *CLASSICAL, *NETWORKS, *ORACLES)


@dataclasses.dataclass(frozen=True)
class MethodText:
    """A method as it was written, its label apart."""

    label: str
    """What the method is called in tables, sheets and studies."""
    source: str
    """What it is, without a label."""
    labeled: bool
    """Whether the label was given; otherwise it is the source itself."""

    @property
    def finished(self) -> Path | None:
        """Finished results, where ``LABEL=PATH`` or ``folder:PATH`` names some.

        A path that is there comes before a method of the same name: ``mkl=mkl`` is a folder where
        one lies.
        """
        if self.source.startswith("folder:"):
            return Path(self.source.removeprefix("folder:"))
        path = Path(self.source)
        if self.labeled and (path.exists() or not self._may_be_method):
            return path
        return None

    @property
    def _may_be_method(self) -> bool:
        return ":" in self.source or self.source in METHODS or self.source in installed_methods()


def read_method_text(text: str) -> MethodText:
    """Take a label off: what stands before the first ``=`` if it is no path and no form of its own.

    Raises:
        InputError: if label or method is empty.
    """
    label, equals, source = text.partition("=")
    if not equals or re.search(r"[:/\\]", label):
        label, source = text, text
    label, source = label.strip(), source.strip()
    if not label or not source:
        raise InputError("is empty on one side; write LABEL=METHOD", field="methods", value=text)
    return MethodText(label, source, source != text.strip())
