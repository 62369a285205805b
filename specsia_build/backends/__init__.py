"""Backends, which reconstruct a textured mesh from a frontal picture; a network learns to repair its renders.

`base.Backend` is the interface, and `registry` finds backends by name and calls them. `scoring` refuses
unusable meshes and scores a mesh against its picture, and `selftest` tests a backend on a known figure.
`relief` and `fusion` run on any processor, `mesh_dir` reads meshes made elsewhere, `command` runs a program,
and `upstream` other projects.
"""
