"""Whether what somebody else made of arrays is a mesh: arrays of the right shapes and types that belong together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from specsia_build.rendering.mesh import Material, Mesh, Texture


def kind_of(thing: object) -> str:
    """Describe an object in a few words: ``list``, ``trimesh.Trimesh``, ``numpy.ndarray (4, 2)``."""
    shape = getattr(thing, "shape", None)
    kind = type(thing)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    return f"{name} {tuple(shape)}" if isinstance(shape, tuple) else name


def misshapen(mesh: Mesh) -> str | None:
    """Return what is wrong with the arrays of a mesh, as a sentence; None where they can be drawn.

    Numbers of another width than float32 and int32 are no fault, and neither is a mesh without faces. Whether
    numbers are finite is another question.
    """
    return next(_faults(mesh), None)


def _faults(mesh: Mesh) -> Iterator[str]:
    yield from _array("vertices", mesh.vertices, None, (3,))
    yield from _array("faces", mesh.faces, None, (3,), whole=True)
    if (count := len(mesh.faces)) == 0:
        return
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        yield f"the mesh has {len(mesh.vertices):,} vertices, and faces that name others"
    yield from _array("face_material", mesh.face_material, count, (), whole=True)
    for name, array, shape in (
        ("uv", mesh.uv, (3, 2)),
        ("colors", mesh.colors, (3, 4)),
        ("normals", mesh.normals, (3, 3)),
    ):
        if array is not None:
            yield from _array(name, array, count, shape)
    if mesh.rest is not None:
        yield from _array("rest", mesh.rest, len(mesh.vertices), (3,))
    materials = mesh.materials
    if not isinstance(materials, tuple) or not materials or not all(isinstance(m, Material) for m in materials):
        yield f"materials of a mesh are a tuple of one Material or more, not {kind_of(materials)}"
    if mesh.face_material.min() < 0 or mesh.face_material.max() >= len(materials):
        yield f"the mesh has {len(materials):,} materials, and faces that name others"
    for texture in (t for m in materials for t in (m.texture, m.emissive_texture) if t is not None):
        pixels = texture.pixels if isinstance(texture, Texture) else texture
        if not _is_picture(pixels):
            kind = f"{pixels.dtype} " if isinstance(pixels, np.ndarray) else ""
            yield f"pixels of a texture are a numpy array (H, W, 4) of uint8, not {kind}{kind_of(pixels)}"


def _array(
    name: str, array: object, count: int | None, shape: tuple[int, ...], *, whole: bool = False
) -> Iterator[str]:
    """Return what is wrong with an array that must have `count` items (any number if None) of a shape."""
    told = ", ".join(map(str, ("N" if count is None else count, *shape))) + ("" if shape else ",")
    fits = isinstance(array, np.ndarray) and array.ndim == 1 + len(shape) and array.shape[1:] == shape
    if not isinstance(array, np.ndarray) or not fits or count not in (None, len(array)):
        yield f"{name} of a mesh are a numpy array ({told}), not {kind_of(array)}"
    elif array.dtype.kind not in ("ui" if whole else "f"):
        yield f"{name} of a mesh are {'whole numbers, int32' if whole else 'float32'}, not {array.dtype}"


def _is_picture(pixels: object) -> bool:
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 3:
        return False
    return pixels.shape[2] == 4 and pixels.dtype == np.uint8 and pixels.size > 0
