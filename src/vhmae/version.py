"""The version of this package: the one place, from which the wheel takes it, too."""

from __future__ import annotations

__version__ = "0.2.0"
