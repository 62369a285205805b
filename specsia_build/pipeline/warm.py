"""Compiling everything once, side by side, before the first build would do it piece by piece."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.base import Context
from specsia_build.backends.inflate.backend import create
from specsia_build.dataset.images import edge_image, position_image
from specsia_build.frame import view_cameras
from specsia_build.jit import CACHE
from specsia_build.registration import register
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.fast.renderer import FastRenderer, silhouettes
from specsia_build.rendering.mesh import Material, Mesh, Texture, concatenate

DONE = CACHE / "whole"
"""Says that the cache holds all that `PARTS` compile."""

PARTS = ("render", "register", "inflate")


def _textured_box() -> Mesh:
    corners = np.array([[x, y, z] for x in (-0.2, 0.2) for y in (-0.1, 0.1) for z in (-0.4, 0.4)], np.float32)
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    pixels: NDArray[np.uint8] = (np.indices((16, 16)).sum(axis=0) % 2 * 255).astype(np.uint8)
    texture = Texture(np.dstack([pixels, pixels, pixels, np.full_like(pixels, 255)]))
    uv = np.ascontiguousarray(corners[faces][..., :2] + 0.5)
    return Mesh(corners, faces, (Material(texture=texture),), np.zeros(len(faces), np.int32), uv=uv)


def compile_part(part: str) -> None:
    """Run one of `PARTS` on something tiny."""
    mesh, cameras = _textured_box(), view_cameras(2, 96)
    if part == "register":
        heavy = concatenate([mesh] * 1000)
        register(heavy, silhouettes(mesh, cameras), cameras)
    elif part == "inflate":
        figure = np.zeros((96, 96, 4), np.uint8)
        figure[20:80, 30:60] = (200, 120, 80, 255)
        create(None).reconstruct(figure, Context("compile", 0))
    else:
        for layers in FastRenderer().render(mesh, cameras):
            draw_contour(layers.color, layers.coverage, 2, 0)
            low, high = mesh.bounds()
            edge_image(position_image(layers.position, layers.mask, low, high))
