"""Rigs and motions as plain arrays, and meshes posed by them.

`skeleton` has the nodes, `motion` the keyed tracks that move them, `rig` the skin weights that bind a mesh to
them and move it; `carry` transfers weights to a reconstruction. `retarget` plays a motion of one skeleton on
another; where names of joints differ, `humanoid` maps both to the same bones. `motions.glb` has the built-in
motions on a plain human skeleton. Files are read in `characters`.
"""
