"""Draw the pictures of docs/repair.md: python docs/images/repair.py DRAWINGS

DRAWINGS is a folder with duke.png, cat-tiny.png, child-cat.png, adult-jacket.png, bear-photo.png and bear-mask.png,
whose sources the page names.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

import specsia
from specsia_build.pictures.files import write_still
from specsia_build.pictures.films import over
from specsia_build.pictures.sheets import Sheet

Pixels = NDArray[np.uint8]

HERE = Path(__file__).parent
YAWS = (0, 45, 90, 180)


def draw(name: str, rows: dict[str, list[Pixels]], columns: tuple[str, ...]) -> None:
    """Write a sheet of rows of pictures, each with a heading."""
    sheet = Sheet(("",), tuple(rows), columns, tile=192)
    write_still(HERE / f"repair-{name}.webp", sheet.draw([tile for row in rows.values() for tile in row]))


def sides(drawing: Any, yaws: tuple[int, ...] = YAWS, **options: Any) -> list[Pixels]:
    """Views of a repaired drawing at some multiples of 45 degrees."""
    frames = specsia.repair(drawing, views=8, **options).frames
    return [frames[yaw // 45] for yaw in yaws]


def compare(name: str, rows: dict[str, tuple[Any, dict[str, Any]]]) -> None:
    """Write a row of views for each drawing with options."""
    views = {heading: sides(drawing, **options) for heading, (drawing, options) in rows.items()}
    draw(name, views, tuple(f"{yaw}°" for yaw in YAWS))


def rgba(path: Path) -> Pixels:
    return np.array(Image.open(path).convert("RGBA"))


def behind(drawing: Pixels) -> Pixels:
    """Duke from behind: mirrored, and without the nose."""
    red = (drawing[..., 0].astype(int) - drawing[..., 1] > 60) & (drawing[..., 3] > 0)
    nose = scipy.ndimage.binary_dilation(red, iterations=max(2, len(drawing) // 100))
    nearest = scipy.ndimage.distance_transform_edt(nose, (1, 4), return_distances=False, return_indices=True)
    return np.ascontiguousarray(drawing[tuple(nearest)][:, ::-1])


def beside(one: Pixels, other: Pixels) -> Pixels:
    """Two drawings on one sheet of white paper."""
    height, gap = max(len(one), len(other)), 60
    paper = Image.new("RGBA", (one.shape[1] + other.shape[1] + gap, height), "white")
    for picture, left in ((one, 0), (other, one.shape[1] + gap)):
        image = Image.fromarray(picture)
        paper.paste(image, (left, height - len(picture)), image)
    return np.array(paper)


def main(folder: Path) -> None:
    duke, cat, child = (rgba(folder / f"{name}.png") for name in ("duke", "cat-tiny", "adult-jacket"))
    bear = rgba(folder / "bear-photo.png")
    turn = tuple(range(0, 360, 45))
    draw("plain", {"": [duke, *sides(duke, turn)]}, ("drawing", *(f"{yaw}°" for yaw in turn)))
    compare("back", {"guessed": (duke, {}), "--back": (duke, {"back": behind(duke)})})
    outlines = ("keep", "none", "#204080:6")
    compare("outline", {outline: (child, {"outline": outline}) for outline in outlines})
    pair = beside(child, rgba(folder / "child-cat.png"))
    compare("figure", {"as one": (pair, {}), "--figure 2": (pair, {"figure": 2})})
    mask = {"mask": folder / "bear-mask.png"}
    compare("facing", {"front": (bear, {**mask, "facing": "front"}), "left": (bear, {**mask, "facing": "left"})})
    draw(
        "mask",
        {"": [bear, rgba(folder / "bear-mask.png"), *sides(bear, (0, 180), **mask)]},
        ("drawing", "mask", "0°", "180°"),
    )
    compare("pixel", {"the model": (cat, {}), "--pixel": (cat, {"pixel": True})})
    ground = np.array((191, 227, 201), np.uint8)
    on_ground = [np.dstack([over(view, ground), np.full(view.shape[:2], 255, np.uint8)]) for view in sides(duke)]
    draw("ground", {"": on_ground}, tuple(f"{yaw}°" for yaw in YAWS))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
