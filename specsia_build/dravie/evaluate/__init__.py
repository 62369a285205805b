"""Evaluation: every method on the same rows, given the same drawing, with intervals over characters.

`rows` names what can be compared and `methods` does it; `evaluate` runs methods and scores their pictures, by
`perceptual` where weights are at hand; `summary` averages by `statistics` and writes the tables.
"""
