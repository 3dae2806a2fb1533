"""Composites and decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "review_composite",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("set_id", sa.String(64), nullable=False, index=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("foreground_ratio", sa.Double, nullable=False),
        sa.UniqueConstraint("set_id", "name"),
    )
    op.create_table(
        "review_decision",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("composite_id", sa.Integer, sa.ForeignKey("review_composite.id"), nullable=False),
        sa.Column("reviewer", sa.String(60), nullable=False),
        sa.Column("keep", sa.Boolean, nullable=False),
        sa.Column("decided_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("composite_id", "reviewer"),
    )


def downgrade() -> None:
    op.drop_table("review_decision")
    op.drop_table("review_composite")
