"""One character: the network fitted to its frontal drawing, and what the drawing itself knows.

`adapt` fits, `recall` looks colours up where positions agree, `drawing` lays a drawing over a view, and `command` is
the work of `specsia adapt`.
"""
