"""Tiles of textures (UDIM): one image for each unit square of texture coordinates, told by its name.

Tile 1001 + u + 10 v has the square whose lower left corner is (u, v), with u below 10 and v up. Names have these four
digits, or ``u1_v1`` counted from 1 (Mudbox), or ``u0_v0`` counted from 0 (ZBrush).
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

FIRST = 1001

NONE = 0
"""In place of a tile where there is none: left of the first or below it, or beyond the last."""

_COLUMNS, _ROWS = 10, 100

_EACH = r"<udim>|%\(udim\)d|<uvtile>"
_MARK = re.compile(rf"(?<=[._-])(?:1001|u([01])_v\1)(?=\.\w+$)|{_EACH}", re.IGNORECASE)
"""What stands for a tile in the name of the first one's image, or of all of them."""


def tile_name(name: str, tile: int) -> str:
    """What the image of a tile is called where that of the first one, or of each (``<UDIM>``), has a name."""
    row, column = divmod(tile - FIRST, _COLUMNS)

    def called(mark: re.Match[str]) -> str:
        written = mark[0]
        if "_" not in written and written.lower() != "<uvtile>":
            return str(tile)
        least = int(mark[1] or 1)
        return f"{'U' if written[0] == 'U' else 'u'}{column + least}_{'V' if '_V' in written else 'v'}{row + least}"

    return _MARK.sub(called, name)


def names_each(name: str) -> bool:
    """Whether a name is that of all tiles' images, such as ``skin.<UDIM>.png``."""
    return re.search(_EACH, name, re.IGNORECASE) is not None


def tiles_of(uv: NDArray[np.float32]) -> NDArray[np.int64]:
    """The tile of each face, (F,), that its middle lies in.

    Args:
        uv: (F, 3, 2), v down, as meshes have them.
    """
    middle = np.nan_to_num(uv.astype(np.float64).mean(axis=1))
    column, row = np.floor(middle[:, 0]), np.floor(1.0 - middle[:, 1])
    inside = (column >= 0) & (column < _COLUMNS) & (row >= 0) & (row < _ROWS)
    return np.where(inside, FIRST + column + _COLUMNS * row, NONE).astype(np.int64)
