"""Small networks that score by colours and depths of four views which shows a character from the front.

``python -m benchmarks.front`` trains one.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import scipy
from numpy.lib.stride_tricks import sliding_window_view

from specsia_build.arrays import Floats
from specsia_build.frame import view_cameras
from specsia_build.networks.unet import read_tensors
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.layers import Layers

AROUND = ("-y", "+x", "+y", "-x")  # Horizontal axes, counter-clockwise seen from above, as the probe's views
_WEIGHTS = Path(__file__).parent / "weights"
FRONT_SIZE, MARGIN = 96, 1.04  # Pixels of a crop, and its side in lengths of the figure's
# Premultiplied colour, alpha, depth; units of the frame along which depth grows from 0 to 1
FRONT_CHANNELS, _DEPTH = 5, 1.7
BANDS = 12  # Horizontal bands of a figure that are measured
# Step between pixels that counts fully, and width of the window that must be inside
_STEP, _BORDER = 0.235, 5
FRONT_LEAK = 0.2  # Slope below 0 of the leaky rectifier after each layer but the last


def front_logits(views: Sequence[Layers]) -> dict[str, float]:
    """Logits of the axes that a Z-up character may face, by its views from each."""
    crops = inputs(views)
    measured = np.stack([measures(crop) for crop in crops])
    scores = np.mean([forward(crops, measured, tensors) for tensors in networks()], axis=0)
    return dict(zip(AROUND, scores.tolist(), strict=True))


def inputs(views: Sequence[Layers]) -> Floats:
    """Crops (4, `FRONT_SIZE`, `FRONT_SIZE`, `FRONT_CHANNELS`) float32 0-1 of a figure in each view."""
    crops = np.zeros((len(views), FRONT_SIZE, FRONT_SIZE, FRONT_CHANNELS), np.float32)
    for crop, view, camera in zip(crops, views, view_cameras(len(views), len(views[0].mask)), strict=True):
        if view.mask.any():
            box = box_around(view.mask > 0)
            side = MARGIN * max(8, *(along.stop - along.start for along in box))
            steps = ((np.arange(FRONT_SIZE) + 0.5) / FRONT_SIZE - 0.5) * side
            middles = ((along.start + along.stop) / 2 for along in box)
            # The border of a view is empty.
            down, across = ((middle + steps).astype(int).clip(0, len(view.mask) - 1) for middle in middles)
            pixels = np.ix_(down, across)
            crop[..., :4] = view.color[pixels] / np.float32(255)
            crop[..., :3] *= crop[..., 3:4]
            depth = 0.5 + view.position[pixels] @ camera.basis()[2].astype(np.float32) / _DEPTH
            crop[..., 4] = np.where(crop[..., 3] > 0, depth.clip(0, 1), 0)
    return crops


def measures(crop: Floats) -> Floats:
    """Asymmetry, contrast, width and place of each band of a crop, from the top, and the width of all."""
    on = crop[..., 3] > 0.5
    if not on.any():
        return np.zeros(4 * BANDS + 1, np.float32)
    box = box_around(on)
    height, width = (max(along.stop - along.start, 4) for along in box)
    at = np.arange(FRONT_SIZE) + 0.5
    bands = np.floor((at - box[0].start) / height * BANDS) == np.arange(BANDS)[:, None]
    pixels, places = bands @ on.sum(axis=1), bands @ (on @ at)
    planes = np.ascontiguousarray(crop[..., :4].transpose(2, 0, 1))
    steps = np.zeros((FRONT_SIZE, FRONT_SIZE), np.float32)
    steps[:-1] = np.abs(np.diff(planes[:3], axis=1)).max(axis=0)
    steps[:, :-1] = np.maximum(steps[:, :-1], np.abs(np.diff(planes[:3], axis=2)).max(axis=0))
    inner = scipy.ndimage.minimum_filter(crop[..., 3] > 0.9, _BORDER, mode="nearest")
    contrast = bands @ (np.minimum(steps, _STEP) * inner).sum(axis=1) / height**2
    apart = np.abs(planes - planes[:, :, ::-1]).max(axis=0)
    unlike = bands @ (apart * on).sum(axis=1) / np.maximum(pixels, 1)
    place = np.where(pixels > 0, places / np.maximum(pixels, 1) - (on @ at).sum() / on.sum(), 0) / height
    scaled = (3 * unlike, np.log(contrast + 3e-5) / 2 + 4, pixels * BANDS / height**2, 4 * place)
    return np.array([*np.concatenate(scaled), np.log(width / height)], np.float32)


@cache
def networks() -> tuple[Mapping[str, Floats], ...]:
    """The tensors of each network as float32: convolutions (3 * 3 * in, out), layers (in, out)."""
    return tuple(map(read_tensors, sorted(_WEIGHTS.glob("*.safetensors"))))


def forward(crops: Floats, measured: Floats, tensors: Mapping[str, Floats]) -> Floats:
    """Run a network on `inputs` and their `measures`; returns the logit of each view, (4,)."""
    seen = _features(crops, measured, tensors)
    around = np.stack([np.roll(seen, -k, axis=0).ravel() for k in range(len(crops))])
    return (layer(around, tensors, "around") @ tensors["score.weight"] + tensors["score.bias"])[:, 0]


def _features(crops: Floats, measured: Floats, tensors: Mapping[str, Floats]) -> Floats:
    """What a network sees in crops (N, `FRONT_SIZE`, `FRONT_SIZE`, C), each beside its `measures` (N, M)."""
    folded = _folded(crops).reshape(len(crops), FRONT_SIZE // 2, FRONT_SIZE // 2, -1)
    second = _convolved(_convolved(folded, tensors, "first"), tensors, "second")
    last = _folded(_convolved(_convolved(second, tensors, "third"), tensors, "fourth", 1)).max(axis=3)
    upper = np.split(second, 2, axis=1)[0].max(axis=(1, 2))
    seen = np.concatenate([last.reshape(len(crops), -1), upper], axis=1)
    return np.concatenate([layer(seen, tensors, "view"), measured], axis=1)


def layer(x: Floats, tensors: Mapping[str, Floats], name: str) -> Floats:
    """Run the layer `name` of a network on vectors (..., in)."""
    y = x @ tensors[f"{name}.weight"] + tensors[f"{name}.bias"]
    return np.asarray(np.maximum(y, np.float32(FRONT_LEAK) * y))


def _convolved(x: Floats, tensors: Mapping[str, Floats], name: str, stride: int = 2) -> Floats:
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
    return layer(windows.transpose(0, 1, 2, 4, 5, 3).reshape(*windows.shape[:3], -1), tensors, name)


def _folded(x: Floats) -> Floats:
    """Squares of 2 x 2 pixels of pictures (N, H, W, C) as (N, H / 2, W / 2, 4, C)."""
    count, half = len(x), x.shape[1] // 2
    squares = x.reshape(count, half, 2, half, 2, -1).transpose(0, 1, 3, 2, 4, 5)
    return squares.reshape(count, half, half, 4, -1)
