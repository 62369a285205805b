"""The six canonical views that a multi-view diffusion network is asked for, as they would be without its mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh

Floats = NDArray[np.float32]

VIEW_SIZE = 256
"""Pixels of each side of a view: what Wonder3D's network makes."""

YAWS = {"front": 0.0, "front-right": 45.0, "right": 90.0, "back": 180.0, "left": 270.0, "front-left": 315.0}
"""Yaw of each view's `Camera`. As in Wonder3D there is none between back and side. "Right" is the right hand of one who
looks at the character: that camera stands at +x and sees the character's own left side."""

FRONT, RIGHT, BACK, LEFT = 0, 2, 3, 4
"""Order of those views in `YAWS`."""

OPPOSITE = {FRONT: BACK, RIGHT: LEFT}
"""Views whose silhouettes mirror each other's."""


@dataclass(frozen=True)
class View:
    """One canonical view.

    Attributes:
        camera: what the fusion takes for the camera that saw it.
        color: (H, H, 3) float32 sRGB-encoded 0-1, premultiplied by `coverage`.
        coverage: (H, H) float32 0-1.
        depth: (H, H) float32 units along the camera's forward direction, of the nearest surface; 0 where none is.
    """

    camera: Camera
    color: Floats
    coverage: Floats
    depth: Floats


def cameras() -> tuple[Camera, ...]:
    """The canonical cameras in the order of `YAWS`."""
    return tuple(Camera(yaw, VIEW_SIZE) for yaw in YAWS.values())


def depth_along(camera: Camera, position: NDArray[np.floating], covered: NDArray[np.bool_]) -> Floats:
    """Depth (H, H) float32 of a position image (H, H, 3) where it is covered, else 0."""
    forward = camera.basis()[2].astype(np.float32)
    return np.where(covered, position @ forward, np.float32(0)).astype(np.float32)


def canonical_views(mesh: Mesh, image: NDArray[np.uint8], turns: Sequence[float]) -> Iterator[View]:
    """The views in the order of `YAWS`; the front is the picture itself.

    Args:
        mesh: the ground truth in the frame.
        image: (S, S, 4) uint8 sRGB, straight alpha: the frontal view.
        turns: degrees by which each view is seen from beside its camera, the front's included (its depth only).
    """
    seen = [Camera(c.yaw_deg + turn, VIEW_SIZE) for c, turn in zip(cameras(), turns, strict=True)]
    for k, (camera, layers) in enumerate(zip(cameras(), FastRenderer().render(mesh, seen), strict=True)):
        depth = depth_along(seen[k], layers.position, layers.coverage > 0)
        pixels = _resized(image) if k == 0 else layers.color
        coverage = pixels[..., 3].astype(np.float32) / np.float32(255)
        color = pixels[..., :3].astype(np.float32) / np.float32(255) * coverage[..., None]
        yield View(camera, color, coverage, depth)


def _resized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # Premultiplied, so that what alpha hides does not bleed into the rim.
    whole = Image.fromarray(image, "RGBA").convert("RGBa")
    return np.asarray(whole.resize((VIEW_SIZE, VIEW_SIZE), Image.Resampling.BILINEAR).convert("RGBA"))
