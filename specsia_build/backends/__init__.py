"""Backends: from one frontal picture to a textured mesh, which is the guess that a network learns to repair.

`base.Backend` is what each of them implements, `registry` finds them by name, `gate` refuses meshes that nobody can
use, and `selftest` tries a backend on figures whose shape is known. `inflate` and `fusion` run on any processor,
`mesh_dir` takes meshes that were made elsewhere, and `upstream` speaks to other projects.
"""
