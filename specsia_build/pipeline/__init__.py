"""The build: hand what is out of date to workers, phase by phase, and pack what they built.

`docs/architecture.md` names the modules in the order in which a build meets them.
"""
