"""DraViE, a small network that repairs views: in the order in which one reads it.

`data` gives patches of pairs, `network` is what learns, `step` and `train` teach it, `adaptation` fits it to one
character, `apply` and `enhance` repair frames, and `evaluation` says what that is worth.
"""
