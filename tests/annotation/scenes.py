"""Meshes, frames and lines that can be computed by hand, and independent checks of visibility."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from specsia_build.animation.rig import posed_through
from specsia_build.annotation.lines import BINARY, Features, Lines, draw_lines, feature_edges, visible_lines
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.frame import Camera
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers, Seen
from specsia_build.rendering.mesh import Material, Mesh, Texture
from specsia_build.rendering.topology import topology
from specsia_build.stages.clips.actor import Actor, actor_of, shot_of
from specsia_build.stages.stage import Clip, Job
from tests.rendering import scenes
from tests.rendering.scenes import box, net

Points = Sequence[tuple[float, float]]


def mesh_of(vertices: ArrayLike, faces: ArrayLike, **of: Any) -> Mesh:
    """A mesh of one white material, unless `of` says more."""
    return replace(scenes.mesh_of(np.asarray(vertices), np.asarray(faces)), **of)


def grid(columns: int, rows: int, **of: Any) -> Mesh:
    """A unit square with UV that faces -Y, of columns x rows cells of two faces, row by row from below."""
    x, z = np.meshgrid(np.arange(columns + 1) / columns, np.arange(rows + 1) / rows)
    vertices = np.stack([x, np.zeros_like(x), z], axis=-1).reshape(-1, 3)
    faces = net(rows + 1, columns + 1)
    uv = vertices[faces][..., [0, 2]] * (1, -1) + (0, 1)
    return mesh_of(vertices, faces, uv=uv.astype(np.float32), **of)


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


SIZE = 64
CAMERA = Camera(0.0, SIZE, 1.0)
PX = 1 / SIZE


def boards(*boards: tuple[float, float, float, float, float]) -> Mesh:
    """Upright rectangles facing the camera: left, right, bottom, top in pixels about the centre, depth."""
    corners = [[(x * PX, y, z * PX) for x, z in ((a, c), (b, c), (b, d), (a, d))] for a, b, c, d, y in boards]
    vertices = np.array(corners, np.float32).reshape(-1, 3)
    quad = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    faces = np.concatenate([quad + np.int32(4 * k) for k in range(len(boards))])
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


def cube(half: float, at: Sequence[float] = (0.0, 0.0, 0.0)) -> Mesh:
    """A closed box, its half side and its centre in pixels, the latter to the right, away and up."""
    return box([k * PX for k in at], [half * PX] * 3)


def running(path: Path, frames: int = 2, size: int = 128) -> tuple[Actor, list[Layers]]:
    """A character that runs, and neighbouring frames of it."""
    clips = ClipSettings(motions=("run",), frames=frames)
    job = Job(Entry("it", "gltf", path), BuildConfig(size=size, clips=clips))
    actor = actor_of(job)
    ((origin, index),) = actor.motions
    shot = shot_of(Clip("it", "run", origin, index, frames, 0, 20.0), actor, job.config, 3)
    meshes = posed_through(actor.mesh, actor.rig, shot.poses)
    there = (mesh.with_vertices(mesh.vertices + shot.shifts[0]) for mesh in meshes)
    return actor, [drawn(mesh, shot.cameras[0]) for mesh in there]


def parts(mesh: Mesh) -> NDArray[np.int32]:
    """A region for each connected part of one material."""
    key = topology(mesh).part.astype(np.int64) * len(mesh.materials) + mesh.face_material
    return np.asarray(np.unique(key, return_inverse=True)[1], np.int32)


def lines_of(mesh: Mesh, yaw: float = 0.0, size: int = scenes.SIZE) -> tuple[Lines, Seen, Features]:
    features = feature_edges(mesh, parts(mesh))
    view = seen(mesh, Camera(yaw, size))
    return visible_lines(view, features), view, features


def line_art(mesh: Mesh, yaw: float = 0.0, size: int = scenes.SIZE, width: float = 1.0) -> NDArray[np.uint8]:
    return draw_lines(lines_of(mesh, yaw, size)[0], size, width)


def expected(strokes: Sequence[Points], size: int = scenes.SIZE, width: float = 1.0) -> NDArray[np.float64]:
    """The picture of polylines, each pixel as dark as its distance from the nearest says."""
    row, column = np.indices((size, size)) + 0.5
    nearest = np.full((size, size), np.inf)
    for points in strokes:
        for (x0, y0), (x1, y1) in pairwise(points):
            dx, dy = x1 - x0, y1 - y0
            t = np.clip(((column - x0) * dx + (row - y0) * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
            nearest = np.minimum(nearest, np.hypot(column - x0 - t * dx, row - y0 - t * dy))
    return np.asarray(255 * (1 - np.clip(width / 2 + 0.5 - nearest, 0, 1)))


def rectangle(left: float, top: float, right: float, bottom: float) -> Points:
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def enclosed(line: NDArray[np.uint8]) -> tuple[NDArray[np.int32], int]:
    """The parts (H, W) that binarised lines leave, from 1 on, and how many there are."""
    label, count = ndimage.label(line >= BINARY)
    return np.asarray(label, np.int32), int(count)


def leaks(line: NDArray[np.uint8], seen: Seen) -> int:
    """Pixels of the figure that can be reached from the picture's corner without crossing a line."""
    label, _ = enclosed(line)
    return int(np.count_nonzero((label == label[0, 0]) & (label > 0) & (seen.face >= 0)))


def uncovered(line: NDArray[np.uint8], seen: Seen, region: NDArray[np.int32]) -> tuple[int, int]:
    """Borders between pixels of different regions without a line on either side, and all of them."""
    label, dark = np.where(seen.face >= 0, region[seen.face], -1), line < BINARY
    bare = total = 0
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        border = label[here] != label[there]
        total += int(np.count_nonzero(border))
        bare += int(np.count_nonzero(border & ~dark[here] & ~dark[there]))
    return bare, total


def mixed(line: NDArray[np.uint8], seen: Seen, region: NDArray[np.int32]) -> tuple[int, int]:
    """Pixels that lines enclose together with more pixels of another region, and all that they enclose."""
    label, count = enclosed(line)
    inside = (label > 0) & (label != label[0, 0])
    shown = np.where(seen.face >= 0, region[seen.face], -1) + 1
    held = np.zeros((count + 1, int(shown.max()) + 1), np.int64)
    np.add.at(held, (label[inside], shown[inside]), 1)
    return int(held.sum() - held.max(axis=1).sum()), int(held.sum())
