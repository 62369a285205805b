"""ZBrush's colours of vertices, which an OBJ file carries in comments: ``#MRGB`` with ``MMRRGGBB`` for each vertex."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MARK = b"#MRGB "
_DIGITS = 8
_HEXADECIMAL = frozenset(b"0123456789abcdefABCDEF")
_MOST = 255


def polypaint(rows: list[bytes], known: NDArray[np.int64], total: int) -> NDArray[np.float64] | None:
    """Display colours 0-1 of all vertices, (total, 3), NaN where a vertex has none; None where nothing is painted.

    Rows without vertices between them are one block, which belongs to the vertices that were declared last.

    Args:
        rows: lines of a file that begin with ``#M``.
        known: (len(rows),) how many vertices were declared before each.
        total: how many the file has.

    Raises:
        ValueError: if a row is not 8 hexadecimal digits for each vertex, or a block has more than were declared.
    """
    blocks: dict[int, bytearray] = {}
    for row, before in zip(rows, known.tolist(), strict=True):
        if row.startswith(_MARK):
            words = row[len(_MARK) :].strip()
            if len(words) % _DIGITS or not _HEXADECIMAL.issuperset(words):
                raise ValueError("its polypaint (#MRGB) is not 8 hexadecimal digits for each vertex")
            blocks.setdefault(before, bytearray()).extend(bytes.fromhex(words.decode()))
    colours = np.full((total, 3), np.nan)
    for before, block in blocks.items():
        levels = np.frombuffer(bytes(block), np.uint8).reshape(-1, 4)[:, 1:]
        if len(levels) > before:
            raise ValueError(f"its polypaint (#MRGB) is that of {len(levels):,} vertices, of which it has {before:,}")
        colours[before - len(levels) : before] = levels / _MOST
    painted = np.isfinite(colours) & (colours < 1)
    return colours if painted.any() else None
