"""DraViE, a small network that repairs views: in the order in which one reads it.

`metrics` says how near two pictures are, `data` gives patches of pairs, and `network` is what learns. `step`,
`validation`, `processes` and `train` teach it, and `seen` keeps which characters it has learnt from; `pretrained` finds
the model in `weights/` that comes along. `adaptation` fits
it to one character, whose colours `recall` remembers; `apply`, `enhance` and `video` repair frames, `evaluation` says
what that is worth, and `code` when results that were kept have to be made anew.
"""
