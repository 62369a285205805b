"""Primitives of glTF meshes as triangles in place, morphed, skinned or moved by their node."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.arrays import Doubles, Floats
from specsia_build.characters import polygons
from specsia_build.characters.character import Skin
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import COMPONENTS, Document, damaged, denormalise, unpack_draco
from specsia_build.characters.gltf.materials import Materials
from specsia_build.characters.gltf.nodes import read_skin
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh, cofactors

MODE_TRIANGLES, MODE_FAN = 4, 6  # 5 is a strip
MAX_UV = 65536.0  # Texture coordinates are clipped to this: beyond it a float32 cannot tell texels apart

MOST_OUTSIDE = 0.01
"""Share of a primitive's vertices that may name joints its skin lacks; with more, it is another mesh's."""

INSTANCE_COST = 2000  # Bytes of memory for a mesh at a node
_SKIN_COST = 400  # Bytes of memory of a vertex while a skin poses it
_INFLUENCE_COST = 250  # Bytes of memory of four joints and weights of a vertex
_KEPT_INFLUENCE_COST = 12  # Bytes of memory of an influence until the whole file is read


@dataclass(frozen=True)
class Instance:
    """A mesh at a node."""

    node: schema.Node  # As stored
    mesh: schema.GltfMesh  # As stored
    index: int  # Of the mesh
    place: int  # Index of the node in the skeleton
    weights: tuple[float, ...]  # Of the mesh's morph targets; as many as are stated, or zeros
    offset: Doubles  # (4, 4) float64, from the mesh's coordinates to the node's
    world: Doubles  # (4, 4) float64, from the mesh's coordinates to the file's
    names: tuple[str, ...]  # Of the node, of the mesh and of the nodes above, nearest first


@dataclass(frozen=True)
class Vertices:
    """The vertices that a primitive uses."""

    document: Document
    primitive: schema.Primitive
    label: str  # Its place in the file, for errors
    count: int  # Rows that every accessor must have
    morph: tuple[float, ...] = ()  # Weight of each of its morph targets
    used: NDArray[np.int64] | None = None  # (V,) rows of the accessors that faces use, or None for all
    # Attributes decoded from Draco, (count, width); others are accessors
    unpacked: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.count if self.used is None else len(self.used)

    @property
    def attributes(self) -> Mapping[str, int]:
        return self.primitive.attributes or {}

    def floats(self, name: str, *widths: int, morphed: bool = True) -> Floats:
        """An attribute of one of some widths as (V, width) float32, with or without its morph targets."""
        stored, is_normalised = self._stored(name, widths)
        # Integers of colours always stand for 0-1, even where an exporter forgot to say so.
        whole = is_normalised or name == "COLOR_0"
        values = denormalise(stored) if whole else stored.astype(np.float32)
        if morphed and any(self.morph):
            values = values.copy()
            for index, offsets in self.morphs(name, widths):
                if index < len(self.morph) and self.morph[index]:
                    width = min(values.shape[1], offsets.shape[1])
                    values[:, :width] += np.float32(self.morph[index]) * offsets[:, :width]
        return values

    def optional(self, name: str, *widths: int) -> Floats | None:
        """Return `floats`; None where the primitive lacks the attribute or, with a warning, it is damaged."""
        with self.document.tolerating():
            return self.floats(name, *widths) if name in self.attributes else None
        return None

    def morphs(self, name: str, widths: tuple[int, ...]) -> Iterator[tuple[int, Floats]]:
        """Index of each morph target that moves an attribute, and its offsets (V, width) float32 at 1."""
        for index, target in enumerate(self.primitive.targets or ()):
            if name in target:
                stored, is_normalised = self._stored(name, widths, target)
                yield index, denormalise(stored) if is_normalised else stored.astype(np.float32)

    def influences(self, joint_count: int) -> Skin:
        """Joints and weights of each vertex, of all sets, in a skin of `joint_count` joints.

        A vertex without weight follows its first joint. One whose weights are not finite, or belong to joints
        that the skin lacks, moves as the nearest vertex with valid ones.
        """
        sets = 0
        while {f"JOINTS_{sets}", f"WEIGHTS_{sets}"} <= self.attributes.keys():
            sets += 1
        memory.ask(_INFLUENCE_COST * sets * len(self))
        # Only ratios of weights count, so it does not matter whether integers are normalised.
        stored = [self._stored(f"{name}_{k}", (4,))[0] for name in ("JOINTS", "WEIGHTS") for k in range(sets)]
        joints = np.concatenate(stored[:sets], axis=1, dtype=np.float64)
        weights = np.concatenate(stored[sets:], axis=1, dtype=np.float64)
        invalid = ~np.isfinite(weights)
        weights = np.where(invalid, 0.0, np.maximum(weights, 0.0))
        missing = ~((joints >= 0) & (joints < joint_count))
        outside = missing & (weights > 0)
        if np.count_nonzero(outside.any(axis=1)) > MOST_OUTSIDE * len(self):
            raise damaged(self.label, "names a joint that its skin does not have")
        weights[outside] = 0.0
        slots = np.where(missing, 0, joints).astype(np.int32)
        total = weights.sum(axis=1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        weights[total[:, 0] <= 0, 0] = 1.0
        lost = (total[:, 0] <= 0) & (invalid | outside).any(axis=1)
        if lost.any() and not lost.all():
            points = np.nan_to_num(self.floats("POSITION", 3, morphed=False))
            _, nearest = scipy.spatial.cKDTree(points[~lost]).query(points[lost])
            slots[lost], weights[lost] = slots[~lost][nearest], weights[~lost][nearest]
        return Skin(slots, weights)

    def _stored(
        self, name: str, widths: tuple[int, ...], target: Mapping[str, int] | None = None
    ) -> tuple[NDArray[Any], bool]:
        """Rows of an attribute or a morph target's, as stored, and whether their integers are normalised."""
        accessor = self.attributes[name] if target is None else target[name]
        if target is None and name in self.unpacked:
            values = self.unpacked[name]
            entry = self.document.entry(schema.Accessor, accessor)
            declared = np.dtype(COMPONENTS.get(entry.component_type, "<f4"))
            if "f" not in (declared.kind, values.dtype.kind):
                values = values.astype(declared)
        else:
            values = self.document.accessor(accessor)
        if len(values) != self.count or values.shape[1] not in widths:
            raise damaged(self.label, f"has {name} of another number or width than its POSITION")
        return values if self.used is None else values[self.used], self.document.is_normalised(accessor)


