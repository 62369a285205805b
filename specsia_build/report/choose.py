"""Which characters, views and pixels the page has room for; the same run always shows the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from specsia_build.characters.character import id_order_key
from specsia_build.report.facts import BuiltCharacter

MOST_TILES = 1100
"""Pictures in the contact sheets; more would make the page larger than a browser likes."""

_CHOICES = ((7, 10), (12, 5), (25, 3), (21, 3), (15, 3), (11, 3), (7, 3), (5, 3), (3, 3), (3, 1))
"""Characters per split and views of each, the most generous first."""

FEW_VIEWS = 3
"""Views of each character where not all characters are shown."""

_PIXELS = ((250, 320), (500, 224), (MOST_TILES, 160))
"""Pixels on a side of a picture by the number of pictures."""


@dataclass(frozen=True)
class SheetPlan:
    """What the contact sheets show.

    Attributes:
        per_split: characters of a split, at most.
        views: numbers of the views.
        pixels: on a side of each picture, at most.
    """

    per_split: int
    views: tuple[int, ...]
    pixels: int


def plan_sheets(per_split: Mapping[str, int], backends: int, views: int) -> SheetPlan:
    """Fit the contact sheets into `MOST_TILES` pictures.

    Args:
        per_split: rendered characters by split.
        backends: shown beside each other.
        views: of each character.
    """
    for limit, shown in _CHOICES:
        numbers = spread_views(views, shown)
        characters = sum(min(limit, count) for count in per_split.values())
        tiles = characters * len(numbers) * (4 * backends + 1)
        if tiles <= MOST_TILES and (shown <= FEW_VIEWS or limit >= max(per_split.values(), default=0)):
            break
    pixels = next((p for most, p in _PIXELS if tiles <= most), _PIXELS[-1][1])
    return SheetPlan(limit, numbers, pixels)


def spread_views(views: int, shown: int) -> tuple[int, ...]:
    """The frontal view first: all views, an even spread of them, or front, side and back."""
    if shown >= views:
        return tuple(range(views))
    if shown == FEW_VIEWS:
        return tuple(sorted({0, round(views / 4), views // 2}))
    return tuple(sorted({k * views // shown for k in range(shown)}))


def spread_ranks(count: int, limit: int) -> list[int]:
    """`limit` evenly spaced ranks among `count`, first and last among them."""
    if limit >= count:
        return list(range(count))
    if limit == 1:
        return [0]
    return [(2 * k * (count - 1) + limit - 1) // (2 * (limit - 1)) for k in range(limit)]


def by_quality(characters: Sequence[BuiltCharacter]) -> list[BuiltCharacter]:
    """Characters by mean IoU, the worst first; those without a result come last, by id."""

    def order(made: BuiltCharacter) -> tuple[bool, float, tuple[int, int, str]]:
        return made.mean_iou is None, made.mean_iou or 0.0, id_order_key(made.id)

    return sorted(characters, key=order)


def shown_of(characters: Sequence[BuiltCharacter], limit: int) -> list[tuple[BuiltCharacter, str]]:
    """Characters to show of a split, each with what it stands for: `worst`, `median`, `best` or nothing."""
    ordered = by_quality(characters)
    ranked = sum(made.results != {} for made in ordered)
    marks = {0: "worst", ranked // 2: "median", ranked - 1: "best"} if ranked > 2 else {}
    return [(ordered[rank], marks.get(rank, "")) for rank in spread_ranks(len(ordered), limit)]
