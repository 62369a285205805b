"""`specsia evaluate`: every method on every view of characters that training never saw.

Results are kept as pictures in the output folder, beside Z and Y*, so that anyone can look at them, and a stopped
evaluation goes on from those that cost a fit or a network; scores are computed from the pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Protocol

from torch import Tensor

from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair, is_frontal, pair_at, place_columns, place_of
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.verify.sample import doubts_of_split
from specsia_build.dravie.evaluation.methods import LINE, SINGLE, Method
from specsia_build.dravie.evaluation.results import keep, kept_folder, painted
from specsia_build.dravie.following import steps_between
from specsia_build.dravie.metrics import clip_flicker, view_scores
from specsia_build.dravie.network.perceptual import Perceptual, fid_between
from specsia_build.dravie.seen import gathered
from specsia_build.errors import SpecsiaError, UsageError, plural, some
from specsia_build.files.names import folded_name
from specsia_build.files.writing import write_bytes
from specsia_build.look.evaluation import MARK, MARK_TEXT, RAW, SCORES, TRUTH, UNREPAIRED
from specsia_build.ownership import refuse_foreign_folder
from specsia_build.pipeline.progress import Progress

FRONTAL, NOVEL = "frontal", "novel"
"""Kinds of views: the one that methods are fitted to, number 0 (in clips its first frame), and all others."""


class Turntable(Protocol):
    """Views all around characters, see `turntable`."""

    def __call__(self, name: str, character_id: str) -> Sequence[Pair]:
        """Views by the name of a configuration and the character's id; their order is the turn's."""

    def key(self, name: str, character_id: str) -> str:
        """What tells these views from others of the same configuration and character."""


@dataclass(frozen=True)
class Score:
    """Scores of one view.

    Attributes:
        values: `flicker` among those of the frontal view where a turntable was made, `clip_flicker` among those of a
            clip's first frame.
        frontal: whether it is the pair that methods are fitted to.
        clip, frame, time, action: of the frame of a clip, as `Pair` has them.
    """

    config: str
    method: str
    repeat: int
    character: str
    view: int
    row: int
    values: dict[str, float]
    frontal: bool = False
    clip: str | None = None
    frame: int | None = None
    time: float | None = None
    action: str | None = None

    @property
    def kind(self) -> str:
        """Of the view."""
        return FRONTAL if self.frontal else NOVEL


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
    """What was measured.

    Attributes:
        seen: by the label of a trained method the characters that one of its models has seen, and under which id.
        notes: sentences about what could not be measured, and on rows that are not what they must be.
    """

    dataset: str
    split: str
    configs: tuple[str, ...]
    methods: tuple[Method, ...]
    scores: tuple[Score, ...]
    sets: tuple[SetScore, ...] = ()
    seen: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=())

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the methods, each once, in order."""
        return tuple(dict.fromkeys(method.label for method in self.methods))

    def method(self, label: str) -> Method:
        """The first repeat of a method."""
        return next(method for method in self.methods if method.label == label)


def sequences(dataset: OpenedDataset, config: str, split: str) -> Iterator[list[tuple[int, Pair]]]:
    """The views of each character, or the frames of each clip, with the numbers of their rows, one such at a time.

    Raises:
        SpecsiaError: if a row cannot be decoded, or the rows of a character or clip do not stand together.
    """
    rows = enumerate(dataset.stream(config, split, PAIR_COLUMNS(dataset.kind)))
    pairs = ((number, decode_pair(row)) for number, row in rows)
    seen: set[str] = set()
    for character_id, views in groupby(pairs, key=lambda pair: pair[1].character_id):
        _first(character_id, f"the character {character_id}", seen, dataset)
        clips: set[str] = set()
        for clip, frames in groupby(views, key=lambda pair: pair[1].clip):
            _first(clip or "", f"the clip {clip} of {character_id}", clips, dataset)
            yield list(frames)


def _first(name: str, what: str, seen: set[str], dataset: OpenedDataset) -> None:
    if folded_name(name) in seen:
        raise SpecsiaError(
            f"{dataset.where} has rows of {what} in two places (or of two whose ids differ only in case), and their "
            "results would share a folder: sort rows that were shuffled by uid, as sort('uid') of `datasets` does"
        )
    seen.add(folded_name(name))


