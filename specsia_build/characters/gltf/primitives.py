"""Primitives of a glTF mesh as triangles in place: morphed, skinned or moved by their node."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.attributes import unit_normals, with_flat_gaps
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document
from specsia_build.characters.gltf.extensions import DracoMesh, UvTransform, unpack_draco
from specsia_build.characters.gltf.materials import Materials
from specsia_build.characters.gltf.nodes import read_skin
from specsia_build.characters.gltf.scene import Instance
from specsia_build.characters.gltf.vertices import Influences, Vertices
from specsia_build.characters.polygons import MAX_TRIANGLES, TRIANGLE_COST, VERTEX_COST
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh, cofactors

MODE_TRIANGLES, MODE_STRIP, MODE_FAN = 4, 5, 6

MAX_UV = 65536.0
"""Texture coordinates are held within this: beyond it a float32 cannot tell texels apart."""

INSTANCE_COST = 2000
"""Bytes of memory for one more mesh at one more node, however small it is."""

_FEW = 64

_SKIN_COST = 400
"""Bytes of memory for a vertex while a skin poses it."""


@dataclass(frozen=True)
class _Part:
    """A primitive as its mesh has it.

    Attributes:
        source: its attributes.
        points: (V, 3) float64, before a node or a skin puts them in place.
        normals: (V, 3) float32 as stored, or None.
        surface: faces, materials, UV and colours; without vertices.
        lacks_uv: whether it has a texture and no UV for it.
    """

    source: Vertices
    points: NDArray[np.float64]
    normals: NDArray[np.float32] | None
    surface: Mesh
    lacks_uv: bool


@dataclass
class MeshReader:
    """Reads the mesh instances of one file.

    Attributes:
        document: the file.
        worlds: (N, 4, 4), every node's coordinates to the file's.
        materials: of the file.
        warnings: where sentences about what was left out go.
        shared: indices of the meshes that stand at several nodes.
        skinned: whether a skin has posed anything so far.
        triangles: read so far.
    """

    document: Document
    worlds: NDArray[np.float64]
    materials: Materials
    warnings: dict[str, None]
    shared: Collection[int]
    skinned: bool = False
    triangles: int = 0
    _parts: dict[tuple[int, tuple[float, ...]], tuple[_Part, ...]] = field(default_factory=dict)
    _palettes: dict[int, NDArray[np.float64]] = field(default_factory=dict)

    def read(self, instance: Instance) -> Iterator[tuple[Mesh, Vertices, Influences | None]]:
        """One mesh per primitive that has triangles, in the file's coordinates, and the vertices that it is of.

        With it comes what moves them in the skin of the instance, or None where the node does.
        """
        weights = instance.weights
        key = (instance.index, weights)
        parts = self._parts.get(key)
        if parts is None:
            primitives = enumerate(instance.mesh.primitives or ())
            found = (self._part(primitive, (instance.index, number), weights) for number, primitive in primitives)
            parts = tuple(part for part in found if part is not None)
            if instance.index in self.shared:
                self._parts[key] = parts
        for part in parts:
            influences = None
            if _is_skinned(instance, part.source):
                influences = part.source.influences(len(self._palette(instance.node.skin or 0)))
            yield self._placed(instance, part, influences), part.source, influences

    def _part(self, primitive: schema.Primitive, place: tuple[int, int], morph: tuple[float, ...]) -> _Part | None:
        """A primitive with its attributes as they are stored, or None where it has no triangles."""
        position = (primitive.attributes or {}).get("POSITION")
        if position is None:
            return None
        packed = self._draco(Vertices(self.document, primitive, place, morph, None, 0))
        unpacked = {} if packed is None else packed.attributes
        count = len(self.document.accessor(position) if packed is None else unpacked["POSITION"])
        whole = Vertices(self.document, primitive, place, morph, None, count, unpacked)
        indexed = self._faces(whole, packed)
        if not len(indexed):
            return None
        used, faces = _compacted(indexed, count)
        source = replace(whole, used=used)
        points = source.floats("POSITION", 3).astype(np.float64)
        normals = self._spared(lambda: source.optional("NORMAL", 3))
        built = self.materials.built(primitive.material)
        if built.inside_out:
            faces = faces[:, ::-1]
        placement = built.placement or UvTransform()
        uv = self._spared(lambda: source.optional(f"TEXCOORD_{placement.uv_set}", 2))
        colors = self._spared(source.colors)
        opaque = colors is None or not bool((colors[:, 3] < 1.0).any())
        return _Part(
            source=source,
            points=points,
            normals=normals,
            surface=Mesh(
                vertices=np.zeros((0, 3), np.float32),
                faces=faces,
                materials=(self.materials.variant(primitive.material, uv is not None, opaque),),
                face_material=np.zeros(len(faces), np.int32),
                uv=None if uv is None else _held(placement.apply(uv))[faces],
                colors=None if colors is None else colors[faces],
            ),
            lacks_uv=uv is None and built.placement is not None,
        )

    def _spared(self, read: Callable[[], NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
        """An attribute that no shape depends on; None, with a warning, where it is damaged."""
        try:
            return read()
        except CharacterError as error:
            self.warnings[f"{error}; it was left out"] = None
            return None

    def _placed(self, instance: Instance, part: _Part, influences: Influences | None) -> Mesh:
        """A primitive where a node or a skin puts it."""
        faces = part.surface.faces
        self.triangles += len(faces)
        if self.triangles > MAX_TRIANGLES:
            raise CharacterError(f"{self.document.name} has more than {MAX_TRIANGLES} triangles: simplify it")
        memory.take(INSTANCE_COST + TRIANGLE_COST * len(faces) + VERTEX_COST * len(part.points))
        if part.lacks_uv:
            name = instance.node.name or instance.mesh.name or part.source.label
            self.warnings[
                f"{self.document.name}: '{name}' has a texture and no UVs for it; the texture was left out"
            ] = None
        matrices = self._matrices(instance, influences)
        points = part.points
        posed = np.einsum("...ij,...j->...i", matrices[..., :3], points) + matrices[..., 3]
        vertices = posed.astype(np.float32)
        if not np.isfinite(vertices).all():
            raise CharacterError(f"{self.document.name} has vertices that are not numbers: export it again")
        determinants = np.linalg.det(matrices[..., :3])
        mirrored = np.broadcast_to(determinants < 0, len(vertices))
        normals = np.zeros((len(vertices), 3), np.float32)
        if part.normals is not None:
            normals = _turned(part.normals, matrices[..., :3], mirrored)
        mesh = replace(part.surface, vertices=vertices, normals=normals[faces])
        flip = mirrored[faces[:, 0]]
        return with_flat_gaps(mesh.rewound(flip) if flip.any() else mesh)

    def _draco(self, source: Vertices) -> DracoMesh | None:
        """What a primitive has in Draco's form; None where it stands uncompressed as well, or not at all."""
        packed = (source.primitive.extensions or schema.Extensions()).draco
        position = self.document.entry(schema.Accessor, source.attributes["POSITION"])
        if packed is None or position.buffer_view is not None:
            return None
        try:
            return unpack_draco(bytes(self.document.view_bytes(packed.buffer_view)), packed)
        except ValueError as error:
            raise source.error("has Draco data that cannot be decoded") from error

    def _faces(self, source: Vertices, packed: DracoMesh | None) -> NDArray[np.int64]:
        """Triangles (F, 3) into the primitive's vertices; none for points and lines."""
        mode = MODE_TRIANGLES if source.primitive.mode is None else source.primitive.mode
        if mode > MODE_FAN:
            raise source.error("has an unknown mode")
        if mode < MODE_TRIANGLES:
            return np.zeros((0, 3), np.int64)
        if packed is not None:
            # Draco holds triangles one by one, whatever they were made of.
            indices, mode = packed.faces.reshape(-1), MODE_TRIANGLES
        elif source.primitive.indices is None:
            memory.ask(VERTEX_COST * source.count)
            indices = np.arange(source.count)
        else:
            stored = self.document.accessor(source.primitive.indices)
            if stored.dtype.kind != "u" or stored.shape[1] != 1:
                raise source.error("has indices that are not unsigned integers")
            indices = stored[:, 0].astype(np.int64)
        if len(indices) and int(indices.max()) >= source.count:
            raise source.error("uses vertices that do not exist")
        memory.ask(TRIANGLE_COST * (len(indices) // 3 if mode == MODE_TRIANGLES else len(indices)))
        if mode == MODE_TRIANGLES and len(indices) % 3:
            self.warnings[f"{source.label} has an incomplete last triangle; it was left out"] = None
        return _triangles(indices, mode)

    def _matrices(self, instance: Instance, influences: Influences | None) -> NDArray[np.float64]:
        """What takes vertices to the file's coordinates: (3, 4), or (V, 3, 4) for a skin.

        A skin takes no notice of where its mesh's node stands; only its joints count.
        """
        if influences is None:
            return instance.world[:3]
        palette, joints, weights = self._palette(instance.node.skin or 0), influences.joints, influences.weights
        memory.ask(_SKIN_COST * len(joints))
        blended = np.zeros((len(joints), 3, 4))
        for slot in range(joints.shape[1]):
            blended += weights[:, slot, None, None] * palette[joints[:, slot]]
        self.skinned = True
        return blended

    def skin(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """A skin's joints (J,), nodes of the file, and their inverse bind matrices (J, 4, 4)."""
        return read_skin(self.document, index, len(self.worlds))

    def _palette(self, index: int) -> NDArray[np.float64]:
        """A skin's joint matrices, (J, 3, 4): from the vertices as stored to the file's coordinates."""
        if index not in self._palettes:
            joints, binds = self.skin(index)
            self._palettes[index] = (self.worlds[joints] @ binds)[:, :3]
        return self._palettes[index]


def _is_skinned(instance: Instance, source: Vertices) -> bool:
    """Whether a skin moves a primitive's vertices at a node, not the node."""
    return instance.node.skin is not None and {"JOINTS_0", "WEIGHTS_0"} <= source.attributes.keys()


def _held(uv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Texture coordinates within `MAX_UV`; infinite ones are no place and become NaN."""
    return np.where(np.isfinite(uv), np.clip(uv, -MAX_UV, MAX_UV), np.float32(np.nan))


def _triangles(indices: NDArray[np.int64], mode: int) -> NDArray[np.int64]:
    if mode == MODE_TRIANGLES:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if len(indices) < 3:
        return np.zeros((0, 3), np.int64)
    step = np.arange(len(indices) - 2)
    if mode == MODE_FAN:
        return indices[np.stack([step + 1, step + 2, np.zeros_like(step)], axis=1)]
    odd = step % 2
    return indices[np.stack([step, step + 1 + odd, step + 2 - odd], axis=1)]


def _compacted(faces: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64] | None, NDArray[np.int32]]:
    """Rows that the faces use (None for all) and the faces into them.

    Primitives often share one large set of vertices, and what no face uses may be anything.
    """
    if faces.size < count // _FEW:
        # Many primitives of few faces each would else look through the large set again and again.
        rows, inverse = np.unique(faces, return_inverse=True)
        return rows, inverse.reshape(-1, 3).astype(np.int32)
    is_used = np.zeros(count, bool)
    is_used[faces] = True
    if is_used.all():
        return None, faces.astype(np.int32)
    renumbered = np.cumsum(is_used, dtype=np.int32) - 1
    return np.flatnonzero(is_used), renumbered[faces]


def _turned(
    normals: NDArray[np.float32], matrices: NDArray[np.float64], mirrored: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Normals (V, 3) moved by the inverse transpose of (3, 3) or (V, 3, 3) matrices, unit length or zero.

    Cofactors are used: they point as the inverse transpose does and exist for a flattening matrix too.
    """
    turned = np.einsum("...ij,...j->...i", cofactors(matrices), normals.astype(np.float64))
    turned = np.where(mirrored[:, None], -turned, turned)
    return unit_normals(turned).astype(np.float32)
