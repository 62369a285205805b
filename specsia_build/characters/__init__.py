"""Characters: from files to a mesh in the project's frame, or one sentence that says why not.

`sources` lists characters, `read` reads one, `motions` files of motions. `checks/` checks what was read,
`survey` describes characters and suggests manifests, `drawing` fits a drawing to its render.
"""
