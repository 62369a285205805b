"""Convert an FBX file to GLB: the program that `read` runs, from standard input to standard output.

See `serve` for its argument and its exit codes.
"""

import gc
import os

import ufbx

from specsia_build.characters.converting import serve
from specsia_build.characters.fbx.materials import MaterialWriter
from specsia_build.characters.fbx.meshes import MeshWriter, SharedMesh
from specsia_build.characters.fbx.scene import (
    Nodes,
    matrix,
    to_gltf,
    transform_entry,
    without_unused_rotations,
)
from specsia_build.characters.fbx.takes import Takes
from specsia_build.errors import CostError
from specsia_build.files.glb import GlbWriter
from specsia_build.warning import Code

_DEEPEST = 2000  # Most nodes above a node

_OPTIONS = {
    "file_format": ufbx.FileFormat.FBX,
    "generate_missing_normals": True,
    "inherit_mode_handling": ufbx.InheritModeHandling.HELPER_NODES,
    "node_depth_limit": _DEEPEST,
}


def convert(data: bytes) -> bytes:
    """The GLB of an FBX file.

    A node of it has the number of ufbx's; the root turns and scales all to glTF's axes and metres. Geometry
    that is moved within its node has a node of its own. Raises UfbxError if the file cannot be read.
    """
    scene = ufbx.load_memory(data, **_OPTIONS)
    if (changed := without_unused_rotations(data, scene)) != data:
        scene = ufbx.load_memory(changed, **_OPTIONS)
    nodes, glb = Nodes(scene), GlbWriter()
    for index, node in enumerate(nodes.nodes):
        place = {"matrix": nodes.rest[index].T.ravel().tolist()} if index in nodes.bound else {}
        place = place or transform_entry(node.local_transform)
        if nodes.parents[index] < 0:
            place = {"matrix": (to_gltf(scene.settings) @ nodes.rest[index]).T.ravel().tolist()}
        glb.add("nodes", name=nodes.names[index] or None, **place)
    for index, parent in enumerate(nodes.parents):
        if parent >= 0:
            glb.lists["nodes"][parent].setdefault("children", []).append(index)
    warnings: list[tuple[Code, str]] = []
    meshes = MeshWriter(glb, MaterialWriter(glb))
    holders = [index for index, node in enumerate(nodes.nodes) if node.mesh is not None]
    if holders and not any(nodes.shown[index] for index in holders):
        warnings.append(("made-visible", "hides all of its meshes: they were drawn"))
        nodes.shown = [True] * len(nodes.shown)
    morphed: dict[int, SharedMesh] = {}
    for index in holders:
        if nodes.shown[index]:
            holder = _hang(glb, nodes, index, meshes)
            shape = meshes.shape(nodes.nodes[index].mesh)
            if shape.targets:
                morphed[holder] = shape
    takes = Takes(glb, scene, nodes, morphed)
    takes.add_all()
    if len(scene.nurbs_surfaces):
        warnings.append(("not-read", "has NURBS surfaces, which are not read: make them meshes"))
    facts = {"fps": takes.fps, "warnings": [*warnings, *takes.warnings]}
    root = {"asset": {"version": "2.0", "extras": facts}, "scene": 0, "scenes": [{"nodes": [0]}]}
    return glb.encode(**root)


def _hang(glb: GlbWriter, nodes: Nodes, index: int, meshes: MeshWriter) -> int:
    """Hang the mesh of a node on it, or on a node below; returns which."""
    node, place = nodes.nodes[index], index
    name = node.name if not node.is_scale_helper else nodes.names[nodes.parents[index]]
    if node.has_geometry_transform:
        moved = matrix(node.geometry_to_node).T.ravel().tolist()
        place = glb.add("nodes", name=name or None, matrix=moved)
        glb.lists["nodes"][index].setdefault("children", []).append(place)
    skin, extra = meshes.skin(node, place) or (None, {})
    entry = glb.lists["nodes"][place]
    entry["name"] = name
    if (mesh := meshes.add(node, extra)) is not None:
        entry["mesh"] = mesh
        if skin is not None:
            entry["skin"] = skin
    return place


def main() -> int:
    """Convert standard input; returns the exit code."""
    refused = (ufbx.UfbxError, ValueError, IndexError)
    return serve(convert, refused, (MemoryError, CostError, ufbx.OutOfMemoryError, ufbx.MemoryLimitError))


if __name__ == "__main__":
    # The process ends at once, as elements of ufbx must not be freed, see `scene.each`.
    gc.disable()
    os._exit(main())
