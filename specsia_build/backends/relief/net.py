"""The network of `relief` without torch, and its input: a square crop of a drawing and a palette, at 128 px.

A U-net of 3 x 3 convolutions, compiled, whose sums have one order.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Floats
from specsia_build.backends.relief.sheets import SIZE
from specsia_build.jit import compiled, ready
from specsia_build.networks import unet
from specsia_build.networks.unet import Kernels
from specsia_build.pictures.films import over
from specsia_build.pictures.masks import continued, distance_to
from specsia_build.pictures.palettes import COLOURS
from specsia_build.rendering.layers import HALF_COVERED

WEIGHTS_FILE = Path(__file__).parent / "weights" / "weights.safetensors"

KEY_CHANNELS = 16  # Channels by which pixels of the back are matched with colours of the drawing
GUIDES, TRUST = 3, 4.0  # Guides of `guides`, and the logit per unit of the network's trust in one
# Channels for each pixel: middle, thickness, copy, trust in each guide, and its query
OUTPUTS = 3 + GUIDES + KEY_CHANNELS
BOUND = 8.0  # Bound of the network's output, by a hyperbolic tangent
THICKNESS = 0.15  # Half thickness, in lengths of the figure's longest side, per unit of the network's output
CROP_SAMPLES, CROP_ROUNDS = 1000, 6  # Pixels that a palette is made of, and rounds of k-means
_FARTHEST = 16.0  # Pixels of a crop from the contour that are one unit of the network's input
# Channels of the network's input: red, green, blue, alpha, x, y, length, distance to the contour
CHANNELS = 8
RIM = 4.0  # Pixels of a crop from the contour within which a colour is one of the rim
_AROUND, _ALONG = (3.0, 1.0), (1.0, 3.0)  # Costs of steps down and sideways in two searches: clothes, hair


def kept_on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
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
    distance = distance_to(crop[..., 3] < HALF_COVERED)
    channels[..., 7] = np.minimum(distance / _FARTHEST, 4)
    return channels


def guides(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Likely colours of pixels of the back (3, S, S): the front's, and the rim's by `_AROUND` and `_ALONG`.

    `labels` (S, S) are indices of colours in the palette, `COLOURS` where a pixel has none.
    """
    inside = labels < COLOURS
    rim = inside & (distance_to(~inside) <= RIM)
    return np.stack([labels, *(continued(labels, rim, steps) for steps in (_AROUND, _ALONG))])


@cache
def layers_of(path: Path) -> Kernels:
    """The network's layers from a file of weights, whose convolutions are (3, 3, in, out)."""
    return unet.layers_of(unet.read_tensors(path))


def folded(x: Floats) -> Floats:
    """Squares of four pixels (S / 2, S / 2, 4 C) of pixels (S, S, C)."""
    half, channels = len(x) // 2, x.shape[2]
    return x.reshape(half, 2, half, 2, channels).transpose(0, 2, 4, 1, 3).reshape(half, half, 4 * channels)


def forward(x: Floats, layers: Kernels) -> tuple[Floats, Floats]:
    """Run the network: outputs (S, S, `OUTPUTS`) and keys (S / 2, S / 2, `KEY_CHANNELS`) float32.

    Args:
        x: (S, S, C) float32, see `inputs`.
        layers: see `layers_of`.
    """
    size = len(x)
    half = len(x) // 2
    out = np.float32(BOUND) * np.tanh(unet.run(folded(x), layers) / np.float32(BOUND))
    pixels = out[..., : 4 * OUTPUTS].reshape(half, half, OUTPUTS, 2, 2).transpose(0, 3, 1, 4, 2)
    return pixels.reshape(size, size, OUTPUTS), out[..., 4 * OUTPUTS :]


@compiled
def _palette_logits(predicted, key, labels, guided, out):  # type: ignore[no-untyped-def]
    """Fill `out` (S, S, COLOURS) where a colour is in `labels`; see `decode`.

    A colour's key is the mean of `key` over its pixels. Its logit is a pixel's query times that, and what the
    network trusts of the guides that say this colour. Sums have one order.
    """
    sums, counts = np.zeros((COLOURS, KEY_CHANNELS)), np.zeros(COLOURS)
    here = np.zeros(COLOURS + 1)  # Pixels of each colour, and of none, in a square of four
    for row in range(key.shape[0]):
        for column in range(key.shape[1]):
            here[:] = 0
            for i in range(2):
                for j in range(2):
                    here[labels[2 * row + i, 2 * column + j]] += 1
            for number in range(COLOURS):
                if here[number] > 0:
                    counts[number] += here[number]
                    for c in range(KEY_CHANNELS):
                        sums[number, c] += here[number] * key[row, column, c]
    scale, middle = np.float32(KEY_CHANNELS**0.5), KEY_CHANNELS // 2
    mean, products = np.empty(KEY_CHANNELS, np.float32), np.empty(middle, np.float32)
    for number in range(COLOURS):
        if counts[number] == 0:
            continue
        for c in range(KEY_CHANNELS):
            mean[c] = sums[number, c] / counts[number]
        for row in range(out.shape[0]):
            for column in range(out.shape[1]):
                query = predicted[row, column, 3 + GUIDES :]
                for c in range(middle):
                    products[c] = query[c] * mean[c] + query[c + middle] * mean[c + middle]
                count = middle
                while count > 1:
                    count //= 2
                    for c in range(count):
                        products[c] = products[2 * c] + products[2 * c + 1]
                hint = np.float32(0)
                for guide in range(GUIDES):
                    if guided[guide, row, column] == number:
                        hint += np.float32(TRUST) * predicted[row, column, 3 + guide]
                out[row, column, number] = products[0] / scale + hint


def decode(predicted: Floats, key: Floats, labels: NDArray[np.intp], length: float) -> tuple[Floats, Floats]:
    """Depths and colours from the outputs of `forward`; see `guides` and `inputs`.

    Returns:
        (S, S, 2) float32 height towards the viewer of front and back, in lengths of the figure's longest
        side; and (S, S, COLOURS + 1) float32 logits of each colour of the palette and of a copy of the front.
    """
    half = np.logaddexp(np.float32(0), predicted[..., 1]) * np.float32(THICKNESS)
    depth = np.stack([predicted[..., 0] + half, predicted[..., 0] - half], axis=-1) / np.float32(length or 1)
    logits = np.full((*labels.shape, COLOURS + 1), -1e4, np.float32)
    chosen, guided = (ready(numbers, np.int64) for numbers in (labels, guides(labels)))
    _palette_logits(ready(predicted), ready(key), chosen, guided, logits)
    logits[..., COLOURS] = predicted[..., 2]
    return depth.astype(np.float32), logits
