"""The network of `relief` without torch, and its input: a square crop of a drawing and a palette, at 128 px.

A U-net of 3 x 3 convolutions, compiled, whose sums have one order.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray
from safetensors.numpy import load_file

from specsia_build.arrays import Floats
from specsia_build.backends.relief.sheets import SIZE
from specsia_build.jit import compiled
from specsia_build.pictures.films import over
from specsia_build.pictures.masks import continued
from specsia_build.pictures.palettes import COLOURS
from specsia_build.rendering.layers import HALF_COVERED

WEIGHTS_FILE = Path(__file__).parent / "weights" / "weights.safetensors"

LEAK = 0.2  # Slope below 0 of the leaky rectifier after each convolution but the last
KEY_CHANNELS = 16  # Channels by which pixels of the back are matched with colours of the drawing
GUIDES, TRUST = 3, 4.0  # Guides of `guides`, and the logit per unit of the network's trust in one
# Channels for each pixel: middle, thickness, copy, trust in each guide, and its query
OUTPUTS = 3 + GUIDES + KEY_CHANNELS
BOUND = 8.0  # Bound of the network's output, by a hyperbolic tangent
THICKNESS = 0.15  # Half thickness, in lengths of the figure's longest side, per unit of the network's output
UNROLL = 4  # Pixels of a row that are computed together
CROP_SAMPLES, CROP_ROUNDS = 1000, 6  # Pixels that a palette is made of, and rounds of k-means
_FARTHEST = 16.0  # Pixels of a crop from the contour that are one unit of the network's input
# Channels of the network's input: red, green, blue, alpha, x, y, length, distance to the contour
CHANNELS = 8
RIM = 4.0  # Pixels of a crop from the contour within which a colour is one of the rim
_AROUND, _ALONG = (3.0, 1.0), (1.0, 3.0)  # Costs of steps down and sideways in two searches: clothes, hair


def on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 4) uint8 with straight alpha, laid on white, its alpha kept."""
    return np.dstack([over(picture, 255), picture[..., 3]])


def inputs(crop: NDArray[np.uint8], length: float) -> Floats:
    """The network's input (SIZE, SIZE, CHANNELS) float32, about -1 to 1, of a crop (SIZE, SIZE, 4) on white.

    `length` is the longest side of the figure's box in the picture, over that in space; 0 if not known.
    """
    channels = np.empty((SIZE, SIZE, CHANNELS), np.float32)
    channels[..., :4] = crop.astype(np.float32) / 127.5 - 1
    steps = (np.arange(SIZE, dtype=np.float32) + 0.5) * 2 / SIZE - 1
    channels[..., 4] = steps[None]
    channels[..., 5] = steps[:, None]
    channels[..., 6] = length
    distance = scipy.ndimage.distance_transform_edt(crop[..., 3] >= HALF_COVERED)
    channels[..., 7] = np.minimum(distance / _FARTHEST, 4)
    return channels


