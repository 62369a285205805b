"""Layouts that clips are packed in, one module for each.

`recipe` is the interface, `registry` finds recipes by name, `media` has films, captions and backgrounds, `checks` reads
files for verification, `folder` keeps records of what was written, `card` writes the files about all parts, `verify`
checks a folder. The rows of `dravie` are packed by `stages.pack`.
"""
