"""The character's own frontal drawing: shaded in two tones, with dark lines on white."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import frame
from specsia_build.characters.samples.make import Sample
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Material, Mesh, Texture

SIZE = 512
"""Width and height of a drawing in pixels."""

_LINE = 3
_LIGHT = np.array([-0.35, -0.75, 0.55]) / np.linalg.norm([-0.35, -0.75, 0.55])


def mesh_of(sample: Sample) -> Mesh:
    """A sample as a mesh, Z up and facing -Y, in its own units."""
    corners = np.concatenate([sample.corners[:, [0, 1, 2]], sample.corners[:, [0, 2, 3]]])
    uv = np.concatenate([sample.uv[:, [0, 1, 2]], sample.uv[:, [0, 2, 3]]])
    real = (corners[:, 0] != corners[:, 1]) & (corners[:, 1] != corners[:, 2]) & (corners[:, 0] != corners[:, 2])
    pixels = np.dstack([sample.image, np.full(sample.image.shape[:2], 255, np.uint8)])
    return Mesh(
        vertices=(sample.vertices @ frame.up_rotation("+y").T).astype(np.float32),
        faces=corners[real].astype(np.int32),
        materials=(Material(texture=Texture(pixels)),),
        face_material=np.zeros(int(real.sum()), np.int32),
        uv=uv[real].astype(np.float32),
    )


def draw_front(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture (SIZE, SIZE, 3) uint8, and its mask (SIZE, SIZE) uint8, 255 where the character is."""
    mesh, camera = mesh_of(sample), frame.Camera(0.0, SIZE)
    fit = frame.normalise(mesh.vertices, (camera,), _LINE + 1)
    (layers,) = FastRenderer().render(mesh.with_vertices(fit.apply(mesh.vertices)), (camera,))
    rows, columns = (np.flatnonzero((layers.mask > 0).any(axis=axis)) for axis in (1, 0))
    box = np.s_[rows[0] - _LINE : rows[-1] + _LINE + 1, columns[0] - _LINE : columns[-1] + _LINE + 1]
    picture, mask = np.full((SIZE, SIZE, 3), 255, np.uint8), np.where(layers.mask > 0, 255, 0).astype(np.uint8)
    picture[box] = _inked(layers.color[box], mask[box] > 0, layers.position[box])
    return picture, mask


def _inked(color: NDArray[np.uint8], mask: NDArray[np.bool_], places: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colours in two tones by the slope of the surface, dark where it steps back and around it."""
    depth = np.where(mask, places[..., 1], 9.0)
    normal = np.cross(np.gradient(places, axis=0), np.gradient(places, axis=1))
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-12)
    tone = np.where(scipy.ndimage.uniform_filter(normal @ _LIGHT, 5) > 0.18, 1.0, 0.84)
    alpha = color[..., 3:] / 255.0
    colour = color[..., :3] * tone[..., None] * alpha + 255.0 * (1 - alpha)
    behind = scipy.ndimage.maximum_filter(depth, 3)
    colour[mask & (behind - depth > 0.06)] *= 0.35
    around = scipy.ndimage.distance_transform_edt(~mask)
    colour[(around > 0) & (around <= _LINE)] = (34.0, 26.0, 32.0)
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8)
