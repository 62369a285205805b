"""DraViE, a small network that repairs views.

In reading order: `config` has settings and presets, `drawing` and `look_up` look the drawing up by position,
`data` makes patches and the network's channels, `model` has the networks, `train` the training loop, `adapt`
fits a model to a character, `repair` applies it to frames, and `evaluate` scores it with `metrics`. `runs`
finds models, including the one in `weights/`.
"""
