"""Checks of a character that was read: what may be wrong with it, and the manifest line that fixes it."""

from specsia_build.characters.doubts.doubt import Doubt, Fix

__all__ = ["Doubt", "Fix"]
