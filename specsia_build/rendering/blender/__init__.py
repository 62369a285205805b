"""Blender as a reference renderer, in a process of its own that outlives single views.

Others use `renderer`, and `process` to run any of the scripts in `blender_scripts`.
"""
