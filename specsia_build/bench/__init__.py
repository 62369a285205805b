"""`specsia bench`: what each stage costs, beside a peer in the same run.

`stages` and `rows` time the build, `against` other renderers, `load` and `train` learning; `reference` is one
training step written plainly, the peer of the one that is used.
"""
