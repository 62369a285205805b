"""Terminal output: lines, tables, panels and live progress; the only package that imports rich.

`screen` prints, `progress` shows how far each stage is.
Results go to standard output, all else to standard error; pipes, `NO_COLOR` and ``TERM=dumb`` get plain lines.
"""
