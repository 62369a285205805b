"""Terminal output: lines, tables, panels and live progress; the only package that imports rich.

`screen` prints, `folding` joins sentences that repeat themselves, `progress` shows how far each stage is.
Results go to standard output, all else to standard error; pipes, `NO_COLOR` and ``TERM=dumb`` get plain lines.
"""
