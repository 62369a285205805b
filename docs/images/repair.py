"""Draw the pictures of README.md and docs/repair.md: python docs/images/repair.py DRAWINGS [NAME]...

DRAWINGS is a folder with the drawings that docs/repair.md names; NAMEs are those of single pictures, such as
`back`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

import specsia
from specsia_build.pictures.files import write_moving, write_still
from specsia_build.pictures.films import over
from specsia_build.pictures.sheets import Sheet

Pixels = NDArray[np.uint8]

HERE = Path(__file__).parent
YAWS = (0, 45, 90, 180)
TURN = tuple(range(0, 360, 45))
GROUND = "#bfe3c9"
HAIR = "#e0521f"  # Colour of the hair in green-dress.png
FACE = (216, 58, 292, 144)  # Left, top, right and bottom of its face
SHOWN = (96, 416)  # First and end column of a frame that the film of README.md shows


def draw(name: str, rows: dict[str, list[Pixels]], columns: tuple[str, ...], tile: int = 184) -> None:
    """Write a sheet of rows of pictures, each with a heading."""
    sheet = Sheet(("",), tuple(rows), columns, tile=tile)
    write_still(
        HERE / f"repair-{name}.webp", sheet.draw([picture for row in rows.values() for picture in row])
    )


def sides(drawing: Any, yaws: tuple[int, ...] = YAWS, **options: Any) -> list[Pixels]:
    """Views of a repaired drawing at some multiples of 45 degrees."""
    frames = specsia.repair(drawing, views=8, **options).frames
    return [frames[yaw // 45] for yaw in yaws]


def compare(name: str, rows: dict[str, tuple[Any, dict[str, Any]]]) -> None:
    """Write a row of views for each drawing with options."""
    views = {heading: sides(drawing, **options) for heading, (drawing, options) in rows.items()}
    draw(name, views, tuple(f"{yaw}°" for yaw in YAWS))


def rgba(path: Path) -> Pixels:
    """Read a drawing."""
    return np.array(Image.open(path).convert("RGBA"))


def behind(drawing: Pixels) -> Pixels:
    """Draw green-dress.png from behind: mirrored, with hair over the face."""
    image = Image.fromarray(drawing)
    ImageDraw.Draw(image).ellipse(FACE, HAIR)
    return np.array(image)[:, ::-1].copy()


def silhouette(photo: Pixels) -> Pixels:
    """White where a figure of red lines is, black outside of its outermost line."""
    red = photo[..., 0].astype(np.int16) - photo[..., 1] > 25
    lines = scipy.ndimage.binary_closing(np.pad(red, 9), iterations=2)[9:-9, 9:-9]
    areas, _ = scipy.ndimage.label(~lines)
    border = np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]])
    outside = np.isin(areas, border[border > 0])
    return np.where(outside[..., None], np.array([0, 0, 0, 255], np.uint8), np.uint8(255))


def beside(one: Pixels, other: Pixels) -> Pixels:
    """Two drawings on one sheet of white paper."""
    paper = np.full((len(one), one.shape[1] + other.shape[1], 4), 255, np.uint8)
    paper[:, : one.shape[1]] = one
    paper[:, one.shape[1] :] = other
    return paper


def film(drawings: list[Pixels]) -> None:
    """Write the film of README.md: each drawing beside its figure, which walks and turns."""
    repaired = [specsia.repair(drawing, motion="walk") for drawing in drawings]
    first, end = SHOWN

    def frames() -> Iterator[Pixels]:
        for number in range(len(repaired[0].frames)):
            pictures = [picture for one in repaired for picture in (one.drawing, one.frames[number])]
            row = np.concatenate([picture[:, first:end] for picture in pictures], axis=1)
            small = Image.fromarray(over(row, 255)).resize((row.shape[1] * 5 // 8, len(row) * 5 // 8))
            yield np.array(small)

    write_moving(HERE / "drawing-turn.webp", len(repaired[0].frames), frames(), Fraction(12))


def plain(folder: Path) -> None:
    person = rgba(folder / "half-body.png")
    draw("plain", {"": [person, *sides(person, TURN)]}, ("drawing", *(f"{yaw}°" for yaw in TURN)), 144)


def back(folder: Path) -> None:
    dress = rgba(folder / "green-dress.png")
    drawn = behind(dress)
    rows = {
        "guessed": [dress, *sides(dress, (135, 180, 225))],
        "--back": [drawn, *sides(dress, (135, 180, 225), back=drawn)],
    }
    draw("back", rows, ("drawn", "135°", "180°", "225°"))


def sheet(folder: Path) -> None:
    """Draw a model sheet, its front alone, and what is made of both."""
    path = folder / "horse-sheet.png"
    drawings = rgba(path)
    front = drawings[:, : drawings.shape[1] // 5]
    square = np.full((drawings.shape[1], drawings.shape[1], 4), 255, np.uint8)
    top = (len(square) - len(drawings)) // 2
    square[top : top + len(drawings)] = drawings
    views = specsia.repair(sheet=path, views=8).frames
    rows = {
        "its front": [front, *sides(front, (45, 90, 135))],
        "--sheet": [square, *(views[number] for number in (1, 2, 3))],
    }
    draw("sheet", rows, ("drawn", "45°", "90°", "135°"))


def outline(folder: Path) -> None:
    cat = rgba(folder / "child-cat.png")
    compare("outline", {name: (cat, {"outline": name}) for name in ("keep", "none", "#e07020:8")})


def figure(folder: Path) -> None:
    pair = beside(rgba(folder / "adult-jacket.png"), rgba(folder / "child-cat.png"))
    compare("figure", {"as one": (pair, {}), "--figure 2": (pair, {"figure": 2})})


def bear(folder: Path) -> None:
    """Draw the pictures of `--facing` and `--mask`."""
    photo = rgba(folder / "bear-photo.png")
    white = silhouette(photo)
    with TemporaryDirectory() as scratch:
        mask = Path(scratch) / "mask.png"
        Image.fromarray(white).save(mask)
        rows = {side: sides(photo, mask=mask, facing=side) for side in ("front", "right")}
    draw("facing", rows, tuple(f"{yaw}°" for yaw in YAWS))
    draw("mask", {"": [photo, white, rows["right"][0], rows["right"][1]]}, ("drawing", "mask", "0°", "45°"))


def pixel(folder: Path) -> None:
    cat = rgba(folder / "cat-tiny.png")
    compare("pixel", {"without": (cat, {}), "--pixel": (cat, {"pixel": True})})


def ground(folder: Path) -> None:
    colour = np.array(ImageColor.getrgb(GROUND), np.uint8)
    views = sides(rgba(folder / "stickman.png"))
    opaque = [np.dstack([over(view, colour), np.full(view.shape[:2], 255, np.uint8)]) for view in views]
    draw("ground", {"": opaque}, tuple(f"{yaw}°" for yaw in YAWS))


def motion(folder: Path) -> None:
    dress = rgba(folder / "green-dress.png")
    rows = {}
    for name in ("walk", "wave"):
        frames = specsia.repair(dress, motion=name, views=24).frames
        rows[name] = [frames[number] for number in range(0, 24, 3)]
    draw("motion", rows, ("",) * 8, 128)


def turn(folder: Path) -> None:
    film([rgba(folder / f"{name}.png") for name in ("adult-jacket", "stickman")])


PICTURES: tuple[Callable[[Path], None], ...] = (
    plain,
    back,
    sheet,
    outline,
    figure,
    bear,
    pixel,
    ground,
    motion,
    turn,
)


def main(folder: Path, names: list[str]) -> None:
    """Draw all pictures, or those of some names."""
    for picture in PICTURES:
        if not names or picture.__name__ in names:
            picture(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
