"""A small study and its application on each database, and a browser to take part with."""

from __future__ import annotations

from tests.support.browser import chromium
from tests.support.study import brief_study, material, small_study, study

__all__ = ["brief_study", "chromium", "material", "small_study", "study"]