def _fronts(dataset: OpenedDataset, config: str, split: str) -> dict[str, int]:
    """Number of the row of each character that methods are fitted to, its first frontal one."""
    found: dict[str, int] = {}
    for number, row in enumerate(dataset.stream(config, split, place_columns(dataset.kind))):
        character_id, view, frame = place_of(row, dataset.where)
        if is_frontal(view, frame):
            found.setdefault(character_id, number)
    return found


def _frontal(
    dataset: OpenedDataset, config: str, split: str, number: int | None, views: Sequence[tuple[int, Pair]]
) -> Pair | None:
    """The pair of a row, from among views where it is one of them; None where there is no such row."""
    if number is None:
        return None
    for row, pair in views:
        if row == number:
            return pair
    return pair_at(dataset, config, split, number)


def _telling(dataset: OpenedDataset, config: str, split: str) -> Iterator[Pair]:
    """What a character can be known by: all its views, or of clips their first frames, which are so at any pace."""
    if not dataset.moving:
        yield from (pair for views in sequences(dataset, config, split) for _, pair in views)
        return
    rows = [k for k, row in enumerate(dataset.stream(config, split, ["frame"])) if row["frame"] == 0]
    for row in rows:
        yield pair_at(dataset, config, split, row)


def _count(dataset: OpenedDataset, configs: Sequence[str], split: str) -> int:
    """Characters, or clips, of a split over several configurations."""
    found = 0
    for config in configs:
        there = dataset.splits(config)
        if split not in there and (config, split) not in dataset.lacking:
            names = ", ".join(there)
            raise UsageError(f"{dataset.where} has no split '{split}' in its configuration '{config}': it has {names}")
        column = "uid" if dataset.schema == "published" else "clip" if dataset.moving else "character_id"
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
    allow_seen: bool = False,
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
        allow_seen: score a model on characters that it has seen, too.

    Raises:
        UsageError: if there is no such split or configuration, a model has seen a character and must not, or `out`
            holds something else.
        SpecsiaError: if a character has no frontal view, or a view shows nothing.
    """
    scores: list[Score] = []
    sets: list[SetScore] = []
    digest, places = dataset.digest(), dataset.keeps_places()
    configs = tuple(configs) or dataset.configs
    count = _count(dataset, configs, split)
    seen_by = _seen_by(dataset, configs, split, methods)
    if any(seen_by.values()) and not allow_seen:
        raise UsageError(_refusal(seen_by, split))
    refuse_foreign_folder(out, "evaluation", SCORES, MARK)
    fronts = {config: _fronts(dataset, config, split) for config in configs}
    write_bytes(out / MARK, MARK_TEXT.encode())
    characters, progress = sum(map(len, fronts.values())), Progress()
    doubts = tuple(doubt for config in configs for doubt in doubts_of_split(dataset, config, split))
    for doubt in doubts:
        progress.say(f"warning: {doubt}")
    if any(method.updates for method in methods):
        progress.say(_cost(methods, characters))
    updates = sum(
        method.updates * len(found)
        for config, found in fronts.items()
        for method in methods
        if not _needless(method, config, methods)
    )
    with progress.bar("evaluate", count * len(methods) + updates, "step") as bar:
        for config in configs:
            seen: dict[tuple[str, int, str], tuple[list[Tensor], list[Tensor]]] = {}
            frontal: Pair | None = None
            for views in sequences(dataset, config, split):
                pairs = [pair for _, pair in views]
                fresh = frontal is None or frontal.character_id != pairs[0].character_id
                if fresh:
                    number = fronts[config].get(pairs[0].character_id)
                    frontal = _frontal(dataset, config, split, number, views)
                steps = steps_between(pairs) if places else []
                truths = [perceptual.look(pair.gt) for pair in pairs] if perceptual else []
                here = frontal is not None and any(pair.uid == frontal.uid for pair in pairs)
                for name, pictures in ((TRUTH, [pair.gt for pair in pairs]), (RAW, [pair.z for pair in pairs])):
                    keep(kept_folder(out, config, pairs[0], name), pairs, pictures)
                subject, turn, drawn = f"{digest} {config} {split}", None, ""
                if turntable and here:
                    turn = cache(partial(turntable, config, pairs[0].character_id))
                    drawn = f" {turntable.key(config, pairs[0].character_id)}"
                for method in methods:
                    if _needless(method, config, methods):
                        bar()
                        continue
                    bar.note(f"{pairs[0].character_id} {method.label}")
                    folder = kept_folder(out, config, pairs[0], method.folder)
                    around = turn if method.repeat == 0 else None
                    fit = _Fit(bar, method.updates if fresh else 0)
                    shown = subject if around is None else subject + drawn
                    results, calm = painted(method, pairs, frontal, around, folder, shown, fit)
                    restless = clip_flicker(results, [pair.gt for pair in pairs], steps)
                    for at, ((row, pair), result) in enumerate(zip(views, results, strict=True)):
                        values = view_scores(result, pair)
                        fitted = frontal is not None and pair.uid == frontal.uid
                        if fitted and calm is not None:
                            values["flicker"] = calm
                        if at == 0 and restless is not None:
                            values["clip_flicker"] = restless
                        score = Score(
                            config,
                            method.label,
                            method.repeat,
                            pair.character_id,
                            pair.view,
                            row,
                            values,
                            fitted,
                            pair.clip,
                            pair.frame,
                            pair.time,
                            pair.action,
                        )
                        scores.append(score)
                        if perceptual:
                            look, truth = perceptual.look(result), truths[at]
                            values |= perceptual.compare(look, truth)
                            if look.fid is not None and truth.fid is not None:
                                features = seen.setdefault((method.label, method.repeat, score.kind), ([], []))
                                features[0].append(look.fid)
                                features[1].append(truth.fid)
                    bar(1 + fit.left)
            for (label, repeat, kind), features in seen.items():
                distance = fid_between(*features)
                if distance is not None:
                    sets.append(SetScore(config, label, repeat, kind, {"fid": distance}))
    return Evaluation(dataset.where, split, configs, tuple(methods), tuple(scores), tuple(sets), seen_by, doubts)


@dataclass
class _Fit:
    """Tells a bar of the updates of one fit; `left` are those that were not made, as its results were kept."""

    bar: Callable[[int], object]
    left: int

    def __call__(self, count: int) -> None:
        self.left = max(0, self.left - count)
        self.bar(count)


def _cost(methods: Sequence[Method], characters: int) -> str:
    """What takes long in an evaluation, and what takes less."""
    updates = Counter[str]()
    for method in methods:
        updates[method.label] += method.updates
    fits = ", ".join(f"{label} {count:,}" for label, count in updates.items() if count)
    less = f"; --baselines {UNREPAIRED},{LINE} leaves out fits from nothing" if updates[SINGLE] else ""
    return (
        f"note: networks are fitted to each of {plural(characters, 'character')}, which takes most of the time: "
        f"updates of {fits}{less}"
    )


def _seen_by(
    dataset: OpenedDataset, configs: Sequence[str], split: str, methods: Sequence[Method]
) -> dict[str, dict[str, str]]:
    """The characters of a split that models have seen, and under which id, by the labels of trained methods."""
    records = [(method.label, method.seen) for method in methods if method.seen is not None]
    found: dict[str, dict[str, str]] = {label: {} for label, _ in records}
    if any(record.known for _, record in records):
        views = (pair for config in configs for pair in _telling(dataset, config, split))
        there = gathered((pair.character_id, pair.content) for pair in views)
        for label, record in records:
            found[label] |= record.among(there)
    return found


def _refusal(seen_by: Mapping[str, Mapping[str, str]], split: str) -> str:
    label, seen = max(seen_by.items(), key=lambda entry: len(entry[1]))
    names = [name if known == name else f"{name} (there called {known})" for name, known in seen.items()]
    return (
        f"{label} has been trained on, or adapted to, characters of the split '{split}': {some(names)}. Their scores "
        "tell nothing of others: name another split or dataset, or add --allow-seen, which marks its rows"
    )


def _needless(method: Method, config: str, methods: Sequence[Method]) -> bool:
    """Whether a method is a further repeat on a backend that it was not trained on and another was."""
    foreign = bool(method.trained) and config not in method.trained
    return foreign and method.repeat > 0 and any(config in other.trained for other in methods)
