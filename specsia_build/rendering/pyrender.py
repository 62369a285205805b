"""An optional renderer on OpenGL, by the `pyrender` package (extra ``pyrender``); opaque, unlit surfaces.

pyrender multiplies and averages encoded colours, so factors are put into textures, and pixels averaged here.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.extras import how_to_add
from specsia_build.frame import CAMERA_DISTANCE, ORTHO_WIDTH, Camera
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.layers import Layers, Look, encoded
from specsia_build.rendering.mesh import Material, Mesh

GRID = 3  # Pixels of the finer picture along a side of a pixel; odd, so that one lies at its centre

_NEAR, _FAR = CAMERA_DISTANCE - 1.5, CAMERA_DISTANCE + 1.5
_WRAPS = {"repeat": 10497, "clamp": 33071, "mirror": 33648}
_FILTERS = ((9729, 9987), (9728, 9728))  # OpenGL's linear filter with mip levels, and the nearest texel


class PyrenderRenderer:
    """Draws with OpenGL, by EGL where there is no display; see `Renderer`."""

    name = "pyrender"
    version = 2

    def check(self) -> None:
        offscreen(8)

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        if look != "unlit" or mesh.rest is not None:
            raise UsageError("pyrender draws unlit pictures without rest positions only: use --renderer fast")
        for camera, (picture, depths) in zip(cameras, pictures(mesh, cameras, GRID), strict=True):
            fine, size = picture / 255, len(picture)
            # Samples beside the character were averaged as black.
            fine[..., :3] = srgb_to_linear(fine[..., :3] / np.maximum(fine[..., 3:], 1e-6)) * fine[..., 3:]
            mean = fine.reshape(camera.size, GRID, camera.size, GRID, 4).mean(axis=(1, 3))
            # It takes all cameras for perspective ones, so its depths are turned back into the buffer's.
            covered = depths > 0
            buffer = _FAR + _NEAR - 2 * _NEAR * _FAR / np.where(covered, depths, 1.0).astype(np.float64)
            depth = (buffer + _FAR + _NEAR) / 2
            at = ((np.arange(size) + 0.5) / size - 0.5) * ORTHO_WIDTH
            right, up, forward = camera.basis()
            plane = camera.position() + at[None, :, None] * right - at[:, None, None] * up
            cells = np.concatenate([plane + depth[..., None] * forward, covered[..., None]], axis=-1)
            yield encoded(mean, mean[..., 3], cells.astype(np.float32))


def pictures(mesh: Mesh, cameras: Sequence[Camera], grid: int) -> Iterator[tuple[Any, Any]]:
    """Colours (N, N, 4) uint8 and depths (N, N) float32 of each view, `grid` times as fine as the camera."""
    finite = np.isfinite(mesh.vertices[mesh.used]).all()
    if any(m.alpha_mode != "opaque" for m in mesh.materials) or len(mesh.faces) == 0 or not finite:
        raise CharacterError("pyrender draws only finite meshes of opaque materials: use --renderer fast")
    offscreen(8)
    import pyrender

    # pyrender's own `bounds` uses a name that NumPy 2 removed.
    bounded: Any = type("Bounded", (pyrender.Mesh,), {"bounds": np.array([[-1.0] * 3, [1.0] * 3])})
    scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
    primitives = []
    for k in np.unique(mesh.face_material).tolist():
        part = mesh.of_faces(mesh.face_material == k)
        corners = part.vertices[part.faces].reshape(-1, 3)
        given = _look(part, mesh.materials[k])
        given["indices"] = np.arange(len(corners), dtype=np.uint32).reshape(-1, 3)
        primitives.append(pyrender.Primitive(positions=corners, mode=4, **given))
    scene.add(bounded(primitives))
    node = scene.add(pyrender.OrthographicCamera(ORTHO_WIDTH / 2, ORTHO_WIDTH / 2, znear=_NEAR, zfar=_FAR))
    flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA
    for camera in cameras:
        right, up, forward = camera.basis()
        axes = np.stack([right, up, -forward, camera.position()], axis=1)
        scene.set_pose(node, np.vstack([axes, [0, 0, 0, 1]]))
        yield offscreen(camera.size * grid).render(scene, flags)


def _look(mesh: Mesh, material: Material) -> dict[str, Any]:
    """Colours, UVs and material of a primitive; its texture is base colour x factor + emission."""
    import pyrender

    shader = pyrender.MetallicRoughnessMaterial(doubleSided=material.double_sided, alphaMode="OPAQUE")
    look: dict[str, Any] = {"material": shader}
    if mesh.colors is not None:
        look["color_0"] = np.ones((3 * len(mesh.faces), 4), np.float32)
        look["color_0"][:, :3] = linear_to_srgb(mesh.colors.reshape(-1, 4)[:, :3])
    texture = material.texture or material.emissive_texture
    if mesh.uv is None or texture is None:
        shader.baseColorFactor = [*linear_to_srgb(np.array(material.base_color[:3]) + material.emissive), 1.0]
        return look
    # Rows are turned over on their way to OpenGL, whose v grows upwards.
    look["texcoord_0"] = mesh.uv.reshape(-1, 2) * [1.0, -1.0] + [0.0, 1.0]
    light = np.zeros((*texture.pixels.shape[:2], 3))
    for image, factor in (
        (material.texture, material.base_color[:3]),
        (material.emissive_texture, material.emissive),
    ):
        if image is None or image.pixels.shape == texture.pixels.shape:
            light += np.array(factor) * (1 if image is None else srgb_to_linear(image.pixels[..., :3] / 255))
    pixels = np.full(texture.pixels.shape, 255, np.uint8)
    pixels[..., :3] = np.rint(linear_to_srgb(light) * 255)
    (across, down), (near, far) = (_WRAPS[wrap] for wrap in texture.wrap), _FILTERS[texture.nearest]
    sampler = pyrender.Sampler(magFilter=near, minFilter=far, wrapS=across, wrapT=down)
    shader.baseColorTexture = pyrender.Texture(source=pixels, source_channels="RGBA", sampler=sampler)
    return look


@cache
def offscreen(size: int) -> Any:
    """A drawing surface of `size` pixels on a side, kept: each holds a context of its own."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender

        return pyrender.OffscreenRenderer(size, size)
    except ModuleNotFoundError as error:
        raise UsageError(f"--renderer pyrender needs a package: {how_to_add('pyrender')}") from error
    # PyOpenGL raises exceptions of many kinds while it looks for its libraries.
    except Exception as error:
        advice = "apt-get install libegl1 libgl1-mesa-dri, or use --renderer fast"
        raise SpecsiaError(f"pyrender cannot open OpenGL here ({error}): {advice}") from error
