"""The stages of stills: render, reconstruct, project, pack; functions from artefacts to artefacts, no paths.

`stage` has their interface, `registry` lists them, and `members` turns artefacts into rows of a dataset.
"""
