"""What makes the tables of the docs of the results."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest


@pytest.fixture
def tables() -> ModuleType:
    return importlib.import_module("tables")
