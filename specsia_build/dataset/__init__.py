"""The packed dataset: schema, rows and files, and how it is written, read, checked, compared and published.

`schema` names columns and files, `splits` assigns characters to splits, `parquet` writes rows, `reading` and
`pairs` read them, and `places` finds, replaces and uploads files.
"""
