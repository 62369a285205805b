"""Numbers of text files, a piece of the text at a time: a word as an object takes ten times the memory of its bytes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_PIECE = 1 << 20
_MOST_PAST_ONE = 2.0


def pieces(data: bytes) -> Iterator[bytes]:
    """A text in pieces of about a megabyte that end between two words."""
    start = 0
    while start < len(data):
        end = start + _PIECE
        while end < len(data) and data[end] > 32:
            end += 1
        yield data[start:end]
        start = end


def floats(data: bytes) -> NDArray[np.float64]:
    """All words of a text as numbers, (N,).

    Raises:
        ValueError: if one is none.
    """
    parts = []
    for piece in pieces(data):
        words = piece.split()
        parts.append(np.fromiter(map(float, words), np.float64, len(words)))
    return np.concatenate(parts) if parts else np.zeros(0)


def full_scale(colours: NDArray[np.floating]) -> float:
    """What stands for 1 among colours (any shape) of no telling type: 1, or 255 if a finite one is above 2.

    Rounding and blending take those of 0-1 a little past 1, while those of 0-255 with none above 2 would all be black.
    """
    return 255.0 if np.max(colours, initial=0.0, where=np.isfinite(colours)) > _MOST_PAST_ONE else 1.0
