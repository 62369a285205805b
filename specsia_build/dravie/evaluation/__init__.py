"""What repairing is worth: every method on the same rows, with intervals over characters.

`evaluate` is the work, `methods` and `baselines` are what is compared, `results` keeps, `summary` sums up, `tables` and
`figures` show it, `files` writes it, and `turntable` renders views all around.
"""
