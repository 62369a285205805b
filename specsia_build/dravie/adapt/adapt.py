"""Fit a model to one character's frontal pair: fine-tune a trained one, or train one from scratch."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.config import HALF_COVERED, Augment, ModelConfig, TrainConfig
from specsia_build.dravie.data.frames import Frames, frames_of
from specsia_build.dravie.data.patches import PatchSampler
from specsia_build.dravie.masks import agreed
from specsia_build.dravie.model.losses import Features
from specsia_build.dravie.reference import NO_DRAWING, Drawing
from specsia_build.dravie.repair.apply import computes_in_bf16
from specsia_build.dravie.train.loop import Networks, NotFinite, build_networks, learn
from specsia_build.dravie.train.validation import Watched, validate
from specsia_build.errors import SpecsiaError

BLEND = 0.5
"""Share of the change of the weights that is kept (Wortsman et al. 2022, *Robust fine-tuning of zero-shot models*)."""

WITHHELD = 9
"""Number of withheld parts: three discs, halves and bands each."""

DISC, BAND = 0.25, 0.15
"""Radius of a disc, and half the width of a band, as shares of the root of the figure's area."""


def adapt_generator(
    model: nn.Module,
    model_config: ModelConfig,
    frontal: Pair,
    settings: TrainConfig,
    device: torch.device,
    advance: Callable[[int], object] = lambda _: None,
    drawing: Drawing = NO_DRAWING,
) -> nn.Module:
    """Return a copy of a generator, fine-tuned on a character's frontal pair, in evaluation mode on `device`.

    Patches come from where both silhouettes agree (`agreed`). To keep what the model knows of other views, every step
    pulls the weights back to their start, normalisation keeps its statistics, and positions are turned
    (`Augment.HINT`). A model that sees the drawing is trained with parts of it withheld (`withheld_frames`), and only
    `BLEND` of the change of its weights is kept, or none if that does not improve the frontal view.

    Args:
        model: a generator in evaluation mode, on `device`.
        model_config: of the model.
        frontal: Z and Zpos of the frontal view, and Y* or a drawing laid onto it.
        settings: of the adaptation; those of the network are ignored.
        device: to compute on.
        advance: called after each step.
        drawing: of the character, for a model that sees it.

    Raises:
        SpecsiaError: if the pair shows nothing, or a loss is not finite.
    """
    config = dataclasses.replace(settings, **dataclasses.asdict(model_config))
    adapted = copy.deepcopy(model).to(device).requires_grad_(True).train()
    for module in adapted.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    bf16 = computes_in_bf16(config.precision, device)
    networks = build_networks(config, None, device, bf16, generator=adapted)
    guided = model_config.sees_drawing and len(drawing.places) > 0
    frames = withheld_frames(frontal, drawing, settings.seed) if guided else [frames_of([frontal], agreed, drawing)]
    adapted = _fit(networks, config, frames, Augment.HINT, frontal, advance)
    if guided:
        with torch.no_grad():
            for weight, start in zip(adapted.parameters(), model.parameters(), strict=True):
                weight.lerp_(start.to(device), 1 - BLEND)
        before, after = (
            validate(network, model_config, [Watched(frontal, drawing)], device)[0] for network in (model, adapted)
        )
        if after >= before:
            return copy.deepcopy(model)
    return adapted


def withheld_frames(frontal: Pair, drawing: Drawing, seed: int) -> list[Frames]:
    """Repeat the frontal pair, each time with a part of the drawing withheld and patches centred in that part.

    A patch that sees its own part of the drawing teaches nothing. With a part withheld, the model learns to paint what
    the drawing does not show in this character's colours.
    """
    agreeing = agreed(frontal)
    silhouette = frontal.gt[..., 3] if frontal.gt_mask is None else frontal.gt_mask
    shown = agreeing & (silhouette >= HALF_COVERED) & (frontal.z[..., 3] >= HALF_COVERED)
    if not shown.any():
        return [frames_of([frontal], agreed, drawing)]
    frames = []
    for part in _parts(shown, seed):
        rest = Drawing.of(frontal.pos, frontal.gt, np.where(part, np.uint8(0), silhouette))
        rest = dataclasses.replace(rest, style=drawing.style)
        frames.append(frames_of([frontal], lambda _, part=part: agreeing & part, rest))  # type: ignore[misc]
    return frames


def _parts(shown: NDArray[np.bool_], seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yield discs, halves and bands (H, W) about random pixels of a figure."""
    rng = np.random.default_rng(seed)
    (rows, columns), (y, x) = np.nonzero(shown), np.indices(shown.shape)
    side = np.sqrt(len(rows))
    for number in range(WITHHELD):
        centre, angle = rng.integers(len(rows)), rng.uniform(0, np.pi)
        down, right = y - rows[centre], x - columns[centre]
        across = down * np.sin(angle) + right * np.cos(angle)
        kinds = (np.hypot(down, right) <= DISC * side, across >= 0, np.abs(across) <= BAND * side)
        yield np.asarray(kinds[number % len(kinds)])


def fit_single(
    frontal: Pair,
    model_config: ModelConfig,
    settings: TrainConfig,
    device: torch.device,
    features: Features | None = None,
    advance: Callable[[int], object] = lambda _: None,
    drawing: Drawing = NO_DRAWING,
) -> nn.Module:
    """Return the sample-wise baseline: the same network, trained from nothing on one character's frontal pair.

    See `adapt_generator`; `features` is the network of the perceptual loss.
    """
    config = dataclasses.replace(settings, **dataclasses.asdict(model_config))
    networks = build_networks(config, features, device, computes_in_bf16(config.precision, device))
    return _fit(networks, config, [frames_of([frontal], drawing=drawing)], config.augmentation, frontal, advance)


def _fit(
    networks: Networks,
    config: TrainConfig,
    frames: Sequence[Frames],
    augment: Augment,
    frontal: Pair,
    advance: Callable[[int], object],
) -> nn.Module:
    """Train, and return the generator in evaluation mode."""
    try:
        for _ in learn(networks, config, PatchSampler(frames, config, augment)):
            advance(1)
    except NotFinite as error:
        raise SpecsiaError(f"fitting to '{frontal.character_id}' stopped: {error}") from error
    return networks.result.requires_grad_(False).eval()
