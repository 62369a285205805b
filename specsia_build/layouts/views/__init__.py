"""Layouts of views that are drawn anew from characters: `layout` is their base class, one module for each.

`encoding` has the files of single layers, and `checks` the geometry that `specsia verify` tests.
"""
