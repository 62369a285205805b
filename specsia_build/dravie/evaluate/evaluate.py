"""`specsia evaluate`: score every method on every view of characters that training never saw.

All methods are given the same: the frontal pair, and the drawing by position. Results are kept as pictures in
the output folder, beside Z and Y*, so that anyone can look at them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

import torch

from specsia_build import png, terminal
from specsia_build.arrays import Pixels
from specsia_build.dataset.pairs import Pair, decode_pair, pair_at, pair_columns
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import DEFAULT_CONFIG
from specsia_build.dravie.adapt.adapt import adapt_generator, fit_single
from specsia_build.dravie.config import ADAPTATION, TrainConfig, differences
from specsia_build.dravie.data.frames import DrawnPair, frontal_rows
from specsia_build.dravie.drawing import NO_DRAWING, Drawing
from specsia_build.dravie.metrics import (
    PerceptualScores,
    clip_flicker,
    perceptual_scores,
    steps_between,
    view_scores,
)
from specsia_build.dravie.model.checkpoint import load_generator
from specsia_build.dravie.model.devices import predictor_of
from specsia_build.dravie.model.networks import Generator
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.runs import SeenCharacters, group_contents, read_run_config, read_seen
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
from specsia_build.rendering.contour import draw_contour

_LINE = "line"
PASTE = "look-up"
SINGLE = "sample-wise"
FAST = (UNREPAIRED, _LINE, PASTE)  # Baselines without a training
BASELINES = (*FAST, SINGLE)
SINGLE_STEPS = 1500  # Updates of the sample-wise baseline
OURS = "DraViE"

FRONTAL, NOVEL = "frontal", "novel"
"""Kinds of views: number 0 (of clips, its first frame), which methods are fitted to, and all others."""

_UNNAMED = ("seed", "configs", "preset", "reference")  # Settings that a label states in words or omits
_Painter = Callable[[Pair], Pixels]  # Repairs a view, without access to its Y* (`Pair.without_truth`)
Fitted = Callable[..., Generator]  # Returns a generator for a character's frontal pair, `front`


@dataclass(frozen=True)
class Method:
    """A way to repair, with one seed.

    Attributes:
        label: name of its row in tables; repeats share it.
        fit: returns a function that repairs a character's views, given its frontal pair and drawing.
        seen: characters that a trained model has seen; None for a baseline.
    """

    label: str
    fit: Callable[[DrawnPair], _Painter]
    repeat: int = 0
    seen: SeenCharacters | None = None

    @property
    def folder(self) -> str:
        return RAW if self.label == UNREPAIRED else f"{self.label.replace(' ', '-')}-{self.repeat}"


@dataclass(frozen=True)
class EvaluatedRun:
    """A trained model; `settings` is None if `specsia train` did not write it, such as an adapted model."""

    path: Path
    generator: Generator
    settings: TrainConfig | None
    seen: SeenCharacters


def load_runs(paths: Sequence[Path], device: torch.device) -> list[EvaluatedRun]:
    """Load the models of run folders onto a device."""
    return [EvaluatedRun(p, load_generator(p, device), read_run_config(p), read_seen(p)) for p in paths]


def _baseline(name: str) -> Method:
    """Return `raw`, `line` or `look-up`."""

    def paint(drawing: Drawing, view: Pair) -> Pixels:
        if name == UNREPAIRED:
            return view.z
        picture = view.z if name == _LINE else drawing.paste(view.z, view.pos)
        return draw_contour(picture, picture[..., 3], drawing.ink.width, drawing.ink.around(picture))

    return Method(name, lambda front: partial(paint, front.drawing))


def _trained(
    label: str, repeat: int, run: EvaluatedRun, fitted: Fitted | None = None, drawing: bool = True
) -> Method:
    """Return a trained model, as it is or `fitted` to the frontal pair, with or without the drawing."""

    def fit(front: DrawnPair) -> _Painter:
        predictor = predictor_of(run.generator if fitted is None else fitted(front=front))
        return lambda view: repair(predictor, view.z, view.pos, front.drawing if drawing else NO_DRAWING)

    return Method(label, fit, repeat, run.seen)


def _groups(runs: Sequence[EvaluatedRun]) -> dict[str, list[EvaluatedRun]]:
    """Group runs by label; those that differ only in the seed share one.

    A label names the backends and the settings in which a run differs from the first.
    """
    trained = [run.settings for run in runs if run.settings is not None]
    groups: dict[str, list[EvaluatedRun]] = {}
    for run in runs:
        if run.settings is None:
            words = [OURS, run.path.name]
        else:
            backends = [name for name in run.settings.configs if name != DEFAULT_CONFIG]
            other = differences(trained[0], run.settings)
            words = [OURS, f"[{'+'.join(backends)}]" if backends else ""]
            words += [f"{name}={getattr(run.settings, name)}" for name in other if name not in _UNNAMED]
            if not run.generator.config.sees_drawing:
                words.append("trained without drawing")
        groups.setdefault(" ".join(filter(None, words)), []).append(run)
    return groups


def choose_methods(
    runs: Sequence[EvaluatedRun],
    baselines: Sequence[str] = FAST,
    without_drawing: bool = False,
    repeats: int = 1,
    adaptation: TrainConfig = ADAPTATION,
    enhancers: Mapping[str, Callable[[DrawnPair], _Painter]] = MappingProxyType({}),
) -> list[Method]:
    """List an evaluation's methods in the order of a table's rows; runs that differ in the seed are repeats.

    `baselines` are of `BASELINES`, and `repeats` is the least number of seeds of adaptations and sample-wise
    fits. Each model is compared as it is and adapted, and `without_drawing` as it is without the drawing.
    """
    if without_drawing and not any(run.generator.config.sees_drawing for run in runs):
        raise UsageError("--without drawing: none of these models sees the drawing")
    methods = [_baseline(name) for name in FAST if name in baselines]
    methods += [Method(name, fit) for name, fit in enhancers.items()]
    for k in range(repeats if SINGLE in baselines else 0):
        settings = replace(runs[0].settings or TrainConfig(), seed=k, configs=(), steps=SINGLE_STEPS)
        single = _trained(SINGLE, k, runs[0], partial(fit_single, runs[0].generator, settings=settings))
        methods.append(replace(single, seen=None))
    for label, alike in _groups(runs).items():
        whole = f"{label} without adaptation"
        methods += [_trained(whole, k, run) for k, run in enumerate(alike)]
        if without_drawing and alike[0].generator.config.sees_drawing:
            unseen = f"{whole} without drawing"
            methods += [_trained(unseen, k, run, drawing=False) for k, run in enumerate(alike)]
        for k in range(max(repeats, len(alike))):
            run, settings = alike[k % len(alike)], replace(adaptation, seed=k)
            fit = partial(adapt_generator, run.generator, settings=settings)
            methods.append(_trained(label, k, run, fit))
    return methods


@dataclass(frozen=True)
class Score:
    """Scores of one view; `flicker` of a clip is among those of its first frame."""

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
        """`frontal` or `novel`."""
        return FRONTAL if self.frontal else NOVEL


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation; `notes` are sentences about what could not be measured."""

    dataset: str
    split: str
    configs: tuple[str, ...]
    methods: tuple[Method, ...]
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()

    def labels(self, trained: bool | None = None) -> tuple[str, ...]:
        """Labels of the methods, each once, in order: of all, of the trained ones, or of the baselines."""
        return tuple(dict.fromkeys(m.label for m in self.methods if trained in (None, m.seen is not None)))


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
    perceptual: PerceptualScores = MappingProxyType({}),
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
    with terminal.bar("evaluate", views, "view") as bar:
        for config in configs:
            front: DrawnPair | None = None
            places = False
            painters: dict[tuple[str, int], _Painter] = {}
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
                _write_pictures(out, config, pairs, TRUTH, [pair.gt for pair in pairs])
                _write_pictures(out, config, pairs, RAW, [pair.z for pair in pairs])
                for method in methods:
                    bar.note(f"{character_id} {method.label}")
                    name = method.label, method.repeat
                    painters[name] = painters.get(name) or method.fit(front)
                    results = [painters[name](pair.without_truth()) for pair in pairs]
                    if method.label != UNREPAIRED:
                        _write_pictures(out, config, pairs, method.folder, results)
                    flicker = clip_flicker(results, [pair.gt for pair in pairs], steps)
                    for (row, pair), result in zip(sequence, results, strict=True):
                        values = view_scores(result, pair)
                        if flicker is not None and pair is pairs[0]:
                            values["flicker"] = flicker
                        values |= perceptual_scores(perceptual, result, pair.gt)
                        of = config, method.label, method.repeat, character_id, pair.view, row
                        frame = pair.clip, pair.frame, pair.time, pair.action
                        scores.append(Score(*of, values, pair.uid == front.pair.uid, *frame))
                    bar(len(pairs))
    return Evaluation(dataset.where, split, configs, tuple(methods), tuple(scores))


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
