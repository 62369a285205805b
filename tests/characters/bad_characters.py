"""A figure of boxes, and writers of GLB files in which it is wrong in one way that must not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.characters.gltf.writer import GltfWriter
from tests.shapes import BOX, PARTS, TRIANGLES

Points = NDArray[np.float64]
Ints = NDArray[np.int64]

BOX_TRIANGLES = np.reshape(TRIANGLES, (-1, 3))
CORNER_UV = np.array([[x, 1 - y] for x, y, _ in BOX + 0.5])


def figure() -> tuple[Points, Ints, Points, Points]:
    """Points (V, 3), triangles (F, 3), UV (V, 2) with the whole image on each front, linear colours (V, 3)."""
    points = np.concatenate([BOX * size + centre for centre, size, _ in PARTS.values()])
    faces = np.concatenate([BOX_TRIANGLES + 8 * k for k in range(len(PARTS))])
    colours = np.repeat([colour for *_, colour in PARTS.values()], 8, axis=0)
    return points, faces, np.tile(CORNER_UV, (len(PARTS), 1)), colours


def checks(size: int) -> Any:
    """A red and blue chequerboard of 8 x 8 squares, (size, size, 3) uint8."""
    y, x = np.indices((size, size)) * 8 // size
    return np.where(((x + y) % 2 == 0)[..., None], (220, 40, 40), (40, 60, 220)).astype(np.uint8)


def write_glb(path: Path, points: Any, faces: Any, colours: Any) -> None:
    """Write one double-sided primitive; None for faces that are every three points."""
    file = GltfWriter()
    material = file.add("materials", doubleSided=True)
    file.mesh_node(file.primitive(points, faces, material, COLOR_0=file.accessor(colours)))
    file.write_glb(path)


Change = Callable[[Points, Ints, Points], tuple[Any, Any, Any]]
"""From points, faces and colours of the figure to those that are written."""


def _half_turned(faces: Ints) -> Ints:
    """Every other face wound the other way."""
    return np.where((np.arange(len(faces)) % 2 == 0)[:, None], faces, faces[:, ::-1])


DRAWN: dict[str, Change] = {
    "plain": lambda p, f, c: (p, f, c),
    "degenerate": lambda p, f, c: (p, np.concatenate([f, f[:, [0, 0, 1]], f[:, [2, 2, 2]]]), c),
    "zero_area": lambda p, f, c: (
        np.concatenate([p, p[f[:, 0]] / 2 + p[f[:, 1]] / 2]),
        np.concatenate([f, np.c_[f[:, :2], len(p) + np.arange(len(f))]]),
        np.concatenate([c, c[f[:, 0]]]),
    ),
    "duplicate_faces": lambda p, f, c: (p, np.concatenate([f, f, f[:, [1, 2, 0]]]), c),
    "doubled_inside_out": lambda p, f, c: (p, np.concatenate([f, f[:, ::-1]]), c),
    "inside_out": lambda p, f, c: (p, f[:, ::-1], c),
    "half_inside_out": lambda p, f, c: (p, _half_turned(f), c),
    "holes": lambda p, f, c: (p, f[np.arange(len(f)) % 12 != 10], c),
    "soup": lambda p, f, c: (p[f].reshape(-1, 3), None, c[f].reshape(-1, 3)),
    "huge": lambda p, f, c: (p * 1e30, f, c),
    "tiny": lambda p, f, c: (p * 1e-30, f, c),
    "hugest": lambda p, f, c: ((p - (0, 0.95, 0)) * 3e38, f, c),
    "far": lambda p, f, c: (p + 1000.0, f, c),
    "unused_nan": lambda p, f, c: (np.r_[p, np.full((1, 3), np.nan)], f, np.r_[c, np.ones((1, 3))]),
}


def write_drawn(name: str, path: Path) -> None:
    """Write one of `DRAWN` as a GLB file."""
    points, faces, _, colours = figure()
    points, faces, colours = DRAWN[name](points, faces, colours)
    write_glb(path, points, faces, colours)
