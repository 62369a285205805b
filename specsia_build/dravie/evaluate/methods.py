"""The methods that an evaluation compares: baselines and trained models, in the order of a table's rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from specsia_build.arrays import Pixels
from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.schema import DEFAULT_CONFIG
from specsia_build.dravie.adapt.adapt import adapt_epoch, adapt_generator, fit_single
from specsia_build.dravie.config import ADAPTATION, TrainConfig, differences
from specsia_build.dravie.data.frames import DrawnPair
from specsia_build.dravie.drawing import NO_DRAWING, Drawing
from specsia_build.dravie.evaluate.rows import (
    FAST,
    FIT_BATCH,
    FIT_STEPS,
    LINE_ADDED,
    ONE_EPOCH,
    OUTLINE_ALONE,
    SAMPLE_WISE,
    SINGLE_PAIR,
    WITHOUT_DRAWING,
    WITHOUT_POSITIONS,
)
from specsia_build.dravie.model.checkpoint import load_generator
from specsia_build.dravie.model.devices import predictor_of
from specsia_build.dravie.model.networks import Generator
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.runs import SeenCharacters, read_run_config, read_seen
from specsia_build.errors import UsageError
from specsia_build.look.evaluation import RAW, UNREPAIRED
from specsia_build.rendering.contour import draw_contour

OURS = "DraViE"
_UNNAMED = ("seed", "configs", "preset", "reference", "positions")  # Settings that a label says in words
ViewPainter = Callable[[Pair], Pixels]  # Repairs a view, without access to its Y* (`Pair.without_truth`)
_Fit = Callable[[DrawnPair], ViewPainter]


@dataclass(frozen=True)
class Method:
    """A way to repair, with one seed.

    Attributes:
        label: name of its row in tables; repeats share it.
        fit: returns a function that repairs a character's views, given its frontal pair and drawing.
        seen: characters that a trained model has seen; None for a baseline.
        adapted: whether a trained model is fitted to each character.
    """

    label: str
    fit: _Fit
    repeat: int = 0
    seen: SeenCharacters | None = None
    adapted: bool = False

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
        picture = view.z if name == LINE_ADDED else drawing.paste(view.z, view.pos)
        return draw_contour(picture, picture[..., 3], drawing.ink.width, drawing.ink.around(picture))

    return Method(name, lambda front: partial(paint, front.drawing))


def _painted(fitted: Callable[[DrawnPair], Generator], drawing: bool = True) -> _Fit:
    """Return a method that repairs with the generator for a frontal pair, with or without the drawing."""

    def fit(front: DrawnPair) -> ViewPainter:
        predictor = predictor_of(fitted(front))
        return lambda view: repair(predictor, view.z, view.pos, front.drawing if drawing else NO_DRAWING)

    return fit


def _outline(fitted: Callable[[DrawnPair], Generator]) -> _Fit:
    """Return a method whose network draws the outline of a white figure, around the drawing's colours."""

    def fit(front: DrawnPair) -> ViewPainter:
        pair = front.pair
        covered = pair.gt[..., 3] if pair.gt_mask is None else pair.gt_mask
        inside = covered[..., None] / 255
        line = np.rint(pair.gt[..., :3] * (1 - inside) + 255 * inside).astype(np.uint8)
        bare = replace(pair, z=_whitened(pair.z), gt=np.dstack([line, pair.gt[..., 3]]))
        predictor = predictor_of(fitted(DrawnPair(bare, front.drawing)))

        def paint(view: Pair) -> Pixels:
            drawn = repair(predictor, _whitened(view.z), view.pos)
            # The line is dark or coloured on white, so that it multiplies what lies below it.
            below = (front.drawing.paste(view.z, view.pos)[..., :3] / 255 - 1) * (view.z[..., 3:] / 255) + 1
            return np.dstack([np.rint(drawn[..., :3] * below).astype(np.uint8), drawn[..., 3]])

        return paint

    return fit


def _whitened(picture: Pixels) -> Pixels:
    return np.dstack([np.full_like(picture[..., :3], 255), picture[..., 3]])


def _fitted_baselines(names: Sequence[str], repeats: int, run: EvaluatedRun, steps: int) -> list[Method]:
    """Return the baselines that train a network like a run's, each with as many seeds."""
    generator, methods = run.generator, []
    alone = generator._replace(config=replace(generator.config, reference="none"))
    for k in range(repeats):
        settings = run.settings or TrainConfig()
        settings = replace(settings, seed=k, configs=(), steps=steps, batch=FIT_BATCH)
        whole, single = (partial(fit_single, g, settings=settings) for g in (generator, alone))
        fits = {SAMPLE_WISE: _painted(whole), SINGLE_PAIR: _painted(single), OUTLINE_ALONE: _outline(single)}
        methods += [Method(name, fit, k) for name, fit in fits.items() if name in names]
    return sorted(methods, key=lambda method: names.index(method.label))


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
            if not run.generator.config.positions:
                words.append("trained without positions")
        groups.setdefault(" ".join(filter(None, words)), []).append(run)
    return groups


def choose_methods(
    runs: Sequence[EvaluatedRun],
    rows: Sequence[str] = FAST,
    repeats: int = 1,
    adaptation: TrainConfig = ADAPTATION,
    fit_steps: int = FIT_STEPS,
    enhancers: Mapping[str, _Fit] = MappingProxyType({}),
) -> list[Method]:
    """List an evaluation's methods in the order of a table's rows; runs that differ in the seed are repeats.

    Each model is compared as it is and adapted, and `rows`, of `ROW_NAMES`, are compared with it. `repeats`
    is the least number of seeds of adaptations and fits, and `fit_steps` the updates of a fit. `enhancers`
    of other projects are rows too, by name. Raises `UsageError` for a row that no model has.
    """
    if WITHOUT_DRAWING in rows and not any(run.generator.config.sees_drawing for run in runs):
        raise UsageError(f"--rows {WITHOUT_DRAWING}: none of these models sees the drawing")
    methods = [_baseline(name) for name in FAST if name in rows]
    methods += [Method(name, fit) for name, fit in enhancers.items()]
    methods += _fitted_baselines([*rows], repeats, runs[0], fit_steps)
    for label, alike in _groups(runs).items():
        whole = f"{label} without adaptation"
        config = alike[0].generator.config
        plain = {whole: (config, True)}
        if WITHOUT_DRAWING in rows and config.sees_drawing:
            plain[f"{whole} without drawing"] = config, False
        if WITHOUT_POSITIONS in rows and config.positions:
            plain[f"{whole} without positions"] = replace(config, positions=False), True
        for name, (seen, drawing) in plain.items():
            for k, run in enumerate(alike):
                same = partial(_unchanged, run.generator._replace(config=seen))
                methods.append(Method(name, _painted(same, drawing), k, run.seen))
        for k in range(max(repeats, len(alike))):
            run = alike[k % len(alike)]
            fits = {label: partial(adapt_generator, run.generator, settings=replace(adaptation, seed=k))}
            if ONE_EPOCH in rows:
                fits[f"{label} after one epoch"] = partial(adapt_epoch, run.generator, seed=k)
            methods += [Method(name, _painted(fit), k, run.seen, adapted=True) for name, fit in fits.items()]
    return methods


def _unchanged(generator: Generator, front: DrawnPair) -> Generator:
    return generator
