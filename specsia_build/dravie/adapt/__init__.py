"""One character: the network fitted to its frontal drawing.

`adapt` fits, `drawing` lays a drawing over a view, and `command` is the work of `specsia adapt`.
"""
