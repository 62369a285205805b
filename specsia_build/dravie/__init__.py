"""DraViE, a small network that repairs views: in the order in which one reads it.

`config` has settings and presets, `drawing` and `look_up` show the drawing by position, and `data` makes patches and
the network's channels. `model` is what learns, `train` has the one training loop, `adapt` fits it to a character,
`repair` applies it to frames, and `evaluate` says by `metrics` what that is worth. `runs` finds models, among them the
one in `weights/`.
"""
