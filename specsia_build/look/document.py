"""The page's data: one JSON document of a gallery, which the page's scripts read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from specsia_build.look.items import LAYERS, Gallery, Item, Lost, Side, layers_of
from specsia_build.look.markup import Sections
from specsia_build.look.strips import COLUMNS, COVER, LARGE, Made, rest_frame, shown_frames

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


def item_of(item: Item, pictures: Addresses, made: Made) -> dict[str, Any]:
    """One item of the document.

    Args:
        item: of the gallery.
        pictures: of it.
        made: problems of its pictures.
    """
    frames = shown_frames(item.frames)
    found: dict[str, Any] = {
        "id": item.id,
        "character": item.character,
        "split": item.split,
        "frames": len(frames),
        "rest": rest_frame(len(frames), item.fps is not None),
        "yaws": None if item.yaws is None else [item.yaws[k] for k in frames],
        "fps": None if item.fps is None else _number(item.fps / frames.step),
        "action": item.action,
        "license": item.license,
        "credit": item.credit,
        "warnings": list(item.warnings),
        "numbers": {k: _number(v) for k, v in item.numbers.items() if isfinite(v)},
        "sides": {
            name: _side(side, frames, pictures.get(name, {}), made.problems.get(name))
            for name, side in item.sides.items()
        },
    }
    return found if frames.step == 1 else {**found, "every": frames.step, "of": item.frames}


def _side(side: Side, frames: range, pictures: Mapping[str, str], problem: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"strips": {layer: strip for layer, strip in pictures.items() if layer in LAYERS}}
    found |= {name: pictures[name] for name in (COVER, LARGE) if name in pictures}
    if side.values:
        found["values"] = {key: [_number(values[k]) for k in frames] for key, values in side.values.items()}
    if side.facts:
        found["facts"] = {key: _number(v) if isinstance(v, float) else v for key, v in side.facts.items()}
    return found if problem is None else {**found, "problem": problem}


def _number(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else round(value, 5)


def failure_of(lost: Lost, pictures: Addresses) -> dict[str, Any]:
    """One failure of the document, with the first of its strips."""
    strips = [strip for of in pictures.values() for layer, strip in of.items() if layer in LAYERS]
    found = {name: value for name, value in asdict(lost).items() if name != "side"}
    return found | {"strip": strips[0] if strips else None, "frames": len(shown_frames(lost.frames)) if strips else 0}


def document(
    gallery: Gallery,
    tile: int,
    items: Sequence[Mapping[str, Any]],
    failures: Sequence[Mapping[str, Any]],
    sections: Sections,
) -> dict[str, Any]:
    """The whole document.

    Args:
        gallery: that it is of.
        tile: pixels on a side of each frame.
        items, failures: as `item_of` and `failure_of` give them.
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
