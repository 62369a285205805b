"""Checks of a character that was read: warnings, with the manifest line that fixes the cause."""
