"""Recipes by name: entry points of the group ``specsia.recipes``, and `dravie`, which `stages.pack` packs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from specsia_build.config import DRAVIE
from specsia_build.dataset.layers import GT, LAYERS, MASK
from specsia_build.errors import SpecsiaError, UsageError, no_such
from specsia_build.recipes.recipe import Recipe

GROUP = "specsia.recipes"

DRAVIE_LAYERS = (MASK, GT)
"""Layers of clean frames in the rows of `dravie`."""


def available_recipes() -> tuple[str, ...]:
    """Names of recipes, sorted; imports none of them."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)} | {DRAVIE}))


@cache
def load_recipe(name: str) -> Recipe:
    """Load a recipe that writes files of its own.

    Raises:
        UsageError: if no installed package declares the name, or two do.
        SpecsiaError: if it cannot be imported or used.
    """
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        raise UsageError(no_such("recipe", name, available_recipes()))
    if len(points) > 1:
        raise UsageError(f"the recipe '{name}' is declared more than once: {', '.join(sorted(points))}")
    ((value, point),) = points.items()
    where = f"the recipe '{name}' ({value})"
    try:
        recipe = point.load()()
    # A third-party module may raise anything.
    except Exception as error:
        raise SpecsiaError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(recipe, Recipe) or recipe.name != name:
        raise SpecsiaError(f"{where} cannot be used: it is no specsia_build.recipes.recipe.Recipe of that name")
    if not set(recipe.layers) <= LAYERS.keys() or recipe.by not in ("clip", "character"):
        raise SpecsiaError(f"{where} cannot be used: its `layers` or `by` are none that exist")
    return recipe


def folder_recipes(names: Sequence[str]) -> list[Recipe]:
    """Load the named recipes that write files of their own, in order."""
    return [load_recipe(name) for name in names if name != DRAVIE]


def layers_of(names: Sequence[str]) -> tuple[str, ...]:
    """Layers of clean frames that the named recipes need, in the order of `LAYERS`."""
    needed = {layer for recipe in folder_recipes(names) for layer in recipe.layers}
    needed |= set(DRAVIE_LAYERS) if DRAVIE in names else set()
    return tuple(name for name in LAYERS if name in needed)


def defaults_of(names: Sequence[str], stated: Collection[str]) -> dict[str, Any]:
    """Default settings of the named recipes, without those that are `stated`.

    Raises:
        UsageError: if two recipes have different defaults for a setting.
    """
    defaults: dict[str, Any] = {}
    for recipe in folder_recipes(names):
        for setting, value in recipe.defaults.items():
            if setting not in stated and str(defaults.setdefault(setting, value)) != str(value):
                raise UsageError(
                    f"recipes differ in {setting} ({recipe.name} needs {value}, another {defaults[setting]}): state "
                    f"--{setting.replace('_', '-')}, or give each an --out of its own"
                )
    return defaults
