"""DraViE, a small network that repairs views.

`data` makes patches and channels, `model` has the networks, `train` the loop, `adapt` fits a model to a
character, `repair` applies it, `evaluate` scores it; `runs` finds models, including that in `weights/`.
"""
