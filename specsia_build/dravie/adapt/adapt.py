"""A model fitted to one character's frontal pair: lightly, so that it keeps what it knows, or from nothing."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import torch
from torch import nn

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.config import AdaptConfig, Augment, ModelConfig, TrainConfig
from specsia_build.dravie.data.frames import Frames, frames_of
from specsia_build.dravie.data.patches import PatchSampler
from specsia_build.dravie.masks import agreed
from specsia_build.dravie.model.losses import Features
from specsia_build.dravie.reference import NO_DRAWING, Drawing
from specsia_build.dravie.repair.apply import computes_in_bf16
from specsia_build.dravie.train.loop import Networks, NotFinite, build_networks, learn
from specsia_build.errors import SpecsiaError


def adapt_generator(
    model: nn.Module,
    model_config: ModelConfig,
    frontal: Pair,
    settings: AdaptConfig,
    device: torch.device,
    advance: Callable[[int], object] = lambda _: None,
    drawing: Drawing = NO_DRAWING,
) -> nn.Module:
    """Fine-tune a copy of a generator on a character's frontal pair.

    Patches come from where both silhouettes agree (`agreed`). Every step pulls the weights back to where they started,
    normalisation keeps its statistics, and the positions are turned (`Augment.HINT`), so that what was learnt of other
    views stays.

    Args:
        model: a generator; it is not changed.
        model_config: of it.
        frontal: Z and Zpos of the frontal view, and Y* or a drawing laid onto it.
        settings: of the adaptation.
        device: that computes.
        advance: is told of each step.
        drawing: of the character, for a model that sees it.

    Returns:
        The adapted generator, on `device`, in evaluation mode.

    Raises:
        SpecsiaError: if the pair shows nothing, or a loss is no number any more.
    """
    config = settings.training(model_config)
    adapted = copy.deepcopy(model).to(device).requires_grad_(True).train()
    for module in adapted.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    bf16 = computes_in_bf16(config.precision, device)
    networks = build_networks(config, None, device, bf16, generator=adapted)
    return _fitted(networks, config, frames_of([frontal], agreed, drawing), Augment.HINT, frontal, advance)


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
    return _fitted(networks, config, frames_of([frontal], drawing=drawing), config.augmentation, frontal, advance)


def _fitted(
    networks: Networks,
    config: TrainConfig,
    frames: Frames,
    augment: Augment,
    frontal: Pair,
    advance: Callable[[int], object],
) -> nn.Module:
    """The generator after all steps, in evaluation mode."""
    try:
        for _ in learn(networks, config, PatchSampler((frames,), config, augment)):
            advance(1)
    except NotFinite as error:
        raise SpecsiaError(f"fitting to '{frontal.character_id}' stopped: {error}") from error
    return networks.result.requires_grad_(False).eval()
