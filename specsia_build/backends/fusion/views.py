"""The six canonical views of a multi-view diffusion network, without its errors."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from specsia_build.arrays import Doubles, Floats, Pixels
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.jit import inlined
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh

VIEW_SIZE = 256  # Width and height of a view in pixels, as of Wonder3D's network

CAMERAS = tuple(Camera(yaw, VIEW_SIZE) for yaw in (0.0, 45.0, 90.0, 180.0, 270.0, 315.0))
"""Front, front right, right, back, left, front left, as of Wonder3D. The right one stands at +x."""

FRONT_VIEW, BACK_VIEW = 0, 3  # Indices of those views
RIGHT, LEFT = 2, 4
# Views whose silhouettes mirror each other; two are alone
MIRRORED_VIEWS = ((FRONT_VIEW, BACK_VIEW), (RIGHT, LEFT), (1, 1), (5, 5))
BASES = np.stack([camera.basis() for camera in CAMERAS])  # (6, 3, 3), rows are right, up and forward
# Pixels in a unit, and from a view's border to its centre
SCALE, HALF_SIZE = CAMERAS[0].pixels_per_unit, VIEW_SIZE / 2


class DrawnViews(NamedTuple):
    """The views as the network draws them, or one of them without the first dimension."""

    color: Floats  # (6, H, H, 3) float32 encoded 0-1, continued beyond the outline
    inside: Floats  # (6, H, H) float32 signed distance to the outline in pixels, positive inside
    depth: Floats  # (6, H, H) float32 units along the camera's forward direction, continued likewise

    def bounds(self) -> tuple[Doubles, Doubles]:
        """Smallest and largest x, y, z of what front, back and sides show; a CharacterError if nothing."""
        if not (self.inside[FRONT_VIEW] > 0).any():
            raise CharacterError("all of the character is too thin to be reconstructed")
        points = []
        for view in (FRONT_VIEW, RIGHT, BACK_VIEW, LEFT):
            rows, columns = np.nonzero(self.inside[view] > 0)
            if len(rows) == 0:
                continue
            depth, (right, up, forward) = self.depth[view][rows, columns], BASES[view]
            for corner, past in ((np.min, 0), (np.max, 1)):
                across, height = corner(columns) + past - HALF_SIZE, HALF_SIZE - corner(rows) - past
                points.append(across / SCALE * right + corner(depth) * forward + height / SCALE * up)
        return np.min(points, axis=0), np.max(points, axis=0)


def true_views(mesh: Mesh, image: Pixels, turns: Doubles) -> Iterator[tuple[Floats, Floats]]:
    """Views of the ground truth, turned by degrees from their cameras; the front shows the picture (S, S, 4).

    Yields the colour and coverage (H, H, 4) of each, sRGB-encoded 0-1 and premultiplied, and the depth (H, H)
    in units along the camera's forward direction of the nearest surface, 0 without one.
    """
    # Premultiplied, so that hidden colours do not bleed into the rim.
    front = Image.fromarray(image, "RGBA").convert("RGBa")
    front = front.resize((VIEW_SIZE, VIEW_SIZE), Image.Resampling.BILINEAR).convert("RGBA")
    beside = [Camera(camera.yaw_deg + turn, VIEW_SIZE) for camera, turn in zip(CAMERAS, turns, strict=True)]
    for k, layers in enumerate(FastRenderer().render(mesh, beside)):
        pixels = np.asarray(front if k == FRONT_VIEW else layers.color, np.float32) / np.float32(255)
        pixels[..., :3] *= pixels[..., 3:]
        depth = layers.position @ beside[k].basis()[2].astype(np.float32)
        yield pixels, np.where(layers.coverage > 0, depth, np.float32(0))


@inlined
def seen_from(k, x, y):  # type: ignore[no-untyped-def]
    """Column in pixels and depth in units of a point in view `k`; its row needs z, cameras are upright."""
    column = (BASES[k, 0, 0] * x + BASES[k, 0, 1] * y) * SCALE + HALF_SIZE
    return column, BASES[k, 2, 0] * x + BASES[k, 2, 1] * y


@inlined
def between(at):  # type: ignore[no-untyped-def]
    """Index of the pixel before a coordinate (centres at halves), and the fraction to the next one, 0-1."""
    x = min(max(at - 0.5, 0.0), VIEW_SIZE - 1.0)
    i = min(int(x), VIEW_SIZE - 2)
    return i, x - i


@inlined
def blended(image, j, i, t, s):  # type: ignore[no-untyped-def]
    """Value of an image (H, H) at fraction `t` from row `j` to the next, and `s` from column `i` on."""
    top = image[j, i] + s * (image[j, i + 1] - image[j, i])
    low = image[j + 1, i] + s * (image[j + 1, i + 1] - image[j + 1, i])
    return top + t * (low - top)
