"""The default backend: a small network tells from one picture how deep its figure is and what its back looks like.

The network sees a crop of 128 px. Front and back become two sheets that meet on the silhouette's contour. The picture
colours the front; each pixel of the back takes one of the picture's own colours, or that of the front's pixel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.backends.base import Backend, Context
from specsia_build.backends.relief import net
from specsia_build.backends.relief.drawing import (
    COLOURS,
    FULL,
    SIZE,
    Crop,
    extended,
    inputs,
    on_white,
    palette_of,
)
from specsia_build.backends.relief.surface import figure_of, surface_of, textured
from specsia_build.errors import UsageError
from specsia_build.frame import ORTHO_WIDTH
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh

ROOM = 0.93
"""Units that a framed figure's width and height must stay below for its length to be its longest side."""

LEAST, COPY = -1e3, 1.0
"""Logits below are of no colour; and by how much that of a copy of the front must exceed others: with none the back
keeps pieces of faces."""

SMOOTHING = 1.0
"""Pixels of the crop over which the choice of colours is smoothed, so that regions have even borders."""


Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Relief(Backend):
    """Backend that makes a mesh of two sheets by a network."""

    name: str = "relief"
    version: int = 1
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    generates: bool = True
    compiles: bool = True
    sees_back: bool = True

    def settings(self) -> Mapping[str, Any]:
        return {"weights": _digest()}

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """A closed, textured mesh that fills the picture's silhouette, in the scale of the frontal camera.

        Args:
            image: (S, S, 4) uint8 sRGB, straight alpha, see `check_image`.
            context: whether the picture is the frame's own view, and the back if it is drawn; there is nothing random.

        Raises:
            CharacterError: if the picture is not square or too small, or shows nothing.
        """
        return reconstructed(image, context.back, framed=context.framed)


def create(argument: str | None) -> Relief:
    """The backend for ``relief``.

    Raises:
        UsageError: if there is an argument.
    """
    if argument is not None:
        raise UsageError("relief takes no argument")
    return Relief()


@cache
def _digest() -> str:
    return hashlib.sha256(net.WEIGHTS.read_bytes()).hexdigest()


def reconstructed(image: NDArray[np.uint8], back: NDArray[np.uint8] | None = None, *, framed: bool = False) -> Mesh:
    """The mesh of a picture, with a back of its own if there is one.

    Args:
        image: (S, S, 4) uint8 sRGB, straight alpha.
        back: (S, S, 4) uint8, the figure from behind in the same place, where it is drawn; None where it is not.
        framed: whether the picture is the frame's own view.

    Raises:
        CharacterError: if the picture cannot be used.
    """
    figure = figure_of(image)
    picture, crop = figure.picture, figure.crop
    front, trusted = extended(picture)
    small = crop.resized(on_white(picture))
    inside = small[..., 3] >= HALF_COVERED
    own = np.asarray(crop.nearest(trusted & (picture[..., 3] >= FULL))) & inside
    own = own if own.any() else inside
    labels = np.full((SIZE, SIZE), COLOURS)
    palette, labels[own] = palette_of(small[own, :3].astype(np.float32))
    length = min(crop.figure * ORTHO_WIDTH / figure.size, 1.0) if framed else 0.0
    depth, logits = _told(small, labels, length)
    if length:
        depth = _as_long(depth, inside, length)
    surface = surface_of(figure, depth)
    if back is None:
        behind = _coloured(front, palette, logits, crop)
    else:
        behind = extended(np.ascontiguousarray(back[:, ::-1][figure.window]))[0]
    return textured(figure, surface, front, behind, "relief")


def _told(small: NDArray[np.uint8], labels: NDArray[np.intp], length: float) -> tuple[Floats, Floats]:
    """See `net.read_out`: the mean of what the network tells of a crop and of its mirror image, continued outwards."""
    tensors = net.weights()
    straight = net.read_out(*net.forward(inputs(small, length), tensors), labels, length)
    mirrored = net.read_out(*net.forward(inputs(small[:, ::-1], length), tensors), labels[:, ::-1], length)
    inside = small[..., 3] >= FULL if (small[..., 3] >= FULL).any() else small[..., 3] >= HALF_COVERED
    nearest = scipy.ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    depth, logits = ((a + b[:, ::-1])[tuple(nearest)] / 2 for a, b in zip(straight, mirrored, strict=True))
    return depth, logits


def _as_long(depth: Floats, inside: NDArray[np.bool_], length: float) -> Floats:
    """Depths of a framed figure with the length that its frame tells: that of its longest side, or at most that."""
    middle = depth[inside].mean()
    reach = float(depth[inside, 0].max() - depth[inside, 1].min())
    factor = 1 / (length * reach)
    return np.asarray(middle + (depth - middle) * np.float32(factor if length < ROOM else min(factor, 1.0)))


def _coloured(front: NDArray[np.uint8], palette: Floats, logits: Floats, crop: Crop) -> NDArray[np.uint8]:
    """The back (H, W, 3) uint8 seen through the front: in each pixel the colour of the largest logit."""
    height, width = front.shape[:2]
    best, chosen = np.full((height, width), -np.inf, np.float32), np.zeros((height, width), np.intp)
    for number in range(COLOURS + 1):
        if logits[..., number].max() > LEAST:
            soft = scipy.ndimage.gaussian_filter(logits[..., number], SMOOTHING)
            value = crop.enlarged(soft, (height, width)) - COPY * (number == COLOURS)
            chosen[value > best] = number
            best = np.maximum(best, value)
    colours = np.concatenate([palette, np.zeros((1, 3), np.float32)])[chosen]
    return np.where((chosen == COLOURS)[..., None], front, np.rint(colours)).astype(np.uint8)
