"""glTF, GLB and VRM: a document's scene, at rest or posed by animations, skinned, as one mesh, and its rig.

msgspec decodes the JSON (`schema`); DracoPy and meshopt decompress meshes. The rest is written by hand since
bounds must be checked before anything is decoded, and since a general reader drops what decides a picture:
alpha modes, texture transforms, unlit materials, sparse and quantised vertices. A damaged file raises
`CharacterError`, one that would take more memory than the character has left `CostError`. Others use `read`.
"""
