"""Galleries of a few items whose pictures are single colours, made of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.errors import SpecsiaError
from specsia_build.look.items import TARGET, Gallery, Item, Measure, Side

IOU = Measure("iou", "IoU", "high", 3, "of both silhouettes")


def picture(*colour: int) -> bytes:
    """A PNG of one colour."""
    return png.encode(np.full((16, 16, 4), (*colour, 255), np.uint8))


@dataclass(frozen=True)
class Colours:
    """Reads pictures whose red shows the item, whose green the side and layer, and whose blue the frame's angle."""

    steps: Mapping[str, int]
    unreadable: str = ""

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> dict[str, list[bytes]]:
        if item == self.unreadable:
            raise SpecsiaError(f"{item} is damaged")
        red = sum(item.encode()) % 200
        green = {layer: sum(f"{side} {layer}".encode()) % 250 for layer in layers}
        return {k: [picture(red, g, self.steps[item] * f) for f in frames] for k, g in green.items()}


def item(item_id: str, values: Mapping[str, Sequence[float | None]], **more: Any) -> Item:
    """An item whose makers have so many values of `iou`, one a view."""
    frames = len(next(iter(values.values())))
    sides = [Side(TARGET, (schema.GT, schema.GT_MASK))]
    sides += [Side(name, (schema.COLOR, schema.MASK), {"iou": tuple(of)}) for name, of in values.items()]
    stated = {
        "character": item_id,
        "split": "train",
        "yaws": tuple(360 * k / frames for k in range(frames)),
        "sides": {side.name: side for side in sides},
    }
    return Item(id=item_id, frames=frames, **(stated | more))


def gallery(where: str, *items: Item, unreadable: str = "", **more: Any) -> Gallery:
    """A gallery of items; the blue of a picture is half its angle in degrees."""
    reader = Colours({i.id: 180 // i.frames for i in items}, unreadable)
    stated: dict[str, Any] = {
        "kind": "run",
        "title": where,
        "lead": "a few",
        "moving": False,
        "lost": (),
        "measures": (IOU,),
    }
    return Gallery(where=where, items=items, reader=reader, **(stated | more))
