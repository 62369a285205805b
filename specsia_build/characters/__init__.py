"""Characters: from files to a mesh in the project's frame, or one sentence that says why not.

`sources` lists characters of folders, manifests and samples; `read` reads one, by the reader of its format, with what
moves it where that is asked; `motions` reads files of motions. `doubts/` holds the checks of what was read, `colour`
one more that needs a rendered view; `survey` describes a character and `suggest` writes a manifest of what was found.
Readers share `raw`, `attributes`, `images`, `polygons` and `side_files`; each format's own rules are in its room.
"""
