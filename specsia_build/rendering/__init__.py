"""Rendering: a mesh and cameras give colour, coverage and position of each view.

`layers.Renderer` is the protocol, `registry` knows renderers by name, `fast` is the default, `blender` and `pyrender`
are there to compare with. `mesh` is what everything draws, `topology` what its faces share, and
`contour` draws the lines.
"""
