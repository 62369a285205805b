"""Recipes by name: the entry points of the group ``specsia.recipes``, and `dravie`, whose rows `stages.pack` packs."""

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
"""Entry-point group; each point is a `Recipe` class."""

DRAVIE_LAYERS = (MASK, GT)
"""What the rows of `dravie` have of clean frames."""


def available_recipes() -> tuple[str, ...]:
    """Names of recipes, sorted, each once. Nothing is imported."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)} | {DRAVIE}))


@cache
def load_recipe(name: str) -> Recipe:
    """The recipe of that name, one that writes files of its own.

    Raises:
        UsageError: if no installed package declares the name, or two do.
        SpecsiaError: if the package that declares it cannot be imported, or gives none that can be used.
    """
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise UsageError(no_such("recipe", name, available_recipes()))
    targets = sorted({point.value for point in found})
    if len(targets) > 1:
        raise UsageError(f"the recipe '{name}' is declared more than once: {', '.join(targets)}")
    package = f" of the package {found[0].dist.name}" if found[0].dist is not None else ""
    where = f"the recipe '{name}' ({found[0].value}{package})"
    try:
        made = found[0].load()()
    # A third-party module may raise anything, and the reader needs to know whose fault it is.
    except Exception as error:
        raise SpecsiaError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(made, Recipe) or made.name != name:
        raise SpecsiaError(f"{where} cannot be used: it is no specsia_build.recipes.recipe.Recipe of that name")
    unknown = [layer for layer in made.layers if layer not in LAYERS]
    if unknown or made.by not in ("clip", "character"):
        raise SpecsiaError(f"{where} cannot be used: there is no {'layer ' + unknown[0] if unknown else made.by}")
    return made


def folder_recipes(names: Sequence[str]) -> list[Recipe]:
    """Those that write files of their own, in order."""
    return [load_recipe(name) for name in names if name != DRAVIE]


def layers_of(names: Sequence[str]) -> tuple[str, ...]:
    """The layers of clean frames that recipes ask for, in order."""
    asked = {layer for recipe in folder_recipes(names) for layer in recipe.layers}
    asked |= set(DRAVIE_LAYERS) if DRAVIE in names else set()
    return tuple(name for name in LAYERS if name in asked)


def defaults_of(names: Sequence[str], stated: Collection[str]) -> dict[str, Any]:
    """Settings that recipes have where none are `stated`.

    Raises:
        UsageError: if two recipes want a setting otherwise: their frames are not the same.
    """
    found: dict[str, dict[str, Any]] = {}
    for recipe in folder_recipes(names):
        for setting, value in recipe.defaults.items():
            if setting not in stated:
                found.setdefault(setting, {})[recipe.name] = value
    for setting, wanted in found.items():
        if len(set(map(str, wanted.values()))) > 1:
            values = ", ".join(f"{value} for {name}" for name, value in wanted.items())
            raise UsageError(
                f"recipes differ in {setting} ({values}): state --{setting.replace('_', '-')}, or give each an --out "
                "of its own"
            )
    return {setting: next(iter(wanted.values())) for setting, wanted in found.items()}
