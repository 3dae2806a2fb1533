"""What whoever opens a project should know of it, beside what its clip has to say."""

from __future__ import annotations

import shlex

from vhmae.app.document import Document
from vhmae.app.folder import UPLOAD, Folder
from vhmae.app.refusals import Refused
from vhmae.engine.settings import HarmonizerSettings


def doubts_of(document: Document, folder: Folder, weights: str | None) -> list[str]:
    """Lines for the page.

    Args:
        weights: what runs here in the place of the project's own; None where these run.
    """
    others = [] if weights is None else [_of_other_weights(document, weights)]
    return [folder.plain(one) for one in (*others, *_of_what_goes(document, folder))]


def _of_other_weights(document: Document, weights: str) -> str:
    said = document.tree["job"].get("weights", HarmonizerSettings().weights)
    return (
        f"the project is of the weights {said}; shown and taken away here is what {weights} make "
        f"of it (vhmae app --weights {shlex.quote(str(said))} shows the project's own)"
    )


def _of_what_goes(document: Document, folder: Folder) -> list[str]:
    """What goes when the app ends, and the project would miss."""
    if folder.is_sent(document.path):
        return [
            "the clip was sent: it goes when it is closed or the app ends, with what was said of "
            "it; put it into the folder to keep both"
        ]
    job = document.tree["job"]
    named = map(str, [job.get("composite"), job.get("foreground"), *job.get("masks", ())])
    sent = [_name_of(one, folder) for one in named if one.startswith(UPLOAD)]
    return [
        f"{name} was sent and goes when the app ends: put it into the folder and choose it there, "
        "so that the project can be opened again"
        for name in sent
    ]


def _name_of(upload: str, folder: Folder) -> str:
    try:
        return folder.path(upload).name
    except Refused:  # it was given back by itself
        return upload
