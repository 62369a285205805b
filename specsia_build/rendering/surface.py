"""What a view shows of a surface beside its colour: depth, normals, parts, materials, and light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.frame import Camera
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.fast.splitting import by_camera
from specsia_build.rendering.layers import Layers, Look, Seen
from specsia_build.rendering.light import AMBIENT, LIGHTS, lit_normals
from specsia_build.rendering.mesh import Mesh

_ENERGY = float(LIGHTS[:, 3].sum())  # Total intensity of seeded lights, which is that of the fixed ones


@dataclass(frozen=True)
class SurfaceView:
    """A view of a mesh with all that its pixels show, H x W pixels.

    Each layer is, as `position`, of the sample of `layers.color` that is nearest to the pixel's centre.
    """

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
    def depth(self) -> Floats:
        """(H, W) float32, distance from the camera along its axis in units; 0 where there is no surface."""
        depth = self.camera.distance(self.seen.values(self.seen.depth[:, None])[..., 0])
        return np.where(self.shown, depth, 0).astype(np.float32)

    @cached_property
    def normal(self) -> Floats:
        """(H, W, 3) float32, unit normals in the frame, on the side that is seen; 0 where there is none."""
        normal = self.seen.corner_values(self.corner_normals)
        inside = self.seen.numbers(self.seen.facing.astype(np.int32)) == -1
        normal[inside & self.shown] *= -1
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        return np.asarray(np.divide(normal, length, out=np.zeros_like(normal), where=length > 1e-6))

    @property
    def camera_normal(self) -> Floats:
        """(H, W, 3) float32, the same in the camera's axes: x right, y up, z towards the viewer."""
        return np.asarray(self.normal @ self.camera.c2w()[:3, :3].astype(np.float32))

    @property
    def part(self) -> NDArray[np.int32]:
        """(H, W) int32, number of the connected part of the surface; -1 where there is none."""
        return self.seen.numbers(self.seen.part)

    @property
    def material(self) -> NDArray[np.int32]:
        """(H, W) int32, index of the mesh's material; -1 where there is none."""
        return self.seen.numbers(self.face_material)

    def lit(self, seed: int) -> Pixels:
        """(H, W, 4) uint8, the unlit colours under three lights whose directions and shares `seed` decides.

        The light is that of `--look lit` else: part from everywhere, and diffuse.
        """
        lights = seeded_lights(seed)
        light = np.maximum(self.normal @ lights[:, :3].T, 0) @ lights[:, 3] + AMBIENT
        color = self.layers.color.copy()
        linear = srgb_to_linear(color[..., :3] / np.float32(255)) * np.minimum(light, 1)[..., None]
        color[..., :3] = np.where(color[..., 3:] > 0, np.floor(linear_to_srgb(linear) * 255 + 0.5), 0)
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
    for drawn, run in by_camera(mesh, cameras):
        normals = lit_normals(drawn)
        views = FastRenderer().render(drawn, run, look, seen=True)
        for camera, layers in zip(run, views, strict=True):
            assert layers.seen is not None
            yield SurfaceView(camera, layers, layers.seen, normals, drawn.face_material)
