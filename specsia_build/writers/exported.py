"""A character as writers take it: its surface, rig and motions, and how tall it is to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from specsia_build.animation.motion import Motion
from specsia_build.animation.rig import Rig
from specsia_build.arrays import Doubles, Floats
from specsia_build.errors import CharacterError
from specsia_build.rendering.light import lit_normals
from specsia_build.rendering.mesh import Mesh

METRES_TALL = 1.7  # Metres, of a character whose height nobody states

_UP = (0.0, 0.0, 1.0)  # Normal of corners that have none


@dataclass(frozen=True, eq=False)
class ExportedCharacter:
    """A character to write into a file."""

    mesh: Mesh  # At rest, Z up and facing -Y, in any units
    name: str = "character"  # Of the character in the file
    rig: Rig | None = None  # Of the mesh's vertices, placed as they are; None for a still mesh
    motions: Sequence[Motion] = ()  # Of the rig's skeleton
    # Node of each bone of a humanoid in that skeleton, named as in VRM 1.0
    humanoid: Mapping[str, int] = field(default_factory=dict)
    height: float = METRES_TALL  # Metres from the lowest to the highest vertex at rest
    lit: bool = False  # Whether other programs shade it; otherwise it shows its colours as they are
    # license, credit: as the character's file states them
    license: str = ""
    credit: str = ""

    def to_metres(self) -> Doubles:
        """Transform (4, 4) from the mesh's coordinates to metres, Y up, facing +Z, its lowest point at 0.

        Raises `CharacterError` for a mesh without a surface, or without height.
        """
        if len(self.mesh.faces) == 0:
            raise CharacterError(f"{self.name} has no surface, so there is nothing to write")
        low, high = (bound.astype(np.float64) for bound in self.mesh.bounds())
        extent = high - low
        if not np.isfinite(extent).all() or extent[2] <= 1e-6 * extent.max():
            raise CharacterError(f"{self.name} has no height, so it cannot be made {self.height:g} m tall")
        scale = self.height / extent[2]
        matrix = np.eye(4)
        matrix[:3, :3] = scale * np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
        matrix[1, 3] = -scale * low[2]
        return matrix

    def in_metres(self) -> Mesh:
        """The mesh after `to_metres`."""
        matrix = self.to_metres()
        scale = np.linalg.norm(matrix[:3, 0])
        turned = self.mesh.rotated(matrix[:3, :3] / scale)
        return replace(turned.with_vertices(turned.vertices * scale + matrix[:3, 3]), rest=None)

    def normals(self) -> Floats | None:
        """Unit normals (F, 3, 3) of the mesh's corners; None where they are not needed: nothing is lit."""
        if self.mesh.normals is None and not self.lit:
            return None
        normals = lit_normals(self.mesh) if self.lit else self.mesh.normals
        assert normals is not None
        length = np.linalg.norm(normals.astype(np.float64), axis=-1, keepdims=True)
        sound = np.isfinite(length) & (length > 1e-6)
        return np.where(sound, normals / np.where(sound, length, 1.0), _UP).astype(np.float32)
