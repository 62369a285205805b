"""The default backend `relief`: depth and back of a figure from one picture, by a small network without torch.

`net` runs the network, `backend` makes the mesh, and `train` makes the weights, with torch.
"""
