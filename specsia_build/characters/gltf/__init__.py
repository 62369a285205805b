"""glTF, GLB and VRM: a document's scene, at rest or posed by animations, skinned, as one mesh, and its rig.

Written by hand, as bounds must be checked before anything is decoded, and as general readers drop what
decides a picture: alpha modes, texture transforms, unlit materials, sparse and quantised vertices.
"""
