"""Which characters or clips of a gallery are drawn, and what of each: by their names, as a user gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from specsia_build.dataset.schema import COLOR, GT
from specsia_build.errors import SpecsiaError, UsageError, brief, meant, some
from specsia_build.gallery.items import TARGET, Gallery, Item, layers_of
from specsia_build.sheets import spread

_MAIN = (GT, COLOR)
"""Layers that stand for their side."""


@dataclass(frozen=True)
class Shown:
    """A layer of a side, and its heading."""

    side: str
    layer: str
    heading: str


def chosen_items(gallery: Gallery, ids: Sequence[str], split: str | None, most: int | None) -> tuple[Item, ...]:
    """The items that are named, or those of a split, or all; of these at most so many, spread over them.

    Raises:
        UsageError: if one that is named is not there, or there is none.
    """
    known = {item.id: item for item in gallery.items}
    if ids:
        for name in ids:
            if name not in known:
                raise UsageError(_unknown(gallery, name, list(known)))
        return tuple(known[name] for name in dict.fromkeys(ids))
    found = [item for item in gallery.items if split in (None, item.split)]
    if not found:
        there = Counter(item.split for item in gallery.items)
        told = (
            f"it has {', '.join(f'{name} ({count})' for name, count in there.items())}" if there else _why_none(gallery)
        )
        raise UsageError(f"{gallery.where} has nothing{f' in split {split!r}' if split else ''} to draw: {told}")
    return tuple(found[k] for k in spread(len(found), len(found) if most is None else most))


def _why_none(gallery: Gallery) -> str:
    """Why a gallery has no item."""
    return " ".join(gallery.missing) or "it has nothing yet"


def _unknown(gallery: Gallery, name: str, known: Sequence[str]) -> str:
    lost = next((one for one in gallery.lost if name in (one.key, one.id)), None)
    if lost is not None:
        return f"'{brief(name, 80)}' has no pictures: it failed at {lost.stage}: {brief(lost.reason)}"
    hint = meant(name, known) or f" It has {some(known)}." if known else f" {_why_none(gallery)}"
    return f"{gallery.where} has no {gallery.noun} '{brief(name, 80)}'.{hint}"


def chosen_layers(gallery: Gallery, items: Sequence[Item], wanted: Sequence[str]) -> tuple[Shown, ...]:
    """What is shown of each item.

    Args:
        gallery: that the items are of.
        items: at least one.
        wanted: `SIDE` or `SIDE:LAYER`, layers by the name of their column or by the one that people call them; none for
            the main layer of each side.

    Raises:
        UsageError: if there is no such side or layer.
        SpecsiaError: if no side has pictures.
    """
    sides: dict[str, list[str]] = {}
    for item in items:
        for side in item.sides.values():
            layers = sides.setdefault(side.name, [])
            layers += [layer for layer in side.layers if layer not in layers]
    sides = {name: layers for name, layers in sides.items() if layers}
    if not sides:
        raise SpecsiaError("none of them has any picture")
    names = {key: name for key, (name, _) in layers_of(s for item in items for s in item.sides.values()).items()}
    pairs = [_parsed(text, sides, names) for text in wanted] or [
        (name, _main(layers)) for name, layers in sides.items()
    ]
    several = len({side for side, _ in pairs if side != TARGET}) > 1
    named = {layer: "" if gallery.kind == "evaluation" and layer == COLOR else names[layer] for _, layer in pairs}
    return tuple(Shown(side, layer, _heading(side, named[layer], several)) for side, layer in dict.fromkeys(pairs))


def _main(layers: Sequence[str]) -> str:
    return next((layer for layer in _MAIN if layer in layers), layers[0])


def _parsed(text: str, sides: dict[str, list[str]], names: Mapping[str, str]) -> tuple[str, str]:
    if text in sides:
        return text, _main(sides[text])
    side, colon, layer = text.rpartition(":")
    name = side if colon else text
    if name not in sides:
        raise UsageError(f"nothing is shown by '{brief(name, 80)}': there is {some(list(sides))}.{meant(name, sides)}")
    by_name = {names[one]: one for one in sides[name]} | {one: one for one in sides[name]}
    if layer not in by_name:
        there = ", ".join(f"{name}:{one}" for one in sides[name])
        raise UsageError(f"{name} has no layer '{brief(layer, 80)}': there is {there}.{meant(layer, by_name)}")
    return name, by_name[layer]


def _heading(side: str, layer: str, several: bool) -> str:
    """What stands beside a layer; one without a name, which a model's result is, is called by its side."""
    if side == TARGET:
        return layer
    return f"{layer} {side}".strip() if several or not layer else layer
