"""Stages of characters in motion: clips found, each drawn, and reconstructions that move alike.

`motions` finds each character's clips, `draw` makes the clean frames of one, `carry` binds a registered reconstruction
to the character's skeleton, `move` draws that in a clip.
"""
