"""The methods that an evaluation compares. All are given the same: the frontal pair, and the drawing by position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.schema import DEFAULT_CONFIG
from specsia_build.dravie.adapt.adapt import adapt_generator, fit_single
from specsia_build.dravie.config import FIT_STEPS, AdaptConfig, ModelConfig, TrainConfig, differences
from specsia_build.dravie.model.checkpoint import load_generator
from specsia_build.dravie.model.losses import Features, find_features
from specsia_build.dravie.recall import Memory, recalled, remember, remember_drawing
from specsia_build.dravie.reference import NO_DRAWING, STYLE_STEP, UNKNOWN_STYLE, Drawing
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.runs import Seen, read_seen
from specsia_build.dravie.train.train import used_run_config
from specsia_build.errors import UsageError
from specsia_build.look.evaluation import RAW as UNREPAIRED_FOLDER
from specsia_build.look.evaluation import UNREPAIRED
from specsia_build.pipeline.progress import Progress
from specsia_build.rendering.contour import draw_contour

RAW, LINE, PASTE, SINGLE = UNREPAIRED, "line", "look-up", "sample-wise"

BASELINES = (RAW, LINE, PASTE, SINGLE)
"""Names that `--baselines` takes."""

DEFAULT_BASELINES = (RAW, LINE, PASTE)
"""Those that take no minute for each character."""

OURS = "DraViE"

LINE_PX, LINE_GREY = 2, 0
"""Of the drawn line where the drawing's style is not known."""

Picture = NDArray[np.uint8]

Painter = Callable[[Pair], Picture]
"""What repairs a view; Y* of the view is not there to be looked at (`Pair.without_truth`)."""

Advance = Callable[[int], object]
"""Is told of each update of a network."""


@dataclass(frozen=True)
class Subject:
    """What every method is given of a character.

    Attributes:
        frontal: its frontal pair.
        drawing: Y* of that by position, and the style of its contour.
        memory: the same colours to recall; None where positions are each view's own.
    """

    frontal: Pair
    drawing: Drawing
    memory: Memory | None

    @staticmethod
    def of(frontal: Pair, places: bool) -> Subject:
        """What a frontal pair gives; `places` where positions mean the same place in every view."""
        return Subject(frontal, remember_drawing(frontal, places).drawing, remember(frontal) if places else None)


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
    """What `specsia evaluate` is asked to compare.

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
    adaptation: AdaptConfig = field(default_factory=AdaptConfig)
    fit_steps: int = FIT_STEPS


def load_runs(paths: Sequence[Path], device: torch.device) -> list[Run]:
    """The models of run folders, on a device.

    Raises:
        UsageError, SpecsiaError: if one holds no model that can be read.
    """
    runs = []
    for path in paths:
        config, model = load_generator(path)
        runs.append(Run(path, config, model.to(device), used_run_config(path), read_seen(path)))
    return runs


def _line(picture: Picture, subject: Subject) -> Picture:
    """A picture with a contour about its own mask, in the style of the drawing's."""
    width, grey = subject.drawing.style
    known = subject.drawing.style != UNKNOWN_STYLE
    return draw_contour(picture, picture[..., 3], *((width / STYLE_STEP, grey) if known else (LINE_PX, LINE_GREY)))


def _pasted(view: Pair, subject: Subject) -> Picture:
    """Z with the drawing's colours at the same places, and a contour in its style."""
    own = view.z if subject.memory is None else recalled(view.z, view.z, view.pos, subject.memory)
    return _line(own, subject)


def _repairing(model: nn.Module, config: ModelConfig, device: torch.device, subject: Subject) -> Painter:
    """A network with the drawing, or with recall where it sees positions and no drawing."""
    drawing = subject.drawing if config.sees_drawing else NO_DRAWING

    def paint(view: Pair) -> Picture:
        result = repair(model, config, view.z, view.pos, device, drawing)
        if config.with_pos and not config.sees_drawing and subject.memory is not None:
            result = recalled(result, view.z, view.pos, subject.memory)
        return result

    return paint


def _single(run: Run, repeat: int, steps: int, features: Features | None, device: torch.device) -> Method:
    """The same network, trained from nothing on the frontal pair alone."""
    settings = replace(run.settings or TrainConfig(), seed=repeat, configs=(), steps=steps)

    def fit(subject: Subject, advance: Advance) -> Painter:
        drawing = subject.drawing if run.config.sees_drawing else NO_DRAWING
        model = fit_single(subject.frontal, run.config, settings, device, features, advance, drawing)
        return _repairing(model, run.config, device, subject)

    return Method(SINGLE, fit, repeat, steps)


