"""FBX and .blend, which only Blender can read: its plain arrays are kept, so that it is asked once for each file.

`kept` has Blender read and keeps what it read; `read` gives the mesh, `rig` how it moves. Others use these two.
"""
