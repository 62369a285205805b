"""Rendering: a mesh and cameras give colour, coverage and position of each view.

`layers` has the protocol and the names of renderers: `fast` is the default, `blender` and `pyrender` are for
comparison. `mesh` is what they draw, `topology` the edges its faces share, and `contour` draws the lines.
"""
