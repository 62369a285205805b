"""What repairing is worth: every method on the same rows, given the same drawing, with intervals over characters.

`evaluate` is the work, `methods` are what is compared, `statistics` sums up, and `tables` writes it.
"""
