"""Something tiny to draw, for stages to have their code compiled by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import view_cameras
from specsia_build.rendering.mesh import Material, Mesh, Texture

CAMERAS = view_cameras(2, 96)


def textured_box() -> Mesh:
    """A box of eight corners with a chequered texture, in the frame."""
    corners = np.array([[x, y, z] for x in (-0.2, 0.2) for y in (-0.1, 0.1) for z in (-0.4, 0.4)], np.float32)
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    pixels: NDArray[np.uint8] = (np.indices((16, 16)).sum(axis=0) % 2 * 255).astype(np.uint8)
    texture = Texture(np.dstack([pixels, pixels, pixels, np.full_like(pixels, 255)]))
    uv = np.ascontiguousarray(corners[faces][..., :2] + 0.5)
    return Mesh(corners, faces, (Material(texture=texture),), np.zeros(len(faces), np.int32), uv=uv)
