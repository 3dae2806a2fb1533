"""A secret for each study, from which orders are drawn; names for ballots that do not count up."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # A column that SQLite adds to rows needs a value at once; each row gets its own below.
    for table, column, length in (("study", "secret", 64), ("study_ballot", "token", 32)):
        op.add_column(
            table, sa.Column(column, sa.String(length), nullable=False, server_default="")
        )
    connection = op.get_bind()
    study = sa.table("study", sa.column("id", sa.String), sa.column("secret", sa.String))
    for (key,) in connection.execute(sa.select(study.c.id)).all():
        kept = sa.update(study).where(study.c.id == key).values(secret=secrets.token_hex(32))
        connection.execute(kept)
    ballot = sa.table("study_ballot", sa.column("id", sa.Integer), sa.column("token", sa.String))
    for (number,) in connection.execute(sa.select(ballot.c.id)).all():
        named = (
            sa.update(ballot).where(ballot.c.id == number).values(token=secrets.token_urlsafe(24))
        )
        connection.execute(named)
    op.create_index("ix_study_ballot_token", "study_ballot", ["token"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_study_ballot_token", "study_ballot")
    op.drop_column("study_ballot", "token")
    op.drop_column("study", "secret")
