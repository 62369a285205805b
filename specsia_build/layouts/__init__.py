"""Layouts to pack clips in, one module each.

`recipe` is the interface and finds recipes by name, `media` has films, captions and backgrounds, `folder`
writes parts and the files about all of them, `verify` checks a folder. The rows of `dravie` are packed by
`stages.pack`.
"""
