"""glTF, GLB and VRM: a document's scene, at rest or posed by its animations, skinned, as one mesh, and its rig.

msgspec reads the JSON (`text`, `schema`), the libraries of Draco and meshoptimizer what they packed (`extensions`).
The rest is written by hand since bounds must be checked before anything is decoded, and since a general reader drops
what decides a picture: modes of alpha, texture transforms, unlit materials, sparse and quantised vertices. All of it
raises `CharacterError` where the file is damaged, and `CostError` where it would take more memory than is left for the
character. Others use `read`.
"""
