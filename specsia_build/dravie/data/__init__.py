"""From rows of a dataset to what the network sees.

`encoding` makes channels, `frames` keeps decoded pictures, `patches` draws from them by seed and step, and
`frame_folder` reads frames that other tools made.
"""
