"""How calls say no: a status, a sentence in English, and the key under which the catalogue has it
in other languages."""

from __future__ import annotations

from typing import Any

SENTENCES = {
    "server.sign-in": (401, "sign in with the token that the server printed"),
    "server.wrong-token": (401, "this token is not the right one; copy it whole"),
    "server.csrf": (403, "the call lacks the page's own token; load the page again"),
    "server.host": (403, "this address is not the app's; open the one that was printed"),
    "server.outside": (403, "{path}: lies outside the folder that the app was opened for"),
    "server.no-file": (404, "{path}: no such file in the folder"),
    "server.no-project": (404, "this clip is not open; open it again"),
    "server.no-frame": (404, "the clip has no frame {frame}; it has {frames}"),
    "server.no-object": (404, "the clip has no object {object}; it has {objects}"),
    "server.no-render": (404, "no such entry in the queue"),
    "server.no-upload": (404, "this upload is not known any more; begin it again"),
    "server.not-yet": (409, "the clip is still being opened; wait a moment"),
    "server.failed": (409, "the clip could not be opened: {detail}"),
    "server.no-matte": (
        409,
        "nothing says where the foreground is: there is no mask, and no alpha channel; have it cut "
        "out here, or choose a mask",
    ),
    "server.revision": (409, "another tab has changed the project meanwhile"),
    "server.exists": (409, "{path}: is there already; choose another name or replace it"),
    "server.busy": (409, "{path}: is being written at the moment; wait for it"),
    "server.exporting": (409, "{path}: is being exported; cancel it in the queue, or wait for it"),
    "server.offset": (409, "the upload goes on at byte {received}"),
    "server.too-many": (409, "{most} clips are open already; close one"),
    "server.uploads-full": (413, "uploads may take {most_bytes} bytes together; delete one"),
    "server.empty": (400, "the file is empty"),
    "server.layers-only": (409, "the clip is not made of two layers"),
    "server.not-resumable": (409, "this entry cannot be resumed"),
    "server.disk-full": (507, "the disk is full; free some space and try again"),
}
"""Status and sentence by key; the catalogue has the same keys."""


class Refused(Exception):
    """A call that is refused."""

    def __init__(self, key: str, **values: Any) -> None:
        """Say why; ``values`` stand in the sentence."""
        self.key, self.values = key, values
        self.status, sentence = SENTENCES[key]
        super().__init__(sentence.format(**values))

    def tree(self) -> dict[str, Any]:
        """The answer's body."""
        return {"detail": str(self), "key": self.key, "values": self.values}
