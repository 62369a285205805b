"""Backends: from one frontal picture to a textured mesh, which is the guess that a network learns to repair.

`base.Backend` is what each of them implements, and `registry` finds them by name and calls them. `gate` refuses meshes
that nobody can use, `likeness` scores a mesh against its picture, and `selftest` tries a backend on a known figure.
`relief`, `inflate` and `fusion` run on any processor, `mesh_dir` takes meshes that were made elsewhere, `command` runs
a program, and `upstream` speaks to other projects.
"""
