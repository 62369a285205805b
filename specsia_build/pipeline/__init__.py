"""The build: what is out of date goes to workers, phase by phase, and what they built is packed.

`docs/architecture.md` names the modules in the order in which a build meets them.
"""
