"""A browser that draws, as the tests of the app have it."""

from tests.support.browser import graphics

__all__ = ["graphics"]
