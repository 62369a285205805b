"""An optional renderer on OpenGL, through the `pyrender` package (extra ``pyrender``); opaque, unlit surfaces only.

pyrender multiplies colours as they are encoded, and averages samples likewise. So factors are worked into the textures
beforehand, and pixels are averaged here, in linear light, from a picture three times as fine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.frame import CAMERA_DISTANCE, ORTHO_WIDTH, Camera
from specsia_build.rendering.blender.renderer import nearest_to_centre
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.layers import Layers, Look
from specsia_build.rendering.mesh import Material, Mesh

GRID = 3
"""Pixels of the finer picture along a side of a pixel, by default; odd, so that one lies at its centre."""

NEAR, FAR = CAMERA_DISTANCE - 1.5, CAMERA_DISTANCE + 1.5
"""Depths in units between which the character lies."""

_LEAST_SIZE = 8
"""Pixels on a side of the surface that shows that OpenGL works."""

_WRAPS = {"repeat": 10497, "clamp": 33071, "mirror": 33648}
_NEAREST, _LINEAR, _LINEAR_MIPMAP_LINEAR = 9728, 9729, 9987


class PyrenderRenderer:
    """Draws with OpenGL, by EGL where there is no display; see `Renderer`.

    Attributes:
        grid: how many times finer the picture is drawn than it is given, along a side; 1 shows what pyrender itself
            takes, with edges as it has them.
    """

    name = "pyrender"
    version = 2

    def __init__(self, grid: int = GRID) -> None:
        self.grid = grid

    def check(self) -> None:
        _offscreen(_LEAST_SIZE)

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        _check_drawable(mesh, look)
        scene = _scene(mesh)
        for camera in cameras:
            yield _view(scene, camera, self.grid)


class PlainPyrender:
    """pyrender as it is: one sample a pixel, and a second pass for positions, drawn as colours of the vertices.

    A peer in speed, no renderer to build with.
    """

    name = "pyrender-plain"
    version = 2

    def check(self) -> None:
        _offscreen(_LEAST_SIZE)

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        _check_drawable(mesh, look)
        low, high = (bound.astype(np.float32) for bound in mesh.bounds())
        places = np.ones((len(mesh.faces), 3, 4), np.float32)
        # Vertex colours are linear light, which is shown encoded.
        places[..., :3] = srgb_to_linear((mesh.vertices[mesh.faces] - low) / np.maximum(high - low, 1e-6))
        bare = tuple(Material(double_sided=m.double_sided) for m in mesh.materials)
        coloured, placed = _scene(mesh), _scene(replace(mesh, uv=None, colors=places, materials=bare))
        for camera in cameras:
            color, _ = _draw(coloured, camera, camera.size)
            position, _ = _draw(placed, camera, camera.size)
            scale = np.asarray((high - low) / 255, np.float32)
            yield Layers(color, color[..., 3], position[..., :3].astype(np.float32) * scale + low)


def _check_drawable(mesh: Mesh, look: Look) -> None:
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


@dataclass(frozen=True)
class _Scene:
    scene: Any
    camera: Any


@cache
def _module() -> Any:
    """The package.

    Raises:
        UsageError: if it is not installed.
        SpecsiaError: if OpenGL cannot be loaded.
    """
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender
    except ModuleNotFoundError as error:
        raise UsageError("--renderer pyrender needs a package: pip install 'specsia[pyrender]'") from error
    # PyOpenGL raises what it likes while it looks for its libraries.
    except (ImportError, AttributeError, OSError, RuntimeError, TypeError) as error:
        raise _no_gl(error) from error
    return pyrender


def _no_gl(error: Exception) -> SpecsiaError:
    return SpecsiaError(
        f"pyrender cannot open OpenGL here ({error}): apt-get install libegl1 libgl1-mesa-dri, or use --renderer fast"
    )


@cache
def _offscreen(size: int) -> Any:
    """A drawing surface of `size` pixels on a side, kept: each holds a context of its own."""
    pyrender = _module()
    from OpenGL.error import Error as OpenGLError

    try:
        return pyrender.OffscreenRenderer(size, size)
    except (OpenGLError, ImportError, AttributeError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise _no_gl(error) from error


def _scene(mesh: Mesh) -> _Scene:
    pyrender = _module()

    base: Any = pyrender.Mesh

    class Bounded(base):  # type: ignore[misc]
        # pyrender's own asks NumPy for a name that it lost in version 2.
        @property
        def bounds(self) -> NDArray[np.float64]:
            return np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])

    scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
    primitives = []
    for k, material in enumerate(mesh.materials):
        chosen = mesh.face_material == k
        if chosen.any():
            primitives.append(_primitive(pyrender, mesh, material, chosen))
    scene.add(Bounded(primitives))
    camera = pyrender.OrthographicCamera(ORTHO_WIDTH / 2, ORTHO_WIDTH / 2, znear=NEAR, zfar=FAR)
    return _Scene(scene, scene.add(camera))


def _primitive(pyrender: Any, mesh: Mesh, material: Material, chosen: NDArray[np.bool_]) -> Any:
    corners = mesh.vertices[mesh.faces[chosen]].reshape(-1, 3)
    shown = pyrender.MetallicRoughnessMaterial(doubleSided=material.double_sided, alphaMode="OPAQUE")
    colors = None
    if mesh.colors is not None:
        colors = np.ones((len(corners), 4), np.float32)
        colors[:, :3] = linear_to_srgb(mesh.colors[chosen].reshape(-1, 4)[:, :3])
    factor, glow = np.array(material.base_color[:3]), np.array(material.emissive)
    uv = None
    if mesh.uv is not None and (material.texture or material.emissive_texture):
        uv = mesh.uv[chosen].reshape(-1, 2).astype(np.float64)
        # Rows are turned over on their way to OpenGL, whose v grows upwards.
        uv[:, 1] = 1 - uv[:, 1]
        shown.baseColorTexture = _texture(pyrender, material, factor, glow)
    else:
        shown.baseColorFactor = [*linear_to_srgb(factor + glow), 1.0]
    return pyrender.Primitive(
        positions=corners,
        texcoord_0=uv,
        color_0=colors,
        indices=np.arange(len(corners), dtype=np.uint32).reshape(-1, 3),
        material=shown,
        mode=4,
    )


def _texture(pyrender: Any, material: Material, factor: NDArray[np.float64], glow: NDArray[np.float64]) -> Any:
    """Base colour x factor + emission as one encoded image."""
    texture = material.texture or material.emissive_texture
    assert texture is not None
    light = np.broadcast_to(factor, (*texture.pixels.shape[:2], 3))
    if material.texture is not None:
        light = srgb_to_linear(material.texture.pixels[..., :3] / 255) * factor
    if material.emissive_texture is not None and material.emissive_texture.pixels.shape == texture.pixels.shape:
        light = light + srgb_to_linear(material.emissive_texture.pixels[..., :3] / 255) * glow
    elif material.emissive_texture is None:
        light = light + glow
    pixels = np.full(texture.pixels.shape, 255, np.uint8)
    pixels[..., :3] = np.rint(linear_to_srgb(light) * 255)
    sampler = pyrender.Sampler(
        magFilter=_NEAREST if texture.nearest else _LINEAR,
        minFilter=_NEAREST if texture.nearest else _LINEAR_MIPMAP_LINEAR,
        wrapS=_WRAPS[texture.wrap[0]],
        wrapT=_WRAPS[texture.wrap[1]],
    )
    return pyrender.Texture(source=pixels, source_channels="RGBA", sampler=sampler)


def _draw(scene: _Scene, camera: Camera, size: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Colours (N, N, 4) and depths (N, N) of a view, as pyrender gives them."""
    pyrender = _module()
    right, up, forward = camera.basis()
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, up, -forward], axis=1)
    pose[:3, 3] = camera.position()
    scene.scene.set_pose(scene.camera, pose)
    flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA
    picture, depth = _offscreen(size).render(scene.scene, flags)
    return picture, depth


def _view(scene: _Scene, camera: Camera, grid: int) -> Layers:
    size = camera.size
    picture, told = _draw(scene, camera, size * grid)
    fine = picture.astype(np.float64) / 255
    blocks = (size, grid, size, grid)
    opacity = fine[..., 3]
    # Samples beside the character were averaged in as black.
    light = srgb_to_linear(fine[..., :3] / np.maximum(opacity, 1e-6)[..., None]) * opacity[..., None]
    alpha = opacity.reshape(blocks).mean(axis=(1, 3))
    mean = light.reshape(*blocks, 3).mean(axis=(1, 3)) / np.maximum(alpha, 1e-6)[..., None]
    color = np.zeros((size, size, 4), np.uint8)
    color[..., 3] = np.floor(alpha * 255 + 0.5)
    color[..., :3] = np.floor(linear_to_srgb(mean) * 255 + 0.5)
    color[color[..., 3] == 0] = 0
    position = nearest_to_centre(_positions(np.asarray(told, np.float64), camera), size)
    position[color[..., 3] == 0] = 0
    return Layers(color, color[..., 3].copy(), position)


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
