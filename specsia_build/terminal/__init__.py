"""What a person sees of a command: lines, tables, panels, what is under way. Nothing else imports rich.

`screen` writes, `layout` fits text into columns, `board` knows how far each stage is, `drawing` shows that as it moves.

Standard output holds what a command was asked for: of one that looks, what it found; of one that makes, a line for each
thing made. All else goes to standard error. Only a terminal has a width, and colours and moving lines where neither
`NO_COLOR` nor ``TERM=dumb`` forbids them; anything else is sent plain lines.
"""
