"""Evaluation: every method on the same rows, given the same drawing, with intervals over characters.

`evaluate` runs methods and scores their pictures; `summary` averages and writes the tables.
"""
