"""`teaser.webp`: a sheet with a few pictures of a folder's parts."""

from pathlib import Path, PurePosixPath

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.dataset.schema import TEASER
from specsia_build.layouts.part import Parts, Written
from specsia_build.pictures.files import write_still
from specsia_build.pictures.sheets import Sheet, rgba, spread

_ROWS = 4  # Most parts in the teaser
_COLUMNS = 4  # Most layers in the teaser
_TILE = 96  # Pixels on a side of a picture
_LEAST_CONTRAST = 64  # Levels that a picture must span to be shown; pictures of segment numbers look black


def write_teaser(folder: Path, parts: Parts, count: int) -> bytes | None:
    """Write a row for each of a few of the `count` parts, with a picture from each of its layers.

    Returns its bytes; None, and no file, if the first part has no pictures. Films are not opened.
    """
    first = next(parts(), None)
    layers = [] if first is None else _pictures(first)
    tiles = [_tile(folder, name) for _, name in layers]
    spans = [0 if isinstance(tile, str) else int(np.ptp(tile[..., :3])) for tile in tiles]
    chosen = [k for k, span in enumerate(spans) if span >= _LEAST_CONTRAST][:_COLUMNS]
    if not chosen:
        return None
    numbers = frozenset(spread(count, _ROWS))
    rows = [part for k, part in enumerate(parts()) if k in numbers]
    tiles = []
    for part in rows:
        names = [name for _, name in _pictures(part)]
        tiles += [_tile(folder, names[k]) if k < len(names) else "none" for k in chosen]
    sheet = Sheet([part.key for part in rows], [""], [layers[k][0] for k in chosen], 1, _TILE)
    write_still(folder / TEASER, sheet.draw(tiles))
    return (folder / TEASER).read_bytes()


def _pictures(part: Written) -> list[tuple[str, str]]:
    """Label and middle picture of each folder with pictures, those with the most pictures first."""
    by_folder: dict[PurePosixPath, list[str]] = {}
    for name in part.files:
        if name.endswith(".png"):
            by_folder.setdefault(PurePosixPath(name).parent, []).append(name)
    own = {part.split, part.key, part.character}
    pictures = []
    for folder, names in sorted(by_folder.items(), key=lambda item: -len(item[1])):
        words = [word for word in folder.parts if word not in own]
        pictures.append((words[-1] if words else "", names[len(names) // 2]))
    return pictures


def _tile(folder: Path, name: str) -> Pixels | str:
    try:
        return rgba((folder / name).read_bytes())
    except (OSError, ValueError):
        return "cannot be read"
