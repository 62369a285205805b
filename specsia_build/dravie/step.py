"""One step of the training: both networks' updates from one forward of the generator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from specsia_build.dravie.config import TrainConfig
from specsia_build.dravie.network.losses import gradient_loss, judged_apart, judged_real, on_both_grounds
from specsia_build.dravie.network.networks import Networks

TERMS = ("l1", "gradient", "perceptual", "adversarial", "discriminator", "norm")
"""What `training_step` returns: the losses before they are weighted, and the norm of the generator's gradient."""

WARM_UP = 100
"""Steps in which the rate of a cosine schedule rises."""

AVERAGE_LAG = 10
"""The running average follows the weights faster while there are few to average."""


def to_device(patches: NDArray[np.float32], device: torch.device) -> Tensor:
    """Patches (N, H, W, C) as (N, C, H, W) with channels last, without a copy on the CPU."""
    found = torch.from_numpy(patches)
    if device.type == "cuda":
        found = found.pin_memory().to(device, non_blocking=True)
    return found.permute(0, 3, 1, 2)


def rate(config: TrainConfig, step: int) -> float:
    """Learning rate of a step, counted from 0."""
    if config.schedule == "constant":
        return config.learning_rate
    warm = min(1.0, (step + 1) / WARM_UP)
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def _follow(average: nn.Module, generator: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for kept, new in zip(average.parameters(), generator.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)
        for held, shown in zip(average.buffers(), generator.buffers(), strict=True):
            held.copy_(shown)


def training_step(networks: Networks, config: TrainConfig, step: int, inputs: Tensor, targets: Tensor) -> Tensor:
    """Update both networks.

    Args:
        networks: updated in place.
        config: weights of the losses, schedule.
        step: its number, from 0.
        inputs: (N, C, H, W) float32 in [-1, 1] on the networks' device.
        targets: (N, 4, H, W), likewise.

    Returns:
        (6,) float32 on the device: the values that `TERMS` names, 0 for those of weight 0.
    """
    learning_rate = rate(config, step)
    zero = torch.zeros((), device=networks.device)
    l1 = gradient = perceptual = adversarial = discriminator = zero

    def autocast() -> Any:
        return torch.autocast(networks.device.type, torch.bfloat16, enabled=networks.bf16)

    with autocast():
        painted = networks.run_generator(inputs)
    if config.adversarial:
        with autocast():
            scores = networks.run_discriminator(torch.cat((targets, painted.detach().to(targets.dtype))))
        discriminator = judged_apart(scores.float())
        discriminator.backward()
        networks.optimisers["discriminator"].update(learning_rate)
        # The discriminator as a fixed function: its weights get no gradient from the generator's loss.
        fixed = {name: weight.detach() for name, weight in networks.discriminator.named_parameters()}
        with autocast():
            scores = functional_call(networks.discriminator, fixed, (painted,))
        adversarial = judged_real(scores.float())
    if networks.features is not None and config.perceptual_weight:
        with autocast():
            perceptual = networks.features.loss(painted[:, :3], targets[:, :3])
    shown, wanted = on_both_grounds(painted.float()), on_both_grounds(targets)
    l1 = (shown - wanted).abs().mean()
    if config.gradient:
        gradient = gradient_loss(shown, wanted)
    total = (
        config.l1 * l1
        + config.gradient * gradient
        + config.perceptual_weight * perceptual
        + config.adversarial * adversarial
    )
    total.backward()
    norm = nn.utils.clip_grad_norm_(networks.generator.parameters(), config.clip)
    networks.optimisers["generator"].update(learning_rate)
    if networks.average is not None:
        decay = min(config.ema, (1 + step) / (AVERAGE_LAG + step))
        _follow(networks.average, networks.generator, decay)
    return torch.stack([l1, gradient, perceptual, adversarial, discriminator, norm]).detach()
