"""What the database keeps of a study. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

INPUT = "input"
"""The method's name of the composite itself, which is shown and not ranked."""


class Base(DeclarativeBase):
    metadata = MetaData()
    type_annotation_map: ClassVar = {dict[str, Any]: JSON, list[int]: JSON}


class Study(Base):
    """One study; a database may hold many."""

    __tablename__ = "study"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    seed: Mapped[int] = mapped_column(BigInteger)
    """Drew the clips; anybody may know it."""
    secret: Mapped[str] = mapped_column(String(64), server_default="")
    """Draws the orders; whoever has it can tell which attempt is whose."""
    created_ms: Mapped[int] = mapped_column(BigInteger)
    clips: Mapped[list[StudyClip]] = relationship(
        back_populates="study", order_by="StudyClip.number"
    )


class StudyClip(Base):
    """A composite that is shown with the results of all methods."""

    __tablename__ = "study_clip"
    __table_args__ = (UniqueConstraint("study_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    frames: Mapped[int]
    fps: Mapped[float] = mapped_column(Double)
    study: Mapped[Study] = relationship(back_populates="clips")
    stimuli: Mapped[list[Stimulus]] = relationship(back_populates="clip", order_by="Stimulus.id")


class Stimulus(Base):
    """A video of a clip: the input or one method's result."""

    __tablename__ = "study_stimulus"
    __table_args__ = (UniqueConstraint("clip_id", "method"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    clip_id: Mapped[int] = mapped_column(ForeignKey("study_clip.id"))
    method: Mapped[str] = mapped_column(String(100))
    token: Mapped[str] = mapped_column(String(32), unique=True)
    """Its name in addresses: says nothing of the method."""
    clip: Mapped[StudyClip] = relationship(back_populates="stimuli")


class Participant(Base):
    """Somebody who takes part; nothing is known of them but what the organizer asked."""

    __tablename__ = "study_participant"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"), index=True)
    key_fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    """Of the key in the personal link."""
    answers: Mapped[dict[str, Any]]
    consented_ms: Mapped[int] = mapped_column(BigInteger)


class Ballot(Base):
    """A clip as it is put before a participant."""

    __tablename__ = "study_ballot"
    __table_args__ = (
        UniqueConstraint("participant_id", "clip_id"),
        UniqueConstraint("participant_id", "position"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(32), unique=True, index=True, server_default="")
    """What participants know it by: numbers would tell who came when."""
    participant_id: Mapped[int] = mapped_column(ForeignKey("study_participant.id"))
    clip_id: Mapped[int] = mapped_column(ForeignKey("study_clip.id"))
    position: Mapped[int]
    """Place among the participant's clips, from 0."""
    stimulus_order: Mapped[list[int]]
    """Stimuli from the first place on the page to the last."""
    shown_ms: Mapped[int | None] = mapped_column(BigInteger)
    submitted_ms: Mapped[int | None] = mapped_column(BigInteger)
    clip: Mapped[StudyClip] = relationship()
    ranks: Mapped[list[Rank]] = relationship(order_by="Rank.rank")


class Rank(Base):
    """The rank, 1 the best, that a stimulus got on a ballot."""

    __tablename__ = "study_rank"
    __table_args__ = (UniqueConstraint("ballot_id", "rank"),)

    ballot_id: Mapped[int] = mapped_column(ForeignKey("study_ballot.id"), primary_key=True)
    stimulus_id: Mapped[int] = mapped_column(ForeignKey("study_stimulus.id"), primary_key=True)
    rank: Mapped[int]
