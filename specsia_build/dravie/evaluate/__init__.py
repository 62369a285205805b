"""What repairing is worth: every method on the same rows, given the same drawing, with intervals over characters.

`evaluate` runs `methods` and measures their pictures by `measures`; `summary` sums up and writes the tables.
"""
