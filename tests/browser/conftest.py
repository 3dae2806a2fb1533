"""A browser that draws, as the tests of the app have it."""

from tests.frontend.conftest import graphics  # noqa: F401
