"""Licences: that the card states all of them, and a note on those that do not let the dataset be passed on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from specsia_build.dataset.card.licences import withheld
from specsia_build.dataset.card.yaml import license_fields
from specsia_build.dataset.schema import CARD
from specsia_build.dataset.verify.report import LICENSES, Findings


def check_licences(card: Mapping[str, Any], licenses: Collection[str | None], what: str, findings: Findings) -> None:
    """That a card's YAML states the licences of all characters, which `what` names: rows, or parts."""
    wanted = license_fields(licenses)
    told = {name: card[name] for name in ("license", "license_name") if name in card}
    if told != wanted:
        findings.add(LICENSES, CARD, f"gives {told}, where the {what} have {wanted}")


def licence_notes(licenses: Iterable[str | None]) -> list[str]:
    """What is to be known before anybody passes a dataset on, by the licences of its characters."""
    problems = withheld(licenses)
    return [] if problems is None else [f"it is not to be passed on as it is: {problems}"]
