"""What is kept of each view until all views of a character can be compared: little, as many wait at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import Camera, decode_position
from specsia_build.rendering.layers import HALF_COVERED

GRID = 128
"""Samples along a side of the picture."""

Colours = NDArray[np.uint8]


@dataclass(frozen=True)
class Glimpse:
    """One view: every so-manieth pixel, (n, n, ...) each, and the whole silhouettes.

    Attributes:
        gt, color: RGB levels, uint8.
        silhouettes: alpha of `gt_mask` and of `mask`, uint8.
        outlines: `gt_mask` and `mask` at half coverage, every pixel, as packed bits.
        copied: whether `mask` is `gt_mask` to the byte.
        points: positions on the reconstruction in units, in the character's frame, float32.
        solid: where `mask` is fully covered.
        both: where `mask` and `gt_mask` are fully covered.
        camera: of the whole picture.
        stride: pixels from a sample to the next.
    """

    gt: Colours
    color: Colours
    silhouettes: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    outlines: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    copied: bool
    points: NDArray[np.float32]
    solid: NDArray[np.bool_]
    both: NDArray[np.bool_]
    camera: Camera
    stride: int

    def outline(self, which: int) -> NDArray[np.bool_]:
        """Silhouette (H, W) at half coverage, 0 that of `gt_mask`, 1 that of `mask`."""
        size = self.camera.size
        return np.unpackbits(self.outlines[which], count=size * size).reshape(size, size).astype(bool)


def glimpse(
    pixels: Mapping[str, NDArray[np.uint8]],
    camera: Camera,
    box: tuple[Sequence[float], Sequence[float]],
    pos_frame: str,
) -> Glimpse:
    """A glimpse of a pair's whole images of the size of the camera's."""
    stride = max(1, camera.size // GRID)
    sampled = {name: image[stride // 2 :: stride, stride // 2 :: stride] for name, image in pixels.items()}
    points = decode_position(sampled["pos"][..., :3], *box)
    if pos_frame == "view":
        points = points @ camera.turn()
    solid = sampled["mask"] == 255
    return Glimpse(
        gt=sampled["gt"][..., :3].copy(),
        color=sampled["color"][..., :3].copy(),
        silhouettes=(sampled["gt_mask"].copy(), sampled["mask"].copy()),
        outlines=(np.packbits(pixels["gt_mask"] >= HALF_COVERED), np.packbits(pixels["mask"] >= HALF_COVERED)),
        copied=np.array_equal(pixels["gt_mask"], pixels["mask"]),
        points=points.astype(np.float32),
        solid=solid,
        both=solid & (sampled["gt_mask"] == 255),
        camera=camera,
        stride=stride,
    )
