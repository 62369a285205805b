"""Formats of mesh files by their names."""

FORMATS = {
    ".glb": "gltf",
    ".vrm": "vrm",
    ".gltf": "gltf",
    ".fbx": "fbx",
    ".blend": "blend",
    ".obj": "obj",
    ".ply": "ply",
}
"""Format of a mesh file by its suffix in lower case, the most complete format first."""

REFUSED = {".stl": "is an STL file, which has neither colours nor textures: export the character as GLB"}
"""What is said of files of other formats, by their suffix in lower case."""
