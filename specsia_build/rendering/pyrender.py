"""An optional renderer on OpenGL, through the `pyrender` package (extra ``pyrender``); opaque, unlit surfaces only.

pyrender multiplies colours as they are encoded, and averages samples likewise. So factors are worked into the textures
beforehand, and pixels are averaged here, in linear light, from a picture three times as fine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.frame import CAMERA_DISTANCE, ORTHO_WIDTH, Camera
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.layers import Layers, Look, encoded
from specsia_build.rendering.mesh import Material, Mesh

GRID = 3
"""Pixels of the finer picture along a side of a pixel; odd, so that one lies at its centre."""

NEAR, FAR = CAMERA_DISTANCE - 1.5, CAMERA_DISTANCE + 1.5
"""Depths in units between which the character lies."""

_WRAPS = {"repeat": 10497, "clamp": 33071, "mirror": 33648}
_NEAREST, _LINEAR, _LINEAR_MIPMAP_LINEAR = 9728, 9729, 9987


class PyrenderRenderer:
    """Draws with OpenGL, by EGL where there is no display; see `Renderer`."""

    name = "pyrender"
    version = 2

    def check(self) -> None:
        offscreen(8)

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        check_drawable(mesh, look)
        scene = Scene(mesh)
        for camera in cameras:
            yield _layers(*scene.draw(camera, camera.size * GRID), camera)


def check_drawable(mesh: Mesh, look: Look) -> None:
    """Refuse what OpenGL through pyrender would draw wrongly.

    Raises:
        UsageError: if it never could.
        CharacterError: if it cannot draw this mesh.
    """
    if look != "unlit":
        raise UsageError("the pyrender renderer draws unlit pictures only: use --renderer fast")
    if mesh.rest is not None:
        raise UsageError("the pyrender renderer cannot draw rest positions: use --renderer fast")
    if any(m.alpha_mode != "opaque" for m in mesh.materials):
        raise CharacterError("it has see-through materials, which pyrender draws wrongly: use --renderer fast")
    if len(mesh.faces) == 0 or not np.isfinite(mesh.vertices[mesh.used]).all():
        raise CharacterError("the mesh has no faces to draw, or vertices that are not finite numbers")


@cache
def offscreen(size: int) -> Any:
    """A drawing surface of `size` pixels on a side, kept: each holds a context of its own.

    Raises:
        UsageError: if the package is not installed.
        SpecsiaError: if OpenGL cannot be loaded.
    """
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender

        return pyrender.OffscreenRenderer(size, size)
    except ModuleNotFoundError as error:
        raise UsageError("--renderer pyrender needs a package: pip install 'specsia[pyrender]'") from error
    # PyOpenGL raises what it likes, errors of its own among it, while it looks for its libraries.
    except Exception as error:
        cure = "apt-get install libegl1 libgl1-mesa-dri, or use --renderer fast"
        raise SpecsiaError(f"pyrender cannot open OpenGL here ({error}): {cure}") from error


class Scene:
    """A mesh and an orthographic camera for pyrender."""

    def __init__(self, mesh: Mesh) -> None:
        offscreen(8)
        import pyrender

        base: Any = pyrender.Mesh

        class Bounded(base):  # type: ignore[misc]
            # pyrender's own asks NumPy for a name that it lost in version 2.
            @property
            def bounds(self) -> NDArray[np.float64]:
                return np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])

        self._scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
        used = [k for k in range(len(mesh.materials)) if (mesh.face_material == k).any()]
        primitives = [_primitive(pyrender, mesh, mesh.materials[k], mesh.face_material == k) for k in used]
        self._scene.add(Bounded(primitives))
        camera = pyrender.OrthographicCamera(ORTHO_WIDTH / 2, ORTHO_WIDTH / 2, znear=NEAR, zfar=FAR)
        self._camera = self._scene.add(camera)
        self._flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA

    def draw(self, camera: Camera, size: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Colours (size, size, 4) and depths (size, size) of a view, as pyrender gives them."""
        right, up, forward = camera.basis()
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, up, -forward], axis=1)
        pose[:3, 3] = camera.position()
        self._scene.set_pose(self._camera, pose)
        picture, depth = offscreen(size).render(self._scene, self._flags)
        return picture, depth


