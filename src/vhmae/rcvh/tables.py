"""What the database keeps of a review. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Double, ForeignKey, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData()


class Composite(Base):
    """A composite of a set; a database may hold several sets."""

    __tablename__ = "review_composite"
    __table_args__ = (UniqueConstraint("set_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(64))
    foreground_ratio: Mapped[float] = mapped_column(Double)


class Decision(Base):
    """What a reviewer says of a composite; the last word counts."""

    __tablename__ = "review_decision"
    __table_args__ = (UniqueConstraint("composite_id", "reviewer"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    composite_id: Mapped[int] = mapped_column(ForeignKey("review_composite.id"))
    reviewer: Mapped[str] = mapped_column(String(60))
    keep: Mapped[bool] = mapped_column(Boolean)
    decided_ms: Mapped[int] = mapped_column(BigInteger)
