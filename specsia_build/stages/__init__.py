"""The stages of a still: render, reconstruct, project, pack; functions from artefacts to artefacts, without paths.

`stage` is what a stage is and `registry` the list of them, `artefact` is what passes between them, `mesh_files` and
`frontal` are how meshes and drawings lie in one, `members` what pack keeps in mind of a character, `shards` what
makes a part of its dataset.
"""
