"""Adam against its published formula, and that its state is all that it needs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from specsia_build.dravie.train.loop import Adam

GRADIENTS = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _updated(optimiser: Adam, weight: Tensor, gradients: Tensor) -> Tensor:
    for step, gradient in enumerate(gradients):
        weight.grad = gradient.float()
        optimiser.update(0.1 / (1 + step))
    return weight


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_weights_follow_the_formula(decay: float) -> None:
    weight = torch.ones(5, 3)
    _updated(Adam([weight], decay), weight, GRADIENTS)
    expected, mean, square = torch.ones(5, 3, dtype=torch.float64), 0.0, 0.0
    for step, gradient in enumerate(GRADIENTS):
        pulled = gradient + decay * expected
        mean, square = 0.9 * mean + 0.1 * pulled, 0.999 * square + 0.001 * pulled**2
        whole = (square / (1 - 0.999 ** (step + 1))) ** 0.5 + 1e-8
        expected = expected - 0.1 / (1 + step) * mean / (1 - 0.9 ** (step + 1)) / whole
    assert torch.allclose(weight.double(), expected, atol=1e-6)
    assert weight.grad is None


def test_it_goes_on_from_its_state() -> None:
    weight = torch.ones(5, 3)
    optimiser = Adam([weight])
    _updated(optimiser, weight, GRADIENTS[:3])
    again = weight.clone()
    resumed = Adam([again])
    resumed.restore(optimiser.state())
    assert torch.equal(_updated(optimiser, weight, GRADIENTS[:3]), _updated(resumed, again, GRADIENTS[:3]))
