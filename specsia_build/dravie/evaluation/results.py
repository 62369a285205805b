"""What methods make of a character's views: kept as pictures, and what is costly found again while nothing changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from specsia_build import png
from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.code import PAINTING, TURNING, code_digest
from specsia_build.dravie.evaluation.methods import Advance, Method
from specsia_build.dravie.metrics import flicker
from specsia_build.errors import SpecsiaError
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.films import Pixels
from specsia_build.look.evaluation import picture_name, pictures_folder

DONE = "done.json"

Turn = Callable[[], Sequence[Pair]]
"""Views all around a character, in the order of the turn."""


def painted(
    method: Method,
    pairs: Sequence[Pair],
    frontal: Pair | None,
    around: Turn | None,
    folder: Path,
    subject: str,
    advance: Advance = lambda _: None,
) -> tuple[list[Pixels], float | None]:
    """The results of a method for a character's views or the frames of a clip, and the flicker of its turn.

    A method is given Y* of the frontal view to fit itself to, and of no view that it paints.

    Args:
        method: to ask.
        pairs: all views of a character, or all frames of a clip.
        frontal: the character's frontal view, None where there is none.
        around: gives its turn; without one there is no flicker.
        folder: where its results are kept, those of a costly method to be read again.
        subject: which views these are: the dataset's digest, configuration and split, and what the turn is drawn from.
        advance: is told of each update of a network.

    Raises:
        SpecsiaError: if a costly method finds no frontal view.
    """
    if not method.costly:
        results, calm = _paint(method.fitted(pairs[0], advance), pairs, around)
        keep(folder, pairs, results)
        return results, calm
    key = f"{subject} {method.key} {code_digest(PAINTING)} {around and code_digest(TURNING)}"
    done = folder / DONE
    kept = _kept(done, pairs, key)
    if kept is not None:
        return kept
    if frontal is None:
        raise SpecsiaError(
            f"{pairs[0].character_id} has no frontal view (number 0), which adaptation and fits start from"
        )
    done.unlink(missing_ok=True)
    results, calm = _paint(method.fitted(frontal, advance), pairs, around)
    keep(folder, pairs, results)
    write_bytes(done, json.dumps({"key": key, "flicker": calm}).encode())
    return results, calm


def keep(folder: Path, pairs: Sequence[Pair], pictures: Sequence[Pixels]) -> None:
    """Write a picture of each of some views."""
    for pair, picture in zip(pairs, pictures, strict=True):
        write_bytes(_file(folder, pair), png.encode(picture))


def _paint(
    paint: Callable[[Pair], Pixels], pairs: Sequence[Pair], around: Turn | None
) -> tuple[list[Pixels], float | None]:
    results = [paint(pair.without_truth()) for pair in pairs]
    if around is None:
        return results, None
    return results, flicker([paint(pair.without_truth()) for pair in around()], [pair.gt for pair in around()])


def _kept(done: Path, pairs: Sequence[Pair], key: str) -> tuple[list[Pixels], float | None] | None:
    """Results that were kept, or None where they are others, or not whole."""
    try:
        found = read_json(done)
        if found["key"] != key:
            return None
        return [png.decode(_file(done.parent, pair).read_bytes(), 4) for pair in pairs], found["flicker"]
    except (OSError, SpecsiaError, ValueError, KeyError, TypeError):
        return None


def _file(folder: Path, pair: Pair) -> Path:
    return folder / picture_name(pair.number, pair.frame is not None)


def kept_folder(out: Path, config: str, pair: Pair, name: str) -> Path:
    """Where the pictures of a view, and of those beside it, are kept: a method's, by its folder, or Y* or Z."""
    return out / pictures_folder(config, pair.character_id, name, pair.clip)


def kept_result(out: Path, method: Method, config: str, pair: Pair) -> Pixels:
    """The result of a method for a view that was painted."""
    return png.decode(_file(kept_folder(out, config, pair, method.folder), pair).read_bytes(), 4)
