"""Formats of mesh files by their names."""

FORMATS = {
    ".glb": "gltf",
    ".vrm": "vrm",
    ".gltf": "gltf",
    ".fbx": "fbx",
    ".dae": "dae",
    ".blend": "blend",
    ".obj": "obj",
    ".ply": "ply",
}
"""Format of a mesh file by its suffix in lower case, the most complete format first."""
