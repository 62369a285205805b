"""Errors whose message is one sentence for the person who runs the command."""

from __future__ import annotations

from collections.abc import Mapping


class SpecsiaError(Exception):
    """Something went wrong that the user can understand and mend; the command exits with 1."""


class UsageError(SpecsiaError):
    """The command was asked for something it cannot do as written; the command exits with 2."""


class CharacterError(SpecsiaError):
    """One character cannot be built; it is quarantined and the rest goes on."""


class LowQualityError(CharacterError):
    """One character was built but is too bad to be packed; `pictures` (PNG bytes by name) show why."""

    def __init__(self, message: str, pictures: Mapping[str, bytes]) -> None:
        super().__init__(message)
        self.pictures = pictures
