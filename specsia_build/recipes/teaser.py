"""The picture at the top of a recipe's card: a few of the pictures that its parts hold, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from specsia_build.dataset.schema import TEASER
from specsia_build.films import Pixels
from specsia_build.picture_files import write_still
from specsia_build.recipes.recipe import Written
from specsia_build.sheets import Sheet, rgba, spread

_LAYERS, _FRAMES = 4, 4
"""Folders of pictures that are shown of a part, and pictures of each, at most."""

_LEVELS = 64
"""That a picture must span and reach for its content to be seen."""

_PICTURES, _ACROSS, _TILE = 16, 8, 96
"""Of a layer in all and beside each other, and pixels on a side."""


def write_teaser(folder: Path, parts: Callable[[], Iterator[Written]], count: int) -> bytes | None:
    """Write `teaser.webp`, which depends on the parts' pictures alone, into a recipe's folder.

    Args:
        folder: of the recipe.
        parts: gives what is on record of them, in order.
        count: how many there are.

    Returns:
        Its bytes; None, and nothing is written, where the first part holds no picture: films are not opened.

    Raises:
        WriteError: if it cannot be written.
    """
    first = _layers(next(parts(), None))
    chosen = [k for k, names in enumerate(first) if _shows_something(_tile(folder, names[0]))][:_LAYERS]
    if not chosen:
        return None
    columns = min(_FRAMES, max(len(first[k]) for k in chosen))
    wanted = frozenset(spread(count, _PICTURES // columns))
    shown = [part for k, part in enumerate(parts()) if k in wanted]
    tiles: list[Pixels | str] = []
    for part in shown:
        layers = _layers(part)
        for k in chosen:
            names = layers[k] if k < len(layers) else []
            tiles += [_tile(folder, names[at]) for at in spread(len(names), columns)]
            tiles += ["none"] * (columns - len(names))
    rows = [PurePosixPath(first[k][0]).parent for k in chosen]
    sheet = Sheet([part.key for part in shown], _headings(rows, shown[0]), [""] * columns, _ACROSS // columns, _TILE)
    write_still(folder / TEASER, sheet.draw(tiles))
    return (folder / TEASER).read_bytes()


def _layers(part: Written | None) -> list[list[str]]:
    """Names of a part's pictures, those of a folder together, the folders with the most of them first."""
    found: dict[PurePosixPath, list[str]] = {}
    for name in () if part is None else part.files:
        if name.endswith(".png"):
            found.setdefault(PurePosixPath(name).parent, []).append(name)
    return sorted(found.values(), key=lambda names: -len(names))


def _headings(folders: Sequence[PurePosixPath], part: Written) -> list[str]:
    """What folders of a part are called, but for what tells it from other parts; nothing where there is but one."""
    own = {part.split, part.key, part.character}
    said = [next((one for one in reversed(folder.parts) if one not in own), "") for folder in folders]
    return said if len(said) > 1 else [""]


def _shows_something(tile: Pixels | str) -> bool:
    """Whether a picture is more than one dark patch, as numbers of segments are."""
    return not isinstance(tile, str) and int(np.ptp(tile)) >= _LEVELS and int(tile[..., :3].max()) >= _LEVELS


def _tile(folder: Path, name: str) -> Pixels | str:
    try:
        return rgba((folder / name).read_bytes())
    except (OSError, ValueError):
        return "cannot be read"
