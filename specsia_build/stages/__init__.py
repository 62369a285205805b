"""The stages of a still: render, reconstruct, project, pack; functions from artefacts to artefacts, without paths.

`stage` is what a stage is and `registry` the list of them, `artefact` is what passes between them, `mesh_files` and
`frontal` are how meshes and drawings lie in one, `rows` what becomes of them in a dataset.
"""
