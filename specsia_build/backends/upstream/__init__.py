"""Other projects as backends, each in an environment of its own: Wonder3D, DrawingSpinUp, InstantMesh, CRM.

A worker (`worker`, `bridges`) runs there and answers a supervisor over pipes. Others use `bridged`, whose functions are
the entry points, `doctor` for what an installation lacks, and `pins` for what is expected of each project.
"""
