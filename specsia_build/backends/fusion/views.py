"""The six canonical views of a multi-view diffusion network, without its errors."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.frame import Camera
from specsia_build.jit import compiled
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh

Floats = NDArray[np.float32]

VIEW_SIZE = 256  # Width and height of a view in pixels, as of Wonder3D's network

CAMERAS = tuple(Camera(yaw, VIEW_SIZE) for yaw in (0.0, 45.0, 90.0, 180.0, 270.0, 315.0))
"""Front, front right, right, back, left, front left, as of Wonder3D. The right one stands at +x."""

FRONT, RIGHT, BACK, LEFT = 0, 2, 3, 4  # Indices of those views
BASES = np.stack([camera.basis() for camera in CAMERAS])  # Right, up and forward directions in rows, (6, 3, 3)
SCALE, HALF = CAMERAS[0].pixels_per_unit, VIEW_SIZE / 2  # Pixels in a unit, and from a view's border to its centre


class Views(NamedTuple):
    """The views as the network draws them, or one of them without the first dimension.

    Attributes:
        color: (6, H, H, 3) float32 encoded 0-1, continued beyond the outline.
        inside: (6, H, H) float32 signed distance to the outline in pixels, positive inside.
        depth: (6, H, H) float32 units along the camera's forward direction, continued beyond the outline.
    """

    color: Floats
    inside: Floats
    depth: Floats


def depth_along(camera: Camera, position: NDArray[np.floating], covered: NDArray[np.bool_]) -> Floats:
    """Depth (H, H) float32 of a position image (H, H, 3) where it is covered, else 0."""
    forward = camera.basis()[2].astype(np.float32)
    return np.where(covered, position @ forward, np.float32(0)).astype(np.float32)


def true_views(mesh: Mesh, image: NDArray[np.uint8], turns: Sequence[float]) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Views of the ground truth, each turned by degrees from its camera; the front's colour is the picture (S, S, 4).

    Yields:
        Of each view the colour (H, W, 3), sRGB-encoded 0-1 and premultiplied by the coverage, the coverage (H, W), 0-1,
        and the depth (H, W) in units along the camera's forward direction of the nearest surface, 0 without one.
    """
    # Premultiplied, so that hidden colours do not bleed into the rim.
    front = Image.fromarray(image, "RGBA").convert("RGBa")
    front = front.resize((VIEW_SIZE, VIEW_SIZE), Image.Resampling.BILINEAR).convert("RGBA")
    beside = [Camera(camera.yaw_deg + turn, VIEW_SIZE) for camera, turn in zip(CAMERAS, turns, strict=True)]
    for k, layers in enumerate(FastRenderer().render(mesh, beside)):
        depth = depth_along(beside[k], layers.position, layers.coverage > 0)
        pixels = np.asarray(front) if k == FRONT else layers.color
        coverage = pixels[..., 3].astype(np.float32) / np.float32(255)
        yield pixels[..., :3].astype(np.float32) / np.float32(255) * coverage[..., None], coverage, depth


@compiled
def between(at, size):  # type: ignore[no-untyped-def]
    """Index of the pixel before a coordinate, with pixel centres at halves, and the fraction to the next one, 0-1."""
    x = min(max(at - 0.5, 0.0), size - 1.0)
    i = min(int(x), size - 2)
    return i, x - i


@compiled
def blended(image, j, i, t, s):  # type: ignore[no-untyped-def]
    """Value of an image (H, H) at fraction `t` from row `j` to the next, and `s` from column `i` to the next."""
    top = image[j, i] + s * (image[j, i + 1] - image[j, i])
    low = image[j + 1, i] + s * (image[j + 1, i + 1] - image[j + 1, i])
    return top + t * (low - top)


@compiled
def bilinear(image, u, v):  # type: ignore[no-untyped-def]
    """Value of an image (H, H) at a column and a row, with pixel centres at halves."""
    i, s = between(u, image.shape[0])
    j, t = between(v, image.shape[0])
    return blended(image, j, i, t, s)
