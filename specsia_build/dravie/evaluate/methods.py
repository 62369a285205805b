"""The methods that an evaluation compares. All are given the same: the frontal pair, and the drawing by position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.schema import DEFAULT_CONFIG
from specsia_build.dravie.adapt.adapt import adapt_generator, fit_single
from specsia_build.dravie.config import ADAPTATION, TrainConfig, differences
from specsia_build.dravie.data.frames import DrawnPair
from specsia_build.dravie.drawing import NO_DRAWING, STYLE_STEP
from specsia_build.dravie.model.checkpoint import load_generator
from specsia_build.dravie.model.networks import Generator
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.runs import Seen, read_run_config, read_seen
from specsia_build.errors import UsageError
from specsia_build.films import Pixels
from specsia_build.look.evaluation import RAW as UNREPAIRED_FOLDER
from specsia_build.look.evaluation import UNREPAIRED
from specsia_build.rendering.contour import draw_contour

RAW, LINE, PASTE, SINGLE = UNREPAIRED, "line", "look-up", "sample-wise"

BASELINES = (RAW, LINE, PASTE, SINGLE)  # Choices of `--baselines`
FAST = BASELINES[:3]  # Those without a training
SINGLE_STEPS = 1500  # Updates of the sample-wise baseline

OURS = "DraViE"

UNNAMED = ("seed", "configs", "with_pos", "preset", "reference")  # Settings that a label states in words, or not at all

Painter = Callable[[Pair], Pixels]
"""Repairs a view, without access to its Y* (`Pair.without_truth`)."""


@dataclass(frozen=True)
class Method:
    """A way to repair, with one seed.

    Attributes:
        label: of its row; repeats share it.
        fit: returns what repairs a character's views, given its frontal pair and the drawing that its Y* is.
        repeat: number of the repeat, from 0.
        seen: characters that a trained one has seen; None for a baseline.
        trained: configurations that it was trained on.
    """

    label: str
    fit: Callable[[DrawnPair], Painter]
    repeat: int = 0
    seen: Seen | None = None
    trained: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Name of the folder of its results."""
        return UNREPAIRED_FOLDER if self.label == RAW else f"{self.label.replace(' ', '-')}-{self.repeat}"


@dataclass(frozen=True)
class Run:
    """A trained model; `settings` is None if `specsia train` did not write it, such as an adapted model."""

    path: Path
    generator: Generator
    settings: TrainConfig | None
    seen: Seen


def load_runs(paths: Sequence[Path], device: torch.device) -> list[Run]:
    """Load the models of run folders onto a device."""
    return [Run(path, load_generator(path, device), read_run_config(path), read_seen(path)) for path in paths]


def _baseline(name: str) -> Method:
    """Return `raw`, `line` or `look-up`."""

    def fit(front: DrawnPair) -> Painter:
        def paint(view: Pair) -> Pixels:
            if name == RAW:
                return view.z
            picture = view.z if name == LINE else front.drawing.paste(view.z, view.pos)
            width, grey = front.drawing.style
            return draw_contour(picture, picture[..., 3], width / STYLE_STEP, grey)

        return paint

    return Method(name, fit)


def _trained(label: str, repeat: int, run: Run, adaptation: TrainConfig | None = None, drawing: bool = True) -> Method:
    """Return a trained model as it is or adapted, with or without the drawing; or, of that label, `SINGLE`.

    That is the network of the run, trained from nothing on the frontal pair alone.
    """

    def fit(front: DrawnPair) -> Painter:
        generator = run.generator
        if label == SINGLE:
            settings = replace(run.settings or TrainConfig(), seed=repeat, configs=(), steps=SINGLE_STEPS)
            generator = fit_single(generator, front, settings)
        elif adaptation is not None:
            generator = adapt_generator(generator, front, adaptation)
        return lambda view: repair(generator, view.z, view.pos, front.drawing if drawing else NO_DRAWING)

    if label == SINGLE:
        return Method(label, fit, repeat)
    return Method(label, fit, repeat, run.seen, () if run.settings is None else run.settings.configs)


def _groups(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Group runs by label; those that differ only in the seed share one.

    A label names the backends and the settings in which a run differs from the first that sees positions.
    """
    trained = sorted((run for run in runs if run.settings), key=lambda run: not run.generator.config.with_pos)
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.settings is None or trained[0].settings is None:
            words = [OURS, run.path.name]
        else:
            backends = [name for name in run.settings.configs if name != DEFAULT_CONFIG]
            other = differences(trained[0].settings, run.settings)
            words = [OURS, f"[{'+'.join(backends)}]" if backends else ""]
            words += [f"{name}={getattr(run.settings, name)}" for name in other if name not in UNNAMED]
            if not run.generator.config.with_pos:
                words.append("without pos")
            elif not run.generator.config.sees_drawing:
                words.append("trained without drawing")
        groups.setdefault(" ".join(filter(None, words)), []).append(run)
    return groups


def choose_methods(
    runs: Sequence[Run],
    baselines: Sequence[str] = FAST,
    without: Sequence[str] = (),
    repeats: int = 1,
    adaptation: TrainConfig = ADAPTATION,
) -> list[Method]:
    """List the methods of an evaluation in the order of a table's rows; runs that differ in the seed are repeats.

    `baselines` are of `BASELINES`, `without` of `config.ABLATIONS`, and `repeats` is the least number of seeds of
    adaptations and sample-wise fits. Raises `UsageError` if an ablation needs a model that is not among the runs.
    """
    if "pos" in without and all(run.generator.config.with_pos for run in runs):
        raise UsageError("--without pos: train one with `specsia train --without pos`")
    if "drawing" in without and not any(run.generator.config.sees_drawing for run in runs):
        raise UsageError("--without drawing: none of these models sees the drawing")
    methods = [_baseline(name) for name in FAST if name in baselines]
    if SINGLE in baselines:
        methods += [_trained(SINGLE, k, runs[0]) for k in range(repeats)]
    for label, alike in _groups(runs).items():
        whole, sees_drawing = f"{label} without adaptation", alike[0].generator.config.sees_drawing
        if sees_drawing or "adaptation" in without:
            methods += [_trained(whole, k, run) for k, run in enumerate(alike)]
        if sees_drawing and "drawing" in without:
            methods += [_trained(f"{whole} without drawing", k, run, drawing=False) for k, run in enumerate(alike)]
        for k in range(max(repeats, len(alike))):
            methods.append(_trained(label, k, alike[k % len(alike)], replace(adaptation, seed=k)))
    return methods
