"""A fresh database of each kind for the tests of rooms that keep rows."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

KINDS = ("sqlite", "postgresql")


@contextlib.contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database, which is gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / f'{uuid.uuid4().hex}.db'}"
        return
    server = os.environ.get("VHMAE_TEST_POSTGRESQL")
    if server is None:
        assert not os.environ.get("CI"), "VHMAE_TEST_POSTGRESQL names no server; .ci/run starts one"
        pytest.skip(
            "VHMAE_TEST_POSTGRESQL names no PostgreSQL server (postgresql+psycopg://USER@HOST/NAME)"
        )
    name = f"test_{uuid.uuid4().hex}"
    address = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield address.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()
