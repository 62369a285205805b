"""Convolutions of any size give the plain sums to the bit, whatever the processor's vectors."""

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.networks.convolution import BLOCK, LEAK, TILE_WIDTH, convolved, kernel_of
from tests.rendering.scenes import digest_without_wide_vectors

Array = NDArray[np.float32]


def case(shape: tuple[int, int, int, int]) -> tuple[Array, Array, Array]:
    """An input with its border, weights and a bias, whose sums have other bits in another order."""
    height, width, inputs, outputs = shape
    rng = np.random.default_rng(shape)
    x = np.zeros((height + 2, width + 2, inputs), np.float32)
    x[1:-1, 1:-1] = rng.normal(size=(height, width, inputs)) * np.exp(3 * rng.normal(size=inputs))
    weight, bias = rng.normal(size=(3, 3, inputs, outputs)), rng.normal(size=outputs)
    return x, weight.astype(np.float32), bias.astype(np.float32)


def plain(x: Array, weight: Array, bias: Array, stride: int, leak: float) -> Array:
    """The same with a border of 0, one product after the other, each rounded once with its sum."""
    height, width = ((side - 2) // stride for side in x.shape[:2])
    sums = np.broadcast_to(bias, (height, width, len(bias))).copy()
    for row, column, channel in np.ndindex(weight.shape[:3]):
        seen = x[row : row + stride * height : stride, column : column + stride * width : stride, channel]
        # A product of two float32 is exact as float64.
        products = seen[..., None].astype(np.float64) * weight[row, column, channel]
        sums = (sums + products).astype(np.float32)
    sums = np.where(sums > 0, sums, sums * np.float32(leak))
    return np.pad(sums, ((1, 1), (1, 1), (0, 0)))


@pytest.mark.parametrize("leak", [LEAK, 1.0])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("outputs", [1, 9, 16, 20, BLOCK, BLOCK + 4, 2 * BLOCK])
@pytest.mark.parametrize("size", [(2, 2, 3), (4, 2 * TILE_WIDTH, 1), (6, 2 * TILE_WIDTH + 2, 7), (2, 26, 40)])
def test_sums_to_the_bit(size: tuple[int, int, int], outputs: int, stride: int, leak: float) -> None:
    x, weight, bias = case((*size, outputs))
    found = convolved(x, kernel_of(weight, bias), stride, leak)
    np.testing.assert_array_equal(found, plain(x, weight, bias, stride, leak), strict=True)


def digest() -> str:
    x, *weights = case((8, 10, 12, 40))
    return hashlib.sha256(convolved(x, kernel_of(*weights)).tobytes()).hexdigest()


def test_same_without_wide_vectors() -> None:
    assert digest_without_wide_vectors(__name__) == digest()
