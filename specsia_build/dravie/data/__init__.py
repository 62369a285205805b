"""From rows of a dataset to what the network sees.

`frames` keeps decoded pictures, `patches` draws from them by seed and step, `agreement` says where they may be drawn,
`encoding` makes channels, and `frame_folder` reads frames that other tools made.
"""
