"""All that a training changes: both networks and their optimisers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specsia_build.dravie.config import TrainConfig
from specsia_build.dravie.network.adam import Adam
from specsia_build.dravie.network.losses import Features
from specsia_build.dravie.network.model import build_discriminator, build_generator


@dataclass(frozen=True)
class Networks:
    """What is trained.

    Attributes:
        generator, discriminator: their weights.
        average: running average of the generator's weights, None where none is kept.
        features: of the perceptual loss.
        optimisers: `generator` and `discriminator`.
        run_generator, run_discriminator: their forwards: themselves, compiled, or synchronised between processes.
        device: that they are on.
        bf16: whether they compute in bfloat16.
    """

    generator: nn.Module
    discriminator: nn.Module
    average: nn.Module | None
    features: Features | None
    optimisers: Mapping[str, Adam]
    run_generator: Callable[[Tensor], Tensor]
    run_discriminator: Callable[[Tensor], Tensor]
    device: torch.device
    bf16: bool

    @property
    def result(self) -> nn.Module:
        """Whose weights are kept: the running average, where there is one."""
        return self.generator if self.average is None else self.average


def build_networks(
    config: TrainConfig,
    features: Features | None,
    device: torch.device,
    bf16: bool,
    wrap: Callable[[nn.Module], Callable[[Tensor], Tensor]] = lambda module: module,
) -> Networks:
    """Fresh networks and optimisers; the weights come from the seed alone.

    Args:
        config: of the training.
        features: of the perceptual loss, or None.
        device: to train on.
        bf16: whether to compute in bfloat16.
        wrap: makes the forward of a network that training calls.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        generator, discriminator = build_generator(config.model).to(device), build_discriminator().to(device)
    average = None
    if config.ema:
        average = build_generator(config.model).to(device).requires_grad_(False)
        average.load_state_dict(generator.state_dict())
    optimisers = {
        name: Adam(module.parameters(), config.weight_decay)
        for name, module in (("generator", generator), ("discriminator", discriminator))
    }
    generator.train()
    used = None if features is None else features.to(device)
    return Networks(
        generator, discriminator, average, used, optimisers, wrap(generator), wrap(discriminator), device, bf16
    )
