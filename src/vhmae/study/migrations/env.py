"""Alembic's way into the study's migrations."""

from vhmae.study.tables import Base
from vhmae.web.database import run_migrations

run_migrations(Base.metadata)
