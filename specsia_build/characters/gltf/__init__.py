"""glTF, GLB and VRM: a document's scene, at rest or posed by its animations, skinned, as one mesh, and its rig.

msgspec reads the JSON (`text`, `schema`), the libraries of Draco and meshoptimizer what they packed (`compression`).
The rest is written by hand since bounds must be reckoned before anything is decoded, and since a general reader drops
what decides a picture: modes of alpha, texture transforms, unlit materials, sparse and quantised vertices. Others use
`read`.
"""
