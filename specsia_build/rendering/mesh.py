"""The triangle mesh that readers and backends return and renderers draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.errors import ByShape
from specsia_build.jit import compiled, ready
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.patches import patches
from specsia_build.rendering.vectors import cross, minus, put, triple, triple64

Wrap = Literal["repeat", "clamp", "mirror"]
AlphaMode = Literal["opaque", "mask", "blend"]


@dataclass(frozen=True, repr=False)
class _Reckoned(ByShape):
    """A dataclass with cached properties, which pickles and copies leave out."""

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, repr=False)
class Texture(_Reckoned):
    """An image that colours a surface.

    Attributes:
        pixels: (H, W, 4) uint8, sRGB-encoded, straight alpha, row 0 at the top.
        wrap: how coordinates outside 0-1 are read, for u and for v.
        nearest: take the nearest texel instead of interpolating four.
    """

    pixels: NDArray[np.uint8]
    wrap: tuple[Wrap, Wrap] = ("repeat", "repeat")
    nearest: bool = False

    @cached_property
    def kept(self) -> dict[str, Any]:
        """Cache for renderers, by their keys; it lives as long as the mesh."""
        return {}


@dataclass(frozen=True)
class Material:
    """How a face is coloured.

    Attributes:
        name: as the file calls it.
        base_color: linear RGB and opacity, each 0-1, multiplied with the texture and the vertex colour.
        texture: base colour, or None.
        emissive: linear RGB added to the base colour.
        emissive_texture: multiplied with `emissive`, looked up with the same UV, or None.
        alpha_mode: whether opacity is ignored, cut at `alpha_cutoff`, or blended.
        alpha_cutoff: lowest opacity at which a `mask` surface is visible.
        unlit: shows its colour whatever the light.
        double_sided: whether its faces are visible from both sides, not from outside only.
    """

    name: str = ""
    base_color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    texture: Texture | None = None
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    emissive_texture: Texture | None = None
    alpha_mode: AlphaMode = "opaque"
    alpha_cutoff: float = 0.5
    unlit: bool = False
    double_sided: bool = True


def place_of(texture: Texture | None, textures: list[Texture]) -> int | None:
    """Index of a texture in `textures`, appending a new one; None for None."""
    if texture is None:
        return None
    place = next((k for k, known in enumerate(textures) if known is texture), len(textures))
    if place == len(textures):
        textures.append(texture)
    return place


def material_spec(material: Material, textures: list[Texture]) -> dict[str, Any]:
    """A material without its sides as JSON, its textures as indices into `textures`; new ones are added."""
    spec = {field.name: getattr(material, field.name) for field in fields(Material)}
    del spec["double_sided"]
    spec |= {name: list(spec[name]) for name in ("base_color", "emissive")}
    return spec | {name: place_of(spec[name], textures) for name in ("texture", "emissive_texture")}


@compiled
def _turned(points, rotation):  # type: ignore[no-untyped-def]
    """Points (N, 3) float32 turned by a (3, 3) float64 matrix."""
    out = np.empty_like(points)
    for n in range(len(points)):
        x, y, z = triple64(points, n)
        for k in range(3):
            out[n, k] = rotation[k, 0] * x + rotation[k, 1] * y + rotation[k, 2] * z
    return out


def turned(points: NDArray[np.float32], rotation: NDArray[np.floating]) -> NDArray[np.float32]:
    """Points or directions (..., 3) turned by a (3, 3) rotation."""
    flat = ready(points.reshape(-1, 3), np.float32)
    return np.asarray(_turned(flat, ready(np.asarray(rotation), np.float64))).reshape(points.shape)


@compiled
def _extremes(points):  # type: ignore[no-untyped-def]
    low, high = points[0].copy(), points[0].copy()
    for n in range(len(points)):
        for k in range(3):
            value = points[n, k]
            if value < low[k]:
                low[k] = value
            if value > high[k]:
                high[k] = value
    return low, high


def extremes(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Smallest and largest x, y, z of points (N, 3), finite and at least one, each (3,)."""
    low, high = _extremes(ready(points, np.float32))
    return low, high


class MeshArray(NamedTuple):
    """Form of one of a mesh's arrays."""

    length: Literal["V", "F"]  # One item for each vertex, or for each face
    item: tuple[int, ...]  # Shape of an item
    dtype: type[np.generic] = np.float32
    optional: bool = False


MESH_ARRAYS: dict[str, MeshArray] = {
    "vertices": MeshArray("V", (3,)),
    "faces": MeshArray("F", (3,), np.int32),
    "face_material": MeshArray("F", (), np.int32),
    "uv": MeshArray("F", (3, 2), optional=True),
    "colors": MeshArray("F", (3, 4), optional=True),
    "normals": MeshArray("F", (3, 3), optional=True),
    "rest": MeshArray("V", (3,), optional=True),
}
CORNER_ARRAYS = ("uv", "colors", "normals")  # Optional ones, with a value at each corner


