"""Stages of characters in motion: what clips there are, each drawn, and reconstructions that move as they do.

`motions` finds each character's clips, `draw` makes the clean frames of one, `carry` hangs a registered reconstruction
on the character's skeleton, `move` draws it in a clip. Others use each module's `STAGE`.
"""
