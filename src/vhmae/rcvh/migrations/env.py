"""Alembic's way into the review's migrations."""

from vhmae.rcvh.tables import Base
from vhmae.web.database import run_migrations

run_migrations(Base.metadata)
