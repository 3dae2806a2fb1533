"""What was asked of the outputs of a table of jobs, kept beside it: an output is made anew where
its line, the command's options or its guide say another thing than when it was made."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from vhmae.errors import InputError
from vhmae.partial_output import write_text_whole
from vhmae.work.job import HarmonizeJob
from vhmae.work.resume import digest_of_asked

SCHEMA = 1


class Ledger:
    """By the names of outputs, as from the ledger's folder, a digest of what was asked."""

    def __init__(self, path: Path) -> None:
        """Open what is there; what cannot be read counts as empty."""
        self._path = path
        self._asked: dict[str, str] = {}
        self._lacking: dict[str, list[int]] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
            tree = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(tree, dict) and isinstance(tree.get("asked"), dict):
                self._asked = {str(name): str(asked) for name, asked in tree["asked"].items()}
                lacking = tree.get("lacking")
                if isinstance(lacking, dict):
                    self._lacking = {
                        str(name): list(map(int, one)) for name, one in lacking.items()
                    }

    @classmethod
    def beside(cls, table: Path) -> Ledger:
        """The ledger of a table."""
        return cls(table.with_name(f".{table.name}.asked.json"))

    def asked_of(self, job: HarmonizeJob, scene_leader: HarmonizeJob | None) -> str:
        """A digest of what is asked of an output now; paths count from the ledger's folder."""
        try:
            return digest_of_asked(job, scene_leader, self._path.absolute().parent)
        except InputError:  # the job itself says what is wrong with its guide
            return ""

    def differs(self, job: HarmonizeJob, asked: str) -> bool:
        """Whether an output was made of other words; of one that is not known, nobody can say."""
        return self._asked.get(self._name(job), asked) != asked

    def knows(self, job: HarmonizeJob) -> bool:
        """Whether it is known what an output was made of."""
        return self._name(job) in self._asked

    def lacking(self, job: HarmonizeJob) -> list[int]:
        """Numbers of the pictures that the run could not make: of frames that are damaged."""
        return self._lacking.get(self._name(job), [])

    def keep(self, job: HarmonizeJob, asked: str, lacking: Sequence[int] = ()) -> None:
        """Remember what an output was made of, and which of its pictures could not be made. A
        folder that cannot be written keeps nothing."""
        self._asked[self._name(job)] = asked
        self._lacking.pop(self._name(job), None)
        if lacking:
            self._lacking[self._name(job)] = [*lacking]
        with contextlib.suppress(OSError, InputError):
            kept = {"schema": SCHEMA, "asked": self._asked, "lacking": self._lacking}
            text = json.dumps(kept, indent=1)
            write_text_whole(self._path, text + "\n")

    def _name(self, job: HarmonizeJob) -> str:
        output = job.output.absolute()
        try:
            return os.path.relpath(output, self._path.absolute().parent)
        except ValueError:  # they lie on two drives of Windows
            return str(output)
