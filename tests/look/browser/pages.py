"""Galleries to show in a browser: drawn here, so that each test knows what it must see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from specsia_build import png
from specsia_build.dataset.schema import COLOR, GT_MASK, MASK
from specsia_build.errors import SpecsiaError
from specsia_build.look.items import IOU, RESULT_LAYERS, TARGET, TARGET_LAYERS, Gallery, Item, Lost, Side
from specsia_build.look.sections import Sections, tag

TILE = 48
HOSTILE = (
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(2)</script>",
    "n" * 5_000,
    "ساحر \u202e txt.exe",
    "bell \x07 escape \x1b[31m nul \x00",
    "'; rm -rf ~ #",
    "${alert(3)}`{{4}}`",
    "100%_of?it&all=so#there/.. ",
)
"""Texts that harm what takes them for anything but text."""

UNREADABLE = ("figure 3", "fusion")


@dataclass(frozen=True)
class Drawn:
    """Reads pictures of a figure that turns, in a colour of its item, side and layer."""

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> dict[str, list[bytes]]:
        if (item, side) == UNREADABLE:
            raise SpecsiaError("<cut short>")
        return {layer: [_figure(layer, sum(f"{item}{side}{layer}".encode()), k) for k in frames] for layer in layers}


def _figure(layer: str, hue: int, frame: int) -> bytes:
    flat = layer in (MASK, GT_MASK)
    picture = Image.new("L" if flat else "RGBA", (TILE, TILE))
    pen, wide = ImageDraw.Draw(picture), 6 * (layer == MASK)
    pen.ellipse((10 - wide, 6, TILE - 10 + wide, TILE - 6), fill=255 if flat else f"hsl({hue % 360}, 80%, 45%)")
    if not flat:
        pen.rectangle((4 + 3 * frame, 20, 10 + 3 * frame, 28), fill="black")
    return png.encode(np.asarray(picture))


def figure(name: str, number: int, fps: float | None = None) -> Item:
    """A character or, with `fps`, a clip; what is said of it follows from its number."""
    means = {"relief": 0.5 + 0.04 * (number % 10), "fusion": 0.95 - 0.02 * (number % 7)}
    sides = {TARGET: Side(TARGET, TARGET_LAYERS)}
    for side, mean in means.items():
        values = {"iou": tuple(mean - 0.01 * k for k in range(4))}
        sides[side] = Side(side, RESULT_LAYERS, values, {"scale": 1.01, "pitch": 0.3})
    return Item(
        id=name,
        character=name.split("/")[0] if fps else name,
        split=("train", "validation", "test")[max(0, number % 10 - 7)],
        frames=4,
        sides=sides,
        yaws=None if fps else (0, 90, 180, 270),
        fps=fps,
        action="Walk" if fps else None,
        license="CC0-1.0" if number % 2 else "CC-BY-4.0",
        credit="KayKit" if number % 3 else None,
        warnings=("its back is open",) if number % 5 == 0 else (),
        numbers={"seconds": 1 + 0.1 * number, "triangles": 10.0 + number % 9},
    )


def gallery(items: Sequence[Item], **more: Any) -> Gallery:
    """A gallery of some items by two backends."""
    stated = {"title": "figures", "lead": "Figures by two backends.", "moving": any(item.fps for item in items)}
    return Gallery(
        kind="run",
        where="my run",
        items=tuple(items),
        measures=(IOU,),
        reader=Drawn(),
        **{"lost": (), **stated, **more},
    )


def galleries() -> dict[str, tuple[Gallery, Sections]]:
    """What is looked at, by name, and the tables of its overview."""
    sections = {"counts": ("Counts", tag("table", tag("tbody", tag("tr", tag("td", "written by the program")))))}
    broken = Lost("broken", "broken", "render", None, "no mesh in it", "logs/one.log", "specsia build --out my-run")
    lost = [broken]
    for k in range(1, 15):
        side = Side("relief", (COLOR,))
        reason, fix = f"its mean IoU is 0.{k}, below 0.5", "specsia build --out my-run --min-iou 0.1"
        lost.append(Lost(f"low {k}", f"low {k}", "project", "relief", reason, None, fix, side, 4))
    figures = [figure(f"figure {number}", number) for number in range(40)]
    gap = figures[2].sides["relief"]
    gap = replace(gap, values={"iou": (*gap.values["iou"][:2], None, *gap.values["iou"][3:])})
    figures[2] = replace(figures[2], sides={**figures[2].sides, "relief": gap})
    hostile = [
        replace(figure(text, k), license=text, credit=text, split=text, warnings=(text, text))
        for k, text in enumerate(HOSTILE)
    ]
    harmed = [replace(broken, key=text, id=text, reason=text, command=text) for text in HOSTILE]
    names = {"title": HOSTILE[1], "lead": HOSTILE[0], "missing": (HOSTILE[0],), "lost": tuple(harmed)}
    clips = [figure(name, k, 12.0) for k, name in enumerate(("figure 0/walk", "figure 0/run", "figure 1/walk"))]
    return {
        "figures": (gallery(figures, lost=tuple(lost)), sections),
        "clips": (gallery(clips), {}),
        "hostile": (replace(gallery(hostile, **names), where=HOSTILE[5]), {}),
        "few": (gallery(figures[:6], lost=tuple(lost)), sections),
        "empty": (gallery([]), {}),
    }
