"""Layouts to pack characters and clips in, one module each.

`layout` is the interface, `registry` finds layouts by name, `media` has films, captions and backgrounds,
`packing` writes a folder whole, `writing` one part of it, and `verify` checks what was written.
"""
