"""What a view shows of a surface beside its colour: depth, normals, parts, materials, and light."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.frame import Camera
from specsia_build.jit import inlined, uncounted
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.fast.renderer import draw_views, drawable
from specsia_build.rendering.fast.splitting import by_camera
from specsia_build.rendering.layers import Layers, Look, Seen, corner_weights, place_of_sample
from specsia_build.rendering.light import AMBIENT, LIGHTS, lit_normals
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.vectors import put, triple

_ENERGY = float(LIGHTS[:, 3].sum())  # Total intensity of seeded lights, which is that of the fixed ones


@dataclass(frozen=True)
class SurfaceView:
    """A view of a mesh, H x W pixels; layers are of the sample of `layers.color` nearest to each centre."""

    camera: Camera
    layers: Layers  # Colour, coverage and position
    seen: Seen
    corner_normals: Floats  # (F, 3, 3), shading normals of the faces' corners
    face_material: NDArray[np.int32]  # (F,), index of each face's material

    @property
    def shown(self) -> Mask:
        """(H, W) whether a pixel shows a surface."""
        return np.asarray(self.seen.face >= 0)

    @cached_property
    def _filled(self) -> tuple[Floats, Floats]:
        """Depth and normals."""
        seen, camera = self.seen, self.camera
        depth = np.zeros(seen.face.shape, np.float32)
        normal = np.zeros((*seen.face.shape, 3), np.float32)
        # Perspective depths are turned into distances one by one, see `Camera.distance`.
        lens = (0.0, float(camera.distance(np.zeros(1))[0]))
        if camera.fov_deg is not None:
            lens = (camera.radius, 0.0)
        pixels = (seen.face, seen.sample, seen.offsets, seen.screen)
        _fill(
            pixels, seen.box, (seen.faces, seen.facing, seen.depth, self.corner_normals), lens, depth, normal
        )
        return depth, normal

    @property
    def depth(self) -> Floats:
        """(H, W) float32, distance from the camera along its axis in units; 0 where there is no surface."""
        return self._filled[0]

    @property
    def normal(self) -> Floats:
        """(H, W, 3) float32, unit normals in the frame, on the side that is seen; 0 where there is none."""
        return self._filled[1]

    def normal_picture(self, *, own_axes: bool = False) -> Pixels:
        """Normals -1 to 1 as 0 to 255, (H, W, 4), in the frame or the camera's axes; alpha as the colour."""
        turn = self.camera.w2c()[:3, :3] if own_axes else np.eye(3)
        out = np.zeros(self.layers.color.shape, np.uint8)
        _encode(self.normal, turn, self.layers.mask, self.seen.box, out)
        return out

    @property
    def part(self) -> NDArray[np.int32]:
        """(H, W) int32, number of the connected part of the surface; -1 where there is none."""
        return self.seen.numbers(self.seen.part)

    @property
    def material(self) -> NDArray[np.int32]:
        """(H, W) int32, index of the mesh's material; -1 where there is none."""
        return self.seen.numbers(self.face_material)

    def lit(self, seed: int) -> Pixels:
        """(H, W, 4) uint8, unlit colours under three lights by `seed`, else that of `--look lit`."""
        top, bottom, left, right = self.seen.box
        part = np.s_[top:bottom, left:right]
        lights = seeded_lights(seed)
        light = np.maximum(self.normal[part] @ lights[:, :3].T, 0) @ lights[:, 3] + AMBIENT
        color = self.layers.color.copy()
        inner = color[part]
        linear = srgb_to_linear(inner[..., :3] / np.float32(255)) * np.minimum(light, 1)[..., None]
        inner[..., :3] = np.where(inner[..., 3:] > 0, np.floor(linear_to_srgb(linear) * 255 + 0.5), 0)
        return color


def seeded_lights(seed: int) -> NDArray[np.float32]:
    """Three lights like `light.LIGHTS`, from random directions of the upper half and of random shares."""
    random = np.random.default_rng(seed)
    towards = random.normal(size=(3, 3))
    towards[:, 2] = np.abs(towards[:, 2])
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    shares = random.dirichlet((2.0, 2.0, 2.0))
    return np.column_stack([towards, _ENERGY * shares]).astype(np.float32)


def surface_views(mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[SurfaceView]:
    """Draw each camera's view, in order; raises CharacterError if the mesh cannot be drawn."""
    for drawn, run in by_camera(drawable(mesh), cameras):
        normals = lit_normals(drawn)
        views = draw_views(drawn, run, look, seen=True)
        for camera, layers in zip(run, views, strict=True):
            assert layers.seen is not None
            yield SurfaceView(camera, layers, layers.seen, normals, drawn.face_material)


@uncounted
def _fill(pixels, box, mesh, lens, depth, normal):  # type: ignore[no-untyped-def]
    """Fill depth (S, S) and normals (S, S, 3), 0 before, inside the box.

    `pixels` are the face and sample of each, the samples' offsets and the vertices' places on the screen;
    `mesh` its faces, how these are turned, the depth of vertices and the normals of corners (F, 3, 3). `lens`
    is the radius of a perspective camera, or 0 and what an orthographic one's depths lack.
    """
    face, sample, offsets, screen = pixels
    faces, facing, along, normals = mesh
    radius, more = lens
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            f = face[row, column]
            if f < 0:
                continue
            at = place_of_sample(row, column, offsets[sample[row, column]])
            weights = corner_weights(faces, f, screen, at)
            a, b, c = triple(faces, f)
            value = weights[0] * along[a] + weights[1] * along[b] + weights[2] * along[c]
            depth[row, column] = radius / (1.0 - value / radius) if radius > 0 else value + more
            x, y, z = weighted(normals[f], weights)
            length = np.sqrt(x * x + y * y + z * z)
            if length > 1e-6:
                scale = -1.0 / length if facing[f] == -1 else 1.0 / length
                put(normal[row], column, (x * scale, y * scale, z * scale))


@inlined
def weighted(rows, weights):  # type: ignore[no-untyped-def]
    """The sum of three rows (3, 3), each times its weight."""
    a, b, c = weights
    x = a * rows[0, 0] + b * rows[1, 0] + c * rows[2, 0]
    y = a * rows[0, 1] + b * rows[1, 1] + c * rows[2, 1]
    z = a * rows[0, 2] + b * rows[1, 2] + c * rows[2, 2]
    return x, y, z


@uncounted
def _encode(normal, turn, mask, box, out):  # type: ignore[no-untyped-def]
    """Fill a picture (S, S, 4) of normals turned by (3, 3), 0 before, inside the box."""
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            alpha = mask[row, column]
            if alpha > 0:
                x, y, z = triple(normal[row], column)
                for k in range(3):
                    value = turn[k, 0] * x + turn[k, 1] * y + turn[k, 2] * z
                    out[row, column, k] = np.uint8(np.floor(value * 127.5 + 128.0))
                out[row, column, 3] = alpha
