"""The methods that an evaluation compares. All are given the same: the frontal pair, and the drawing by position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.schema import DEFAULT_CONFIG
from specsia_build.dravie.adapt.adapt import adapt_generator, fit_single
from specsia_build.dravie.config import ADAPTATION, FIT_STEPS, ModelConfig, TrainConfig, differences
from specsia_build.dravie.model.checkpoint import load_generator
from specsia_build.dravie.model.losses import Features, find_features
from specsia_build.dravie.reference import NO_DRAWING, STYLE_STEP, UNKNOWN_STYLE, Drawing
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.runs import Seen, read_run_config, read_seen
from specsia_build.errors import UsageError
from specsia_build.look.evaluation import RAW as UNREPAIRED_FOLDER
from specsia_build.look.evaluation import UNREPAIRED
from specsia_build.rendering.contour import draw_contour

RAW, LINE, PASTE, SINGLE = UNREPAIRED, "line", "look-up", "sample-wise"

BASELINES = (RAW, LINE, PASTE, SINGLE)
"""Names that `--baselines` takes."""

DEFAULT_BASELINES = (RAW, LINE, PASTE)
"""The fast ones: a sample-wise fit takes minutes a character."""

OURS = "DraViE"

UNNAMED = ("seed", "configs", "with_pos", "preset", "reference")
"""Settings that a label states in words, or not at all."""

LINE_PX, LINE_GREY = 2, 0
"""Thickness and grey of the line where the drawing's style is unknown."""

Picture = NDArray[np.uint8]

Painter = Callable[[Pair], Picture]
"""Repairs a view, without access to its Y* (`Pair.without_truth`)."""

Advance = Callable[[int], object]
"""Called after each update of a network."""


@dataclass(frozen=True)
class Subject:
    """Input of every method: a character's frontal pair, and the drawing that its Y* is."""

    frontal: Pair
    drawing: Drawing


Fit = Callable[[Subject, Advance], Painter]


@dataclass(frozen=True)
class Method:
    """One way to repair, with one seed.

    Attributes:
        label: of its row; repeats share it.
        fit: makes what repairs a character's views.
        repeat: which repeat it is, from 0.
        updates: of a network that this takes for each character.
        trained: configurations that it was trained on, empty for what was not.
        adapted: whether a trained one is fitted to the character.
        seen: characters that a trained one has seen; None for what was not trained.
    """

    label: str
    fit: Fit
    repeat: int = 0
    updates: int = 0
    trained: tuple[str, ...] = ()
    adapted: bool = False
    seen: Seen | None = None

    @property
    def folder(self) -> str:
        """Name of a folder for its results."""
        return UNREPAIRED_FOLDER if self.label == RAW else f"{self.label.replace(' ', '-')}-{self.repeat}"


@dataclass(frozen=True)
class Run:
    """A trained model; `settings` is None for what `specsia train` did not write, such as an adapted model."""

    path: Path
    config: ModelConfig
    model: nn.Module
    settings: TrainConfig | None
    seen: Seen


@dataclass(frozen=True)
class Choice:
    """Methods that `specsia evaluate` compares.

    Attributes:
        baselines: of `BASELINES`.
        without: of `config.ABLATIONS`.
        repeats: seeds of adaptations and of sample-wise fits; several runs of one kind are as many at least.
        adaptation: settings of adaptations, whose seed is the repeat's.
        fit_steps: updates of a sample-wise fit.
    """

    baselines: Sequence[str] = DEFAULT_BASELINES
    without: Sequence[str] = ()
    repeats: int = 1
    adaptation: TrainConfig = ADAPTATION
    fit_steps: int = FIT_STEPS


def load_runs(paths: Sequence[Path], device: torch.device) -> list[Run]:
    """The models of run folders, on a device.

    Raises:
        UsageError, SpecsiaError: if one holds no model that can be read.
    """
    runs = []
    for path in paths:
        config, model = load_generator(path)
        runs.append(Run(path, config, model.to(device), read_run_config(path), read_seen(path)))
    return runs


def _baseline(name: str) -> Method:
    """`raw`, `line` or `look-up`."""

    def fit(subject: Subject, _advance: Advance) -> Painter:
        def paint(view: Pair) -> Picture:
            if name == RAW:
                return view.z
            picture = view.z if name == LINE else subject.drawing.paste(view.z, view.pos)
            width, grey = subject.drawing.style
            style = (LINE_PX, LINE_GREY) if (width, grey) == UNKNOWN_STYLE else (width / STYLE_STEP, grey)
            return draw_contour(picture, picture[..., 3], *style)

        return paint

    return Method(name, fit)


