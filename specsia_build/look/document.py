"""The page's data: one JSON document of a gallery, which the page's scripts read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from specsia_build.look.items import LAYERS, Gallery, Item, Lost, layers_of
from specsia_build.look.markup import Sections
from specsia_build.look.strips import COLUMNS, COVER, LARGE, rest_frame, shown_frames

NUMBERS = {
    "outline_px": ("contour", "px", 0, "thickness of the contour"),
    "outline_grey": ("contour's grey", "", 0, "its level, from 0 to 255"),
    "fit": ("fit", "", 3, "below 1 where the character was scaled down so that no view cuts it"),
    "triangles": ("triangles", "", 0, "of its mesh"),
    "vertices": ("vertices", "", 0, "of its mesh, as stored"),
    "seconds": ("seconds", "s", 1, "of all stages, their latest times"),
}
"""Name, unit, digits and meaning of what items can be sorted by."""

Addresses = Mapping[str, Mapping[str, str]]
"""Address of the picture of each layer, and of cover and larger frames, by side."""


def item_of(item: Item, pictures: Addresses, problems: Mapping[str, str]) -> dict[str, Any]:
    """One item of the document, with the addresses and the problems of its sides' pictures."""
    frames, sides = shown_frames(item.frames), {}
    for name, side in item.sides.items():
        addresses = pictures.get(name, {})
        entry: dict[str, Any] = {"strips": {k: address for k, address in addresses.items() if k in LAYERS}}
        entry |= {key: addresses[key] for key in (COVER, LARGE) if key in addresses}
        if side.values:
            entry["values"] = {key: [_rounded(values[k]) for k in frames] for key, values in side.values.items()}
        if side.facts:
            entry["facts"] = {key: _rounded(v) if isinstance(v, float) else v for key, v in side.facts.items()}
        if name in problems:
            entry["problem"] = problems[name]
        sides[name] = entry
    document = {
        "id": item.id,
        "character": item.character,
        "split": item.split,
        "frames": len(frames),
        "rest": rest_frame(len(frames), item.fps is not None),
        "yaws": None if item.yaws is None else [item.yaws[k] for k in frames],
        "fps": None if item.fps is None else _rounded(item.fps / frames.step),
        "action": item.action,
        "license": item.license,
        "credit": item.credit,
        "warnings": list(item.warnings),
        "numbers": {k: _rounded(v) for k, v in item.numbers.items() if isfinite(v)},
        "sides": sides,
    }
    return document if frames.step == 1 else {**document, "every": frames.step, "of": item.frames}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else round(value, 5)


def failure_of(lost: Lost, pictures: Addresses) -> dict[str, Any]:
    """One failure of the document, with the first of its strips."""
    strip = next((address for side in pictures.values() for layer, address in side.items() if layer in LAYERS), None)
    entry = {name: value for name, value in asdict(lost).items() if name != "side"}
    return entry | {"strip": strip, "frames": len(shown_frames(lost.frames)) if strip else 0}


def document(
    gallery: Gallery,
    tile: int,
    items: Sequence[Mapping[str, Any]],
    failures: Sequence[Mapping[str, Any]],
    sections: Sections,
) -> dict[str, Any]:
    """The whole document.

    Args:
        gallery: to show.
        tile: pixels on a side of each frame.
        items, failures: as `item_of` and `failure_of` return them.
        sections: titles and markup by anchor.
    """
    layers = layers_of(side for item in gallery.items for side in item.sides.values())
    numbers = {key for item in items for key in item["numbers"]}
    return {
        "title": gallery.title,
        "lead": gallery.lead,
        "kind": gallery.kind,
        "moving": gallery.moving,
        "root": gallery.where,
        "tile": tile,
        "columns": COLUMNS,
        "measures": [asdict(measure) for measure in gallery.measures],
        "numbers": [
            {"key": key, "name": name, "unit": unit, "digits": digits, "note": note}
            for key, (name, unit, digits, note) in NUMBERS.items()
            if key in numbers
        ],
        "layers": [{"key": key, "name": name, "note": note} for key, (name, note) in layers.items()],
        "sides": gallery.side_names,
        "items": list(items),
        "failures": list(failures),
        "missing": list(gallery.missing),
        "go_on": gallery.go_on,
        "sections": [{"anchor": anchor, "title": title, "html": html} for anchor, (title, html) in sections.items()],
    }
