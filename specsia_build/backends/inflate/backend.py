"""The default backend: one picture inflated to a closed figure, without a model and without a GPU.

The silhouette becomes a surface whose thickness solves a Poisson equation, as in "Repoussé" (Joshi and Carr, 2008):
limbs come out round, heads and bodies as deep as figures are as a rule, and a figure that must be long or stands on
four legs is drawn out along the line of sight. The picture colours the front; the back is guessed from the colours
along the outline. Limbs thinner than a cell are kept (`thin`). Parts that touch in the picture are fused, front and
back have one shape but for the feet, and the sides smear the outline's colours. A contour drawn around the figure
widens it but stays out of its texture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.base import Backend, Context, check_image
from specsia_build.backends.inflate.colour import Atlas, paint
from specsia_build.backends.inflate.depth import depth_of, relief
from specsia_build.backends.inflate.length import drawn_out, length_of
from specsia_build.backends.inflate.merging import merged
from specsia_build.backends.inflate.shape import Grid, clean_silhouette, lattice, poisson
from specsia_build.backends.inflate.surface import Shell, close_surface, extend_outside
from specsia_build.backends.inflate.thin import thin_limbs
from specsia_build.errors import UsageError
from specsia_build.frame import Camera
from specsia_build.rendering.mesh import Material, Mesh, Texture


@dataclass(frozen=True)
class Inflate(Backend):
    """Backend that inflates the silhouette."""

    name: str = "inflate"
    version: int = 6
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    generates: bool = True
    compiles: bool = True

    def settings(self) -> Mapping[str, Any]:
        return {}

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """A closed, textured mesh that fills the picture's silhouette, in the scale of the frontal camera.

        Args:
            image: (S, S, 4) uint8 sRGB, straight alpha, see `check_image`.
            context: whether the picture is the frame's own view; there is nothing random.

        Raises:
            CharacterError: if the picture is not square or too small, or shows nothing or no background.
        """
        check_image(image)
        silhouette = clean_silhouette(image[..., 3])
        grid = lattice(silhouette)
        depth = depth_of(grid.distance, poisson(grid.distance))
        square = extend_outside(depth.square, grid.distance)
        thin = thin_limbs(silhouette, grid)
        surface = close_surface(square if thin is None else thin.blown_up(square))
        surface = surface if thin is None else thin.drawn_in(surface)
        length = length_of(grid, image[..., 3], context.framed)
        heights = drawn_out(surface.points[:, 1], relief(surface.points, depth), length)
        surface = merged(replace(surface, points=np.column_stack([surface.points[:, :2], heights])))
        return textured(surface, grid, paint(image), image.shape[0])


def create(argument: str | None) -> Inflate:
    """The backend for ``inflate``.

    Raises:
        UsageError: if there is an argument.
    """
    if argument is not None:
        raise UsageError("inflate takes no argument")
    return Inflate()


def textured(surface: Shell, grid: Grid, atlas: Atlas, size: int) -> Mesh:
    """The surface in units of the frame, coloured by planar projection of the atlas.

    Args:
        surface: points in the grid's cells.
        grid: where its nodes lie in the picture that it was made from, `grid.size` pixels wide.
        atlas: made from the picture of `size` pixels.
        size: width of the picture in pixels.
    """
    scale = size / grid.size
    columns = (surface.points[:, 0] * grid.cell + grid.first[0]) * scale
    rows = (surface.points[:, 1] * grid.cell + grid.first[1]) * scale
    heights = surface.points[:, 2] * grid.cell * scale
    unit = 1.0 / Camera(0.0, size).pixels_per_unit
    vertices = np.stack([columns - size / 2, -heights, size / 2 - rows], axis=1) * unit
    corners = surface.faces
    material = Material(name="inflate", texture=Texture(atlas.pixels, wrap=("clamp", "clamp")))
    return Mesh(
        vertices=vertices.astype(np.float32),
        faces=corners.astype(np.int32),
        materials=(material,),
        face_material=np.zeros(len(corners), np.int32),
        uv=atlas.uv(columns[corners], rows[corners], surface.front[:, None]),
    )
