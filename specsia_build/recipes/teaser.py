"""The picture at the top of a recipe's card: a few of the pictures that its parts hold, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from specsia_build.dataset.schema import TEASER
from specsia_build.films import Pixels
from specsia_build.picture_files import write_still
from specsia_build.recipes.recipe import Written
from specsia_build.sheets import Sheet, rgba, spread

_PARTS, _LAYERS, _TILE = 4, 4, 96
"""Parts and layers that are shown, at most, and pixels on a side of each picture."""

_LEVELS = 64
"""Levels that a picture must span for its content to be seen."""


def write_teaser(folder: Path, parts: Callable[[], Iterator[Written]], count: int) -> bytes | None:
    """Write `teaser.webp`, a row for each of some parts, with one picture of each of its layers.

    Args:
        folder: of the recipe.
        parts: gives what is on record of them, in order.
        count: how many there are.

    Returns:
        Its bytes; None, and nothing is written, where the first part holds no picture: films are not opened.

    Raises:
        WriteError: if it cannot be written.
    """
    first = next(parts(), None)
    layers = [] if first is None else _pictures(first)
    chosen = [k for k, (_, name) in enumerate(layers) if _shows_something(_tile(folder, name))][:_LAYERS]
    if not chosen:
        return None
    wanted = frozenset(spread(count, _PARTS))
    shown = [part for k, part in enumerate(parts()) if k in wanted]
    tiles: list[Pixels | str] = []
    for part in shown:
        pictures = [name for _, name in _pictures(part)]
        tiles += [_tile(folder, pictures[k]) if k < len(pictures) else "none" for k in chosen]
    labels = [layers[k][0] for k in chosen]
    write_still(folder / TEASER, Sheet([part.key for part in shown], [""], labels, 1, _TILE).draw(tiles))
    return (folder / TEASER).read_bytes()


def _pictures(part: Written) -> list[tuple[str, str]]:
    """Label and middle picture of a part's folders of pictures, those with the most pictures first."""
    names: dict[PurePosixPath, list[str]] = {}
    for name in part.files:
        if name.endswith(".png"):
            names.setdefault(PurePosixPath(name).parent, []).append(name)
    own = {part.split, part.key, part.character}
    ordered = sorted(names.items(), key=lambda item: -len(item[1]))
    return [
        (next((word for word in reversed(folder.parts) if word not in own), ""), found[len(found) // 2])
        for folder, found in ordered
    ]


def _shows_something(tile: Pixels | str) -> bool:
    """Whether a picture spans some levels, as numbers of segments do not."""
    return not isinstance(tile, str) and int(np.ptp(tile[..., :3])) >= _LEVELS


def _tile(folder: Path, name: str) -> Pixels | str:
    try:
        return rgba((folder / name).read_bytes())
    except (OSError, ValueError):
        return "cannot be read"
