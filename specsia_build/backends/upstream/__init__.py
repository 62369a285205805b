"""Other projects as backends, each in an environment of its own: Wonder3D, DrawingSpinUp, InstantMesh, CRM.

A worker (`worker`, `bridges`) runs there under a guardian and answers a supervisor over pipes; what it may read,
write, log and hold on to is bounded on this side. Others use `bridged`, whose functions are the entry points,
`doctor` for what an installation lacks, and `pins` for what is expected of each project.
"""
