"""SPECSIA-15K as its authors publish it: the folder tree of their pipeline, and the rows that they upload.

`ids` has its numbers, lists and shards, `writing` makes its pictures from ours. `tree` finds the folder tree,
`rows` turns their pictures into ours, and `views` and `places` fit how positions of a character are turned.
"""
