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
        if look != "unlit":
            raise UsageError("the pyrender renderer draws unlit pictures only: use --renderer fast")
        for camera, (picture, depths) in zip(cameras, pictures(mesh, cameras, GRID), strict=True):
            yield _layers(picture, depths, camera)


def pictures(
    mesh: Mesh, cameras: Sequence[Camera], grid: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Colours (N, N, 4) and depths (N, N) of each view as pyrender gives them, `grid` times as fine as the camera.

    Raises:
        UsageError: if it never could draw such a mesh, or is not installed.
        CharacterError: if it would draw this mesh wrongly.
        SpecsiaError: if OpenGL cannot be loaded.
    """
    if mesh.rest is not None:
        raise UsageError("the pyrender renderer cannot draw rest positions: use --renderer fast")
    if any(m.alpha_mode != "opaque" for m in mesh.materials):
        raise CharacterError("it has see-through materials, which pyrender draws wrongly: use --renderer fast")
    if len(mesh.faces) == 0 or not np.isfinite(mesh.vertices[mesh.used]).all():
        raise CharacterError("the mesh has no faces to draw, or vertices that are not finite numbers")
    offscreen(8)
    import pyrender

    base: Any = pyrender.Mesh

    class Bounded(base):  # type: ignore[misc]
        # pyrender's own asks NumPy for a name that it lost in version 2.
        @property
        def bounds(self) -> NDArray[np.float64]:
            return np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])

    scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
    used = np.unique(mesh.face_material).tolist()
    scene.add(Bounded([_primitive(mesh, mesh.materials[k], mesh.face_material == k) for k in used]))
    node = scene.add(pyrender.OrthographicCamera(ORTHO_WIDTH / 2, ORTHO_WIDTH / 2, znear=NEAR, zfar=FAR))
    for camera in cameras:
        right, up, forward = camera.basis()
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = np.stack([right, up, -forward], axis=1), camera.position()
        scene.set_pose(node, pose)
        flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA
        yield offscreen(camera.size * grid).render(scene, flags)


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


def _primitive(mesh: Mesh, material: Material, chosen: NDArray[np.bool_]) -> Any:
    import pyrender

    corners = mesh.vertices[mesh.faces[chosen]].reshape(-1, 3)
    shown = pyrender.MetallicRoughnessMaterial(doubleSided=material.double_sided, alphaMode="OPAQUE")
    colors = uv = None
    if mesh.colors is not None:
        colors = np.ones((len(corners), 4), np.float32)
        colors[:, :3] = linear_to_srgb(mesh.colors[chosen].reshape(-1, 4)[:, :3])
    if mesh.uv is not None and (material.texture or material.emissive_texture):
        # Rows are turned over on their way to OpenGL, whose v grows upwards.
        uv = mesh.uv[chosen].reshape(-1, 2) * [1.0, -1.0] + [0.0, 1.0]
        shown.baseColorTexture = _texture(material)
    else:
        shown.baseColorFactor = [*linear_to_srgb(np.array(material.base_color[:3]) + material.emissive), 1.0]
    indices = np.arange(len(corners), dtype=np.uint32).reshape(-1, 3)
    return pyrender.Primitive(positions=corners, texcoord_0=uv, color_0=colors, indices=indices, material=shown, mode=4)


def _texture(material: Material) -> Any:
    """Base colour x factor + emission as one encoded image."""
    import pyrender

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


def _layers(picture: NDArray[np.uint8], depths: NDArray[np.float32], camera: Camera) -> Layers:
    """Layers of a view from a picture `GRID` times as fine and its depths, as pyrender gives both."""
    fine, size = picture / 255, len(picture)
    # Samples beside the character were averaged in as black.
    fine[..., :3] = srgb_to_linear(fine[..., :3] / np.maximum(fine[..., 3:], 1e-6)) * fine[..., 3:]
    mean = fine.reshape(camera.size, GRID, camera.size, GRID, 4).mean(axis=(1, 3))
    # It takes every camera for a perspective one, so its depths are turned back into the buffer's first.
    there = depths > 0
    buffer = (FAR + NEAR - 2 * NEAR * FAR / np.where(there, depths, 1.0).astype(np.float64)) / (FAR - NEAR)
    depth = (buffer * (FAR - NEAR) + FAR + NEAR) / 2
    at = ((np.arange(size) + 0.5) / size - 0.5) * ORTHO_WIDTH
    right, up, forward = camera.basis()
    points = camera.position() + at[None, :, None] * right - at[:, None, None] * up + depth[..., None] * forward
    cells = np.concatenate([points, there[..., None]], axis=-1).astype(np.float32)
    return encoded(mean, mean[..., 3], cells)
