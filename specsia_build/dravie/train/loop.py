"""The training loop, shared by training, adaptation and sample-wise fits.

`learn` draws patches and calls `training_step`, which updates both networks from one forward of the generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from specsia_build.dravie.config import TrainConfig
from specsia_build.dravie.data.patches import PatchSampler, prefetched
from specsia_build.dravie.model import losses
from specsia_build.dravie.model.adam import Adam
from specsia_build.dravie.model.losses import Features
from specsia_build.dravie.model.networks import build_discriminator, build_generator
from specsia_build.errors import SpecsiaError

TERMS = ("l1", "gradient", "perceptual", "adversarial", "discriminator", "norm")
"""Values of `training_step`: unweighted losses, and the norm of the generator's gradient."""

CHECK_EVERY = 50
"""Steps between reads of the losses, each of which waits for a GPU."""

AVERAGE_LAG = 10
"""Lag of the running average in its first steps, in which it follows the weights faster."""

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Networks:
    """Networks and optimisers of a training, those that it does not need None.

    Attributes:
        average: running average of the generator's weights.
        features: network of the perceptual loss.
        optimisers, forwards: by `generator` and `discriminator`; a forward is the network, compiled on a GPU.
        start: the generator's first weights, which an anchor pulls back to; empty without one.
        device: of all networks.
        bf16: whether they compute in bfloat16.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    average: nn.Module | None
    features: Features | None
    optimisers: Mapping[str, Adam]
    forwards: Mapping[str, Forward]
    start: tuple[Tensor, ...]
    device: torch.device
    bf16: bool

    @property
    def result(self) -> nn.Module:
        """The network to save: the running average, or the generator."""
        return self.generator if self.average is None else self.average

    @property
    def modules(self) -> dict[str, tuple[nn.Module, Adam]]:
        """Networks and optimisers of a checkpoint, by name."""
        modules = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: (module, self.optimisers[name]) for name, module in modules.items() if module is not None}

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context to compute in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def build_networks(
    config: TrainConfig,
    features: Features | None,
    device: torch.device,
    bf16: bool,
    compiled: bool = False,
    generator: nn.Module | None = None,
) -> Networks:
    """Build networks and optimisers; new weights depend on the seed alone.

    Args:
        config: of the training.
        features: of the perceptual loss, or None.
        device: to train on.
        bf16: whether to compute in bfloat16.
        compiled: whether to compile the networks on a GPU, which pays off in long trainings.
        generator: to go on with, in training mode; None for a new one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if generator is None:
            generator = build_generator(config.model).train()
        modules = {"generator": generator.to(device)}
        if config.adversarial:
            modules["discriminator"] = build_discriminator().to(device)
    average = None
    if config.ema:
        average = build_generator(config.model).to(device).requires_grad_(False)
        average.load_state_dict(generator.state_dict())
    return Networks(
        generator,
        modules.get("discriminator"),
        average,
        None if features is None else features.to(device),
        {name: Adam(module.parameters(), config.weight_decay) for name, module in modules.items()},
        {name: torch.compile(m) if compiled and device.type == "cuda" else m for name, m in modules.items()},
        tuple(weight.detach().clone() for weight in generator.parameters()) if config.anchor else (),
        device,
        bf16,
    )


def to_device(patches: NDArray[np.float32], device: torch.device) -> Tensor:
    """Move patches (N, H, W, C) to a device as (N, C, H, W) with channels last; not copied on a CPU."""
    tensor = torch.from_numpy(patches)
    if device.type == "cuda":
        tensor = tensor.pin_memory().to(device, non_blocking=True)
    return tensor.permute(0, 3, 1, 2)


def rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate of a step, counted from 0."""
    if config.schedule == "constant":
        return config.learning_rate
    warm = min(1.0, (step + 1) / config.warm_up)
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def training_step(networks: Networks, config: TrainConfig, step: int, inputs: Tensor, targets: Tensor) -> Tensor:
    """Update both networks in place.

    Args:
        networks: to train.
        config: weights of the losses, schedule.
        step: number of the step, from 0.
        inputs, targets: (N, C, H, W) and (N, 4, H, W) float32 in [-1, 1] on the networks' device.

    Returns:
        (6,) float32 on the device: the values named by `TERMS`, 0 for those of weight 0.
    """
    learning_rate = rate(config, step)
    zero = torch.zeros((), device=networks.device)
    gradient = perceptual = adversarial = discriminator = zero
    with networks.autocast():
        painted = networks.forwards["generator"](inputs)
    if networks.discriminator is not None:
        with networks.autocast():
            scores = networks.forwards["discriminator"](torch.cat((targets, painted.detach().to(targets.dtype))))
        discriminator = losses.discriminator_loss(scores.float())
        discriminator.backward()
        networks.optimisers["discriminator"].update(learning_rate)
        # The discriminator as a fixed function: its weights get no gradient from the generator's loss.
        fixed = {name: weight.detach() for name, weight in networks.discriminator.named_parameters()}
        with networks.autocast():
            scores = functional_call(networks.discriminator, fixed, (painted,))
        adversarial = losses.generator_loss(scores.float())
    if networks.features is not None and config.perceptual_weight:
        with networks.autocast():
            perceptual = networks.features.loss(painted[:, :3], targets[:, :3])
    outputs, wanted = losses.on_both_grounds(painted.float()), losses.on_both_grounds(targets)
    l1 = (outputs - wanted).abs().mean()
    if config.gradient:
        gradient = losses.gradient_loss(outputs, wanted)
    total = config.l1 * l1 + config.gradient * gradient
    total = total + config.perceptual_weight * perceptual + config.adversarial * adversarial
    total.backward()
    weights = list(networks.generator.parameters())
    norm = nn.utils.clip_grad_norm_(weights, config.clip)
    networks.optimisers["generator"].update(learning_rate)
    with torch.no_grad():
        for weight, start in zip(weights, networks.start, strict=False):
            weight.lerp_(start, learning_rate * config.anchor)
        if networks.average is not None:
            decay = min(config.ema, (1 + step) / (AVERAGE_LAG + step))
            for mean, weight in zip(networks.average.parameters(), weights, strict=True):
                mean.lerp_(weight, 1 - decay)
            for kept, latest in zip(networks.average.buffers(), networks.generator.buffers(), strict=True):
                kept.copy_(latest)
    return torch.stack([l1, gradient, perceptual, adversarial, discriminator, norm]).detach()


class NotFinite(SpecsiaError):
    """A loss or a gradient is not finite."""


def learn(
    networks: Networks, config: TrainConfig, sampler: PatchSampler, start: int = 0
) -> Iterator[tuple[int, Callable[[], dict[str, float]]]]:
    """Train networks in place up to `config.steps`, from step `start`.

    Yields:
        After each step its number, from 1, and a function that returns the means of `TERMS` since its last call.

    Raises:
        NotFinite: at most `CHECK_EVERY` steps after a loss or a gradient that is not finite.
    """
    pending: list[Tensor] = []
    step = start

    def means() -> dict[str, float]:
        values = torch.stack(pending).cpu()
        pending.clear()
        bad = (~values.isfinite()).nonzero()
        if len(bad):
            first, term = (int(i) for i in bad[0])
            raise NotFinite(
                f"{TERMS[term]} of step {step - len(values) + first + 1} is not finite: "
                "train with a lower learning_rate or precision float32"
            )
        return dict(zip(TERMS, values.mean(dim=0).tolist(), strict=True))

    for inputs, targets in prefetched(sampler, start, config.steps):
        patches = to_device(inputs, networks.device), to_device(targets, networks.device)
        pending.append(training_step(networks, config, step, *patches))
        step += 1
        yield step, means
        if len(pending) >= CHECK_EVERY or (step == config.steps and pending):
            means()
