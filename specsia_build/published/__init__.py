"""SPECSIA-15K as its authors publish it: rows of the Hub and a folder tree.

`tree` finds the folder tree and reads its files, `rows` turns published pictures into this project's, and
`views` and `places` fit how the positions of a character are turned.
"""
