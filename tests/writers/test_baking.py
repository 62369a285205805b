"""Textures baked from views: colours of real characters, no contour, and holes filled along the surface."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Material, Mesh, compacted, extremes
from specsia_build.rendering.positions import position_image
from specsia_build.writers.baking import Bake

RED = (255, 0, 0)
SIDES = ((40, 90, 200), (60, 160, 70))


def baked(mesh: Mesh, *, contour: bool = False) -> Mesh:
    """A mesh with a texture from 12 views of it, with a red line around it."""
    bake, cameras = Bake.of(mesh, 512), view_cameras(12, 256)
    low, high = extremes(mesh.vertices)
    for camera, layers in zip(cameras, FastRenderer().render(mesh, cameras), strict=True):
        picture = draw_contour(layers.color, layers.coverage, 3, RED) if contour else layers.color.copy()
        picture[layers.coverage < 255, 3] = 0
        bake.add(camera, picture, position_image(layers.position, layers.mask, low, high))
    return bake.finished()


@pytest.mark.parametrize("name", ["kaykit_knight", "mech_mike", "woman_scifi"])
def test_gives_a_character_its_colours(characters_dir: Path, name: str) -> None:
    entries = open_source(str(characters_dir / "everything.jsonl"), characters_dir).entries
    mesh = compacted(read_character(next(entry for entry in entries if entry.id == name)).mesh)
    mesh = mesh.with_vertices(normalise(mesh.vertices, view_cameras(12, 256), 5).apply(mesh.vertices))
    result = baked(mesh, contour=True)
    assert result.faces.tolist() == mesh.faces.tolist()
    # Views between those that were baked.
    cameras = [replace(camera, yaw_deg=camera.yaw_deg + 15) for camera in view_cameras(4, 256)]
    renderer = FastRenderer()
    for camera in cameras:
        before, after = (next(renderer.render(shown, [camera])).color.copy() for shown in (mesh, result))
        inside = (before[..., 3] == 255) & (after[..., 3] == 255)
        assert np.abs(before[inside].astype(int) - after[inside])[:, :3].mean() < 8
    texture = result.materials[0].texture
    assert texture is not None
    red = np.abs(texture.pixels[..., :3].astype(int) - RED).max(axis=2) < 30
    assert red.mean() < 0.002


def column() -> Mesh:
    """A column of four sides, blue in front and behind and green beside, with lids that no view shows."""
    steps = np.linspace(-0.5, 0.5, 9)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    cells = np.arange(72).reshape(8, 9)[:, :8].reshape(-1, 1)
    quads = np.concatenate([cells + np.array(corners) for corners in ((0, 9, 10), (0, 10, 1))])
    points: list[NDArray[np.float64]] = []
    faces: list[NDArray[np.int64]] = []
    kinds: list[NDArray[np.int32]] = []
    for axis in range(3):
        for sign in (-1, 1):
            own = np.insert(grid, axis, sign / 2, axis=1) * (0.3, 0.3, 0.9)
            outward = (sign > 0) == (axis != 1)
            faces.append((quads if outward else quads[:, ::-1]) + 81 * len(points))
            points.append(own)
            kinds.append(np.full(len(quads), {0: 1, 1: 0, 2: 0}[axis], np.int32))
    colours = [tuple(((np.array(c) / 255) ** 2.2).tolist()) for c in SIDES]
    materials = tuple(Material(base_color=(r, g, b, 1.0)) for r, g, b in colours)
    vertices = np.concatenate(points).astype(np.float32)
    return Mesh(vertices, np.concatenate(faces).astype(np.int32), materials, np.concatenate(kinds))


def test_fills_what_no_view_shows_from_its_surroundings() -> None:
    mesh = column()
    result = baked(mesh)
    (above,) = FastRenderer().render(result, [replace(view_cameras(1, 64)[0], elevation_deg=90)])
    lid = above.color[above.color[..., 3] == 255][:, :3].astype(int)
    low, high = np.min(SIDES, axis=0) - 8, np.max(SIDES, axis=0) + 8
    assert len(lid) > 100
    assert ((lid >= low) & (lid <= high)).all()
    # In the middle it is a mixture, and at a rim the colour of the side below.
    middle = above.color[32, 32, :3].astype(int)
    assert np.abs(middle - np.mean(SIDES, axis=0)).max() < 15
    texture, again = result.materials[0].texture, baked(mesh).materials[0].texture
    assert texture is not None and again is not None
    assert texture.pixels.tobytes() == again.pixels.tobytes()
