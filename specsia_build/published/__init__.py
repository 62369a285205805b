"""SPECSIA-15K as its authors publish it: the folder tree of their pipeline, and the rows that they upload.

`ids` has its numbers, lists and shards; `writing` makes its pictures from ours; `rows`, `tree` and `places` turn its
pictures and positions into ours.
"""
