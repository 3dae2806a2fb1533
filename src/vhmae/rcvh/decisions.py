"""Keep or reject: several reviewers' decisions on the composites of a set, and what they come
to."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import delete, select

from vhmae.errors import InputError
from vhmae.rcvh.manifest import read_manifest, rewrite
from vhmae.rcvh.tables import Composite, Decision
from vhmae.web.database import Database, now_ms
from vhmae.web.secrets import open_secrets

DATABASE, SECRETS = "review.db", "review-secrets.json"
Verdict = Literal["keep", "reject", "undecided"]


@dataclasses.dataclass(frozen=True)
class Item:
    """A composite as a reviewer sees it."""

    name: str
    foreground_ratio: float
    mine: bool | None
    """The reviewer's own decision; True keeps."""
    keeps: int
    rejects: int


def verdict(keeps: int, rejects: int) -> Verdict:
    """What several decisions come to: the majority; as many of each leave it open."""
    return "undecided" if keeps == rejects else "keep" if keeps > rejects else "reject"


class Review:
    """The decisions on one set."""

    def __init__(self, folder: Path, url: str | None = None, fresh: bool = True) -> None:
        """Open the review of a set.

        Args:
            fresh: begin it where there is none.
        Raises:
            InputError: if the folder holds no set, its manifest is damaged, or there is no review
                to go on with.
        """
        lines = read_manifest(folder) if folder.is_dir() else []
        if not lines:
            raise InputError(
                f"{folder}: holds no set of composites; build one with: vhmae rcvh build --raw DIR "
                f"--matte rvm --out {folder}"
            )
        self.folder = folder
        self.secrets = open_secrets(folder / SECRETS)
        if url is None and not fresh and not (folder / DATABASE).is_file():
            raise InputError(
                f"{folder}: holds no decisions; name where they lie by `database` URL or "
                "VHMAE_DATABASE"
            )
        self.database = Database(
            url or f"sqlite:///{(folder / DATABASE).absolute()}", "vhmae.rcvh", fresh
        )
        with self.database.writing() as session:
            known = set(
                session.scalars(select(Composite.name).where(Composite.set_id == self.secrets.site))
            )
            if not known and not fresh:
                raise InputError(
                    f"{folder}: nothing was decided of this set in {self.database.where}; check "
                    "`database`"
                )
            session.add_all(
                Composite(
                    set_id=self.secrets.site,
                    name=line["name"],
                    foreground_ratio=line["foreground_ratio"],
                )
                for line in lines
                if line["name"] not in known
            )

    def items(self, reviewer: str) -> list[Item]:
        """All composites in the order of their names."""
        with self.database.reading() as session:
            own = Composite.set_id == self.secrets.site
            composites = session.scalars(
                select(Composite).where(own).order_by(Composite.name)
            ).all()
            decisions = session.scalars(select(Decision).join(Composite).where(own)).all()
            said: dict[int, dict[str, bool]] = {}
            for decision in decisions:
                said.setdefault(decision.composite_id, {})[decision.reviewer] = decision.keep
            return [
                Item(
                    composite.name,
                    composite.foreground_ratio,
                    (one := said.get(composite.id, {})).get(reviewer),
                    sum(one.values()),
                    sum(not keep for keep in one.values()),
                )
                for composite in composites
            ]

    def decide(self, reviewer: str, name: str, keep: bool | None) -> None:
        """Keep a reviewer's decision in the place of an earlier one; None takes it back.

        Raises:
            KeyError: if there is no such composite.
        """
        with self.database.writing() as session:
            own = select(Composite).where(
                Composite.set_id == self.secrets.site, Composite.name == name
            )
            composite = session.scalars(
                own.with_for_update()
            ).one_or_none()  # the same decision may come twice at once
            if composite is None:
                raise KeyError(name)
            session.execute(
                delete(Decision).where(
                    Decision.composite_id == composite.id, Decision.reviewer == reviewer
                )
            )
            if keep is not None:
                session.add(
                    Decision(
                        composite_id=composite.id, reviewer=reviewer, keep=keep, decided_ms=now_ms()
                    )
                )

    def export(self) -> dict[str, int]:
        """Write the decisions into the manifest, and the list of what is kept; returns how many
        have which verdict."""
        found = {item.name: (item.keeps, item.rejects) for item in self.items("")}

        def reviewed(line: dict[str, Any]) -> dict[str, Any]:
            keeps, rejects = found.get(line["name"], (0, 0))  # what was built since is not decided
            return {
                **line,
                "review": {"keep": keeps, "reject": rejects, "verdict": verdict(keeps, rejects)},
            }

        lines = rewrite(self.folder, lambda lines: [reviewed(line) for line in lines])
        counts = {"keep": 0, "reject": 0, "undecided": 0}
        for line in lines:
            counts[line["review"]["verdict"]] += 1
        return counts
