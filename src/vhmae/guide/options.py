"""A person's word among the options of a job: a guide file, and short forms for single points."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vhmae.guide.document import Guide
from vhmae.guide.flags import SHORT_FORMS, guide_of_flags
from vhmae.guide.reading import read_guide
from vhmae.options import option

GROUP = "a person's word (places in pixels of the composite as shown, frames from 0)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GuideOptions:
    """What a person says of a video."""

    guide: Path | None = option(None, metavar="FILE", group=GROUP, role="input")
    """A guide file: points, choices and dials."""
    match: tuple[str, ...] = option((), metavar="X,Y=X,Y[@FRAME]", group=GROUP)
    """This place of the foreground should look like that place of the picture, or like a place of
    the reference, as 120,80=reference:40,30; may be repeated."""
    target: tuple[str, ...] = option((), metavar="X,Y=#RRGGBB[@FRAME]", group=GROUP)
    """This place should have that color; may be repeated."""
    keep_color: tuple[str, ...] = option((), metavar="X,Y[@FRAME]", group=GROUP)
    """This place is right as it came; may be repeated."""
    neutral: tuple[str, ...] = option((), metavar="X,Y[@FRAME]", group=GROUP)
    """This place should be gray; may be repeated."""
    brightness: tuple[str, ...] = option((), metavar="X,Y=STOPS[@FRAME]", group=GROUP)
    """This place should be so many stops brighter; may be repeated."""
    dial: tuple[str, ...] = option((), metavar="NAME=VALUE", group=GROUP)
    """Turn the answer: exposure, temperature, tint, contrast, blacks or saturation; may be
    repeated."""

    def read(self) -> Guide:
        """All that was said.

        Raises:
            InputError: for a file or a short form that says what no guide can.
        """
        words = {form.flag: getattr(self, form.flag.replace("-", "_")) for form in SHORT_FORMS}
        said = guide_of_flags(words, self.dial)
        if self.guide is None:
            return said
        return read_guide(self.guide).joined(said)