def _features_of(run: Run) -> Features | None:
    """The network of the perceptual loss of sample-wise fits."""
    try:
        return find_features((run.settings or TrainConfig()).perceptual, Progress().say)[0]
    except UsageError as error:
        raise UsageError(
            f"the sample-wise fit takes the losses of the model's training, and {error}; or leave that baseline out"
        ) from error


def _of_run(label: str, repeat: int, run: Run, device: torch.device) -> Method:
    """A trained model as it is."""
    trained = () if run.settings is None else run.settings.configs

    def fit(subject: Subject, advance: Advance) -> Painter:
        return _repairing(run.model, run.config, device, subject)

    return Method(label, fit, repeat, 0, trained, False, run.seen)


def _adapted(label: str, repeat: int, run: Run, settings: AdaptConfig, device: torch.device) -> Method:
    """A trained model, adapted to the frontal pair."""

    def fit(subject: Subject, advance: Advance) -> Painter:
        drawing = subject.drawing if run.config.sees_drawing else NO_DRAWING
        model = adapt_generator(run.model, run.config, subject.frontal, settings, device, advance, drawing)
        return _repairing(model, run.config, device, subject)

    return replace(_of_run(label, repeat, run, device), fit=fit, updates=settings.steps, adapted=True)


def _blind(method: Method, drawing: bool = True) -> Method:
    """The same method without recall, or also without the drawing."""

    def fit(subject: Subject, advance: Advance) -> Painter:
        bare = replace(subject, memory=None, drawing=NO_DRAWING if drawing else subject.drawing)
        return method.fit(bare, advance)

    return replace(method, label=f"{method.label} without {'drawing' if drawing else 'recall'}", fit=fit)


def _groups(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by label: those that differ in nothing but the seed share one."""
    full = next((run.settings for run in runs if run.settings is not None and run.settings.with_pos), None)
    first = full or next((run.settings for run in runs if run.settings is not None), None)
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.settings is None or first is None:
            name = f"{OURS} {run.path.name}"
        else:
            named = ("seed", "configs", "with_pos", "preset", "reference")
            other = [name for name in differences(first, run.settings) if name not in named]
            backends = [name for name in run.settings.configs if name != DEFAULT_CONFIG]
            words = [OURS, f"[{'+'.join(backends)}]" if backends else ""]
            words += [f"{name}={getattr(run.settings, name)}" for name in other]
            words += ["" if run.settings.with_pos else "without pos"]
            mixed = len({other.config.sees_drawing for other in runs if other.config.with_pos}) > 1
            blind = mixed and run.settings.with_pos and run.settings.reference == "none"
            words += ["trained without drawing" if blind else ""]
            name = " ".join(word for word in words if word)
        groups.setdefault(name, []).append(run)
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
    baselines, without = choice.baselines, choice.without
    for name, there, hint in (
        ("pos", any(not run.config.with_pos for run in runs), "train one with `specsia train --without pos`"),
        ("drawing", any(run.config.sees_drawing for run in runs), "none of these models sees the drawing"),
        (
            "recall",
            any(run.config.with_pos and not run.config.sees_drawing for run in runs),
            "none of these models sees positions and no drawing",
        ),
    ):
        if name in without and not there:
            raise UsageError(f"--without {name}: {hint}")
    methods = [Method(RAW, lambda subject, advance: lambda view: view.z)] if RAW in baselines else []
    if LINE in baselines:
        methods.append(Method(LINE, lambda subject, advance: lambda view: _line(view.z, subject)))
    if PASTE in baselines:
        methods.append(Method(PASTE, lambda subject, advance: lambda view: _pasted(view, subject)))
    if SINGLE in baselines:
        features = _features_of(runs[0])
        methods += [_single(runs[0], k, choice.fit_steps, features, device) for k in range(choice.repeats)]
    for label, alike in _groups(runs).items():
        whole = [_of_run(f"{label} without adaptation", k, run, device) for k, run in enumerate(alike)]
        adapted = [
            _adapted(label, k, alike[k % len(alike)], replace(choice.adaptation, seed=k), device)
            for k in range(max(choice.repeats, len(alike)))
        ]
        if alike[0].config.sees_drawing:
            methods += whole
            methods += [_blind(method) for method in whole] if "drawing" in without else []
        elif "adaptation" in without:
            methods += whole
        if alike[0].config.with_pos and not alike[0].config.sees_drawing and "recall" in without:
            methods += [_blind(method, drawing=False) for method in adapted]
        methods += adapted
    return methods
