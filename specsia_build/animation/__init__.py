"""Rigs and motions as plain arrays, and meshes posed by them.

`skeleton` has the nodes, `motion` what moves them, `rig` how a mesh hangs on them and `posed`, which moves it. Files
are read in `characters`; nothing here knows one.
"""
