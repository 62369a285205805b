"""The images of an FBX file's colours by the names that Arnold, Stingray and 3ds Max link them by.

The importer passes those links over, so that such materials would be grey.
"""

UNDERSTOOD = (b"DiffuseColor", b"3dsMax|maps|texmap_diffuse")

MEANT = frozenset({"basecolor", "basecolormap", "texcolormap"})
"""The last parts of names that mean the same, in lower case and without underscores."""


def understand_links():
    """Have Blender's importer read images of colours that are linked by other names as those that it knows.

    Without that importer, which is an add-on and may change, nothing is done.
    """
    try:
        from io_scene_fbx import parse_fbx

        read = parse_fbx.parse
    except (ImportError, AttributeError):
        return
    if read.__name__ == "with_links":
        return

    def with_links(*args, **more):
        root, version = read(*args, **more)
        for group in root.elems:
            if group.id == b"Connections":
                _rename([link.props for link in group.elems if len(link.props) > 3 and link.props[0] == b"OP"])
        return root, version

    parse_fbx.parse = with_links


def _rename(links):
    """Give links (kind, from, to, name) that mean a colour the name of one, where a material has none so far."""
    coloured = {link[2] for link in links if link[3] in UNDERSTOOD}
    for link in links:
        if link[2] not in coloured and _meant(link[3]):
            link[3] = UNDERSTOOD[0]
            coloured.add(link[2])


def _meant(name):
    return name.decode("utf-8", "replace").rpartition("|")[2].replace("_", "").lower() in MEANT
