"""Meshes whose pictures can be computed by hand, and helpers to render them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.frame import ORTHO_WIDTH, Camera, normalise
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers, Look
from specsia_build.rendering.mesh import Material, Mesh, Texture, concatenate
from tests.shapes import BOX, TRIANGLES

Floats = NDArray[np.float64]
RGBA = tuple[float, float, float, float]

RED: RGBA = (1.0, 0.0, 0.0, 1.0)
GREEN: RGBA = (0.0, 1.0, 0.0, 1.0)
BLUE: RGBA = (0.0, 0.0, 1.0, 1.0)
WHITE: RGBA = (1.0, 1.0, 1.0, 1.0)

SIZE = 54  # Pixels of most test pictures: 40 to a unit

PIXEL = ORTHO_WIDTH / SIZE


def real_mesh(folder: Path, name: str, cameras: Sequence[Camera], margin: float = 4) -> Mesh:
    """A real character by its id, in the frame of some cameras."""
    entries = open_source(str(folder / "characters.jsonl"), folder).entries
    (entry,) = [entry for entry in entries if entry.id == name]
    mesh = read_character(entry).mesh
    return mesh.with_vertices(normalise(mesh.vertices, cameras, margin).apply(mesh.vertices))


def net(rows: int, columns: int) -> NDArray[np.int32]:
    """Faces of a net of points, row by row: two for each cell."""
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    b, c, d = a + 1, a + columns + 1, a + columns
    return np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3).astype(np.int32)


def mesh_of(
    vertices: Sequence[Sequence[float]] | NDArray[np.floating[Any]],
    faces: Sequence[int] | Sequence[Sequence[int]] | NDArray[np.integer[Any]],
    material: Material | None = None,
    uv: Sequence[Sequence[float]] | Floats | None = None,
    colors: Sequence[Sequence[float]] | Floats | None = None,
) -> Mesh:
    """A mesh of one material; `uv` (V, 2) and `colors` (V, 4) are given per vertex."""
    index = np.array(faces, np.int32).reshape(-1, 3)
    return Mesh(
        vertices=np.array(vertices, np.float32).reshape(-1, 3),
        faces=index,
        materials=(material or Material(),),
        face_material=np.zeros(len(index), np.int32),
        uv=None if uv is None else np.array(uv, np.float32)[index],
        colors=None if colors is None else np.array(colors, np.float32)[index],
    )


def box(centre: Sequence[float], half: Sequence[float], color: RGBA = WHITE, **material: object) -> Mesh:
    """A closed box, wound outwards."""
    look = replace(Material(base_color=color), **material)  # type: ignore[arg-type]
    return mesh_of(np.array(centre) + 2 * BOX * half, TRIANGLES, look)


def sheet(
    left: float,
    top: float,
    right: float,
    bottom: float,
    y: float = 0.0,
    material: Material | None = None,
    size: int = SIZE,
    uv: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    colors: Sequence[RGBA] | None = None,
) -> Mesh:
    """A rectangle facing the frontal camera at depth `y`, in pixels of its picture; `uv` and `colors` go
    around from the top left corner: left, top, right, bottom."""
    x0, x1 = (left - size / 2) * ORTHO_WIDTH / size, (right - size / 2) * ORTHO_WIDTH / size
    z0, z1 = (size / 2 - top) * ORTHO_WIDTH / size, (size / 2 - bottom) * ORTHO_WIDTH / size
    corners, (u0, v0, u1, v1) = [[x0, y, z0], [x0, y, z1], [x1, y, z1], [x1, y, z0]], uv
    around = [[u0, v0], [u0, v1], [u1, v1], [u1, v0]]
    return mesh_of(corners, [[0, 1, 2], [0, 2, 3]], material, around, colors)


def sphere(radius: float, rows: int = 24, columns: int = 48, centre: Sequence[float] = (0, 0, 0)) -> Mesh:
    """A closed ball of white triangles."""
    theta, phi = np.pi * np.arange(1, rows) / rows, 2 * np.pi * np.arange(columns) / columns
    t, p = np.meshgrid(theta, phi, indexing="ij")
    ring = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], axis=-1).reshape(-1, 3)
    vertices = np.concatenate([ring, [[0, 0, 1], [0, 0, -1]]]) * radius + np.array(centre)
    north, south = len(ring), len(ring) + 1
    faces: list[list[int]] = []
    for j in range(columns):
        k = (j + 1) % columns
        faces += [[north, j, k], [south, (rows - 2) * columns + k, (rows - 2) * columns + j]]
        for top in range(0, (rows - 2) * columns, columns):
            faces += [[top + j, top + columns + j, top + columns + k], [top + j, top + columns + k, top + k]]
    return mesh_of(vertices, faces)


def inside_out(mesh: Mesh) -> Mesh:
    """The mesh with its faces wound the other way."""
    return replace(mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1]))


def cape(material: Material) -> Mesh:
    """A sheet bent about the Z axis like a half pipe, its outside to the character's left, right and back."""
    turn = np.linspace(0, np.pi, 13)
    ring = 0.29 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    points = [[x, y, z] for x, y in ring for z in (-0.444, -0.053)]
    faces = [f for k in range(0, 24, 2) for f in ([k, k + 2, k + 3], [k, k + 3, k + 1])]
    return mesh_of(points, faces, material)


def compass() -> Mesh:
    """A red box on the character's left (+X), a green one before it (-Y), a blue one above (+Z)."""
    places = {(0.4, 0, 0): RED, (0, -0.4, 0): GREEN, (0, 0, 0.4): BLUE}
    return concatenate([box(centre, (0.1, 0.1, 0.1), color) for centre, color in places.items()])


def look_at(mesh: Mesh, yaw: float = 0.0, size: int = SIZE, look: Look = "unlit") -> Layers:
    """One view."""
    (layers,) = FastRenderer().render(mesh, [Camera(yaw, size)], look)
    return layers


def soup(seed: int, count: int, spread: float = 0.45) -> Mesh:
    """Loose triangles of every size and direction, each of one colour."""
    generator = np.random.default_rng(seed)
    middle = generator.uniform(-spread, spread, (count, 1, 3))
    corners = middle + generator.normal(0, 0.25, (count, 3, 3)) * generator.uniform(0.1, 1, (count, 1, 1))
    colors = np.concatenate([generator.uniform(0, 1, (count, 3)), np.ones((count, 1))], axis=1)
    return mesh_of(corners.reshape(-1, 3), np.arange(3 * count), colors=np.repeat(colors, 3, axis=0))


def checker(texels: int, dark: int = 0, bright: int = 255) -> NDArray[np.uint8]:
    """A checkerboard of single texels."""
    y, x = np.mgrid[:texels, :texels]
    out = np.full((texels, texels, 4), 255, np.uint8)
    out[..., :3] = np.where((x + y) % 2 == 0, bright, dark)[..., None]
    return out


def textured(pixels: NDArray[np.uint8], **kind: object) -> Material:
    """A material that shows a texture as it is; `kind` goes to the texture."""
    return Material(texture=Texture(pixels, **kind))  # type: ignore[arg-type]


def encoded(*linear: float) -> list[float]:
    """Bytes, not rounded, of linear light."""
    return [float(v) for v in linear_to_srgb(np.array(linear)) * 255]


def digest_without_wide_vectors(module: str) -> str:
    """What `digest` of a test's module gives where numba is told of a processor without wide vectors.

    What is compiled for it is kept beside the code for this one: numba tells them apart.
    """
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-c", f"from {module} import digest; print(digest())"]
    top = Path(__file__).parents[2]
    return subprocess.check_output(command, env=environment, cwd=top, text=True).strip()
