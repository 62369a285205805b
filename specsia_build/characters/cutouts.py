"""Opacity that an image of its own says, beside that of a colour."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build import memory
from specsia_build.characters.images import TEXEL_COST

Channel = Literal["alpha", "color", "either"]
"""What of an image is the opacity: its alpha, its luminance, or its alpha where it has any."""


def opacity_in(image: NDArray[np.uint8], channel: Channel = "either", *, turned: bool = False) -> NDArray[np.uint8]:
    """The opacity, (H, W) uint8, that an image (H, W, 4) holds; `turned` where what it holds is transparency."""
    alpha = image[..., 3]
    if channel == "color" or (channel == "either" and (alpha == 255).all()):
        alpha = np.asarray(Image.fromarray(np.ascontiguousarray(image[..., :3])).convert("L"))
    return 255 - alpha if turned else alpha


def with_opacity(colour: NDArray[np.uint8] | None, opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels of a colour, (H, W, 4) uint8, white where it is None, with an opacity (h, w) that may be of another size.

    Raises:
        CostError: if that takes more memory than is left for the character.
    """
    if colour is None:
        colour = np.full((*opacity.shape, 4), 255, np.uint8)
    # The larger of the two keeps its details: a strand is drawn in the opacity, and its colour may be one texel.
    height, width = (max(one) for one in zip(colour.shape[:2], opacity.shape, strict=True))
    memory.take(TEXEL_COST * height * width)
    return np.dstack([_sized(np.ascontiguousarray(colour[..., :3]), width, height), _sized(opacity, width, height)])


def _sized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
