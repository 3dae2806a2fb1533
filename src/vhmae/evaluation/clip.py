"""What a method is given, and what it is: any callable, composite and mask in, frames out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vhmae.arrays import Frames, Mask
from vhmae.data.digests import settings_digest
from vhmae.data.hyoutube import Sample
from vhmae.errors import InputError, VhmaeError, is_interrupted
from vhmae.outside import told

PLACES = ("method", "weights", "folder", "function", "precision")
"""Facts that say where a method came from, or what the machine chose, not what it is."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """What a method is given."""

    composite: Frames
    """(T, H, W, 3) uint8 RGB."""
    mask: Mask
    """(T, H, W) bool."""
    sample: Sample | None = None
    """Where the clip comes from, as it lies on the disk."""
    target: Frames | None = None
    """(T, H, W, 3) uint8 RGB: for the oracles alone."""


@dataclasses.dataclass(frozen=True)
class Method:
    """A named method."""

    name: str
    harmonize: Callable[[Clip], Frames]
    """Clip -> frames (T, H, W, 3) uint8; pixels outside the mask are the composite's."""
    takes_other_backgrounds: bool = True
    """False for results made beforehand and for oracles: their background cannot be swapped."""
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What its results rest on, for reports: settings, and under ``weights_sha256`` its weights."""

    def run(self, clip: Clip) -> Frames:
        """What the method makes of a clip, (T, H, W, 3) uint8. One from outside the package works
        on copies and without the target, so that it neither sees nor changes what it is scored
        against.

        Raises:
            InputError: where one from outside fails, or gives anything but frames of the
                composite's form.
        """
        source = self.facts.get("function", self.name)
        is_ours = "kind" in self.facts and "function" not in self.facts
        if not is_ours:
            composite, mask = np.array(clip.composite), np.array(clip.mask)
            clip = dataclasses.replace(clip, composite=composite, mask=mask, target=None)
        try:
            frames = np.asarray(self.harmonize(clip))
        except (VhmaeError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            if is_ours or is_interrupted(error):
                raise
            raise InputError(
                f"failed ({told(error)}); mend it", field="methods", value=source
            ) from error
        if frames.shape != clip.composite.shape or frames.dtype != np.uint8:
            raise InputError(
                f"gave {frames.dtype} {frames.shape}; expected uint8 {clip.composite.shape}",
                field="methods",
                value=source,
            )
        return frames

    @property
    def digest(self) -> str:
        """Digest of its facts but for names of places: a file that was moved is the same file."""
        return settings_digest(
            {key: value for key, value in self.facts.items() if key not in PLACES}
        )


def require_method(method: object) -> None:
    """Refuse what is no :class:`Method`, as the name of one."""
    if not isinstance(method, Method):
        told = "find_method gives one by its name, Method(name, function) makes one"
        raise InputError(f"{method}: is no Method; {told}")
