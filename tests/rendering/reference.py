"""A renderer as simple as can be, to hold the fast one against: every sample looks at every triangle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import Camera
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Mesh

GRID = 16
"""Samples along one side of a pixel."""


@dataclass(frozen=True)
class Picture:
    """`coverage` (H, W) 0-1, `color` (H, W, 3) encoded 0-255, not rounded, 0 where nothing is covered."""

    coverage: NDArray[np.float64]
    color: NDArray[np.float64]


def reference(mesh: Mesh, camera: Camera) -> Picture:
    """Opaque picture of a mesh coloured by materials and vertex colours; textures are not looked at."""
    fine = camera.size * GRID
    at = (np.arange(fine) + 0.5) / GRID
    screen = camera.project(mesh.vertices)
    base = np.array([m.base_color[:3] for m in mesh.materials])
    nearest = np.full((fine, fine), np.inf)
    light = np.zeros((fine, fine, 3))
    for f, face in enumerate(mesh.faces):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = screen[face]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-12:
            continue
        columns = slice(*np.searchsorted(at, [min(ax, bx, cx), max(ax, bx, cx)]))
        rows = slice(*np.searchsorted(at, [min(ay, by, cy), max(ay, by, cy)]))
        x, y = np.meshgrid(at[columns], at[rows])
        wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
        wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
        wc = 1 - wa - wb
        depth = wa * az + wb * bz + wc * cz
        hit = (wa >= 0) & (wb >= 0) & (wc >= 0) & (depth < nearest[rows, columns])
        color = np.broadcast_to(base[mesh.face_material[f]], (*x.shape, 3))
        if mesh.colors is not None:
            ca, cb, cc = mesh.colors[f, :, :3].astype(np.float64)
            color = color * (wa[..., None] * ca + wb[..., None] * cb + wc[..., None] * cc)
        nearest[rows, columns] = np.where(hit, depth, nearest[rows, columns])
        light[rows, columns] = np.where(hit[..., None], color, light[rows, columns])
    inside = np.isfinite(nearest)
    shape = (camera.size, GRID, camera.size, GRID)
    coverage = inside.reshape(shape).mean(axis=(1, 3))
    total = (light * inside[..., None]).reshape(*shape, 3).mean(axis=(1, 3))
    mean = np.divide(total, coverage[..., None], out=np.zeros_like(total), where=coverage[..., None] > 0)
    return Picture(np.asarray(coverage), linear_to_srgb(mean) * 255)
