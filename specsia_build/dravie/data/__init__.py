"""Turn rows of a dataset into the network's input.

`encoding` makes channels, `frames` caches decoded pictures, `patches` samples patches from them by seed and
step, and `frame_folder` reads frames of other tools.
"""
