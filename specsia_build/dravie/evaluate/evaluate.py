"""`specsia evaluate`: score every method on every view of characters that training never saw.

All methods are given the same: the frontal pair, and the drawing by position. Results are kept as pictures in
the output folder, beside Z and Y*, so that anyone can look at them.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from specsia_build import png, terminal
from specsia_build.arrays import Pixels
from specsia_build.dataset.pairs import Pair, decode_pair, pair_at, pair_columns
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.data.frames import DrawnPair, frontal_rows
from specsia_build.dravie.drawing import Drawing
from specsia_build.dravie.evaluate.methods import Method, ViewPainter
from specsia_build.dravie.evaluate.perceptual import INCEPTION, Networks, Targets
from specsia_build.dravie.evaluate.scores import Evaluation, FeatureSets, Score
from specsia_build.dravie.metrics import clip_flicker, steps_between, view_scores
from specsia_build.dravie.runs import group_contents
from specsia_build.errors import SpecsiaError, UsageError, no_such, some
from specsia_build.files.names import folded_name
from specsia_build.files.writing import write_bytes
from specsia_build.folders import refuse_foreign_folder
from specsia_build.look.evaluation import (
    MARK,
    MARK_TEXT,
    RAW,
    SCORES,
    TRUTH,
    UNREPAIRED,
    picture_name,
    pictures_folder,
)


def sequences(dataset: OpenedDataset, config: str, split: str) -> Iterator[list[tuple[int, Pair]]]:
    """Yield the views of each character, or the frames of each clip, with the numbers of their rows.

    Raises `SpecsiaError` if a row cannot be decoded, or a character's or clip's rows are not adjacent.
    """
    rows = enumerate(dataset.stream(config, split, pair_columns(dataset)))
    pairs = ((number, decode_pair(row)) for number, row in rows)
    finished: set[tuple[str, ...]] = set()
    for (character_id, clip), views in groupby(pairs, key=lambda pair: (pair[1].character_id, pair[1].clip)):
        name = folded_name(character_id), folded_name(clip or "")
        if name in finished:
            raise SpecsiaError(
                f"{dataset.where} has rows of {' '.join(filter(None, (character_id, clip)))} in two places, "
                "or of two whose ids differ only in case: sort shuffled rows by uid, as sort('uid') of "
                "`datasets` does"
            )
        finished.add(name)
        yield list(views)


def evaluate(
    dataset: OpenedDataset,
    split: str,
    methods: Sequence[Method],
    out: Path,
    configs: Sequence[str] = (),
    networks: Networks = MappingProxyType({}),
) -> Evaluation:
    """Score methods on all characters of a split, in some configurations or, if none is named, in all.

    Raises `UsageError` if there is no such split or configuration, a model has seen a character, or `out`
    holds something else, and `SpecsiaError` if a character has no frontal view, or a view shows nothing.
    """
    configs = tuple(configs) or dataset.configs
    for config in configs:
        if split not in (splits := dataset.splits(config)):
            raise UsageError(
                f"{dataset.where}, configuration {config}: {no_such('split', split, tuple(splits))}"
            )
    _refuse_seen(dataset, configs, split, methods)
    refuse_foreign_folder(out, "evaluation", SCORES, MARK)
    write_bytes(out / MARK, MARK_TEXT.encode())
    fronts = {config: frontal_rows(dataset, config, (split,)) for config in configs}
    views = sum(dataset.splits(config).get(split, 0) for config in configs) * len(methods)
    scores: list[Score] = []
    sets: FeatureSets = {}
    with terminal.bar("evaluate", views, "view") as bar:
        for config in configs:
            front: DrawnPair | None = None
            places = False
            painters: dict[tuple[str, int], ViewPainter] = {}
            for sequence in sequences(dataset, config, split):
                pairs = [pair for _, pair in sequence]
                character_id = pairs[0].character_id
                if front is None or front.pair.character_id != character_id:
                    if character_id not in fronts[config]:
                        raise SpecsiaError(
                            f"{character_id} has no frontal view, number 0, which every method is given"
                        )
                    frontal = pair_at(dataset, config, *fronts[config][character_id])
                    places = dataset.keeps_places(config, character_id)
                    front, painters = DrawnPair(frontal, Drawing.of(frontal, places)), {}
                steps = steps_between(pairs) if places else []
                targets = Targets(networks, [pair.gt for pair in pairs], front.pair.gt)
                _write_pictures(out, config, pairs, TRUTH, [pair.gt for pair in pairs])
                _write_pictures(out, config, pairs, RAW, [pair.z for pair in pairs])
                for method in methods:
                    bar.note(f"{character_id} {method.label}")
                    name = method.label, method.repeat
                    painters[name] = painters.get(name) or method.fit(front)
                    results = [painters[name](pair.without_truth()) for pair in pairs]
                    if method.label != UNREPAIRED:
                        _write_pictures(out, config, pairs, method.folder, results)
                    flicker = clip_flicker(results, targets.truths, steps)
                    perceptual = targets.scores(results)
                    features = networks[INCEPTION](results) if INCEPTION in networks else None
                    for k, (row, pair) in enumerate(sequence):
                        values = view_scores(results[k], pair) | perceptual[k]
                        if flicker is not None and pair is pairs[0]:
                            values["flicker"] = flicker
                        of = config, method.label, method.repeat, character_id, pair.view, row
                        frame = pair.clip, pair.frame, pair.time, pair.action
                        scores.append(Score(*of, values, pair.uid == front.pair.uid, *frame))
                        if features is not None:
                            both = features[k], targets.features[k]
                            keyed = config, method.label, scores[-1].kind, method.repeat
                            sets.setdefault(keyed, {}).setdefault(character_id, []).append(both)
                    bar(len(pairs))
    return Evaluation(dataset.where, split, configs, tuple(methods), tuple(scores), features=sets)


def _write_pictures(
    out: Path, config: str, pairs: Sequence[Pair], name: str, pictures: Sequence[Pixels]
) -> None:
    for pair, picture in zip(pairs, pictures, strict=True):
        folder = out / pictures_folder(config, pair.character_id, name, pair.clip)
        write_bytes(folder / picture_name(pair.number, pair.frame is not None), png.encode(picture))


def _refuse_seen(
    dataset: OpenedDataset, configs: Sequence[str], split: str, methods: Sequence[Method]
) -> None:
    """Raise `UsageError` if a model has seen a character of the split, by its id or its views' content."""
    trained = [(method.label, method.seen) for method in methods if method.seen is not None]
    if not any(record.training or record.adaptation for _, record in trained):
        return
    sequenced = (views for config in configs for views in sequences(dataset, config, split))
    characters = group_contents((pair.character_id, pair.content) for views in sequenced for _, pair in views)
    for label, record in trained:
        known = record.among(characters).items()
        names = [name if own == name else f"{name} (there called {own})" for name, own in known]
        if names:
            raise UsageError(
                f"{label} has been trained on, or adapted to, characters of the split '{split}': "
                f"{some(names)}. Their scores tell nothing of others: name another split or dataset"
            )
