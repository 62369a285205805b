"""Frames of small meshes, with what the renderer knew of them, and what of them shows by another reckoning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.rig import posed_as
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Material, Mesh
from specsia_build.rendering.seen import Seen
from specsia_build.stages.clips.actor import Actor, actor_of, shot_of
from specsia_build.stages.stage import Clip, Job
from tests.rendering.scenes import box

SIZE = 64
CAMERA = Camera(0.0, SIZE, 1.0)
PX = 1 / SIZE


def boards(*boards: tuple[float, float, float, float, float]) -> Mesh:
    """Upright rectangles that face the camera: left, right, bottom and top in pixels about the centre, and depth."""
    corners = [[(x * PX, y, z * PX) for x, z in ((a, c), (b, c), (b, d), (a, d))] for a, b, c, d, y in boards]
    vertices = np.array(corners, np.float32).reshape(-1, 3)
    faces = np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * k for k in range(len(boards))]).astype(np.int32)
    return Mesh(vertices, faces, (Material(),), np.zeros(len(faces), np.int32), rest=vertices)


def moved(mesh: Mesh, columns: float, rows: float, away: float = 0.0, vertices: slice = slice(None)) -> Mesh:
    """The mesh with some of its vertices moved by pixels, rows downwards, and away from the camera."""
    places = mesh.vertices.copy()
    places[vertices] += np.array([columns * PX, away, -rows * PX], np.float32)
    return replace(mesh, vertices=places, rest=mesh.vertices if mesh.rest is None else mesh.rest)


def turned(mesh: Mesh, degrees: float) -> Mesh:
    """The mesh turned about the upright axis, counter-clockwise seen from above."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return replace(mesh, vertices=(mesh.vertices @ turn.T).astype(np.float32), rest=mesh.vertices)


def drawn(mesh: Mesh, camera: Camera = CAMERA) -> Layers:
    return next(FastRenderer().render(mesh, [camera], seen=True))


def seen(mesh: Mesh, camera: Camera = CAMERA) -> Seen:
    found = drawn(mesh, camera).seen
    assert found is not None
    return found


def lies_open(here: Seen, there: Seen, pixels: NDArray[np.intp]) -> list[bool]:
    """Whether nothing is in front of the points of pixels (N, 2) in another frame, face by face."""
    faces = np.flatnonzero(np.abs(there.facing) == 1)
    corners, depth = there.screen[there.faces[faces]].astype(np.float64), there.depth[there.faces[faces]]
    plane = np.linalg.pinv(np.concatenate([corners, np.ones((len(faces), 3, 1))], axis=2))
    found = []
    for row, column in pixels:
        f, weights = here.face[row, column], here.weights[row, column].astype(np.float64)
        place, z = weights @ there.screen[here.faces[f]], weights @ there.depth[here.faces[f]]
        inside = bool((place >= 0).all() and (place < 256 * len(there.face)).all())
        shares = np.append(place, 1.0) @ plane
        # A face gets so much deeper within what vertices are rounded by.
        steep = np.abs(plane[:, :2] @ depth[..., None]).sum(axis=(1, 2))
        own = steep[faces == f].sum()
        front = (shares >= 0).all(axis=1) & ((shares * depth).sum(axis=1) < z - 2 * (steep + own) - 1e-6)
        found.append(inside and bool(there.facing[f] == here.facing[f]) and not front.any())
    return found


def some_pixels(view: Seen, count: int) -> NDArray[np.intp]:
    """Pixels (N, 2) that show something."""
    pixels = np.argwhere(view.face >= 0)
    return np.asarray(pixels[np.linspace(0, len(pixels) - 1, min(count, len(pixels))).astype(int)])


def cube(half: float, at: Sequence[float] = (0.0, 0.0, 0.0)) -> Mesh:
    """A closed box, its half side and its centre in pixels, the latter to the right, away and up."""
    return box([k * PX for k in at], [half * PX] * 3)


def running(path: Path, frames: int = 2, size: int = 128) -> tuple[Actor, list[Layers]]:
    """A character that runs, and neighbouring frames of it."""
    job = Job(Entry("it", "gltf", path), BuildConfig(size=size, clips=ClipSettings(motions=("run",), frames=frames)))
    actor = actor_of(job)
    ((origin, index),) = actor.motions
    shot = shot_of(Clip("it", "run", origin, index, frames, 0, 20.0), actor, job.config, 3)
    meshes = [posed_as(actor.mesh, actor.rig, shot.poses, k) for k in range(frames)]
    return actor, [drawn(mesh.with_vertices(mesh.vertices + shot.shifts[0]), shot.cameras[0]) for mesh in meshes]
