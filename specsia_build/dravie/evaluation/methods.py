"""The methods that an evaluation compares: what each makes of a character's views, and what decides its results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.schema import DEFAULT_CONFIG
from specsia_build.dravie.adaptation.adapt import adapt_generator, fit_single
from specsia_build.dravie.apply import has_bf16, repair
from specsia_build.dravie.config import AdaptConfig, ModelConfig, TrainConfig, differences, to_json
from specsia_build.dravie.enhance import weights_digest
from specsia_build.dravie.network.checkpoint import load_generator
from specsia_build.dravie.network.losses import Features, find_features
from specsia_build.dravie.recall import recalled, remember
from specsia_build.dravie.seen import Seen, read_seen
from specsia_build.dravie.train import used_run_config
from specsia_build.errors import UsageError
from specsia_build.look.evaluation import RAW as UNREPAIRED_FOLDER
from specsia_build.look.evaluation import UNREPAIRED
from specsia_build.pipeline.progress import Progress
from specsia_build.rendering.contour import draw_contour

RAW, LINE, LINE_ORACLE = UNREPAIRED, "line", "line-oracle"
SINGLE, SINGLE_PLAIN = "sample-wise", "sample-wise without pos"
OURS = "DraViE"

RECALLING = " + recall"
"""What the label of a method ends in that recalls besides; our own recalls anyway where it sees positions."""

BASELINES = (RAW, LINE, SINGLE)
"""Names that `--baselines` takes."""

LINE_PX, LINE_GREY = 2, 0
"""Of the drawn line, for want of better knowledge."""


def raw(pair: Pair) -> NDArray[np.uint8]:
    """Z itself."""
    return pair.z


def line(pair: Pair) -> NDArray[np.uint8]:
    """Z with a black contour of 2 px about its own mask."""
    return draw_contour(pair.z, pair.z[..., 3], LINE_PX, LINE_GREY)


def line_oracle(pair: Pair) -> NDArray[np.uint8]:
    """Z with a contour of Y*'s own thickness and grey about its own mask; the plain `line` where they are unknown."""
    if pair.outline_px is None or pair.outline_grey is None:
        return line(pair)
    return draw_contour(pair.z, pair.z[..., 3], pair.outline_px, pair.outline_grey)


Painter = Callable[[Pair], NDArray[np.uint8]]
"""What repairs a view; Y* of the view is not there to be looked at (`Pair.without_truth`)."""

Advance = Callable[[int], object]
"""Is told of each update of a network."""


@dataclass(frozen=True)
class Method:
    """One way to repair, with one seed.

    Attributes:
        label: of its row; repeats share it.
        repeat: which repeat it is, from 0.
        trained: configurations that it was trained on, empty for what was not.
        adapted, with_pos, recall: of a trained one.
        seen: characters that a trained one has seen; None for what was not trained.
        key: digest of all that decides its results beside the views and the code.
        costly: whether its results are worth keeping.
        fitted: makes what repairs a character's views, of its frontal pair.
        updates: of a network that this takes for each character, which those before it in a list do not take already.
    """

    label: str
    repeat: int
    key: str
    fitted: Callable[[Pair, Advance], Painter]
    trained: tuple[str, ...] = ()
    adapted: bool = True
    with_pos: bool = True
    recall: bool = False
    seen: Seen | None = None
    costly: bool = False
    updates: int = 0

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


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _arithmetic(device: torch.device) -> list[str]:
    """What a network's numbers are computed by."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return [name, "bf16" if has_bf16(device) else "float32", torch.__version__]


def _plain(label: str, painter: Painter) -> Method:
    return Method(label, 0, label, lambda frontal, advance: painter)


def _painter(model: nn.Module, config: ModelConfig, device: torch.device) -> Painter:
    return lambda pair: repair(model, config, pair.z, pair.pos, device)


def _recalling(method: Method, label: str, beside: bool = False) -> Method:
    """A method whose results take over the frontal pair's colours by position; `beside` the method itself."""

    def fitted(frontal: Pair, advance: Advance) -> Painter:
        paint, memory = method.fitted(frontal, advance), remember(frontal)
        if memory is None:
            return paint
        return lambda view: recalled(paint(view), view.z, view.pos, memory)

    return replace(
        method,
        label=label,
        key=_digest(method.key, "recall"),
        fitted=fitted,
        recall=True,
        costly=True,
        updates=0 if beside else method.updates,
    )


def _single(
    label: str,
    repeat: int,
    config: ModelConfig,
    settings: TrainConfig,
    features: Features | None,
    device: torch.device,
) -> Method:
    settings = replace(settings, seed=repeat, configs=())
    fit = _once(lambda frontal, advance: fit_single(frontal, config, settings, device, features, advance))
    judged = None if features is None else weights_digest(features)
    key = _digest("fit", to_json(config), to_json(settings), judged, _arithmetic(device))
    return Method(
        label,
        repeat,
        key,
        lambda frontal, advance: _painter(fit(frontal, advance), config, device),
        with_pos=config.with_pos,
        costly=True,
        updates=settings.steps,
    )


def _features_of(perceptual: str) -> tuple[Features | None, str]:
    """The network of the perceptual loss of sample-wise fits, and what it is."""
    try:
        return find_features(perceptual, Progress().say)
    except UsageError as error:
        raise UsageError(
            f"the sample-wise fit takes the losses of the model's training, and {error}; or leave that baseline "
            f"out with --baselines {RAW},{LINE}"
        ) from error


