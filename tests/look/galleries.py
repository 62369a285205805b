"""Galleries of a few items with generated pictures, so that tests know every pixel."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.errors import SpecsiaError
from specsia_build.look import repair
from specsia_build.look.items import IOU, RESULT_LAYERS, TARGET, TARGET_LAYERS, Gallery, Item, Side
from specsia_build.pictures.files import write_moving

Pictures = dict[str, list[bytes]]
Draw = Callable[[str, str, str, int], NDArray[np.uint8] | str]
"""Draws an item, side, layer and frame; a text says why it cannot be read."""


@dataclass(frozen=True)
class Drawn:
    """Reads pictures that a function draws."""

    draw: Draw

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> Pictures:
        return {layer: [_png(self.draw(item, side, layer, frame)) for frame in frames] for layer in layers}


def _png(picture: NDArray[np.uint8] | str) -> bytes:
    if isinstance(picture, str):
        raise SpecsiaError(picture)
    return png.encode(picture)


def colours(item: str, side: str, layer: str, frame: int) -> NDArray[np.uint8]:
    """A picture whose red shows the item, whose green the side and layer, and whose blue the frame."""
    colour = sum(item.encode()) % 200, sum(f"{side} {layer}".encode()) % 250, 30 * frame, 255
    return np.full((16, 16, 4), colour, np.uint8)


def item(item_id: str, values: Mapping[str, Sequence[float | None]], **more: Any) -> Item:
    """An item whose makers have so many values of `iou`, one a view."""
    frames = len(next(iter(values.values())))
    sides = [Side(TARGET, TARGET_LAYERS)]
    sides += [Side(name, RESULT_LAYERS, {"iou": tuple(of)}, {"scale": 1.01}) for name, of in values.items()]
    stated = {
        "character": item_id,
        "split": "train",
        "yaws": tuple(360 * k / frames for k in range(frames)),
        "sides": {side.name: side for side in sides},
    }
    return Item(id=item_id, frames=frames, **(stated | more))


def gallery(where: str, *items: Item, draw: Draw = colours, **more: Any) -> Gallery:
    stated: dict[str, Any] = {"kind": "run", "title": where, "lead": "a few"}
    stated |= {"failed": (), "measures": (IOU,)}
    moving = any(item.fps for item in items)
    return Gallery(where=where, items=items, reader=Drawn(draw), moving=moving, **(stated | more))


def write_repair(folder: Path, *warnings: str) -> Path:
    """A folder as `specsia repair` writes it, of four frames of one colour each."""
    frames = [np.full((16, 16, 4), (200, 60 * k, 30, 255), np.uint8) for k in range(4)]
    for layer in repair.REPAIR_LAYERS:
        repair.picture(folder, layer, 0).parent.mkdir(parents=True)
        for number, frame in enumerate(frames):
            pixels = frame[..., 0].copy() if layer == "mask" else frame
            repair.picture(folder, layer, number).write_bytes(png.encode(pixels))
    for name in (repair.REPAIR_SHEET, repair.FRAMED_DRAWING):
        (folder / name).write_bytes(png.encode(frames[0]))
    for name in (*repair.REPAIR_FILMS, repair.COMPARE):
        write_moving(folder / name, 4, (frame[..., :3] for frame in frames), Fraction(4))
    record = {"name": folder.name, "frames": 4, "placed": "by hand", "facing": "front"}
    record |= {"warnings": list(warnings), "contour": {"kept": True, "width": 3.0}}
    record |= {"settings": {"size": 16, "outline": "keep", "mask": None}}
    (folder / repair.REPAIR_RECORD).write_text(json.dumps(record))
    return folder
