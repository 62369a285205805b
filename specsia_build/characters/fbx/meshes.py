"""Meshes of ufbx as glTF meshes and skins."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Doubles
from specsia_build.characters.converting import add_influences, influences
from specsia_build.characters.fbx.materials import MaterialWriter
from specsia_build.characters.fbx.scene import array, each, integers, matrix
from specsia_build.characters.polygons import triangulate
from specsia_build.files.glb import GlbWriter
from specsia_build.rendering.colour import srgb_to_linear


class SharedMesh:
    """A mesh's triangles and vertices, which all of its instances share.

    Attributes:
        rows: (V,) the mesh's vertex of each glTF vertex.
        triangles: (T, 3) into the glTF vertices; `material` (T,) the number of each one's material.
        attributes: accessors by attribute; `colours` that of vertex colours, or None.
        targets: morph targets of all channels, and for each channel its targets' keys, weights and values.
    """

    def __init__(self, mesh: Any, glb: GlbWriter) -> None:
        faces = array(mesh.faces, 2, np.int64)
        self.uv_names = [uv_set.name for uv_set in each(mesh.uv_sets)]
        uvs = [uv_set.vertex_uv for uv_set in each(mesh.uv_sets)]
        kinds = [mesh.vertex_position, *uvs]
        kinds += [kind for kind in (mesh.vertex_normal, mesh.vertex_color) if kind.exists]
        indices = np.stack([integers(kind.indices) for kind in kinds])
        positions = array(mesh.vertex_position.values)
        first = np.append(faces[:, 0], faces[-1:].sum(axis=1))
        holes = np.fromiter(mesh.face_hole, bool) if len(mesh.face_hole) else np.zeros(len(faces), bool)
        triangles, polygon = triangulate(positions, indices[0], first, ~holes, shorter=False)
        # A vertex for each combination of attributes that a corner has.
        used, corner = np.unique(indices[:, triangles.ravel()], axis=1, return_inverse=True)
        own_corner = np.empty(used.shape[1], np.int64)
        own_corner[corner.ravel()] = np.arange(corner.size)
        self.rows = integers(mesh.vertex_indices)[triangles.ravel()][own_corner]
        self.triangles = corner.reshape(-1, 3)
        stated = integers(mesh.face_material)
        self.material = stated[polygon] if len(stated) == len(faces) else np.zeros(len(polygon), np.int64)
        self.attributes = {"POSITION": glb.accessor(positions[used[0]].astype("<f4"))}
        for number, uv in enumerate(uvs):
            values = array(uv.values, 2)[used[1 + number]]
            values[:, 1] = 1.0 - values[:, 1]
            self.attributes[f"TEXCOORD_{number}"] = glb.accessor(values.astype("<f4"))
        if mesh.vertex_normal.exists:
            normals = array(mesh.vertex_normal.values)[used[1 + len(uvs)]]
            self.attributes["NORMAL"] = glb.accessor(normals.astype("<f4"))
        self.colours = None
        if mesh.vertex_color.exists:
            colours = array(mesh.vertex_color.values, 4)[used[-1]]
            colours[:, :3] = srgb_to_linear(colours[:, :3])
            self.colours = glb.accessor(colours.astype("<f4"))
        deformers = each(mesh.blend_deformers)
        self.channels = [channel for deformer in deformers for channel in each(deformer.channels)]
        self.keys = [each(channel.keyframes) for channel in self.channels]
        self.targets = [self._target(key.shape, glb, len(positions)) for keys in self.keys for key in keys]

    def _target(self, shape: Any, glb: GlbWriter, count: int) -> dict[str, int]:
        offsets = np.zeros((count, 3))
        moves = array(shape.position_offsets)
        # Blender writes a vertex group's weights beside a shape's offsets.
        weights = array(shape.offset_weights, 0) if len(shape.offset_weights) else np.ones(len(moves))
        offsets[integers(shape.offset_vertices)] = moves * weights[:, None]
        own = offsets[self.rows].astype("<f4")
        moved = np.flatnonzero(own.any(axis=1))
        return {"POSITION": glb.sparse(moved, own[moved], len(own))}

    def weights(self) -> list[float]:
        """Weight of each morph target as the file has it."""
        return [float(key.effective_weight) for keys in self.keys for key in keys]


class MeshWriter:
    """Adds meshes and skins to a GLB."""

    def __init__(self, glb: GlbWriter, materials: MaterialWriter) -> None:
        self._glb, self._materials = glb, materials
        self._shapes: dict[int, SharedMesh] = {}
        self._built: dict[tuple[int, tuple[int, ...]], int | None] = {}
        self._influences: dict[int, dict[str, int]] = {}

    def shape(self, mesh: Any) -> SharedMesh:
        """Triangles and vertices of a mesh."""
        if mesh.typed_id not in self._shapes:
            self._shapes[mesh.typed_id] = SharedMesh(mesh, self._glb)
        return self._shapes[mesh.typed_id]

    def add(self, node: Any, extra: dict[str, int]) -> int | None:
        """Add a node's mesh, `extra` accessors of joints and weights; its index, None without triangles."""
        mesh = node.mesh
        shape, materials = self.shape(mesh), each(node.materials) or each(mesh.materials)
        key = (mesh.typed_id, tuple(material.typed_id for material in materials))
        if key not in self._built:
            numbers = map(int, np.unique(shape.material))
            primitives = [self._primitive(shape, materials, number, extra) for number in numbers]
            entry = {"primitives": primitives, "weights": shape.weights() or None}
            self._built[key] = self._glb.add("meshes", name=mesh.name, **entry) if primitives else None
        return self._built[key]

    def _primitive(
        self, shape: SharedMesh, materials: Sequence[Any], number: int, extra: dict[str, int]
    ) -> dict[str, Any]:
        faces = shape.triangles[shape.material == number]
        indices = self._glb.accessor(faces.ravel().astype("<u4"))
        material = materials[number] if number < len(materials) else None
        attributes = {**shape.attributes, **extra}
        if shape.colours is not None and self._materials.shows_colours(material):
            attributes["COLOR_0"] = shape.colours
        primitive = {"attributes": attributes, "indices": indices, "targets": shape.targets or None}
        if material is not None:
            primitive["material"] = self._materials.add(material, shape.uv_names)
        return {name: value for name, value in primitive.items() if value is not None}

    def skin(self, node: Any, geometry_node: int) -> tuple[int, dict[str, int]] | None:
        """Add the skin of a node's mesh; returns its index, and accessors of joints and weights.

        Vertices without weights follow `geometry_node`. None if it has no skin.
        """
        mesh = node.mesh
        skins = [skin for skin in each(mesh.skin_deformers) if len(skin.clusters)]
        clusters = [cluster for cluster in each(skins[0].clusters) if cluster.bone_node] if skins else []
        if not clusters:
            return None
        joints = [cluster.bone_node.typed_id for cluster in clusters]
        binds = [matrix(cluster.geometry_to_bone) for cluster in clusters]
        shape = self.shape(mesh)
        slots, weights = _influences(clusters, len(mesh.vertices))
        slots, weights = slots[shape.rows], weights[shape.rows]
        loose = weights.sum(axis=1) <= 0
        if loose.any():
            slots[loose, 0], weights[loose, 0] = len(joints), 1.0
            joints, binds = [*joints, geometry_node], [*binds, np.eye(4)]
        if mesh.typed_id not in self._influences:
            self._influences[mesh.typed_id] = add_influences(self._glb, slots, weights)
        inverse = np.array(binds).transpose(0, 2, 1).reshape(-1, 16).astype("<f4")
        skin = self._glb.add("skins", joints=joints, inverseBindMatrices=self._glb.accessor(inverse))
        return skin, self._influences[mesh.typed_id]


def _influences(clusters: Sequence[Any], count: int) -> tuple[NDArray[np.int64], Doubles]:
    """Clusters and weights of each of `count` vertices, see `influences`."""
    rows = [integers(cluster.vertices) for cluster in clusters]
    slot = np.repeat(np.arange(len(clusters)), [len(own) for own in rows])
    weight = np.concatenate([array(cluster.weights, 0) for cluster in clusters])
    return influences(np.concatenate(rows), slot, weight, count)
