"""The renderer of this project: exact visibility on integer coordinates, in compiled loops on any processor.

`prepare` makes a mesh ready once, `raster` and `fragments` find the face that each sample shows, `shading`,
`textures` and `lookups` colour it, `resolve`, `blend` and `stacks` make pixels of it, `buffers` holds them,
`rows` and `lanes` are vectors of numbers. Others use `renderer`.
"""
