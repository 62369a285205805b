"""The packed dataset: its schema, its rows, its files, and all that is done with one that exists.

`schema` names columns and files, `splits` decides who is in which split, `parquet` and `exchange` write, `reading`
and `pairs` read. Checking, comparing, converting and publishing have rooms of their own.
"""
