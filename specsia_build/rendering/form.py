"""Check that arrays from elsewhere form a mesh: shapes, types and indices."""

from typing import Any

import numpy as np

from specsia_build.rendering.mesh import MESH_ARRAYS, Material, Mesh


def kind_of(thing: object) -> str:
    """Describe a value in few words: ``list``, ``trimesh.Trimesh``, ``numpy.ndarray (4, 2)``."""
    shape, kind = getattr(thing, "shape", None), type(thing)
    package = kind.__module__.partition(".")[0]
    name = kind.__name__ if package == "builtins" else f"{package}.{kind.__name__}"
    return f"{name} {tuple(shape)}" if isinstance(shape, tuple) else name


def misshapen(mesh: Mesh) -> str | None:
    """The first fault of a mesh's arrays of any width; None if they can be drawn. Values are not checked."""
    lengths: dict[str, int] = {}
    for name, (length, shape, kind_of_number, optional) in MESH_ARRAYS.items():
        array, count = getattr(mesh, name), lengths.get(length, "N")
        if array is None and optional:
            continue
        kinds = "f" if kind_of_number == np.float32 else "ui"
        is_array = isinstance(array, np.ndarray)
        fits = is_array and array.ndim > 0 and array.shape[1:] == shape and count in ("N", len(array))
        if not fits or array.dtype.kind not in kinds:
            expected = f"({', '.join(map(str, (count, *shape)))}{'' if shape else ','})"
            values = "floats" if kinds == "f" else "integers"
            dtype = f"{array.dtype} " if is_array else ""
            return f"{name} of a mesh are a numpy array {expected} of {values}, not {dtype}{kind_of(array)}"
        lengths.setdefault(length, len(array))
    if len(mesh.faces) == 0:
        return None
    materials = mesh.materials
    are_materials = isinstance(materials, tuple) and all(isinstance(m, Material) for m in materials)
    if not are_materials or not materials:
        return f"materials of a mesh are a tuple of one Material or more, not {kind_of(materials)}"
    for indices, count, kind in (
        (mesh.faces, len(mesh.vertices), "vertices"),
        (mesh.face_material, len(materials), "materials"),
    ):
        if indices.min() < 0 or indices.max() >= count:
            return f"the mesh has {count:,} {kind}, and faces that name others"
    for texture in (t for m in materials for t in (m.texture, m.emissive_texture) if t is not None):
        pixels: Any = getattr(texture, "pixels", texture)
        is_array = isinstance(pixels, np.ndarray)
        if not is_array or pixels.dtype != np.uint8 or pixels.shape[2:] != (4,) or pixels.size == 0:
            dtype = f"{pixels.dtype} " if is_array else ""
            return f"pixels of a texture are a numpy array (H, W, 4) of uint8, not {dtype}{kind_of(pixels)}"
    return None
