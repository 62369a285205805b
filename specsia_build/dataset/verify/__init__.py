"""Checks of a packed dataset: `check.verify` runs them all and returns a `report.Report`.

`files` checks names, sums, texts and footers, `rows` the rows of one row group and their pixels, and `check` rows
against each other.
"""
