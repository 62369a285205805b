"""Wavefront OBJ with its MTL: passes over the whole text in arrays, since files of a hundred megabytes are usual.

Written by hand since general readers merge what differs in normals only, pass over damaged lines without a word, and
follow the names of libraries and textures out of the folder. All of it raises `CharacterError` where the file is
damaged. Others use `read`.
"""
