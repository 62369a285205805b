"""Wavefront OBJ with its MTL: compiled passes over the text, since files of a hundred megabytes are usual.

A general reader merges what differs in normals only and passes over damaged lines without a word. Others use `read`.
"""
