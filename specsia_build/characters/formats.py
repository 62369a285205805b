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

_OTHER_PROGRAMS = (
    ".dae .usd .usda .usdc .usdz .3ds .max .ma .mb .c4d .pmd .pmx .unitypackage .x3d .x3db .x3dv .wrl .vrml .lwo .lws "
    ".abc .x .md5mesh .ms3d .smd .psk .duf .ztl .skp .vox .off .3mf .step .stp .igs .iges .3dm"
)
_EXPORT = "export the character as GLB"

REFUSED = {
    ".stl": f"is an STL file, which has neither colours nor textures: {_EXPORT}",
    **dict.fromkeys(_OTHER_PROGRAMS.split(), f"is of a format that is not read: {_EXPORT}"),
    **dict.fromkeys(
        (".splat", ".ksplat", ".spz", ".sog"),
        "holds Gaussian splats: there is no surface to draw, so export it as a mesh",
    ),
    **dict.fromkeys((".zip", ".rar", ".7z", ".tar", ".tgz"), "is an archive: unpack it"),
}
"""Reasons why files of other formats are not read, by their suffix in lower case."""
