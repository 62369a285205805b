"""Stanford PLY, text and binary: elements as the header declares them, read in whole columns.

Written by hand since general readers refuse polygons of mixed sizes in binary files, open what a header names wherever
it lies, and allocate what it promises; here counts are checked against the file's size first. Others use `read`.
"""
