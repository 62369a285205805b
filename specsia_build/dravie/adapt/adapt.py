"""A model fitted to one character's frontal pair: lightly, so that it keeps what it knows, or from nothing."""

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
"""Parts of a drawing that are withheld in turn: three discs, halves and bands each."""

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
    """Fine-tune a copy of a generator on a character's frontal pair.

    Patches come from where both silhouettes agree (`agreed`). Every step pulls the weights back to where they started,
    normalisation keeps its statistics, and the positions are turned (`Augment.HINT`), so that what was learnt of other
    views stays. A model that sees the drawing learns where a part of it is withheld (`withheld_frames`), and only
    `BLEND` of the change of its weights is kept; none where that brings the frontal view no nearer.

    Args:
        model: a generator in evaluation mode, on `device`; it is not changed.
        model_config: of it.
        frontal: Z and Zpos of the frontal view, and Y* or a drawing laid onto it.
        settings: of the adaptation, such as `config.ADAPTATION`; what they say of the network does not count.
        device: that computes.
        advance: is told of each step.
        drawing: of the character, for a model that sees it.

    Returns:
        The adapted generator, on `device`, in evaluation mode.

    Raises:
        SpecsiaError: if the pair shows nothing, or a loss is no number any more.
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
    adapted = _fitted(networks, config, frames, Augment.HINT, frontal, advance)
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
    """The frontal pair several times, each with a part of the drawing withheld and patches centred in that part.

    Where a patch sees its own drawing there is nothing to learn; these show what to paint where other views see places
    that the drawing does not show, in this character's colours.

    Raises:
        SpecsiaError: if the pair shows nothing.
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
    """Discs, halves and bands (H, W) about pixels of a figure."""
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
    """The sample-wise baseline: the same network, trained from nothing on one character's frontal pair.

    Args:
        frontal: the pair.
        model_config: of the network; what `settings` says of it does not count.
        settings: of the training, with its losses.
        device: that computes.
        features: of the perceptual loss, None for none.
        advance: is told of each step.
        drawing: of the character, for a network that sees it.

    Returns:
        The generator, on `device`, in evaluation mode.

    Raises:
        SpecsiaError: if the pair shows nothing, or a loss is no number any more.
    """
    config = dataclasses.replace(settings, **dataclasses.asdict(model_config))
    networks = build_networks(config, features, device, computes_in_bf16(config.precision, device))
    return _fitted(networks, config, [frames_of([frontal], drawing=drawing)], config.augmentation, frontal, advance)


def _fitted(
    networks: Networks,
    config: TrainConfig,
    frames: Sequence[Frames],
    augment: Augment,
    frontal: Pair,
    advance: Callable[[int], object],
) -> nn.Module:
    """The generator after all steps, in evaluation mode."""
    try:
        for _ in learn(networks, config, PatchSampler(frames, config, augment)):
            advance(1)
    except NotFinite as error:
        raise SpecsiaError(f"fitting to '{frontal.character_id}' stopped: {error}") from error
    return networks.result.requires_grad_(False).eval()
