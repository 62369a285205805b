"""What a method makes of a character's views: painted once, kept as pictures, and found again while nothing changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.code import PAINTING, TURNING, code_digest
from specsia_build.dravie.evaluation.methods import Method
from specsia_build.dravie.metrics import flicker
from specsia_build.errors import SpecsiaError
from specsia_build.files.names import file_name
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes

RESULTS = "results"
DONE = "done.json"

Picture = NDArray[np.uint8]

Turn = Callable[[], Sequence[Pair]]
"""Views all around a character, in the order of the turn."""


def frontal_of(pairs: Sequence[Pair]) -> Pair:
    """The frontal view among a character's.

    Raises:
        SpecsiaError: if there is none.
    """
    for pair in pairs:
        if pair.view == 0:
            return pair
    raise SpecsiaError(f"{pairs[0].character_id} has no frontal view (number 0), which adaptation and fits start from")


def painted(
    method: Method, pairs: Sequence[Pair], around: Turn | None, folder: Path, subject: str
) -> tuple[list[Picture], float | None]:
    """The results of a method for a character's views, and their flicker.

    A method is given Y* of the frontal view to fit itself to, and of no view that it paints.

    Args:
        method: to ask.
        pairs: all views of a character.
        around: gives its turn; without one there is no flicker.
        folder: where results of a costly method are read or else kept.
        subject: which views these are: the dataset's digest, configuration and split.

    Raises:
        SpecsiaError: if a costly method finds no frontal view.
    """
    if not method.costly:
        return _paint(method.fitted(pairs[0]), pairs, around)
    key = f"{subject} {method.key} {code_digest(PAINTING)} {around and code_digest(TURNING)}"
    done = folder / DONE
    kept = _kept(done, pairs, key)
    if kept is not None:
        return kept
    done.unlink(missing_ok=True)
    results, calm = _paint(method.fitted(frontal_of(pairs)), pairs, around)
    for pair, result in zip(pairs, results, strict=True):
        write_bytes(_file(folder, pair), png.encode(result))
    write_bytes(done, json.dumps({"key": key, "flicker": calm}).encode())
    return results, calm


def _paint(
    paint: Callable[[Pair], Picture], pairs: Sequence[Pair], around: Turn | None
) -> tuple[list[Picture], float | None]:
    results = [paint(pair.without_truth()) for pair in pairs]
    if around is None:
        return results, None
    return results, flicker([paint(pair.without_truth()) for pair in around()], [pair.gt for pair in around()])


def _kept(done: Path, pairs: Sequence[Pair], key: str) -> tuple[list[Picture], float | None] | None:
    """Results that were kept, or None where they are others, or not whole."""
    try:
        found = read_json(done)
        if found["key"] != key:
            return None
        return [png.decode(_file(done.parent, pair).read_bytes(), 4) for pair in pairs], found["flicker"]
    except (OSError, SpecsiaError, ValueError, KeyError, TypeError):
        return None


def _file(folder: Path, pair: Pair) -> Path:
    return folder / f"{pair.view:02d}.png"


def kept_folder(out: Path, config: str, character: str, method: Method) -> Path:
    """Where the results of a costly method are kept."""
    parts = ((config, "configuration"), (character, "character's id"), (method.folder, "method"))
    return (out / RESULTS).joinpath(*(file_name(name, what) for name, what in parts))


def kept_result(out: Path, method: Method, config: str, pair: Pair) -> Picture:
    """The result of a method for a view that was painted."""
    if not method.costly:
        return method.fitted(pair)(pair.without_truth())
    return png.decode(_file(kept_folder(out, config, pair.character_id, method), pair).read_bytes(), 4)
