"""Who takes part, what is put before them in which order, and what they say; everything else is a
page."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vhmae.study.tables import INPUT, Ballot, Participant, Rank, Stimulus, Study, StudyClip
from vhmae.web.database import Database, now_ms
from vhmae.web.secrets import fingerprint, new_token
from vhmae.web.trouble import rows_that_fit


class NotYours(Exception):
    """A ballot that is not there, or belongs to somebody else."""


class AlreadyRanked(Exception):
    """A ballot that was handed in before; what was said then stays."""


class Incomplete(Exception):
    """A ranking that leaves something out, or names something twice or something else."""


@dataclasses.dataclass(frozen=True)
class OpenBallot:
    """The next ballot of a participant."""

    id: str
    """Its token."""
    position: int
    """From 0."""
    total: int
    input: str
    """The token of the composite."""
    choices: tuple[str, ...]
    """Tokens of the results, first place on the page first."""
    frames: int
    fps: float


class Ballots:
    """The ballots of one study."""

    def __init__(self, database: Database, study_id: str) -> None:
        self.database = database
        self.study_id = study_id

    def enter(self, answers: Mapping[str, Any]) -> str:
        """Take in a participant who consented; returns the key of the personal link."""
        key = new_token()
        with self.database.writing() as session:
            study = session.get_one(Study, self.study_id)
            participant = Participant(
                study_id=self.study_id,
                key_fingerprint=fingerprint(key),
                answers=dict(answers),
                consented_ms=now_ms(),
            )
            session.add(participant)
            session.flush()
            rng = drawn_for(study.secret, participant.id)
            clips = list(study.clips)
            for position, place in enumerate(rng.permutation(len(clips))):
                ranked = [
                    stimulus.id for stimulus in clips[place].stimuli if stimulus.method != INPUT
                ]
                order = [ranked[index] for index in rng.permutation(len(ranked))]
                session.add(
                    Ballot(
                        token=new_token(),
                        participant_id=participant.id,
                        clip_id=clips[place].id,
                        position=position,
                        stimulus_order=order,
                    )
                )
        return key

    def find(self, key: str) -> int | None:
        """The participant of a key."""
        with self.database.reading() as session:
            wanted = (
                Participant.key_fingerprint == fingerprint(key),
                Participant.study_id == self.study_id,
            )
            return session.scalar(select(Participant.id).where(*wanted))

    def next(self, participant: int) -> OpenBallot | None:
        """The first ballot that is not handed in yet; None at the end."""
        with self.database.reading() as session, rows_that_fit(self.database.where):
            mine = (
                select(Ballot).where(Ballot.participant_id == participant).order_by(Ballot.position)
            )
            ballots = session.scalars(mine).all()
            ballot = next((one for one in ballots if one.submitted_ms is None), None)
            if ballot is None:
                return None
            tokens = _tokens(session, ballot.clip_id)
            clip = session.get_one(StudyClip, ballot.clip_id)
            composite = next(
                stimulus.token for stimulus in clip.stimuli if stimulus.method == INPUT
            )
            choices = tuple(tokens[number] for number in ballot.stimulus_order)
            return OpenBallot(
                ballot.token,
                ballot.position,
                len(ballots),
                composite,
                choices,
                clip.frames,
                clip.fps,
            )

    def playing(self, participant: int, token: str) -> None:
        """Note that a ballot's videos play now: the time that people take counts from the first
        such note.

        Raises:
            NotYours: nothing is kept.
        """
        with self.database.writing() as session:
            ballot = _own(session, participant, token)
            if ballot.shown_ms is None:
                ballot.shown_ms = now_ms()

    def submit(self, participant: int, token: str, ranking: Sequence[str]) -> None:
        """Keep a ranking, best first.

        Raises:
            NotYours, AlreadyRanked, Incomplete: nothing is kept.
        """
        with self.database.writing() as session:
            ballot = _own(session, participant, token)
            if ballot.shown_ms is None:
                raise Incomplete("this clip has not been played yet")
            number_of = {name: number for number, name in _tokens(session, ballot.clip_id).items()}
            wanted = {name for name, number in number_of.items() if number in ballot.stimulus_order}
            if len(ranking) != len(wanted) or set(ranking) != wanted:
                raise Incomplete(f"a ranking names each of the {len(wanted)} results once")
            # One statement decides who was first: two submissions at once cannot both be.
            open_one = (
                update(Ballot)
                .where(Ballot.id == ballot.id, Ballot.submitted_ms.is_(None))
                .values(submitted_ms=now_ms())
            )
            if session.execute(open_one).rowcount == 0:  # type: ignore[attr-defined]  # the result of an update has one
                raise AlreadyRanked("this clip was ranked before; the first ranking stays")
            session.add_all(
                Rank(ballot_id=ballot.id, stimulus_id=number_of[name], rank=place + 1)
                for place, name in enumerate(ranking)
            )

    def progress(self) -> tuple[int, int, int]:
        """Participants, rankings handed in, and how many ballots there are in all."""
        with self.database.reading() as session:
            people = session.scalars(
                select(Participant.id).where(Participant.study_id == self.study_id)
            ).all()
            states = session.execute(
                select(Ballot.submitted_ms)
                .join(Participant, Participant.id == Ballot.participant_id)
                .where(Participant.study_id == self.study_id)
            ).all()
            return len(people), sum(state[0] is not None for state in states), len(states)

    def videos(self) -> tuple[list[list[str]], str]:
        """The names of the videos of each clip, and the study's secret."""
        with self.database.reading() as session:
            study = session.get_one(Study, self.study_id)
            return [
                [stimulus.token for stimulus in clip.stimuli] for clip in study.clips
            ], study.secret


def drawn_for(secret: str, participant: int) -> np.random.Generator:
    """Where a participant's orders come from: nobody computes them who has not the study's
    secret."""
    digest = hmac.digest(secret.encode(), str(participant).encode(), hashlib.sha256)
    return np.random.default_rng(int.from_bytes(digest, "big"))


def _own(session: Session, participant: int, token: str) -> Ballot:
    ballot = session.scalars(select(Ballot).where(Ballot.token == token)).one_or_none()
    if ballot is None or ballot.participant_id != participant:
        raise NotYours("this clip was not put before you")
    return ballot


def _tokens(session: Session, clip_id: int) -> dict[int, str]:
    """The results of a clip: number -> token; the input among them."""
    rows = session.execute(select(Stimulus.id, Stimulus.token).where(Stimulus.clip_id == clip_id))
    return {row.id: row.token for row in rows}
