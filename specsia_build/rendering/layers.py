"""What every renderer returns, and what a renderer is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import Camera
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.seen import Seen
from specsia_build.shown import ByShape

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
