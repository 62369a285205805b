"""Other projects as backends, each in an environment of its own: Wonder3D, TripoSR and others.

A worker (`worker`, `bridges`) runs there and answers a supervisor over pipes. `bridged` has the entry points,
`doctor` checks an installation, and `pins` has the requirements of each project.
"""
