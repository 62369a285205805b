"""The network, what it is told to be good at, and how it is kept.

`model` is the generator and the discriminator, `networks` all that a training changes, `losses` and `perceptual` judge,
`checkpoint` writes and reads weights without running code.
"""
