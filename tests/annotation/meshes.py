"""Meshes whose regions are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Material, Mesh, Texture


def mesh_of(vertices: ArrayLike, faces: ArrayLike, **of: Any) -> Mesh:
    """A mesh of one white material, unless `of` says more."""
    of.setdefault("materials", (Material(),))
    of.setdefault("face_material", np.zeros(len(np.asarray(faces)), np.int32))
    return Mesh(np.asarray(vertices, np.float32), np.asarray(faces, np.int32), **of)


def grid(columns: int, rows: int, **of: Any) -> Mesh:
    """A unit square that faces -Y, of columns x rows cells of two faces each, row by row from below; it has UV."""
    x, z = np.meshgrid(np.arange(columns + 1) / columns, np.arange(rows + 1) / rows)
    vertices = np.stack([x, np.zeros_like(x), z], axis=-1).reshape(-1, 3)
    a = (np.arange(columns) + (columns + 1) * np.arange(rows)[:, None]).ravel()
    b, c, d = a + 1, a + columns + 2, a + columns + 1
    faces = np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3)
    return mesh_of(vertices, faces, uv=(vertices[faces][..., [0, 2]] * (1, -1) + (0, 1)).astype(np.float32), **of)


def painted(columns: int, rows: int, pixels: NDArray[Any], **of: Any) -> Mesh:
    """A `grid` that shows an image (H, W, 3)."""
    opaque = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 255)], axis=2).astype(np.uint8)
    return grid(columns, rows, materials=(Material(texture=Texture(opaque, wrap=("clamp", "clamp")), **of),))


def dyed(mesh: Mesh, colors: NDArray[Any]) -> Mesh:
    """A mesh whose faces, or their corners, have sRGB colours (F, 3) or (F, 3, 3), 0-255."""
    corners = np.ones((len(mesh.faces), 3, 4), np.float32)
    levels = np.asarray(colors, np.float64)
    corners[..., :3] = srgb_to_linear((levels[:, None] if levels.ndim == 2 else levels) / 255)
    return Mesh(mesh.vertices, mesh.faces, (Material(),), np.zeros(len(mesh.faces), np.int32), colors=corners)


def ramp(first: tuple[int, ...], last: tuple[int, ...], width: int = 256) -> NDArray[np.uint8]:
    """An image (8, width, 3) that goes evenly from one colour to another."""
    share = np.linspace(0, 1, width)[None, :, None]
    row = np.array(first) * (1 - share) + np.array(last) * share
    return np.repeat(np.round(row), 8, axis=0).astype(np.uint8)
