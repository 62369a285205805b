"""What repairing is worth: every method on the same rows, with intervals over characters.

`evaluate` is the work, `methods` and `baselines` are what is compared, `metrics` scores, `results` keeps, `summary`
sums up, `tables`, `figures` and `publish` show it, and `turntable` renders views all around.
"""
