"""Stanford PLY files as meshes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.images import IMAGE_SUFFIXES, as_texture, load_texture
from specsia_build.characters.normals import unit_normals
from specsia_build.characters.ply.elements import Column, PlyFile, parse_ply
from specsia_build.characters.polygons import Ints, triangulate
from specsia_build.characters.raw import RawMesh
from specsia_build.characters.repeated import without_repeated_colours
from specsia_build.characters.side_files import SideFiles
from specsia_build.characters.words import full_scale
from specsia_build.errors import CharacterError, some
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Material, Mesh, Texture

Columns = dict[str, Column]

_INDEX_NAMES = ("vertex_indices", "vertex_index")
_COLOUR_NAMES = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
_ALPHA_NAMES = ("alpha", "diffuse_alpha", "a")
_SPLAT_NAMES = frozenset({"packed_position", "f_dc_0"})
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))


def read_ply(
    path: Path, *, texture: Path | None = None, drop: Collection[str] = (), root: Path | None = None
) -> RawMesh:
    """Read a PLY file, text or binary.

    It is taken to be in the project's own frame. Colours of vertices, of faces, or of the materials that either
    name (``material_index``), the first that are not all one, are display colours, sRGB-encoded; their opacity is kept,
    but the material is opaque. Texture coordinates of face corners or vertices have v up; the textures are those that
    ``comment TextureFile`` lines name, looked up in the file's own folder and below it, or an image named like the
    file. Polygons are cut as those of an OBJ.

    Args:
        path: the file.
        texture: base colour where the file has no texture of its own.
        drop: names of parts to leave out; a PLY has none.
        root: folder that no file may lie outside of, links followed; None is the file's own.

    Returns:
        The mesh in the file's coordinates, ``up`` +z, ``front`` -y.

    Raises:
        CharacterError: if the file or `texture` cannot be read, or it is a point cloud.
    """
    files = SideFiles(path, root)
    ply = parse_ply(files.read(path), path.name)
    vertex, face = ply.elements.get("vertex", {}), ply.elements.get("face", {})
    points = _stacked(vertex, ("x", "y", "z"))
    indices = _indices(face) or _of_strips(_indices(ply.elements.get("tristrips", {})))
    if indices is None and not _SPLAT_NAMES.isdisjoint(vertex):
        raise CharacterError(f"{path.name} holds Gaussian splats: there is no surface to draw, so export it as a mesh")
    if points is None or len(points) == 0:
        raise CharacterError(f"{path.name} has no vertices")
    if indices is None or indices.counts is None:
        raise CharacterError(f"{path.name} is a point cloud: it has no faces, so there is no surface to draw")
    corners = _corner_indices(indices, len(points), path.name)
    first = np.concatenate([[0], np.cumsum(indices.counts)])
    triangles, polygon = triangulate(points, corners, first, np.ones(len(indices.counts), dtype=bool))
    if len(triangles) == 0:
        raise CharacterError(f"{path.name} has no faces with three corners or more")
    point = corners[triangles]
    uv = _uv(vertex, face, indices.counts, triangles, point)
    override = None if texture is None else as_texture(load_texture(texture, texture.name, files.root))
    materials, warnings = _materials(ply, files, override, uv is not None)
    with np.errstate(over="ignore"):
        vertices = points.astype(np.float32)
    mesh = Mesh(
        vertices=vertices,
        faces=point.astype(np.int32),
        materials=materials,
        face_material=_face_material(face, polygon, len(materials)),
        uv=uv,
        colors=_colors(vertex, face, ply.elements.get("material", {}), point, polygon),
        normals=_normals(vertex, point),
    )
    mesh, repeated = without_repeated_colours(mesh, path.name)
    looked_up = files.tried if texture is None else (*files.tried, texture)
    told = (*files.warnings(), *warnings, *repeated)
    return RawMesh(mesh=mesh, up="+z", front="-y", files=looked_up, warnings=told, stated=override)


def _indices(columns: Columns) -> Column | None:
    """The lists of vertices of faces or strips; None where there are none."""
    listed = [columns[n] for n in _INDEX_NAMES if n in columns]
    return next((one for one in listed if one.counts is not None and len(one.counts)), None)


def _of_strips(strips: Column | None) -> Column | None:
    """The triangles of strips, each of whose corners after the second makes one with the two before; -1 begins anew."""
    if strips is None or strips.counts is None:
        return None
    values, counts = strips.values, strips.counts
    begins = np.zeros(len(values) + 1, np.bool_)
    begins[np.concatenate([[0], np.cumsum(counts)])] = True
    breaks = values == -1
    begins[1:] |= breaks
    begins[:-1] |= breaks
    place = np.arange(len(values))
    since = place - np.maximum.accumulate(np.where(begins[:-1], place, 0))
    last = place[(since >= 2) & ~breaks]
    # Every other one is wound the other way round.
    odd = since[last] % 2
    corners = values[np.stack([last - 2 + odd, last - 1 - odd, last], axis=1)]
    apart = (corners != np.roll(corners, 1, axis=1)).all(axis=1)
    return Column(corners[apart].ravel(), np.full(int(apart.sum()), 3, np.int64), strips.kind)


def _stacked(columns: Columns, names: tuple[str, ...]) -> NDArray[np.float64] | None:
    """Scalar properties side by side, (N, len(names)); None if one is missing."""
    if any(n not in columns or columns[n].counts is not None for n in names):
        return None
    # What is no number may be one that NumPy warns of; whoever uses it is told in a sentence.
    with np.errstate(invalid="ignore"):
        return np.stack([columns[n].values.astype(np.float64) for n in names], axis=1)


def _corner_indices(indices: Column, points: int, name: str) -> Ints:
    values = indices.values
    if len(values) and not (np.isfinite(values).all() and values.min() >= 0 and values.max() < points):
        raise CharacterError(f"{name} has faces that name vertices it does not have")
    return values.astype(np.int64)


def _uv(vertex: Columns, face: Columns, sides: Ints, triangles: Ints, point: Ints) -> NDArray[np.float32] | None:
    """Texture coordinates of each corner with v down, (T, 3, 2); None where the file has none."""
    per_corner = face.get("texcoord")
    found: NDArray[np.float64] | None = None
    if per_corner is not None and per_corner.counts is not None and (per_corner.counts == 2 * sides).all():
        found = per_corner.values.astype(np.float64).reshape(-1, 2)[triangles]
    else:
        per_vertex = next((uv for uv in (_stacked(vertex, n) for n in _UV_NAMES) if uv is not None), None)
        if per_vertex is not None:
            found = per_vertex[point]
    if found is None:
        return None
    with np.errstate(over="ignore"):
        return np.stack([found[..., 0], 1.0 - found[..., 1]], axis=-1).astype(np.float32)


def _colors(
    vertex: Columns, face: Columns, material: Columns, point: Ints, polygon: Ints
) -> NDArray[np.float32] | None:
    """Colours of each corner, (T, 3, 4), the first that there are, of several colours if any are; None without."""
    sides = np.repeat(polygon[:, None], 3, axis=1)
    every = [
        (rows, at)
        for columns, at in ((vertex, point), (face, sides))
        for rows in (_linear_colors(columns), _of_materials(columns, material))
        if rows is not None
    ]
    # Programs write white or grey for what they have no colours of.
    several = (one for one in every if len(one[0]) and np.ptp(one[0][:, :3], axis=0).any())
    rows, at = next(several, every[0] if every else (None, point))
    return None if rows is None else rows[at]


def _of_materials(columns: Columns, material: Columns) -> NDArray[np.float32] | None:
    """Linear RGB and opacity of the material of each row, (N, 4), white where it names none; None without materials."""
    colours, index = _linear_colors(material), _stacked(columns, ("material_index",))
    if colours is None or index is None:
        return None
    number = index[:, 0]
    known = (number >= 0) & (number < len(colours))
    found = np.ones((len(number), 4), np.float32)
    found[known] = colours[number[known].astype(np.int64)]
    return found


def _linear_colors(columns: Columns) -> NDArray[np.float32] | None:
    """Linear RGB and opacity of each row, (N, 4)."""
    names = next((n for n in _COLOUR_NAMES if _stacked(columns, n) is not None), None)
    if names is None:
        return None
    rgb = _stacked(columns, names)
    assert rgb is not None
    alpha = next((n for n in _ALPHA_NAMES if n in columns and columns[n].counts is None), None)
    linear = np.ones((len(rgb), 4), np.float32)
    linear[:, :3] = srgb_to_linear(rgb / _full_scale(columns[names[0]].kind, rgb))
    if alpha is not None:
        opacity = columns[alpha].values.astype(np.float64)
        linear[:, 3] = np.clip(opacity / _full_scale(columns[alpha].kind, opacity), 0.0, 1.0)
    return linear


def _full_scale(kind: str, values: NDArray[np.float64]) -> float:
    """The value that means 1: the largest of a small unsigned type that it needs; floats tell by themselves."""
    if kind == "u2":
        return 65535.0 if values.max(initial=0.0) > 255 else 255.0
    if kind[0] == "f":
        return full_scale(values)
    return 255.0


def _normals(vertex: Columns, point: Ints) -> NDArray[np.float32] | None:
    """Unit normals of each corner; None unless every vertex in use has one."""
    normals = _stacked(vertex, ("nx", "ny", "nz"))
    if normals is None:
        return None
    unit = unit_normals(normals)[point]
    return unit.astype(np.float32) if unit.any(axis=-1).all() else None


def _face_material(face: Columns, polygon: Ints, materials: int) -> NDArray[np.int32]:
    number = face.get("texnumber")
    if number is None or number.counts is not None or materials == 1:
        return np.zeros(len(polygon), np.int32)
    index: NDArray[np.int32] = np.clip(np.nan_to_num(number.values[polygon]), 0, materials - 1).astype(np.int32)
    return index


def _materials(
    ply: PlyFile, files: SideFiles, override: Texture | None, has_uv: bool
) -> tuple[tuple[Material, ...], list[str]]:
    """A material for each texture the file names, or one; and sentences about what is missing."""
    warnings: list[str] = []
    if not has_uv:
        if ply.textures:
            warnings.append(
                f"{some(ply.textures)}, which the PLY names as texture, was left out: "
                "not every face has texture coordinates that can be read"
            )
        return (Material(texture=override),), warnings
    names, textures = [], []
    for name in ply.textures or [""]:
        shown = name.replace("\\", "/").rpartition("/")[2]
        found = files.find(name)
        if name and found is None:
            warnings.append(f"texture {shown} {files.nowhere}")
        names.append(shown)
        textures.append(_decoded(files, found, warnings) or override)
    path = files.find_own(IMAGE_SUFFIXES) if any(texture is None for texture in textures) else None
    image = _decoded(files, path, warnings)
    materials = (Material(name=name, texture=found or image) for name, found in zip(names, textures, strict=True))
    return tuple(materials), list(dict.fromkeys(warnings))


def _decoded(files: SideFiles, path: Path | None, warnings: list[str]) -> Texture | None:
    if path is None:
        return None
    try:
        return as_texture(load_texture(path, path.name, files.root))
    except CharacterError as error:
        warnings.append(str(error))
        return None