@dataclass(frozen=True, eq=False, repr=False)
class Mesh(_Reckoned):
    """Triangles with per-corner attributes.

    Attributes:
        vertices: (V, 3) float32, where the surface is drawn.
        faces: (F, 3) int32 into `vertices`, counter-clockwise seen from outside.
        materials: at least one.
        face_material: (F,) int32 into `materials`.
        uv: (F, 3, 2) float32 per corner or None; u to the right, v down, (0, 0) the image's top left corner.
        colors: (F, 3, 4) float32 per corner or None; linear RGB and opacity.
        normals: (F, 3, 3) float32 unit vectors per corner or None (smooth over vertices at one place).
        rest: (V, 3) float32, the position attribute that position images show; None means `vertices`.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    materials: tuple[Material, ...]
    face_material: NDArray[np.int32]
    uv: NDArray[np.float32] | None = None
    colors: NDArray[np.float32] | None = None
    normals: NDArray[np.float32] | None = None
    rest: NDArray[np.float32] | None = None

    def bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Smallest and largest x, y, z over the vertices that a face uses, each (3,)."""
        low, high = self._bounds
        return low.copy(), high.copy()

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return extremes(self.vertices if self.used.all() else self.vertices[self.used])

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """(V,) whether a face uses each vertex."""
        used = np.zeros(len(self.vertices), np.bool_)
        used[self.faces] = True
        used.flags.writeable = False
        return used

    @cached_property
    def doubled_areas(self) -> NDArray[np.float64]:
        """(F,) twice the area of each face."""
        areas = lengths(face_normals(self))
        areas.flags.writeable = False
        return areas

    def single_sided(self) -> NDArray[np.bool_]:
        """(F,) whether each face is visible from its outside only."""
        return np.array([not m.double_sided for m in self.materials], np.bool_)[self.face_material]

    def with_vertices(self, vertices: NDArray[np.floating]) -> Mesh:
        """The mesh with other vertices, moved or scaled but not rotated; normals are kept."""
        return replace(self, vertices=np.ascontiguousarray(vertices, dtype=np.float32))

    def cornerwise(self, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> dict[str, Any]:
        """The attributes `uv`, `colors` and `normals` by name, each changed unless it is None."""
        attributes = {name: getattr(self, name) for name in CORNER_ARRAYS}
        return {name: None if values is None else change(values) for name, values in attributes.items()}

    def of_faces(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> Mesh:
        """The chosen faces, (F,) or their numbers, with the same vertices."""
        return replace(
            self,
            faces=np.ascontiguousarray(self.faces[chosen]),
            face_material=np.ascontiguousarray(self.face_material[chosen]),
            **self.cornerwise(lambda attribute: np.ascontiguousarray(attribute[chosen])),
        )

    def rewound(self, chosen: NDArray[np.bool_]) -> Mesh:
        """Rewind the chosen faces (F,), with their corners' attributes."""
        return replace(
            self,
            faces=np.where(chosen[:, None], self.faces[:, [0, 2, 1]], self.faces),
            **self.cornerwise(lambda values: np.where(chosen[:, None, None], values[:, [0, 2, 1]], values)),
        )

    def with_sides(self, *, double: bool) -> Mesh:
        """The same surface with faces visible from both sides, or from their outside only."""
        return replace(self, materials=tuple(replace(m, double_sided=double) for m in self.materials))

    def rotated(self, rotation: NDArray[np.floating]) -> Mesh:
        """The mesh turned by an orthogonal (3, 3) matrix; faces are rewound if that mirrors it."""
        normals = None if self.normals is None else turned(self.normals, rotation)
        rest = None if self.rest is None else turned(self.rest, rotation)
        mesh = replace(self, vertices=turned(self.vertices, rotation), normals=normals, rest=rest)
        return mesh if np.linalg.det(rotation) > 0 else mesh.rewound(np.ones(len(mesh.faces), np.bool_))

    def to_trimesh(self) -> Any:
        """The surface as a `trimesh.Trimesh` in the mesh's own axes, in which characters are Z up.

        It has one vertex for each combination of UV, colour and normal. With a single textured material it
        has that; without textures, the colours of vertices; of several materials `trimesh` packs the images
        into one, for which UVs must lie in 0-1. Light that materials emit is left out.
        """
        import trimesh

        given = [values for values in (self.uv, self.colors, self.normals) if values is not None]
        used = [self.materials[k] for k in np.unique(self.face_material)]
        textured = self.uv is not None and any(material.texture is not None for material in used)
        parts = []
        for patch in patches(self.faces, self.face_material, given):
            of_corners = self.cornerwise(lambda values: values.reshape(-1, values.shape[2])[patch.corners])  # noqa: B023
            colours, uv = of_corners["colors"], of_corners["uv"]
            material = self.materials[patch.material]
            tint = np.broadcast_to(np.array(material.base_color), (len(patch.rows), 4))
            levels = _levels(tint if colours is None or textured else tint * colours)
            part = trimesh.Trimesh(
                self.vertices[patch.rows],
                patch.triangles,
                vertex_normals=of_corners["normals"],
                vertex_colors=None if textured else levels,
                process=False,
            )
            if textured:
                image = levels[:1, None] if material.texture is None else material.texture.pixels
                own = np.zeros((len(patch.rows), 2)) if uv is None else uv * (1, -1) + (0, 1)
                look = trimesh.visual.material.PBRMaterial(
                    name=material.name or None,
                    baseColorTexture=Image.fromarray(image),
                    baseColorFactor=None if material.texture is None else levels[0],
                    metallicFactor=0.0,
                    roughnessFactor=1.0,
                    alphaMode=material.alpha_mode.upper(),
                    doubleSided=material.double_sided,
                )
                part.visual = trimesh.visual.TextureVisuals(uv=own, material=look)
            parts.append(part)
        return parts[0] if len(parts) == 1 else trimesh.util.concatenate(parts)


def _levels(colours: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Linear colours and opacities (N, 4), 0-1, as sRGB levels and opacities 0-255."""
    encoded = np.concatenate([linear_to_srgb(colours[:, :3]), np.clip(colours[:, 3:], 0, 1)], axis=1)
    return np.asarray(np.rint(255 * encoded), np.uint8)


def concatenate(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several, each material once; what only some have is UV 0, white, flat normals in others."""
    if len(meshes) == 1:
        return meshes[0]
    firsts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + first for mesh, first in zip(meshes, firsts, strict=True)]
    face_material: list[NDArray[np.int32]] = []
    materials = {id(material): material for mesh in meshes for material in mesh.materials}
    slots = {key: slot for slot, key in enumerate(materials)}
    for mesh in meshes:
        face_material.append(np.array([slots[id(m)] for m in mesh.materials], np.int32)[mesh.face_material])

    def joined(name: str, fill: Callable[[Mesh], NDArray[np.float32]]) -> NDArray[np.float32] | None:
        arrays = [getattr(mesh, name) for mesh in meshes]
        if all(array is None for array in arrays):
            return None
        pairs = zip(meshes, arrays, strict=True)
        return np.concatenate([fill(mesh) if array is None else array for mesh, array in pairs])

    return Mesh(
        vertices=np.concatenate([m.vertices for m in meshes]),
        faces=np.concatenate(faces).astype(np.int32),
        materials=tuple(materials.values()),
        face_material=np.concatenate(face_material),
        uv=joined("uv", lambda mesh: np.zeros((len(mesh.faces), 3, 2), np.float32)),
        colors=joined("colors", lambda mesh: np.ones((len(mesh.faces), 3, 4), np.float32)),
        normals=joined("normals", flat_normals),
        rest=joined("rest", lambda mesh: mesh.vertices),
    )


@compiled
def _face_normals(vertices, faces):  # type: ignore[no-untyped-def]
    out = np.empty((len(faces), 3))
    for f in range(len(faces)):
        a, b, c = triple(faces, f)
        origin = triple64(vertices, a)
        put(out, f, cross(minus(triple(vertices, b), origin), minus(triple(vertices, c), origin)))
    return out


def face_normals(mesh: Mesh) -> NDArray[np.float64]:
    """The outward normal of each face, (F, 3), as long as twice its area."""
    return np.asarray(_face_normals(ready(mesh.vertices, np.float32), ready(mesh.faces, np.int32)))


@compiled
def _lengths(vectors):  # type: ignore[no-untyped-def]
    out = np.empty(len(vectors))
    for k in range(len(vectors)):
        x, y, z = triple(vectors, k)
        out[k] = np.sqrt(x * x + y * y + z * z)
    return out


def lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths (N,) of vectors (N, 3), in a sixth of the time of `numpy.linalg.norm`."""
    return np.asarray(_lengths(ready(vectors)))


def cofactors(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cofactor matrices of (..., 3, 3), which transform normals; they exist for singular matrices, too."""
    columns = [np.cross(matrices[..., (k + 1) % 3], matrices[..., (k + 2) % 3]) for k in range(3)]
    return np.stack(columns, axis=-1)


def unit_normals(mesh: Mesh) -> NDArray[np.float64]:
    """The outward unit normal of each face, (F, 3); zero for a face without area."""
    normals = face_normals(mesh)
    length = lengths(normals)[:, None]
    return np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)


def flat_normals(mesh: Mesh) -> NDArray[np.float32]:
    """Each face's own normal at its three corners, (F, 3, 3) float32; zero for a face without area."""
    return np.repeat(unit_normals(mesh)[:, None, :], 3, axis=1).astype(np.float32)


def compacted(mesh: Mesh) -> Mesh:
    """The mesh without unused vertices."""
    used = mesh.used
    if used.all():
        return mesh
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return replace(
        mesh,
        vertices=mesh.vertices[used],
        faces=number[mesh.faces],
        rest=None if mesh.rest is None else mesh.rest[used],
    )


def finite(attribute: NDArray[np.float32]) -> NDArray[np.float32]:
    """A contiguous attribute, NaN replaced by 0: with it, compiled look-ups would leave their tables."""
    whole = ready(attribute, np.float32)
    return whole if np.isfinite(whole).all() else np.nan_to_num(whole, posinf=0.0, neginf=0.0)
