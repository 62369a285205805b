"""SPECSIA-15K as its authors publish it: the folder tree of their pipeline, and the rows that they upload.

`ids` has its numbers, lists and shards, `writing` its pictures made from ours.
"""
