"""The default backend: a figure inflated from its silhouette and coloured by the picture, without a model or a GPU.

`shape` finds how thick the figure is, `depth` where it lies, `length` how long it must be, `surface` meshes it,
`thin` keeps limbs that it would miss, `merging` leaves out vertices where it is nearly flat, `colour` paints it. Others
use `backend`, whose `create` is the entry point, and the silhouette of
`shape`.
"""
