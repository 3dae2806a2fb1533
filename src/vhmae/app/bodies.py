"""What the page's calls bring: every field is bounded, and nothing beyond the fields is taken."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from vhmae.web.bodies import Body

LONGEST_PATH = 1000
Path = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PATH)]
Frame = Annotated[int, Field(ge=0, lt=1 << 31)]
Object = Annotated[int, Field(ge=1, le=64)]
Tree = dict[str, Any]


class Dropped(Body):
    """A file that was dropped on the page, to be found in the folder."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    bytes: Annotated[int, Field(ge=0)]
    head: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]


class Sent(Body):
    """A file that is going to be sent."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    bytes: Annotated[int, Field(ge=0)]


class Opened(Body):
    """A clip to open."""

    project: Path | None = None
    composite: Path | None = None
    masks: Annotated[list[Path], Field(max_length=64)] | None = None
    background: Path | None = None
    foreground: Path | None = None
    placement: Tree | None = None
    options: Tree | None = None
    demo: bool = False


class Saved(Body):
    """A document to save."""

    revision: int
    document: Tree
    mark: str | None = None


class Said(Body):
    """A guide to hear."""

    guide: Tree
    frame: Frame
    strength: Annotated[float, Field(ge=0.0, le=1.0, strict=False)] | None = None
    keep: list[Literal["hue", "luma", "saturation"]] | None = None
    move: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    covariance: bool = False


class Asked(Body):
    """Takes to show."""

    guide: Tree
    frame: Frame
    object: Object = 1
    count: Annotated[int, Field(ge=4, le=24)] = 6


class Stood(Body):
    """Where a picture stands still."""

    frame: Frame


class Taken(Body):
    """Something to take away."""

    kind: Annotated[str, StringConstraints(max_length=40)]
    output: Path | None = None
    overwrite: bool = False
    options: Tree = Field(default_factory=dict)
