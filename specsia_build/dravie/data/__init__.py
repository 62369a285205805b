"""From rows of a dataset to what the network sees.

`frames` keeps decoded pictures, `patches` draws from them by seed and step, `encoding` makes channels, and
`frame_folder` reads frames that other tools made.
"""
