"""What repairing is worth: every method on the same rows, with intervals over characters.

`evaluate` is the work, `methods` are what is compared, `results` keeps, `summary` sums up, `tables` show it, `files`
writes it with a figure, and `turntable` renders views all around.
"""
