"""Layouts that clips are packed in: what people's loaders read, one small file each.

`frames` writes the folders that `specsia enhance` and stylisers take. The rows of `dravie` are packed by `stages.pack`.
"""
