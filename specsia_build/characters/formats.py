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

_EXPORT = "export the character as GLB"

ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".tgz")

REFUSED = {
    ".stl": f"is an STL file, which has neither colours nor textures: {_EXPORT}",
    **{
        suffix: f"is {kind}, which is not read: {_EXPORT}"
        for suffix, kind in {
            ".dae": "a COLLADA file",
            **dict.fromkeys((".usd", ".usda", ".usdc", ".usdz"), "a USD file"),
            ".3ds": "a 3D Studio file",
            ".max": "a 3ds Max scene",
            **dict.fromkeys((".ma", ".mb"), "a Maya scene"),
            ".c4d": "a Cinema 4D scene",
            **dict.fromkeys((".pmd", ".pmx"), "an MMD model"),
            ".unitypackage": "a Unity package",
            **dict.fromkeys((".x3d", ".x3db", ".x3dv"), "an X3D file"),
            **dict.fromkeys((".wrl", ".vrml"), "a VRML file"),
            **dict.fromkeys((".lwo", ".lws"), "a LightWave file"),
            ".abc": "an Alembic file",
            ".x": "a DirectX file",
            ".md5mesh": "a Doom 3 model",
            ".ms3d": "a MilkShape model",
            ".smd": "a Source model",
            ".psk": "an Unreal model",
            ".duf": "a Daz scene",
            ".ztl": "a ZBrush tool",
            ".skp": "a SketchUp model",
            ".vox": "a MagicaVoxel model",
            ".off": "an OFF file",
            ".3mf": "a file for 3D printers",
            **dict.fromkeys((".step", ".stp", ".igs", ".iges", ".3dm"), "a CAD file"),
        }.items()
    },
    **dict.fromkeys(
        (".splat", ".ksplat", ".spz", ".sog"),
        "holds Gaussian splats: there is no surface to draw, so export it as a mesh",
    ),
    **dict.fromkeys(ARCHIVES, "is an archive: unpack it"),
}
"""What is said of files of other formats, by their suffix in lower case, where there is none of `FORMATS`."""
