"""Rigs and motions as plain arrays, and meshes posed by them.

`skeleton` has the nodes, `motion` what moves them, `rig` how a mesh hangs on them and `posed`, which moves it; `tears`
tells where that tears it; `carry` hangs a reconstruction on them as the character hangs.
`gaits` makes six motions for any humanoid, baked by `plans`. `retarget` plays a motion of one skeleton on another, by
the `humanoid` that both are where their joints' names differ. Files are read in `characters`; nothing here knows one.
"""
