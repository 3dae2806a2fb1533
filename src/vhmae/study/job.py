"""The jobs of ``vhmae study``, importable without the libraries of its pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from vhmae.errors import InputError
from vhmae.evaluation.job import METHOD_FORMS
from vhmae.options import NATURAL, POSITIVE, Form, option
from vhmae.web.job import DatabaseOptions, ServeOptions

CRITERION = "recovery of brightness and color, and the blend of foreground and background"
"""What attempts are ranked by, from best to worst, in the words of the paper's Sec. 4.5."""

CONSENT = (
    "You will see short videos in which a person or an object was pasted into another scene, and "
    "several attempts at making color and light of the pasted part fit. For each video, rank the "
    "attempts from the best to the worst.\n\n"
    "Taking part is voluntary; you may stop at any time. Your rankings, the time that they took, "
    "and your answers to the questions below, "
    "if there are any, are stored without your name. One cookie keeps your place while you take "
    "part."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """Something that the organizer asks each participant."""

    label: str
    choices: tuple[str, ...] = ()
    """None: free text."""


def _method(text: str) -> tuple[str, Path | str]:
    from vhmae.evaluation.grammar import read_method_text  # looks for packages, so when asked

    method = read_method_text(text)
    return method.label, method.finished or method.source


def _question(text: str) -> Question:
    label, _, choices = " ".join(text.split()).partition(":")
    kept = tuple(choice.strip() for choice in choices.split("|") if choice.strip())
    if not 0 < len(label.strip()) <= 200 or any(len(choice) > 200 for choice in kept):
        told = "expected QUESTION or QUESTION:ANSWER|ANSWER, each of 1 to 200 letters"
        raise InputError(told, field="questions", value=text[:40])
    return Question(label=label.strip(), choices=kept)


def _consent(text: str) -> str:
    try:
        return Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        told = f"cannot be read as text ({error}); give a UTF-8 file"
        raise InputError(told, field="consent", value=text) from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyJob(DatabaseOptions):
    """A study to make."""

    input: Path = option(metavar="DIR|VIDEO")
    """The composites: a folder of videos, of stills and of folders of pictures; one video; or a set
    in the HYouTube layout."""
    methods: Sequence[tuple[str, Path | str]] = option(
        flag="--method", metavar=METHOD_FORMS, form=Form(METHOD_FORMS, _method)
    )
    """LABEL=DIR or LABEL=VIDEO for results under the same names; or a method as in evaluate, run on
    the clips; repeat it."""
    masks: Path | None = option(None, flag="--mask", metavar="DIR|VIDEO")
    """The masks, named as the input's clips, for methods that are run (a set has its own)."""
    clips: int = option(20, metavar="N", form=POSITIVE)
    """How many are drawn."""
    seconds: float = 2.0
    """Length of a clip, from its middle."""
    rate: Fraction | None = option(None, metavar="N")
    """Pictures a second of clips that are pictures, which do not say (those of a set that vhmae
    rcvh made, by its manifest; else 24)."""
    lines: int = option(720, metavar="N", form=POSITIVE)
    """Lines that are shown at most, on the shorter side."""
    seed: int = option(0, metavar="N", form=NATURAL)
    """Draws the clips; the orders in which people see them come of a secret."""
    title: str = "Which is harmonized best?"
    """What the pages are headed by."""
    criterion: str = option(CRITERION, metavar="TEXT")
    """What people rank by, as the end of "from the best to the worst in terms of ..."."""
    consent: str = option(CONSENT, metavar="FILE", form=Form("a file of text", _consent))
    """What participants agree to, as text (a paragraph that fits most studies)."""
    questions: Sequence[Question] = option(
        (), flag="--ask", metavar="QUESTION[:A|B|...]", form=Form("a question", _question)
    )
    """Ask each participant; with choices or in free text."""
    weights: str = option("default", metavar="NAME|PATH")
    """Of vhmae, where it is run."""
    output: Path = option(flag="-o/--output", metavar="STUDY")
    """The study's folder, a new one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeJob(ServeOptions):
    """A study to serve."""

    study: Path = option(positional=True, metavar="STUDY")
    """The folder that vhmae study create made."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportJob(DatabaseOptions):
    """A study to report on."""

    study: Path = option(positional=True, metavar="STUDY")
    """The folder that vhmae study create made."""
    output: Path | None = option(None, flag="-o/--output", metavar="DIR")
    """Where figure and tables go (STUDY/report)."""
    keep_flagged: bool = False
    """Count people who did not look, too."""
