"""The layers that every renderer returns, and the protocol of a renderer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import ByShape
from specsia_build.frame import Camera
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.seen import Seen

Look = Literal["unlit", "lit"]

HALF_COVERED = 128
"""Least coverage byte that counts as inside a silhouette: half of 255, rounded up."""


@dataclass(frozen=True, eq=False, repr=False)
class Layers(ByShape):
    """One view of a mesh, size x size pixels, row 0 at the top; it is equal to itself alone.

    Attributes:
        color: (H, W, 4) uint8 sRGB, straight alpha = coverage x opacity; RGB is 0 where alpha is 0.
        coverage: (H, W) uint8, how much of the pixel the surface covers, whatever its opacity; 255 is all of it.
        position: (H, W, 3) float32, the mesh's rest position of the surface nearest to the camera at the pixel's
            centre (at an edge, of the covered sample nearest to the centre), in units of the frame; 0 where alpha is 0.
        seen: the points whose positions those are, where a renderer was asked for them.
    """

    color: NDArray[np.uint8]
    coverage: NDArray[np.uint8]
    position: NDArray[np.float32]
    seen: Seen | None = None

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """(H, W) uint8, the alpha of `color`: contiguous, for most of what is done with it takes a copy otherwise."""
        return np.ascontiguousarray(self.color[..., 3])


class Renderer(Protocol):
    """Draws meshes of the frame.

    Attributes:
        name: what `--renderer` calls it.
        version: grows whenever the same mesh would give another picture.
    """

    name: str
    version: int

    def check(self) -> None:
        """Find out whether it can draw on this machine, before anything is drawn.

        Raises:
            SpecsiaError: with what is missing and how to get it.
        """
        ...

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        """Each camera's layers, in order.

        Raises:
            CharacterError: if the mesh cannot be drawn.
        """
        ...


def encoded(
    linear: NDArray[np.floating], coverage: NDArray[np.floating], cells: NDArray[np.float32] | None = None
) -> Layers:
    """Layers of a picture as other renderers give it.

    Args:
        linear: (H, W, 4) linear RGB, premultiplied, and opacity 0-1.
        coverage: (H, W) 0-1.
        cells: of positions, see `nearest_to_centre`; all are 0 without.
    """
    alpha = np.clip(linear[..., 3], 0.0, 1.0)
    straight = linear[..., :3] / np.maximum(alpha, 1e-6)[..., None]
    color = np.zeros(linear.shape, np.uint8)
    color[..., 3] = np.floor(alpha * 255 + 0.5)
    color[..., :3] = np.floor(linear_to_srgb(straight) * 255 + 0.5)
    color[color[..., 3] == 0] = 0
    position = np.zeros((*alpha.shape, 3), np.float32)
    if cells is not None:
        position = nearest_to_centre(cells, len(alpha))
        position[color[..., 3] == 0] = 0
    return Layers(color, np.floor(np.clip(coverage, 0, 1) * 255 + 0.5).astype(np.uint8), position)


def nearest_to_centre(cells: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Position of each pixel from a finer picture of positions.

    Args:
        cells: (size * g, size * g, 4), position and, where there is a surface, 1; g odd.
        size: of the result.

    Returns:
        (size, size, 3), that of the covered cell nearest to the pixel's centre; 0 where none is covered.
    """
    grid = cells.shape[0] // size
    by_pixel = cells.reshape(size, grid, size, grid, 4).transpose(0, 2, 1, 3, 4).reshape(size, size, grid * grid, 4)
    offset = np.arange(grid) - (grid - 1) / 2
    order = np.argsort((offset[:, None] ** 2 + offset[None, :] ** 2).ravel(), kind="stable")
    ordered = by_pixel[:, :, order]
    covered: NDArray[np.bool_] = np.greater(ordered[..., 3], 0.5)
    first = covered.argmax(axis=2)
    chosen = np.take_along_axis(ordered[..., :3], first[..., None, None], axis=2)[:, :, 0]
    return np.where(covered.any(axis=2, keepdims=True), chosen, np.float32(0)).astype(np.float32)