def _once(make: Callable[[Pair, Advance], nn.Module]) -> Callable[[Pair, Advance], nn.Module]:
    """What makes a model of a frontal pair, and gives the last one again where it is asked for the same pair."""
    last: list[tuple[Pair, nn.Module]] = []

    def made(frontal: Pair, advance: Advance) -> nn.Module:
        if not last or last[0][0] is not frontal:
            last[:] = [(frontal, make(frontal, advance))]
        return last[0][1]

    return made


def _of_run(label: str, repeat: int, run: Run, device: torch.device) -> Method:
    """A trained model as it is."""
    key = _digest("run", weights_digest(run.model), _arithmetic(device))
    trained = () if run.settings is None else run.settings.configs
    painter = _painter(run.model, run.config, device)
    return Method(
        label,
        repeat,
        key,
        lambda frontal, advance: painter,
        trained,
        False,
        run.config.with_pos,
        seen=run.seen,
        costly=True,
    )


def _adapted(label: str, repeat: int, run: Run, adaptation: AdaptConfig, device: torch.device) -> Method:
    """A trained model, adapted to the frontal pair."""
    make = _once(lambda frontal, advance: adapt_generator(run.model, run.config, frontal, adaptation, device, advance))
    whole = _of_run(label, repeat, run, device)
    return replace(
        whole,
        key=_digest(whole.key, to_json(adaptation)),
        fitted=lambda frontal, advance: _painter(make(frontal, advance), run.config, device),
        adapted=True,
        updates=adaptation.steps,
    )


def _groups(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by label: those that differ in nothing but the seed share one."""
    full = next((run.settings for run in runs if run.settings is not None and run.settings.with_pos), None)
    first = full or next((run.settings for run in runs if run.settings is not None), None)
    found: dict[str, list[Run]] = {}
    for run in runs:
        if run.settings is None or first is None:
            name = f"{OURS} {run.path.name}"
        else:
            odd = [n for n in differences(first, run.settings) if n not in ("seed", "configs", "with_pos", "preset")]
            backends = [name for name in run.settings.configs if name != DEFAULT_CONFIG]
            words = [OURS, f"[{'+'.join(backends)}]" if backends else ""]
            words += [f"{name}={getattr(run.settings, name)}" for name in odd]
            words += ["" if run.settings.with_pos else "without pos"]
            name = " ".join(word for word in words if word)
        found.setdefault(name, []).append(run)
    return found


def choose_methods(
    runs: Sequence[Run],
    wanted: Sequence[str],
    without: Sequence[str],
    repeats: int,
    adaptation: AdaptConfig,
    fit_steps: int,
    device: torch.device,
    places: bool = True,
) -> list[Method]:
    """The methods of an evaluation, each as often as it is repeated, in the order of a table's rows.

    Args:
        runs: trained models; those that differ only in the seed are repeats of one method.
        wanted: of `BASELINES`; each comes without and with recall, `line` brings `line-oracle` along, and `sample-wise`
            its fit without the hint.
        without: of `config.ABLATIONS`.
        repeats: seeds of adaptations and of sample-wise fits; several runs of one kind are as many at least.
        adaptation: settings of the adaptation, whose seed is the repeat's.
        fit_steps: updates of a sample-wise fit.
        device: that computes.
        places: whether a position means the same place in every view; without that nothing is recalled by it.

    Raises:
        UsageError: if `without` names `pos` and no run is without it, or `recall` and nothing is recalled anyway; or if
            the network of the perceptual loss that fits take after the runs' trainings cannot be had.
    """
    if "recall" in without and not any(run.config.with_pos for run in runs):
        raise UsageError("--without recall leaves out a look-up by position: none of these models sees positions")
    if "recall" in without and not places:
        raise UsageError(
            "--without recall: nothing is recalled anyway, as positions of this dataset are each view's own"
        )
    if "pos" in without and all(run.config.with_pos for run in runs):
        raise UsageError(
            "--without pos compares with a model that never saw positions: train one with `specsia train --without pos`"
            " and name its folder among the runs"
        )
    methods = [_plain(RAW, raw)] if RAW in wanted else []
    methods += [_plain(LINE, line)] if LINE in wanted else []
    if SINGLE in wanted:
        settings = next((run.settings for run in runs if run.settings is not None), TrainConfig())
        features, network = _features_of(settings.perceptual)
        for label, with_pos in ((SINGLE, True), (SINGLE_PLAIN, False)):
            config = replace(runs[0].config, with_pos=with_pos)
            fit = replace(settings, steps=fit_steps, with_pos=with_pos, perceptual=network)
            methods += [_single(label, k, config, fit, features, device) for k in range(repeats)]
    if places:
        methods = [
            each for method in methods for each in (method, _recalling(method, method.label + RECALLING, beside=True))
        ]
    methods += [_plain(LINE_ORACLE, line_oracle)] if LINE in wanted else []
    for label, alike in _groups(runs).items():
        with_pos = alike[0].config.with_pos
        if "adaptation" in without and (with_pos or not any(run.config.with_pos for run in runs)):
            methods += [_of_run(f"{label} without adaptation", k, run, device) for k, run in enumerate(alike)]
        for k in range(max(repeats, len(alike))):
            plain = _adapted(label, k, alike[k % len(alike)], replace(adaptation, seed=k), device)
            if not places:
                methods += [plain]
            elif not with_pos:
                methods += [plain, _recalling(plain, label + RECALLING, beside=True)]
            else:
                bare = [replace(plain, label=f"{label} without recall")] if "recall" in without else []
                methods += [*bare, _recalling(plain, label, beside=bool(bare))]
    return methods
