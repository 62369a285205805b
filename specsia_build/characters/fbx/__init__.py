"""FBX files, converted to GLB by ufbx in a process of their own, and read as GLB.

`convert` is what the process runs, with `scene`, `meshes`, `materials` and `takes`; `gltf.converted` starts
it. A process of its own, as no damaged file may end or exhaust the process that reads it.
"""