def _repairing(model: nn.Module, config: ModelConfig, device: torch.device, drawing: Drawing) -> Painter:
    return lambda view: repair(model, config, view.z, view.pos, device, drawing)


def _single(run: Run, repeat: int, steps: int, features: Features | None, device: torch.device) -> Method:
    """The same network, trained from nothing on the frontal pair alone."""
    settings = replace(run.settings or TrainConfig(), seed=repeat, configs=(), steps=steps)

    def fit(subject: Subject, advance: Advance) -> Painter:
        model = fit_single(subject.frontal, run.config, settings, device, features, advance, subject.drawing)
        return _repairing(model, run.config, device, subject.drawing)

    return Method(SINGLE, fit, repeat, steps)


def _of_run(label: str, repeat: int, run: Run, device: torch.device, drawing: bool = True) -> Method:
    """A trained model as it is, or without the drawing."""
    trained = () if run.settings is None else run.settings.configs

    def fit(subject: Subject, _advance: Advance) -> Painter:
        return _repairing(run.model, run.config, device, subject.drawing if drawing else NO_DRAWING)

    return Method(label, fit, repeat, 0, trained, False, run.seen)


def _adapted(label: str, repeat: int, run: Run, settings: TrainConfig, device: torch.device) -> Method:
    """A trained model, adapted to the frontal pair."""

    def fit(subject: Subject, advance: Advance) -> Painter:
        model = adapt_generator(run.model, run.config, subject.frontal, settings, device, advance, subject.drawing)
        return _repairing(model, run.config, device, subject.drawing)

    return replace(_of_run(label, repeat, run, device), fit=fit, updates=settings.steps, adapted=True)


def _groups(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Group runs by label; those that differ only in the seed share one.

    A label names the backends and the settings in which a run differs from the first that sees positions.
    """
    trained = sorted((run for run in runs if run.settings is not None), key=lambda run: not run.config.with_pos)
    several = len({run.config.sees_drawing for run in runs if run.config.with_pos}) > 1
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.settings is None or trained[0].settings is None:
            words = [OURS, run.path.name]
        else:
            backends = [name for name in run.settings.configs if name != DEFAULT_CONFIG]
            other = differences(trained[0].settings, run.settings)
            words = [OURS, f"[{'+'.join(backends)}]" if backends else ""]
            words += [f"{name}={getattr(run.settings, name)}" for name in other if name not in UNNAMED]
            if not run.config.with_pos:
                words.append("without pos")
            elif several and not run.config.sees_drawing:
                words.append("trained without drawing")
        groups.setdefault(" ".join(filter(None, words)), []).append(run)
    return groups


def choose_methods(runs: Sequence[Run], choice: Choice, device: torch.device) -> list[Method]:
    """The methods of an evaluation, each as often as it is repeated, in the order of a table's rows.

    Args:
        runs: trained models; those that differ only in the seed are repeats of one method.
        choice: what is asked for.
        device: that computes.

    Raises:
        UsageError: if an ablation needs a model that is not among the runs, or the network of the perceptual loss that
            fits take after the runs' trainings cannot be had.
    """
    if "pos" in choice.without and all(run.config.with_pos for run in runs):
        raise UsageError("--without pos: train one with `specsia train --without pos`")
    if "drawing" in choice.without and not any(run.config.sees_drawing for run in runs):
        raise UsageError("--without drawing: none of these models sees the drawing")
    methods = [_baseline(name) for name in DEFAULT_BASELINES if name in choice.baselines]
    if SINGLE in choice.baselines:
        features = find_features((runs[0].settings or TrainConfig()).perceptual)
        methods += [_single(runs[0], k, choice.fit_steps, features, device) for k in range(choice.repeats)]
    for label, alike in _groups(runs).items():
        whole = f"{label} without adaptation"
        if alike[0].config.sees_drawing or "adaptation" in choice.without:
            methods += [_of_run(whole, k, run, device) for k, run in enumerate(alike)]
        if alike[0].config.sees_drawing and "drawing" in choice.without:
            methods += [_of_run(f"{whole} without drawing", k, run, device, False) for k, run in enumerate(alike)]
        for k in range(max(choice.repeats, len(alike))):
            methods.append(_adapted(label, k, alike[k % len(alike)], replace(choice.adaptation, seed=k), device))
    return methods
