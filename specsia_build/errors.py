"""Errors whose message is one sentence for the person who runs the command."""


class SpecsiaError(Exception):
    """Something went wrong that the user can understand and mend; the command exits with 1."""


class UsageError(SpecsiaError):
    """The command was asked for something it cannot do as written; the command exits with 2."""


class CharacterError(SpecsiaError):
    """One character cannot be built; it is quarantined and the rest goes on."""
