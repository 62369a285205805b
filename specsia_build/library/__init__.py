"""The Python interface: one function for each step of the system, on meshes and arrays.

Nothing here needs a run's folder. The package offers all of it (`import specsia`) and imports what a function
needs when it is used.
"""
