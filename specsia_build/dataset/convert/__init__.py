"""From this project's layout to those that others' loaders read.

Others use `write`.
"""