@dataclass(frozen=True)
class PlacedPrimitive:
    """A primitive in the file's coordinates, its attributes and its skinning (None if the node moves it)."""

    mesh: Mesh
    source: Vertices
    influences: Skin | None


@dataclass(frozen=True)
class _AtRest:
    """A primitive as stored: points (V, 3), normals (V, 3) or None, and `surface`, a mesh of no vertices."""

    source: Vertices
    points: Doubles
    normals: Floats | None
    surface: Mesh
    lacks_uv: bool


@dataclass
class MeshReader:
    """Reads a file's mesh instances, whose nodes have transforms `worlds` (N, 4, 4) to its coordinates."""

    document: Document
    worlds: Doubles
    materials: Materials
    triangles: int = 0
    _parts: dict[tuple[int, tuple[float, ...]], tuple[_AtRest, ...]] = field(default_factory=dict)
    _palettes: dict[int, Doubles] = field(default_factory=dict)

    def read(self, instance: Instance) -> Iterator[PlacedPrimitive]:
        """Read the primitives of an instance that have triangles."""
        key = (instance.index, instance.weights)
        if key not in self._parts:
            primitives = enumerate(instance.mesh.primitives or ())
            label = f"{self.document.name}: meshes[{instance.index}].primitives"
            parts = (self._part(primitive, f"{label}[{k}]", instance.weights) for k, primitive in primitives)
            self._parts[key] = tuple(part for part in parts if part is not None)
        for part in self._parts[key]:
            influences = None
            if instance.node.skin is not None and {"JOINTS_0", "WEIGHTS_0"} <= part.source.attributes.keys():
                influences = part.source.influences(len(self._palette(instance.node.skin)))
                memory.take(_KEPT_INFLUENCE_COST * influences.joints.size)
            yield PlacedPrimitive(self._place(instance, part, influences), part.source, influences)

    def _part(self, primitive: schema.Primitive, label: str, morph: tuple[float, ...]) -> _AtRest | None:
        """Read a primitive as it is stored; None where it has no triangles."""
        position = (primitive.attributes or {}).get("POSITION")
        if position is None:
            return None
        corners, unpacked = None, dict[str, NDArray[Any]]()
        packed = (primitive.extensions or schema.Extensions()).draco
        if packed is not None and self.document.entry(schema.Accessor, position).buffer_view is None:
            try:
                corners, unpacked = unpack_draco(bytes(self.document.view_bytes(packed.buffer_view)), packed)
            except ValueError as error:
                raise damaged(label, "has Draco data that cannot be decoded") from error
        count = len(unpacked["POSITION"] if unpacked else self.document.accessor(position))
        whole = Vertices(self.document, primitive, label, count, morph, unpacked=unpacked)
        indexed = self._faces(whole, corners)
        if not len(indexed):
            return None
        # Primitives often share one large set of vertices, and unused ones may hold anything.
        is_used = np.zeros(count, bool)
        is_used[indexed] = True
        faces = (np.cumsum(is_used, dtype=np.int32) - 1)[indexed]
        source = whole if is_used.all() else replace(whole, used=np.flatnonzero(is_used))
        normals = source.optional("NORMAL", 3)
        material = self.materials.material(primitive.material)
        if material.inside_out:
            faces = faces[:, ::-1]
        uv = source.optional(f"TEXCOORD_{material.placement.uv_set}", 2)
        if uv is not None:
            moved = material.placement.apply(uv)
            uv = np.where(np.isfinite(moved), np.clip(moved, -MAX_UV, MAX_UV), np.float32(np.nan))
        colors, opaque = source.optional("COLOR_0", 3, 4), True
        if colors is not None:
            padded = np.pad(colors, ((0, 0), (0, 4 - colors.shape[1])), constant_values=1.0)
            colors = np.clip(padded, 0.0, 1.0)
            opaque = not bool((colors[:, 3] < 1.0).any())
        surface = Mesh(
            vertices=np.zeros((0, 3), np.float32),
            faces=faces,
            materials=(self.materials.variant(primitive.material, uv is not None, opaque),),
            face_material=np.zeros(len(faces), np.int32),
            uv=None if uv is None else uv[faces],
            colors=None if colors is None else colors[faces],
        )
        points = source.floats("POSITION", 3).astype(np.float64)
        return _AtRest(source, points, normals, surface, uv is None and material.is_textured)

    def _place(self, instance: Instance, part: _AtRest, influences: Skin | None) -> Mesh:
        """Move a primitive by its node or skin."""
        faces = part.surface.faces
        self.triangles += len(faces)
        if self.triangles > polygons.MAX_TRIANGLES:
            problem = f"{self.document.name} has more than {polygons.MAX_TRIANGLES} triangles: simplify it"
            raise CharacterError(problem)
        cost = polygons.TRIANGLE_COST * len(faces) + polygons.VERTEX_COST * len(part.points)
        memory.take(INSTANCE_COST + cost)
        if part.lacks_uv:
            name = instance.node.name or instance.mesh.name or part.source.label
            problem = f"{self.document.name}: '{name}' has no UVs for its texture, which was left out"
            self.document.warn("uv-missing", problem, name)
        matrices = (
            instance.world[:3] if influences is None else self._blended(instance.node.skin or 0, influences)
        )
        posed = np.einsum("...ij,...j->...i", matrices[..., :3], part.points) + matrices[..., 3]
        vertices = posed.astype(np.float32)
        mirrored = np.broadcast_to(np.linalg.det(matrices[..., :3]) < 0, len(vertices))
        normals = np.zeros((len(vertices), 3), np.float32)
        if part.normals is not None:
            # Cofactors point as the inverse transpose does and exist for a flattening matrix too.
            own = part.normals.astype(np.float64)
            moved = np.einsum("...ij,...j->...i", cofactors(matrices[..., :3]), own)
            normals = polygons.unit_normals(np.where(mirrored[:, None], -moved, moved)).astype(np.float32)
        mesh = replace(part.surface, vertices=vertices, normals=normals[faces])
        flip = mirrored[faces[:, 0]]
        return polygons.with_flat_gaps(mesh.rewound(flip) if flip.any() else mesh)

    def _faces(self, source: Vertices, unpacked: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Triangles (F, 3) into the primitive's vertices; none for points and lines."""
        mode = MODE_TRIANGLES if source.primitive.mode is None else source.primitive.mode
        if mode > MODE_FAN:
            raise damaged(source.label, "has an unknown mode")
        if mode < MODE_TRIANGLES:
            return np.zeros((0, 3), np.int64)
        if unpacked is not None:
            # Draco stores separate triangles, whatever they were made of.
            indices, mode = unpacked.ravel(), MODE_TRIANGLES
        elif source.primitive.indices is None:
            memory.ask(polygons.VERTEX_COST * source.count)
            indices = np.arange(source.count)
        else:
            stored = self.document.accessor(source.primitive.indices)
            if stored.dtype.kind != "u" or stored.shape[1] != 1:
                raise damaged(source.label, "has indices that are not unsigned integers")
            indices = stored[:, 0].astype(np.int64)
        if len(indices) and int(indices.max()) >= source.count:
            raise damaged(source.label, "uses vertices that do not exist")
        memory.ask(polygons.TRIANGLE_COST * (len(indices) // 3 if mode == MODE_TRIANGLES else len(indices)))
        if mode == MODE_TRIANGLES:
            if len(indices) % 3:
                sentence = f"{source.label} has an incomplete last triangle; it was left out"
                self.document.warn("unusable", sentence)
            return indices[: len(indices) // 3 * 3].reshape(-1, 3)
        step = np.arange(max(len(indices) - 2, 0))
        if mode == MODE_FAN:
            return indices[np.stack([step + 1, step + 2, np.zeros_like(step)], axis=1)]
        swap = step % 2
        return indices[np.stack([step, step + 1 + swap, step + 2 - swap], axis=1)]

    def _blended(self, skin: int, influences: Skin) -> Doubles:
        """Matrix of each vertex of a skin, (V, 3, 4); only joints count, not where the mesh's node stands."""
        palette = self._palette(skin)
        joints, weights = influences.joints, influences.weights
        memory.ask(_SKIN_COST * len(joints))
        blended = np.zeros((len(joints), 3, 4))
        for slot in range(joints.shape[1]):
            blended += weights[:, slot, None, None] * palette[joints[:, slot]]
        return blended

    def _palette(self, index: int) -> Doubles:
        """Joint matrices of a skin, (J, 3, 4): from the vertices as stored to the file's coordinates."""
        if index not in self._palettes:
            joints, binds = read_skin(self.document, index)
            self._palettes[index] = (self.worlds[joints] @ binds)[:, :3]
        return self._palettes[index]
