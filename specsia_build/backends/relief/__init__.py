"""The default backend `relief`: depth and back of a figure from one picture, by a small network without torch.

`drawing` makes the network's input, `net` runs it, `surface` makes the mesh, `backend` puts them together, and `train`,
which alone needs torch, makes the weights.
"""
