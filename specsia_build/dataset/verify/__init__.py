"""Checks of a packed dataset: `check.verify` runs them all and returns a `report.Report`.

`files` checks names, sums, texts and footers, `rows` one row group, `pixels` one pair, and `tracker` compares rows.
"""
