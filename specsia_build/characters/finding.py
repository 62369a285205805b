"""What was found out about a character that would be built all the same, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mending:
    """A key of a manifest's line for which there is evidence.

    Attributes:
        key: ``up``, ``front``, ``sides``, ``texture`` or ``drop``.
        value: what it would say: a text, or the names of parts.
        why: the evidence, in words that follow the key.
    """

    key: str
    value: str | tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Finding:
    """A warning, and what a manifest's line could say to mend its cause, or None where it cannot."""

    warning: str
    mending: Mending | None = None
