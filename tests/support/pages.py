"""Pages of the site."""

from __future__ import annotations

MADE = ("api", "changes", "commands", "free-model-card", "model-card", "recipe", "recipes")
"""Pages that the site is given when it is built (tools/site_pages.py)."""
