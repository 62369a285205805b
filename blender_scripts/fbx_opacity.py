"""What an FBX file's materials say themselves: of opacity, which its importer folds into one number, and of colour."""

COLOUR = "DiffuseColor"

SIGNS = ("TransparencyFactor", "TransparentColor", "Opacity", COLOUR)

LEAST_APART = 0.05
"""Difference between two signs from which they contradict each other."""


def remember_signs(store):
    """Have Blender's importer leave in `store` what each material's own properties say, by the material's name.

    Without that importer, which is an add-on and may change, nothing is left.
    """
    try:
        from io_scene_fbx import import_fbx

        read = import_fbx.blen_read_material
    except (ImportError, AttributeError):
        return

    def remember(templates, element, settings):
        material = read(templates, element, settings)
        store[material.name] = _own(element)
        return material

    import_fbx.blen_read_material = remember


def _own(element):
    """The signs among an element's own properties, those of its template left out: sign -> mean value."""
    found = {}
    for group in element.elems:
        if group.id not in (b"Properties70", b"Properties60"):
            continue
        for item in group.elems:
            name = item.props[0].decode("utf-8", "replace")
            values = [float(v) for v in item.props if isinstance(v, float)]
            # After the value of a property of a user's own stand its least and its largest.
            values = values[: 3 if name.endswith("Color") else 1]
            if name in SIGNS and values:
                found[name] = sum(values) / len(values)
    return found


def opacity(signs):
    """The opacity that a material's signs agree on, 0-1, and whether they leave doubt.

    Exporters write a white TransparentColor, or an opacity of 0, beside opaque surfaces: only what lies between is
    surely meant. Where signs contradict each other or nothing would be seen at all, the surface is opaque, with doubt.
    """
    factor, colour = signs.get("TransparencyFactor"), signs.get("TransparentColor")
    said = []
    if factor is not None and 0 < factor < 1:
        said.append(1 - factor)
    if factor is not None and factor >= 1 and colour is not None and 0 < colour < 1:
        said.append(1 - colour)
    if "Opacity" in signs and (0 < signs["Opacity"] < 1 or (said and signs["Opacity"] >= 1)):
        said.append(signs["Opacity"])
    if said and max(said) - min(said) > LEAST_APART:
        return 1.0, True
    if said:
        return said[-1], False
    return 1.0, factor is not None and factor >= 1 and signs.get("Opacity", 0.0) <= 0 and colour not in (None, 0)
