"""The renderer of this project: exact visibility on integer coordinates, in compiled loops on any processor.

`prepare` makes a mesh ready once (`surface`), `raster` and `fragments` find what each sample sees, `shading`,
`textures` and `lookups` colour it, `resolve` and `blend` make pixels of it, `rows` and `lanes` are its vectors. Others
use `renderer`.
"""
