"""Trained models as functions from encoded pictures to painted ones; `tiny` runs without torch."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Floats
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.encoding import CANDIDATES, TARGET_CHANNELS, input_channels
from specsia_build.networks import unet

NamedWeights = Mapping[str, NDArray[Any]]
"""Weights by the names of torch; those of convolutions are (out, in, height, width)."""


class Predictor(NamedTuple):
    """A trained model, ready to repair.

    Attributes:
        predict: maps an encoded picture (H, W, C) float32 of any size to (H, W, 4) float32, all in [-1, 1].
        weights: what the result depends on besides the configuration.
    """

    config: ModelConfig
    predict: Callable[[Floats], Floats]
    weights: NamedWeights


class Geometry(NamedTuple):
    """Sides are padded to a `multiple`, and pixels farther away than `reach` have no influence."""

    multiple: int
    reach: int


GEOMETRY = {"tiny": Geometry(8, 56), "paper": Geometry(4, 80)}

TINY_WIDTHS = (20, 36, 64, 96)
SHARPNESS = 2.0  # Factor of a blend's logits: a network of small weights soon chooses between colours
MASK_PULL = 3.0  # Logit of alpha that Zmask alone gives: 0.95 inside, 0.05 outside
BLEND_BOUND = 6.0
"""Outputs before a blend are kept within this, positive and negative. Far outside, alpha and weights have
almost no gradient, so that a training that gets there cannot return."""


def tiny_channels(config: ModelConfig) -> dict[str, tuple[int, int]]:
    """Channels of the input and of the result of each part of `tiny`, by name."""
    a, b, c, d = TINY_WIDTHS
    return {
        "first": (input_channels(config), a),
        "down.0": (a, b),
        "down.1": (b, c),
        "down.2": (c, d),
        "up.0": (d + c, c),
        "up.1": (c + b, b),
        "up.2": (b + a, a),
        "head": (a, TARGET_CHANNELS + (len(CANDIDATES) if config.sees_drawing else 0)),
    }


def tiny_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights of `tiny`. All parts but the head are two convolutions, named 0 and 2."""
    shapes: dict[str, tuple[int, ...]] = {}
    for part, (inputs, outputs) in tiny_channels(config).items():
        layers = {part: inputs} if part == "head" else {f"{part}.0": inputs, f"{part}.2": outputs}
        for name, seen in layers.items():
            shapes |= {f"{name}.weight": (outputs, seen, 3, 3), f"{name}.bias": (outputs,)}
    return shapes


def tiny_predictor(config: ModelConfig, weights: NamedWeights) -> Predictor:
    """Make a predictor of the weights of `tiny_shapes`, which runs on one core of the CPU in float32."""
    tensors = {name: tensor.astype(np.float32) for name, tensor in weights.items()}
    layers = unet.layers_of({n: t.transpose(2, 3, 1, 0) if t.ndim == 4 else t for n, t in tensors.items()})
    multiple = GEOMETRY["tiny"].multiple

    def predict(x: Floats) -> Floats:
        height, width = x.shape[:2]
        seen = np.pad(x, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="edge")
        output = unet.run(seen, layers)[:height, :width]
        painted = _blend(x, output) if config.sees_drawing else x[..., :TARGET_CHANNELS] + output
        return np.asarray(painted.clip(-1, 1))

    return Predictor(config, predict, tensors)


def _blend(x: Floats, output: Floats) -> Floats:
    """Colour on white and alpha (H, W, 4) from an input and the head's output; see `networks.Tiny`."""
    # Planes are as fast as memory; rows of three numbers are not.
    inputs, head = (np.ascontiguousarray(picture.transpose(2, 0, 1)) for picture in (x, output))
    head = np.float32(BLEND_BOUND) * np.tanh(head / np.float32(BLEND_BOUND))
    weights = np.exp(np.float32(SHARPNESS) * (head[TARGET_CHANNELS:] - head[TARGET_CHANNELS:].max(axis=0)))
    weights /= weights.sum(axis=0)
    colour = np.tanh(head[:3])
    for weight, first in zip(weights, CANDIDATES, strict=True):
        colour += weight * inputs[first : first + 3]
    ink = inputs[CANDIDATES[-1] : CANDIDATES[-1] + 3]
    colour += (1 - inputs[3]) / 2 * (ink - ink.mean(axis=0))
    alpha = 1 / (1 + np.exp(-(head[3] + np.float32(MASK_PULL) * inputs[3])))
    return np.stack([*(alpha * colour + (1 - alpha)), 2 * alpha - 1], axis=2)
