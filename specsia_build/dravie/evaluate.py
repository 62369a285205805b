"""`specsia evaluate`: every method on every view of characters that training never saw.

Results that cost a fit or a network are kept as pictures in the output folder, so that a stopped evaluation goes on
and anyone can look at them; scores are computed from the pictures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from specsia_build import __version__, png
from specsia_build.characters.character import is_safe_id
from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.methods import Method
from specsia_build.dravie.metrics import flicker, view_scores
from specsia_build.dravie.perceptual import Perceptual, fid_between
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files import write_bytes

RESULTS = "results"
DONE = "done.json"

FRONTAL, NOVEL = "frontal", "novel"
"""Kinds of views: number 0, and all others."""

Picture = NDArray[np.uint8]

Turntable = Callable[[str, str], Sequence[Pair]]
"""Views all around a character by the name of a configuration and its id; their order is the turn's."""


@dataclass(frozen=True)
class Score:
    """Scores of one view, `flicker` among those of view 0 where a turntable was made."""

    config: str
    method: str
    repeat: int
    character: str
    view: int
    row: int
    values: dict[str, float]

    @property
    def kind(self) -> str:
        """Whether the view is the frontal one."""
        return FRONTAL if self.view == 0 else NOVEL


@dataclass(frozen=True)
class SetScore:
    """Scores of all views of one kind together."""

    config: str
    method: str
    repeat: int
    kind: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What was measured; `notes` are sentences about what could not be."""

    dataset: str
    split: str
    configs: tuple[str, ...]
    methods: tuple[Method, ...]
    scores: tuple[Score, ...]
    sets: tuple[SetScore, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the methods, each once, in order."""
        return tuple(dict.fromkeys(method.label for method in self.methods))

    def method(self, label: str) -> Method:
        """The first repeat of a method."""
        return next(method for method in self.methods if method.label == label)


def characters(dataset: OpenedDataset, config: str, split: str) -> Iterator[list[tuple[int, Pair]]]:
    """The views of each character with the numbers of their rows, in order, one character at a time.

    Raises:
        SpecsiaError: if a row cannot be decoded or an id cannot name a folder.
    """
    rows = enumerate(dataset.stream(config, split, PAIR_COLUMNS(dataset.schema)))
    pairs = ((number, decode_pair(row)) for number, row in rows)
    for character_id, views in groupby(pairs, key=lambda pair: pair[1].character_id):
        if not is_safe_id(character_id):
            raise SpecsiaError(f"{dataset.where} has a character whose id {character_id!r} cannot name a folder")
        yield list(views)


def kept_folder(out: Path, config: str, character: str, method: Method) -> Path:
    """Where the results of a costly method are kept."""
    return out / RESULTS / config / character / method.folder


def _count(dataset: OpenedDataset, configs: Sequence[str], split: str) -> int:
    """Characters of a split over several configurations."""
    found = 0
    for config in configs:
        there = dataset.splits(config)
        if split not in there:
            names = ", ".join(there)
            raise UsageError(f"{dataset.where} has no split '{split}' in its configuration '{config}': it has {names}")
        column = "uid" if dataset.schema == "published" else "character_id"
        ids = (row[column] for row in dataset.stream(config, split, (column,)))
        found += len({i.rpartition("_")[0] if column == "uid" else i for i in ids})
    return found


