"""Adam with a state that is a flat dictionary of tensors.

`torch.optim.Adam` has the same arithmetic, but imports torch's compiler, which takes longer than torch itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.optim.adam import adam

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Adam:
    """Adam (Kingma and Ba, 2015) in torch's fused form, with weight decay added to the gradients."""

    def __init__(self, weights: Iterable[Tensor], weight_decay: float = 0.0) -> None:
        self._weights, self._weight_decay = list(weights), weight_decay
        self._steps = [torch.zeros((), device=weight.device) for weight in self._weights]
        self._means = [torch.zeros_like(weight) for weight in self._weights]
        self._squares = [torch.zeros_like(weight) for weight in self._weights]

    @torch.no_grad()
    def update(self, learning_rate: float) -> None:
        """Update the weights by their gradients, and clear these."""
        adam(
            self._weights,
            [weight.grad for weight in self._weights if weight.grad is not None],
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=learning_rate,
            weight_decay=self._weight_decay,
            eps=EPSILON,
            maximize=False,
        )
        for weight in self._weights:
            weight.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return the optimiser's tensors, not copied, named by the numbers of the weights."""
        kept = {"step": self._steps, "exp_avg": self._means, "exp_avg_sq": self._squares}
        return {f"{number}.{name}": tensor for name, tensors in kept.items() for number, tensor in enumerate(tensors)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Load the result of `state`; raises `ValueError` if it is of other weights."""
        own = self.state()
        if {name: tensor.shape for name, tensor in own.items()} != {name: t.shape for name, t in state.items()}:
            raise ValueError("the state of the optimiser is of other weights")
        for name, tensor in own.items():
            # The fused update runs over memory, so moments keep their layout, which is that of their weights.
            tensor.copy_(state[name])