def _primitive(pyrender: Any, mesh: Mesh, material: Material, chosen: NDArray[np.bool_]) -> Any:
    corners = mesh.vertices[mesh.faces[chosen]].reshape(-1, 3)
    shown = pyrender.MetallicRoughnessMaterial(doubleSided=material.double_sided, alphaMode="OPAQUE")
    colors = uv = None
    if mesh.colors is not None:
        colors = np.ones((len(corners), 4), np.float32)
        colors[:, :3] = linear_to_srgb(mesh.colors[chosen].reshape(-1, 4)[:, :3])
    if mesh.uv is not None and (material.texture or material.emissive_texture):
        # Rows are turned over on their way to OpenGL, whose v grows upwards.
        uv = mesh.uv[chosen].reshape(-1, 2) * [1.0, -1.0] + [0.0, 1.0]
        shown.baseColorTexture = _texture(pyrender, material)
    else:
        shown.baseColorFactor = [*linear_to_srgb(np.array(material.base_color[:3]) + material.emissive), 1.0]
    indices = np.arange(len(corners), dtype=np.uint32).reshape(-1, 3)
    return pyrender.Primitive(positions=corners, texcoord_0=uv, color_0=colors, indices=indices, material=shown, mode=4)


def _texture(pyrender: Any, material: Material) -> Any:
    """Base colour x factor + emission as one encoded image."""
    texture = material.texture or material.emissive_texture
    assert texture is not None
    light = np.zeros((*texture.pixels.shape[:2], 3))
    for image, factor in ((material.texture, material.base_color[:3]), (material.emissive_texture, material.emissive)):
        if image is None or image.pixels.shape == texture.pixels.shape:
            light += np.array(factor) * (1 if image is None else srgb_to_linear(image.pixels[..., :3] / 255))
    pixels = np.full(texture.pixels.shape, 255, np.uint8)
    pixels[..., :3] = np.rint(linear_to_srgb(light) * 255)
    across, down = (_WRAPS[wrap] for wrap in texture.wrap)
    near, far = (_NEAREST, _NEAREST) if texture.nearest else (_LINEAR, _LINEAR_MIPMAP_LINEAR)
    sampler = pyrender.Sampler(magFilter=near, minFilter=far, wrapS=across, wrapT=down)
    return pyrender.Texture(source=pixels, source_channels="RGBA", sampler=sampler)


def _layers(picture: NDArray[np.uint8], depth: NDArray[np.float32], camera: Camera) -> Layers:
    """The layers of a view from a picture `GRID` times as fine and its depths."""
    fine = picture / 255
    # Samples beside the character were averaged in as black.
    fine[..., :3] = srgb_to_linear(fine[..., :3] / np.maximum(fine[..., 3:], 1e-6)) * fine[..., 3:]
    mean = fine.reshape(camera.size, GRID, camera.size, GRID, 4).mean(axis=(1, 3))
    return encoded(mean, mean[..., 3], _positions(np.asarray(depth, np.float64), camera))


def _positions(told: NDArray[np.float64], camera: Camera) -> NDArray[np.float32]:
    """Points (N, N, 4) of the finer picture, and whether there is one, from depths as pyrender tells them.

    It takes every camera for a perspective one, so its depths are turned back into the buffer's first.
    """
    there = told > 0
    buffer = (FAR + NEAR - 2 * NEAR * FAR / np.where(there, told, 1.0)) / (FAR - NEAR)
    depth = (buffer * (FAR - NEAR) + FAR + NEAR) / 2
    at = ((np.arange(told.shape[0]) + 0.5) / told.shape[0] - 0.5) * ORTHO_WIDTH
    right, up, forward = camera.basis()
    points = camera.position() + at[None, :, None] * right - at[:, None, None] * up + depth[..., None] * forward
    return np.concatenate([points, there[..., None]], axis=-1).astype(np.float32)