def evaluate(
    dataset: OpenedDataset,
    split: str,
    methods: Sequence[Method],
    out: Path,
    turntable: Turntable | None = None,
    perceptual: Perceptual | None = None,
    configs: Sequence[str] = (),
) -> Evaluation:
    """Score methods on all characters of a split.

    Across backends one repeat is measured, and flicker with the first repeat of each method.

    Args:
        dataset: where they are.
        split: that training did not see.
        methods: to compare.
        out: folder where costly results are kept and found again.
        turntable: gives views all around a character; without it there is no flicker.
        perceptual: networks of LPIPS, CLIP and FID; without one its score is absent.
        configs: configurations that are scored; none for all.

    Raises:
        UsageError: if there is no such split or configuration.
        SpecsiaError: if a character has no frontal view, or a view shows nothing.
    """
    scores: list[Score] = []
    sets: list[SetScore] = []
    digest = dataset.digest()
    configs = tuple(configs) or dataset.configs
    with tqdm(
        total=_count(dataset, configs, split) * len(methods), desc="evaluate", unit="fit", disable=None, leave=False
    ) as bar:
        for config in configs:
            seen: dict[tuple[str, int, str], tuple[list[Tensor], list[Tensor]]] = {}
            for views in characters(dataset, config, split):
                pairs = [pair for _, pair in views]
                truths = [perceptual.look(pair.gt) for pair in pairs] if perceptual else []
                around = None if turntable is None else cache(partial(turntable, config, pairs[0].character_id))
                for method in methods:
                    if _needless(method, config, methods):
                        bar.update()
                        continue
                    bar.set_postfix_str(f"{pairs[0].character_id} {method.label}", refresh=True)
                    folder = kept_folder(out, config, pairs[0].character_id, method)
                    turn = around if method.repeat == 0 else None
                    key = f"{digest} {config} {split} {method.key} {turn is not None} {__version__}"
                    results, calm = _results(method, pairs, turn, folder, key)
                    for at, ((row, pair), result) in enumerate(zip(views, results, strict=True)):
                        values = view_scores(result, pair)
                        if pair.view == 0 and calm is not None:
                            values["flicker"] = calm
                        score = Score(config, method.label, method.repeat, pair.character_id, pair.view, row, values)
                        scores.append(score)
                        if perceptual:
                            look, truth = perceptual.look(result), truths[at]
                            values |= perceptual.compare(look, truth)
                            if look.fid is not None and truth.fid is not None:
                                features = seen.setdefault((method.label, method.repeat, score.kind), ([], []))
                                features[0].append(look.fid)
                                features[1].append(truth.fid)
                    bar.update()
            for (label, repeat, kind), features in seen.items():
                distance = fid_between(*features)
                if distance is not None:
                    sets.append(SetScore(config, label, repeat, kind, {"fid": distance}))
    return Evaluation(dataset.where, split, configs, tuple(methods), tuple(scores), tuple(sets))


def _needless(method: Method, config: str, methods: Sequence[Method]) -> bool:
    """Whether a method is a further repeat on a backend that it was not trained on and another was."""
    foreign = bool(method.trained) and config not in method.trained
    return foreign and method.repeat > 0 and any(config in other.trained for other in methods)


def _frontal(pairs: Sequence[Pair]) -> Pair:
    for pair in pairs:
        if pair.view == 0:
            return pair
    raise SpecsiaError(f"{pairs[0].character_id} has no frontal view (number 0), which adaptation and fits start from")


def _results(
    method: Method, pairs: Sequence[Pair], around: Callable[[], Sequence[Pair]] | None, folder: Path, key: str
) -> tuple[list[Picture], float | None]:
    """The results for all views, and the flicker around; those of costly methods are read or else kept."""
    done = folder / DONE
    if method.costly:
        kept = _kept(done, pairs, key)
        if kept is not None:
            return kept
        done.unlink(missing_ok=True)
    paint = method.fitted(_frontal(pairs)) if method.costly else method.fitted(pairs[0])
    results = [paint(pair) for pair in pairs]
    calm = None
    if around is not None:
        calm = flicker([paint(pair) for pair in around()], [pair.gt for pair in around()])
    if method.costly:
        for pair, result in zip(pairs, results, strict=True):
            write_bytes(_file(folder, pair), png.encode(result))
        write_bytes(done, json.dumps({"key": key, "flicker": calm}).encode())
    return results, calm


def _kept(done: Path, pairs: Sequence[Pair], key: str) -> tuple[list[Picture], float | None] | None:
    """Results that were kept, or None where they are others, or not whole."""
    try:
        found = json.loads(done.read_bytes())
        if found["key"] != key:
            return None
        return [png.decode(_file(done.parent, pair).read_bytes(), 4) for pair in pairs], found["flicker"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(folder: Path, pair: Pair) -> Path:
    return folder / f"{pair.view:02d}.png"


def kept_result(out: Path, method: Method, config: str, pair: Pair) -> Picture:
    """The result of a method for a view that `evaluate` scored."""
    if not method.costly:
        return method.fitted(pair)(pair)
    return png.decode(_file(kept_folder(out, config, pair.character_id, method), pair).read_bytes(), 4)
