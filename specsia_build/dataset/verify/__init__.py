"""Every promise of a packed dataset, checked: one file for each kind of promise.

`check` runs them all over a folder or a place and gives a `report`; `files` looks at names, sums and shards, `rows`
at single rows, `images` at pixels, `views`, `order`, `shape` and `character` at rows together, `published` at the
published schema. Others use `check`.
"""
