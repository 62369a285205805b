"""Terminal output: lines, tables, panels and live progress; the only package that imports rich.

`screen` prints, `layout` has tables and folded sentences, `board` knows how far each stage is, `drawing` shows that.
Results go to standard output, all else to standard error; pipes, `NO_COLOR` and ``TERM=dumb`` get plain lines.
"""
