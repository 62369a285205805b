"""Characters: from what somebody has on a disk to a mesh in the frame, or one sentence.

`sources` lists characters of folders, manifests and samples, `read` chooses a reader by format, and `character` is
what passes between them; `animated` adds what moves a character, `motions` reads what moves others. `facing`, `sides`,
`colour` and `alone` look for what is odd in a character, `finding` is what they say, and `suggest` writes it down.
Readers share `raw`, `images`, `polygons`, `normals` and `side_files`; each format's own rules are in its room.
"""
