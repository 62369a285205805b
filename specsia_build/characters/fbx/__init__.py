"""FBX files, converted to GLB by ufbx in a process of their own, and read as GLB.

`read` is for others; `convert` is what the process runs, with `scene`, `meshes`, `materials` and `takes`.
A process of its own, as no damaged file may end or exhaust the process that reads it.
"""