def guides(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Likely colours of pixels of the back (3, S, S): the front's, and the rim's by `_AROUND` and `_ALONG`.

    `labels` (S, S) are indices of colours in the palette, `COLOURS` where a pixel has none.
    """
    inside = labels < COLOURS
    rim = inside & (scipy.ndimage.distance_transform_edt(inside) <= RIM)
    return np.stack([labels, *(continued(labels, rim, steps) for steps in (_AROUND, _ALONG))])


@compiled
def _convolved(x, weights, bias, stride, leak):  # type: ignore[no-untyped-def]
    """Convolution of (H + 2, W + 2, C) float32 by (3, 3, C, D), leaky rectifier: (H / stride, W / stride, D).

    W / stride is a multiple of `UNROLL`.
    """
    count = weights.shape[3]
    out = np.empty(((x.shape[0] - 2) // stride, (x.shape[1] - 2) // stride, count), np.float32)
    for row in range(out.shape[0]):
        for first in range(0, out.shape[1], UNROLL):
            sums = out[row, first : first + UNROLL]
            for u in range(UNROLL):
                sums[u] = bias
            for i in range(3):
                for j in range(3):
                    for c in range(x.shape[2]):
                        for u in range(UNROLL):
                            value = x[row * stride + i, (first + u) * stride + j, c]
                            for d in range(count):
                                sums[u, d] += value * weights[i, j, c, d]
            for u in range(UNROLL):
                for d in range(count):
                    sums[u, d] = sums[u, d] if sums[u, d] > 0 else sums[u, d] * leak
    return out


@cache
def tensors_of(path: Path) -> Mapping[str, Floats]:
    """The network's tensors, as float32; convolutions are (3, 3, in, out)."""
    return {name: tensor.astype(np.float32) for name, tensor in load_file(path).items()}


def forward(x: Floats, tensors: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Run the network: outputs (S, S, `OUTPUTS`) and keys (S / 2, S / 2, `KEY_CHANNELS`) float32.

    Args:
        x: (S, S, C) float32, see `inputs`.
        tensors: see `tensors_of`.
    """

    def convolved(x: Floats, name: str, stride: int = 1, leak: float = LEAK) -> Floats:
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        kernel = tensors[f"{name}.weight"]
        bias = tensors[f"{name}.bias"]
        return np.asarray(_convolved(padded, kernel, bias, stride, np.float32(leak)))

    size = len(x)
    half = len(x) // 2
    channels = x.shape[2]
    folded = x.reshape(half, 2, half, 2, channels).transpose(0, 2, 4, 1, 3).reshape(half, half, 4 * channels)
    levels = [convolved(convolved(folded, "first.0"), "first.2")]
    depth = sum(name.startswith("down.") and name.endswith(".0.weight") for name in tensors)
    for level in range(depth):
        levels.append(convolved(convolved(levels[-1], f"down.{level}.0", 2), f"down.{level}.2"))
    y = levels.pop()
    for level in range(depth):
        y = np.concatenate([y.repeat(2, axis=0).repeat(2, axis=1), levels.pop()], axis=2)
        y = convolved(convolved(y, f"up.{level}.0"), f"up.{level}.2")
    out = np.float32(BOUND) * np.tanh(convolved(y, "head", leak=1.0) / np.float32(BOUND))
    pixels = out[..., : 4 * OUTPUTS].reshape(half, half, OUTPUTS, 2, 2).transpose(0, 3, 1, 4, 2)
    return pixels.reshape(size, size, OUTPUTS), out[..., 4 * OUTPUTS :]


def decode(predicted: Floats, key: Floats, labels: NDArray[np.intp], length: float) -> tuple[Floats, Floats]:
    """Depths and colours from the outputs of `forward`; see `guides` and `inputs`.

    Returns:
        (S, S, 2) float32 height towards the viewer of front and back, in lengths of the figure's longest
        side; and (S, S, COLOURS + 1) float32 logits of each colour of the palette and of a copy of the front.
    """
    half = np.logaddexp(np.float32(0), predicted[..., 1]) * np.float32(THICKNESS)
    depth = np.stack([predicted[..., 0] + half, predicted[..., 0] - half], axis=-1) / np.float32(length or 1)
    logits = np.full((*labels.shape, COLOURS + 1), -1e4, np.float32)
    guided, trust = guides(labels), np.moveaxis(predicted[..., 3 : 3 + GUIDES], 2, 0)
    query = predicted[..., 3 + GUIDES :]
    size = len(key)
    for number in range(COLOURS):
        hot = (labels == number).reshape(size, 2, size, 2).sum(axis=(1, 3))
        if hot.any():
            mean = (key * hot[..., None]).sum(axis=(0, 1), dtype=np.float64) / hot.sum()
            hints = np.where(guided == number, np.float32(TRUST) * trust, 0).sum(axis=0)
            logits[..., number] = (query * mean.astype(np.float32)).sum(axis=2) / np.float32(
                KEY_CHANNELS**0.5
            ) + hints
    logits[..., COLOURS] = predicted[..., 2]
    return depth.astype(np.float32), logits
