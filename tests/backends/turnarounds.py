"""Drawings of one figure of boxes from its front, its side and its back, which fit each other."""

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Material, Mesh
from tests.backends.drawings import Image
from tests.shapes import BOX, QUADS

Box = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

CHEST, FLANK, RUMP, LEG = (0.9, 0.1, 0.1), (0.1, 0.7, 0.1), (0.1, 0.1, 0.9), (0.3, 0.3, 0.3)

ANIMAL: tuple[Box, ...] = (
    # centre (right, away, up), size, linear colour
    ((0.0, -0.34, 0.1), (0.24, 0.14, 0.3), CHEST),
    ((0.0, 0.0, 0.08), (0.24, 0.58, 0.26), FLANK),
    ((0.0, 0.34, 0.1), (0.24, 0.14, 0.3), RUMP),
    ((0.0, -0.33, 0.32), (0.16, 0.16, 0.2), CHEST),
    ((-0.07, -0.32, -0.2), (0.08, 0.1, 0.44), LEG),
    ((0.07, -0.32, -0.2), (0.08, 0.1, 0.44), LEG),
    ((-0.07, 0.32, -0.2), (0.08, 0.1, 0.44), LEG),
    ((0.07, 0.32, -0.2), (0.08, 0.1, 0.44), LEG),
)
"""An animal on four legs, which hide behind each other from the front; it faces -Y."""

PERSON: tuple[Box, ...] = (
    ((0.0, 0.0, 0.36), (0.2, 0.2, 0.24), RUMP),
    ((0.0, 0.0, 0.06), (0.3, 0.16, 0.4), LEG),
    ((0.08, 0.0, -0.3), (0.1, 0.12, 0.36), FLANK),
    ((-0.08, 0.0, -0.3), (0.1, 0.12, 0.36), FLANK),
)
"""Another figure, of other widths and colours."""


def mesh_of(boxes: tuple[Box, ...]) -> Mesh:
    """The boxes as a mesh with a colour for each."""
    vertices, faces, colours = [], [], []
    for number, (centre, size, colour) in enumerate(boxes):
        vertices.append(BOX * size + centre)
        triangles = [quad[k] for quad in QUADS for k in (0, 1, 2, 0, 2, 3)]
        faces.append(np.array(triangles).reshape(-1, 3) + 8 * number)
        colours.append(np.full((12, 3, 4), (*colour, 1.0), np.float32))
    whole = np.concatenate(faces).astype(np.int32)
    material = np.zeros(len(whole), np.int32)
    points = np.concatenate(vertices).astype(np.float32)
    return Mesh(points, whole, (Material(),), material, colors=np.concatenate(colours))


def drawn(boxes: tuple[Box, ...], yaw: float, size: int = 128) -> Image:
    """The boxes seen from a yaw in degrees: 90 shows the left side."""
    layers = next(FastRenderer().render(mesh_of(boxes), [Camera(yaw, size)]))
    return layers.color.copy()


def moved(picture: Image, scale: float, shift: int) -> Image:
    """A picture (S, S, 4), scaled with nearest pixels and moved right and down on a larger ground."""
    size = len(picture)
    at = (np.arange(round(size * scale)) / scale).astype(int)
    out: NDArray[np.uint8] = np.zeros((len(at) + 2 * shift, len(at) + 2 * shift, 4), np.uint8)
    out[2 * shift :, 2 * shift :] = picture[at][:, at]
    return out
