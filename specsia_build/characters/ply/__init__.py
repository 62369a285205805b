"""Stanford PLY, text and binary: elements as the header declares them, read in whole columns.

Counts are checked against the file's size before anything is allocated. Others use `read`.
"""
