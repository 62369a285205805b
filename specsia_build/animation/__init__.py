"""Rigs and motions as plain arrays, and meshes posed by them.

`skeleton` has the nodes, `motion` the keyed tracks that move them, `rig` how a mesh hangs on them and `posed`, which
moves it; `carry` hangs a reconstruction on them as the character hangs. `retarget` plays a motion of one skeleton on
another, by the `humanoid` that both are where their joints' names differ. `motions.glb` has the built-in motions, on a
plain human skeleton. Files are read in `characters`.
"""
