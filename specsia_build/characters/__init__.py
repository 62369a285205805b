"""Characters: from files to a mesh in the project's frame, or one sentence that says why not.

`sources` lists characters, also those of a manifest; `read` reads one, by the reader of its format, with its
rig where that is asked; `motions` reads files of motions. `doubts/` holds the checks of what was read;
`survey` describes characters and suggests manifests; `drawing` fits a drawing to its render. Readers share
`character`, `images`, `polygons`, `side_files` and `searches`.
"""
