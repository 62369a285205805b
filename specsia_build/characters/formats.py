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

_OTHERS = (
    ".stl .dae .usd .usda .usdc .usdz .3ds .max .ma .mb .c4d .pmd .pmx .unitypackage .x3d .x3db .x3dv .wrl .vrml .lwo "
    ".lws .abc .x .md5mesh .ms3d .smd .psk .duf .ztl .skp .vox .off .3mf .step .stp .igs .iges .3dm .splat .ksplat "
    ".spz .sog .zip .rar .7z .tar .tgz"
)
REFUSED = frozenset(_OTHERS.split())
"""Suffixes in lower case of other programs' files, scans without a surface, and archives."""

NOT_READ = "is of a format that is not read: unpack it, or export the character as GLB"
"""End of a sentence about a file whose suffix is `REFUSED`."""
