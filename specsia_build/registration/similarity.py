"""The similarity that registration finds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.rendering.mesh import Mesh, turned


@dataclass(frozen=True)
class Similarity:
    """p' = scale * R_x(pitch) * R_z(yaw) * p + translation.

    Attributes:
        scale: positive.
        pitch_deg: turn about X in degrees, right-handed.
        yaw_deg: turn about Z in degrees, right-handed, applied first.
        translation: x, y, z in units of the frame.
    """

    scale: float = 1.0
    pitch_deg: float = 0.0
    yaw_deg: float = 0.0
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def rotation(self) -> NDArray[np.float64]:
        """R_x(pitch) * R_z(yaw), (3, 3)."""
        p, y = np.deg2rad(self.pitch_deg), np.deg2rad(self.yaw_deg)
        about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
        return np.asarray(about_x @ about_z)

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (N, 3) of the frame, moved."""
        moved = np.asarray(points, dtype=np.float64) @ (self.scale * self.rotation()).T
        return np.asarray(moved + np.array(self.translation))

    def apply_to(self, mesh: Mesh) -> Mesh:
        """The mesh, moved; its rest positions are dropped, as the position of a registered character is its own."""
        normals = None if mesh.normals is None else turned(mesh.normals, self.rotation())
        return replace(mesh, vertices=self.apply(mesh.vertices).astype(np.float32), normals=normals, rest=None)

    def changed(self, log_scale: float, pitch: float, yaw: float, move: NDArray[np.floating]) -> Similarity:
        """The similarity after a small change: of the logarithm of the scale, of the turns in radians, of the shift."""
        x, y, z = (float(a + b) for a, b in zip(self.translation, move, strict=True))
        return Similarity(
            self.scale * float(np.exp(log_scale)),
            self.pitch_deg + float(np.rad2deg(pitch)),
            self.yaw_deg + float(np.rad2deg(yaw)),
            (x, y, z),
        )
