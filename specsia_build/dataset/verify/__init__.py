"""Checks of a packed dataset: `check.verify` runs them all and returns a `report.Report`.

`files` checks names, sums, texts and footers, `rows` checks the rows of one row group and their pixels, and
`check` compares rows with each other.
"""
