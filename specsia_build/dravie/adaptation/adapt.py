"""A model fitted to one character's frontal pair: lightly, so that it keeps what it knows, or from nothing."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable

import torch
from torch import nn

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.apply import computes_in_bf16, has_bf16
from specsia_build.dravie.config import AdaptConfig, Augment, ModelConfig, TrainConfig
from specsia_build.dravie.data.agreement import agreed
from specsia_build.dravie.data.frames import frames_of
from specsia_build.dravie.data.patches import PatchSampler, prefetched
from specsia_build.dravie.network.adam import Adam
from specsia_build.dravie.network.losses import Features, gradient_loss, on_both_grounds
from specsia_build.dravie.network.networks import build_networks
from specsia_build.dravie.step import to_device, training_step
from specsia_build.errors import SpecsiaError

GRADIENT = 0.5
"""Weight of the gradient loss beside L1."""


def adapt_generator(
    model: nn.Module,
    model_config: ModelConfig,
    frontal: Pair,
    settings: AdaptConfig,
    device: torch.device,
    advance: Callable[[int], object] = lambda _: None,
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

    Returns:
        The adapted generator, on `device`, in evaluation mode.

    Raises:
        SpecsiaError: if the pair shows nothing, or a loss is no number any more.
    """
    adapted = copy.deepcopy(model).to(device).requires_grad_(True).train()
    for module in adapted.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    weights = list(adapted.parameters())
    before = [weight.detach().clone() for weight in weights]
    optimiser = Adam(weights)
    sampler = PatchSampler(
        (frames_of([frontal], agreed),), settings.batch, settings.seed, model_config.with_pos, augment=Augment.HINT
    )
    for step, batch in enumerate(prefetched(sampler, 0, settings.steps)):
        inputs, targets = (to_device(patches, device) for patches in batch)
        learning_rate = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bf16(device)):
            painted = adapted(inputs)
        shown, wanted = on_both_grounds(painted.float()), on_both_grounds(targets)
        loss = (shown - wanted).abs().mean() + GRADIENT * gradient_loss(shown, wanted)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(weights, 1.0)
        if not torch.isfinite(norm):
            raise SpecsiaError(
                f"the adaptation to '{frontal.character_id}' stopped: the loss of step {step + 1} is no number"
            )
        optimiser.update(learning_rate)
        with torch.no_grad():
            for weight, start in zip(weights, before, strict=True):
                weight.lerp_(start, learning_rate * settings.anchor)
        advance(1)
    return adapted.requires_grad_(False).eval()


def fit_single(
    frontal: Pair,
    model_config: ModelConfig,
    settings: TrainConfig,
    device: torch.device,
    features: Features | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> nn.Module:
    """The sample-wise baseline: the same network, trained from nothing on one character's frontal pair.

    Args:
        frontal: the pair.
        model_config: of the network; what `settings` says of it does not count.
        settings: of the training, with its losses.
        device: that computes.
        features: of the perceptual loss, None for none.
        advance: is told of each step.

    Returns:
        The generator, on `device`, in evaluation mode.

    Raises:
        SpecsiaError: if the pair shows nothing, or a loss is no number any more.
    """
    config = dataclasses.replace(settings, architecture=model_config.architecture, with_pos=model_config.with_pos)
    networks = build_networks(config, features, device, computes_in_bf16(config.precision, device))
    sampler = PatchSampler(
        (frames_of([frontal]),), config.batch, config.seed, config.with_pos, config.augmentation, config.patch
    )
    for step, batch in enumerate(prefetched(sampler, 0, config.steps)):
        inputs, targets = (to_device(patches, device) for patches in batch)
        values = training_step(networks, config, step, inputs, targets)
        if not values.isfinite().all():
            raise SpecsiaError(f"fitting '{frontal.character_id}' stopped: a loss of step {step + 1} is no number")
        advance(1)
    return (networks.average or networks.generator).requires_grad_(False).eval()
