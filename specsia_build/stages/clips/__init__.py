"""Stages of characters in motion.

`motions` lists each character's clips, `draw` renders the clean frames of a clip, `carry` binds a registered
reconstruction to the character's skeleton, `move` renders that reconstruction in a clip.
"""
