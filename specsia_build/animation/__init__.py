"""Rigs and motions as plain arrays, and meshes posed by them; files are read in `characters`.

`skeleton` has the nodes, `motion` the keyed tracks that move them, `rig` the skin weights that bind a mesh to
them and move it; `carry` transfers weights to a reconstruction. `retarget` plays a motion of one skeleton on
another, by bones of `humanoid` where names differ. `motions.glb` has built-in motions on a plain skeleton.
"""
