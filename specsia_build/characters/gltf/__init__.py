"""glTF, GLB and VRM: a document's scene, posed and skinned as the file stands, as one mesh.

msgspec reads the JSON (`schema`). The rest is written by hand since bounds must be reckoned before anything is decoded,
and since a general reader drops what decides a picture: modes of alpha, texture transforms, unlit materials, sparse and
quantised vertices. Others use `read`.
"""
