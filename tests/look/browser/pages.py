"""Documents to show in a browser: drawn here, so that each test knows what it must see."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import Image, ImageDraw

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


@cache
def strip(hue: int, frames: int) -> str:
    """A strip of a figure in one colour that turns."""
    picture = Image.new("RGBA", (TILE * frames, TILE))
    pen = ImageDraw.Draw(picture)
    for frame in range(frames):
        left = TILE * frame
        pen.ellipse((left + 10, 6, left + TILE - 10, TILE - 6), fill=f"hsl({hue}, 80%, 45%)")
        pen.rectangle((left + 4 + 3 * frame, 20, left + 10 + 3 * frame, 28), fill="black")
    return _encoded(picture)


def silhouette(frames: int, wide: int = 0) -> str:
    """A strip of its silhouette, wider by so many pixels to each side."""
    picture = Image.new("L", (TILE * frames, TILE))
    pen = ImageDraw.Draw(picture)
    for left in range(0, TILE * frames, TILE):
        pen.ellipse((left + 10 - wide, 6, left + TILE - 10 + wide, TILE - 6), fill=255)
    return _encoded(picture)


@cache
def large(hue: int, frames: int) -> str:
    """A strip in frames of twice the size."""
    with Image.open(io.BytesIO(b64decode(strip(hue, frames).partition(",")[2]))) as small:
        return _encoded(small.resize((2 * TILE * frames, 2 * TILE), Image.Resampling.NEAREST))


def cover(hue: int) -> str:
    """Its first frame."""
    return strip(hue, 1)


def _encoded(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", lossless=True, exact=True)
    return "data:image/webp;base64," + b64encode(stream.getvalue()).decode()


def item(name: str, number: int, frames: int = 4, fps: float | None = None) -> dict[str, Any]:
    """A character or, with `fps`, a clip; what is said of it follows from its number."""
    iou = {"relief": 0.5 + 0.04 * (number % 10), "fusion": 0.95 - 0.02 * (number % 7)}
    layers = ("color", "mask", "pos", "edge")
    made = {
        side: {
            "cover": cover(36 * number % 360),
            "strips": {
                **{layer: strip((36 * number + 40 * k) % 360, frames) for k, layer in enumerate(layers)},
                "mask": silhouette(frames, wide=6),
            },
            "values": {"iou": [round(value - 0.01 * k, 4) for k in range(frames)]},
            "facts": {"scale": 1.01, "pitch": 0.3, "x": 0.0},
            "problem": None,
        }
        for side, value in iou.items()
    }
    target = {
        "cover": cover(36 * number % 360),
        "large": large(36 * number % 360, frames),
        "strips": {"gt": strip(36 * number % 360, frames), "gt_mask": silhouette(frames)},
    }
    return {
        "id": name,
        "character": name.split("/")[0] if fps else name,
        "split": ("train", "validation", "test")[max(0, number % 10 - 7)],
        "frames": frames,
        "rest": 0,
        "yaws": None if fps else [360 * k / frames for k in range(frames)],
        "fps": fps,
        "action": "Walk" if fps else None,
        "license": "CC0-1.0" if number % 2 else "CC-BY-4.0",
        "credit": "KayKit" if number % 3 else None,
        "warnings": ["its back is open"] if number % 5 == 0 else [],
        "numbers": {"seconds": 1 + 0.1 * number, "coverage": 0.1 + 0.01 * (number % 20), "colours": 3 + number % 9},
        "sides": {"Y*": target, **made},
    }


def document(names: Sequence[str], fps: float | None = None, **more: Any) -> dict[str, Any]:
    """A document of some items by two backends."""
    numbers = (("coverage", "", 2), ("colours", "", 0), ("seconds", "s", 1))
    layers = {"gt": "Y*", "color": "Z", "mask": "Zmask", "pos": "Zpos", "edge": "edge", "gt_mask": "silhouette"}
    return {
        "title": "figures",
        "lead": "Figures by two backends.",
        "kind": "run",
        "moving": fps is not None,
        "root": "my run",
        "tile": TILE,
        "columns": 10,
        "measures": [{"key": "iou", "name": "IoU", "better": "high", "digits": 3, "note": "of two silhouettes"}],
        "numbers": [{"key": k, "name": k, "unit": unit, "digits": digits, "note": ""} for k, unit, digits in numbers],
        "layers": [{"key": key, "name": name, "note": ""} for key, name in layers.items()],
        "sides": ["Y*", "relief", "fusion"],
        "items": [item(name, number, fps=fps) for number, name in enumerate(names)],
        "failures": [],
        "missing": [],
        "go_on": None,
        "sections": [],
        **more,
    }
