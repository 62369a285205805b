"""The images of an FBX file's colours that its importer passes over, so that such materials would be grey.

Those are linked by the names that Arnold, Stingray and 3ds Max have for them, or are layers of a texture.
"""

UNDERSTOOD = (b"DiffuseColor", b"3dsMax|maps|texmap_diffuse")

VEILED = (b"TransparencyFactor", b"TransparentColor")

OPACITY = frozenset({"opacity", "opacitymap", "texmapopacity", "cutoutmap"})
"""The last parts of names that mean an opacity, in lower case and without underscores."""

MOST_WITHIN = 8
"""Textures of layers that are layers of each other."""

MEANT = frozenset({"basecolor", "basecolormap", "texcolormap"})
"""The same of names that mean a colour."""


def understand_links(layers):
    """Have Blender's importer read images of colours that are linked by other names as those that it knows.

    Of a texture of several layers it reads the lowest; how many there are is left in the dict `layers`, by the name of
    the material. Without that importer, which is an add-on and may change, nothing is done.
    """
    try:
        from io_scene_fbx import parse_fbx

        read = parse_fbx.parse
    except (ImportError, AttributeError):
        return
    # A process that reads several files wraps it once for each.
    read = getattr(read, "without_links", read)

    def with_links(*args, **more):
        root, version = read(*args, **more)
        objects = {thing.props[0]: thing for group in root.elems if group.id == b"Objects" for thing in group.elems}
        links = [link.props for group in root.elems if group.id == b"Connections" for link in group.elems]
        coloured = [link for link in links if len(link) > 3 and link[0] == b"OP"]
        _lower(coloured, links, objects, layers)
        _rename(coloured)
        return root, version

    with_links.without_links = read

    parse_fbx.parse = with_links


def _lower(coloured, links, objects, layers):
    """Have links of images (kind, from, to, name) begin at the lowest layer of a texture instead of at that."""
    stacks = {}
    for link in links:
        if link[0] == b"OO" and link[2] in objects and objects[link[2]].id == b"LayeredTexture":
            stacks.setdefault(link[2], []).append(link[1])
    for link in coloured:
        for _ in range(MOST_WITHIN):
            if link[1] not in stacks:
                break
            if (stack := stacks[link[1]])[1:] and link[2] in objects:
                layers[objects[link[2]].props[1].split(b"\0")[0].decode("utf-8", "replace")] = len(stack)
            link[1] = stack[0]


def _rename(links):
    """Give links (kind, from, to, name) that mean a colour or opacity the name of one, where a material has none."""
    for understood, meant in ((UNDERSTOOD, MEANT), (VEILED, OPACITY)):
        known = {link[2] for link in links if link[3] in understood}
        for link in links:
            if link[2] not in known and _last(link[3]) in meant:
                link[3] = understood[0]
                known.add(link[2])
    # Beside an image linked by its first name the importer takes that one's own opacity for any other.
    veiled = {link[2] for link in links if link[3] in VEILED}
    for link in links:
        if link[2] in veiled and link[3] == UNDERSTOOD[0]:
            link[3] = UNDERSTOOD[1]


def _last(name):
    return name.decode("utf-8", "replace").rpartition("|")[2].replace("_", "").lower()
