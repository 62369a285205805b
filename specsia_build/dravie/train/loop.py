"""The training loop, shared by training and adaptation.

`Trainer.learn` draws patches; `Trainer.step` updates both networks from one forward of the generator.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim.adam import adam

from specsia_build.arrays import Floats
from specsia_build.dravie.config import TrainConfig
from specsia_build.dravie.data.patches import PatchSampler, prefetched
from specsia_build.dravie.model import networks
from specsia_build.dravie.model.checkpoint import MODEL_FILE, TRAINING, load_weights, read_state, reading
from specsia_build.dravie.model.devices import computes_in_bf16
from specsia_build.errors import SpecsiaError

TERMS = ("l1", "gradient", "perceptual", "adversarial", "discriminator", "norm")
"""Values of `Trainer.step`: unweighted losses, and the norm of the generator's gradient."""

CHECK_EVERY = 50  # Steps between reads of the losses, each of which waits for a GPU
AVERAGE_LAG = 10  # Lag of the running average in its first steps, in which it follows the weights faster
ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "fused": True, "amsgrad": False, "maximize": False}


def to_device(patches: Floats, device: torch.device) -> Tensor:
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


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


class Adam:
    """Adam (Kingma and Ba, 2015) in torch's fused form, with weight decay added to the gradients.

    `torch.optim.Adam` computes the same, but imports torch's compiler, which takes longer than torch itself.
    """

    def __init__(self, weights: Iterable[Tensor], weight_decay: float = 0.0) -> None:
        self._weights = list(weights)
        self._settings: dict[str, Any] = {**ADAM, "weight_decay": weight_decay}
        self._steps = [torch.zeros((), device=weight.device) for weight in self._weights]
        self._means = [torch.zeros_like(weight) for weight in self._weights]
        self._squares = [torch.zeros_like(weight) for weight in self._weights]

    @torch.no_grad()
    def update(self, learning_rate: float) -> None:
        """Update the weights by their gradients, and clear these."""
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        state = self._weights, gradients, self._means, self._squares, list[Tensor](), self._steps
        adam(*state, lr=learning_rate, **self._settings)
        for weight in self._weights:
            weight.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return the optimiser's tensors, not copied, named by the numbers of the weights."""
        buffers = {"step": self._steps, "exp_avg": self._means, "exp_avg_sq": self._squares}
        return {f"{k}.{name}": t for name, tensors in buffers.items() for k, t in enumerate(tensors)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Load the result of `state`; raises `ValueError` if it is of other weights."""
        own = self.state()
        if {name: t.shape for name, t in own.items()} != {name: t.shape for name, t in state.items()}:
            raise ValueError("the state of the optimiser is of other weights")
        for name, tensor in own.items():
            # The fused update runs over memory, so moments keep their layout, which is that of their weights.
            tensor.copy_(state[name])


class Trainer:
    """Networks and optimisers of a training; new weights depend on the seed alone.

    `perceptual` is the loss of that name, and `generator` one in training mode to continue. Networks may be
    `compiled` on a GPU, which pays off in long trainings. `modules` are `generator` and, with an adversarial
    loss, `discriminator`, each with its optimiser; `average` is the running average of the generator's
    weights, if any.
    """

    def __init__(
        self,
        config: TrainConfig,
        perceptual: networks.PerceptualLoss | None,
        device: torch.device,
        generator: nn.Module | None = None,
        compiled: bool = False,
    ) -> None:
        self.config = config
        self.device = device
        self.bf16 = computes_in_bf16(device, config.precision)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            if generator is None:
                generator = networks.build_generator(config.model).train()
            self.generator = generator.to(device)
            trained = {"generator": self.generator}
            if config.adversarial:
                trained["discriminator"] = networks.build_discriminator().to(device)
        self.average: nn.Module | None = None
        if config.ema:
            self.average = networks.build_generator(config.model).to(device).requires_grad_(False)
            self.average.load_state_dict(self.generator.state_dict())
        self.modules = {}
        for name, net in trained.items():
            weights = [weight for weight in net.parameters() if weight.requires_grad]
            self.modules[name] = net, Adam(weights, config.weight_decay)
        compiled = compiled and device.type == "cuda"
        self._forwards = {name: torch.compile(net) if compiled else net for name, net in trained.items()}
        self._perceptual = None if perceptual is None else perceptual.to(device)
        # The weights that an anchor pulls back to.
        anchored = list(self.generator.parameters()) if config.anchor else []
        self._start = [weight.detach().clone() for weight in anchored]

    @property
    def result(self) -> networks.Generator:
        """What was learnt: the running average, or the generator, in whichever mode it is."""
        network = self.generator if self.average is None else self.average
        return networks.Generator(network, self.config.model, self.device)

    def state(self) -> dict[str, Tensor]:
        """Return the tensors of the networks and their optimisers, by name."""
        state: dict[str, Tensor] = {}
        for name, (module, optimiser) in self.modules.items():
            state |= {f"{name}.{key}": tensor for key, tensor in module.state_dict().items()}
            state |= {f"{name}-optimiser.{key}": tensor for key, tensor in optimiser.state().items()}
        return state

    def restore(self, checkpoint: Path) -> int:
        """Load the result of `state` and the running average of a checkpoint; return its number of updates.

        Raises `SpecsiaError` if it cannot be read, or is of other networks.
        """
        if self.average is not None:
            with reading(checkpoint / MODEL_FILE) as path:
                load_weights(self.average, load_file(path))
        with reading(checkpoint / TRAINING) as path:
            tensors = load_file(path)
            for name, (module, optimiser) in self.modules.items():
                load_weights(module, _under(tensors, name))
                optimiser.restore(_under(tensors, f"{name}-optimiser"))
        return read_state(checkpoint).step

    def _compute(self, network: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """Call a network in the training's precision."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            return network(*inputs)

    def _adversarial(self, painted: Tensor, targets: Tensor, learning_rate: float) -> tuple[Tensor, Tensor]:
        """Update the discriminator; return the losses of the generator and of the discriminator."""
        discriminator, optimiser = self.modules["discriminator"]
        both = torch.cat((targets, painted.detach().to(targets.dtype)))
        loss = networks.discriminator_loss(self._compute(self._forwards["discriminator"], both).float())
        loss.backward()
        optimiser.update(learning_rate)
        # The discriminator as a fixed function: its weights get no gradient from the generator's loss.
        fixed = {name: weight.detach() for name, weight in discriminator.named_parameters()}
        scores = self._compute(lambda patches: functional_call(discriminator, fixed, (patches,)), painted)
        return networks.generator_loss(scores.float()), loss

    def step(self, number: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """Update both networks in place by step `number`, from 0.

        Inputs and targets are (N, C, H, W) and (N, 4, H, W) float32 in [-1, 1] on the device, and so is the
        result: (6,), the values named by `TERMS`, 0 for those of weight 0.
        """
        config, learning_rate = self.config, rate(self.config, number)
        gradient = perceptual = adversarial = discriminator = torch.zeros((), device=self.device)
        painted = self._compute(self._forwards["generator"], inputs)
        if config.adversarial:
            adversarial, discriminator = self._adversarial(painted, targets, learning_rate)
        if self._perceptual is not None and config.perceptual_weight:
            perceptual = self._compute(self._perceptual.loss, painted[:, :3], targets[:, :3])
        outputs, truth = networks.on_both_grounds(painted.float()), networks.on_both_grounds(targets)
        l1 = (outputs - truth).abs().mean()
        if config.gradient:
            gradient = networks.gradient_loss(outputs, truth)
        total = config.l1 * l1 + config.gradient * gradient
        total = total + config.perceptual_weight * perceptual + config.adversarial * adversarial
        total.backward()
        weights = list(self.generator.parameters())
        norm = nn.utils.clip_grad_norm_(weights, config.clip or math.inf)
        self.modules["generator"][1].update(learning_rate)
        with torch.no_grad():
            for weight, start in zip(weights, self._start, strict=False):
                weight.lerp_(start, learning_rate * config.anchor)
            if self.average is not None:
                decay = min(config.ema, (1 + number) / (AVERAGE_LAG + number))
                for mean, weight in zip(self.average.parameters(), weights, strict=True):
                    mean.lerp_(weight, 1 - decay)
                for average, latest in zip(self.average.buffers(), self.generator.buffers(), strict=True):
                    average.copy_(latest)
        return torch.stack([l1, gradient, perceptual, adversarial, discriminator, norm]).detach()

    def learn(
        self, sampler: PatchSampler, start: int = 0
    ) -> Iterator[tuple[int, Callable[[], dict[str, float]]]]:
        """Train up to `config.steps`, from step `start`.

        Yields after each step its number, from 1, and a function for the means of `TERMS` since its last
        call. Raises `SpecsiaError` at most `CHECK_EVERY` steps after a loss or a gradient that is not finite.
        """
        pending: list[Tensor] = []

        def means() -> dict[str, float]:
            values = torch.stack(pending).cpu()
            pending.clear()
            bad = (~values.isfinite()).nonzero()
            if len(bad):
                first, term = (int(i) for i in bad[0])
                raise SpecsiaError(
                    f"{TERMS[term]} of step {step - len(values) + first + 1} is not finite: "
                    "train with a lower learning_rate or precision float32"
                )
            return dict(zip(TERMS, values.mean(dim=0).tolist(), strict=True))

        for step, patches in enumerate(prefetched(sampler, start, self.config.steps), start + 1):
            pending.append(self.step(step - 1, *(to_device(side, self.device) for side in patches)))
            yield step, means
            if len(pending) >= CHECK_EVERY or (step == self.config.steps and pending):
                means()
