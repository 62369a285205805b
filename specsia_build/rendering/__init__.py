"""Rendering: a mesh and cameras give colour, coverage, position and depth of each view.

`layers.Renderer` is the protocol, `registry` knows renderers by name, `fast` is the default, `blender` and `pyrender`
are there to measure against (`parity`). `mesh` is what everything draws, `topology` what its faces share, and
`contour` draws the lines.
"""
