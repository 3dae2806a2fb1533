"""Studies, clips, stimuli, participants, ballots, ranks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "study",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "study_clip",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.String(32), sa.ForeignKey("study.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("fps", sa.Double, nullable=False),
        sa.UniqueConstraint("study_id", "number"),
    )
    op.create_table(
        "study_stimulus",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("clip_id", sa.Integer, sa.ForeignKey("study_clip.id"), nullable=False),
        sa.Column("method", sa.String(100), nullable=False),
        sa.Column("token", sa.String(32), nullable=False, unique=True),
        sa.UniqueConstraint("clip_id", "method"),
    )
    op.create_table(
        "study_participant",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.String(32), sa.ForeignKey("study.id"), nullable=False, index=True),
        sa.Column("key_fingerprint", sa.String(64), nullable=False, unique=True),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("consented_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "study_ballot",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "participant_id", sa.Integer, sa.ForeignKey("study_participant.id"), nullable=False
        ),
        sa.Column("clip_id", sa.Integer, sa.ForeignKey("study_clip.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("stimulus_order", sa.JSON, nullable=False),
        sa.Column("shown_ms", sa.BigInteger),
        sa.Column("submitted_ms", sa.BigInteger),
        sa.UniqueConstraint("participant_id", "clip_id"),
        sa.UniqueConstraint("participant_id", "position"),
    )
    op.create_table(
        "study_rank",
        sa.Column("ballot_id", sa.Integer, sa.ForeignKey("study_ballot.id"), primary_key=True),
        sa.Column("stimulus_id", sa.Integer, sa.ForeignKey("study_stimulus.id"), primary_key=True),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.UniqueConstraint("ballot_id", "rank"),
    )


def downgrade() -> None:
    for table in (
        "study_rank",
        "study_ballot",
        "study_participant",
        "study_stimulus",
        "study_clip",
        "study",
    ):
        op.drop_table(table)
