"""The Python interface: one function for each step of the system, on meshes and arrays.

Nothing here needs a run's folder. `specsia_build` itself offers all of it (`import specsia_build as specsia`) and
imports what a function needs when it is used.
"""
