"""A multi-view diffusion model and its fusion, imitated: damaged views of the truth become one mesh.

`views` are drawn and spoilt (`damage`, `noise`), carved into a surface (`carve`) and give it their colours
(`colour`). Others use `backend`, whose `create` is the entry point.
"""
