"""Layouts that clips are packed in: what people's loaders read, one small file each.

`recipe` says what a recipe is, `registry` knows them by name, `folder` keeps the record of what each part wrote, and
`card` writes what lies beside it. The rows of `dravie` are packed by `stages.pack`.
"""
