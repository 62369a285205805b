"""The stages of stills: render, reconstruct, project, pack; functions from artefacts to artefacts, no paths.

`stage` has the interface of a stage and the artefacts that pass between them, `registry` lists the stages,
and `rows` turns artefacts into rows of a dataset.
"""
