"""What a Blender material says about a surface's colour, in the few words that a mesh format has for it."""

import errno
import os
from math import cos, sin
from pathlib import Path

import fbx_opacity

COLOUR_SOCKETS = {
    "BSDF_PRINCIPLED": "Base Color",
    "BSDF_DIFFUSE": "Color",
    "BSDF_TOON": "Color",
    "BSDF_GLOSSY": "Color",
    "BSDF_GLASS": "Color",
    "BSDF_SHEEN": "Color",
    "BSDF_TRANSLUCENT": "Color",
    "SUBSURFACE_SCATTERING": "Color",
    "EEVEE_SPECULAR": "Base Color",
    "EMISSION": "Color",
    "BACKGROUND": "Color",
}

WRAPS = {"REPEAT": "repeat", "MIRROR": "mirror", "EXTEND": "clamp", "CLIP": "clamp"}

MOST_NODES = 64

MOST_GROUPS = 8
"""Groups within each other that are looked into."""

DARK = 0.01
"""Linear colour below which a surface is as good as black."""

GLASS = 0.2
"""Opacity of what lets all light through, as the reader of glTF has it."""

PNG_END = b"IEND\xaeB`\x82"


class ImageFiles:
    """The images that materials name; those inside the file are written out, the others only named."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.known = {}
        self.described = []

    def index(self, image):
        """Index of an image in `described`."""
        if image.name not in self.known:
            self.known[image.name] = len(self.described)
            self.described.append(self._describe(image, f"texture-{len(self.described)}"))
        return self.known[image.name]

    def _describe(self, image, stem):
        raw = image.filepath_raw or image.name
        named = raw[2:] if raw.startswith("//") else raw
        if image.packed_file is not None:
            (self.folder / (stem + ".image")).write_bytes(image.packed_file.data)
            return {"name": named, "file": stem + ".image"}
        if image.source == "GENERATED":
            # Painted in Blender and never saved anywhere.
            image.file_format = "PNG"
            image.save(filepath=str(self.folder / (stem + ".png")))
            # Blender is silent about a full disk.
            if not (self.folder / (stem + ".png")).read_bytes().endswith(PNG_END):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return {"name": named, "file": stem + ".png"}
        return {"name": named, "file": None}


class Reader:
    """Reads materials; `warnings` collects sentences about what was simplified.

    `signs` are what an FBX file's materials say themselves, by name; None for other files.
    """

    def __init__(self, images, signs):
        self.images = images
        self.signs = signs
        self.warnings = {}

    def read(self, material):
        """A material as a dict: name, base_color (linear RGBA), texture, opacity, emissive, alpha_mode, unlit,
        double_sided, vertex_colors, bare.

        ``texture`` is None or a dict with image (index), wrap, nearest, uv (layer name or None) and transform (2 x 3).
        ``opacity`` is None or such a dict of another image, placed as that of the colour, with channel ("alpha",
        "color", or "either" for alpha where there is any) and turned, whether it holds transparency instead.
        ``vertex_colors`` is the attribute that the colour is multiplied with, None, or "" for any there is. ``bare`` is
        what looks as its importer has it, because an FBX file says nothing of it.
        """
        surface = {
            "name": material.name if material else "",
            "base_color": [0.8, 0.8, 0.8, 1.0],
            "texture": None,
            "opacity": None,
            "emissive": [0.0, 0.0, 0.0],
            "alpha_mode": "opaque",
            "alpha_cutoff": 0.5,
            "unlit": False,
            "double_sided": material is None or not material.use_backface_culling,
            "vertex_colors": "" if material is None else None,
            "bare": False,
        }
        if material is None:
            return surface
        if not material.use_nodes or not material.node_tree:
            surface["base_color"] = [*material.diffuse_color[:3], 1.0]
            return surface
        shaders, veil = _shaders(material.node_tree)
        if shaders and veil is None and all(node.type == "BSDF_TRANSPARENT" for node in shaders):
            surface["base_color"], surface["alpha_mode"] = [1.0, 1.0, 1.0, 0.0], "blend"
            return surface
        shader = self._telling([node for node in shaders if node.type in COLOUR_SOCKETS], material)
        if shader is None:
            surface["base_color"] = [*material.diffuse_color[:3], 1.0]
            told = f"of material '{material.name}' no shader is known, so that its viewport colour was taken"
            self.warnings[f"{told}: let a Principled BSDF give its colour"] = 1
            return surface
        if len(shaders) > 1:
            self.warnings[f"the mix of shaders in material '{material.name}' was simplified to one of them"] = 1
        colour = self._colour(shader.inputs[COLOUR_SOCKETS[shader.type]], material)
        glow = _linked_glow(shader)
        unlit = shader.type in ("EMISSION", "BACKGROUND")
        if glow is not None and colour["node"] is colour["attribute"] is None and max(colour["factor"]) < DARK:
            # What is black and glows by an image has its colour from there.
            colour, unlit, glow = self._colour(glow, material), True, None
        if glow is not None:
            self.warnings[f"the emission texture of material '{material.name}' was left out"] = 1
        surface["base_color"] = [*colour["factor"], 1.0]
        surface["vertex_colors"] = colour["attribute"]
        if colour["node"] is not None:
            surface["texture"] = self._texture(colour["node"])
        elif colour["attribute"] is None and _is_default_grey(colour["factor"]):
            # FBX has no way to say that vertex colours are meant; a colour nobody set says it.
            surface["vertex_colors"] = ""
        surface["unlit"] = unlit
        if shader.type == "BSDF_PRINCIPLED":
            surface["emissive"] = _emissive(shader)
        own = (self.signs or {}).get(material.name, {fbx_opacity.COLOUR: 1.0})
        surface["bare"] = fbx_opacity.COLOUR not in own and surface["texture"] is None and not any(surface["emissive"])
        if veil is not None:
            self._opacity(surface, veil, material, colour["node"])
        elif shader.type == "BSDF_PRINCIPLED":
            self._opacity(surface, shader.inputs["Alpha"], material, colour["node"])
        let_through = _transmission(shader)
        if let_through > 0.0 and surface["alpha_mode"] != "mask":
            surface["base_color"][3] *= 1.0 - (1.0 - GLASS) * let_through
            surface["alpha_mode"] = "blend"
        return surface

    def _telling(self, shaders, material):
        """The first of several shaders that is not black, so that a mix with one that adds nothing loses no colour."""

        def coloured(shader):
            # What is passed over on the way is of no interest where another is taken.
            colour = Reader(self.images, self.signs)._colour(shader.inputs[COLOUR_SOCKETS[shader.type]], material)
            return colour["attribute"] is not None or max(colour["factor"]) >= DARK

        return max(shaders, key=coloured) if len(shaders) > 1 else next(iter(shaders), None)

    def _texture(self, node):
        vector = node.inputs["Vector"]
        uv, transform = None, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
        source = _upstream(vector)
        if source is not None and source.type == "MAPPING":
            transform = _mapping(source)
            source = _upstream(source.inputs["Vector"])
        if source is not None and source.type == "UVMAP":
            uv = source.uv_map or None
        elif source is not None and (source.type != "TEX_COORD" or not source.outputs["UV"].is_linked):
            self._without_uv(node, f"a {source.type} node")
        if node.projection != "FLAT":
            self._without_uv(node, f"{node.projection.lower()} projection")
        return {
            "image": self.images.index(node.image),
            "wrap": WRAPS.get(node.extension, "repeat"),
            "nearest": node.interpolation == "Closest",
            "uv": uv,
            "transform": transform,
        }

    def _without_uv(self, node, how):
        self.warnings[f"the look-up of texture '{node.image.name}' by {how} was simplified to UVs"] = 1

    def _colour(self, socket, material, depth=0):
        """Factor (linear RGB), image node or None, and attribute name or None that a colour socket comes from."""
        found = {"factor": [1.0, 1.0, 1.0], "node": None, "attribute": None}
        node = _upstream(socket)
        if node is None or depth > MOST_NODES:
            value = socket.default_value
            found["factor"] = [float(v) for v in value[:3]] if hasattr(value, "__len__") else [float(value)] * 3
        elif node.type == "TEX_IMAGE":
            found["node"] = node if node.image is not None else None
        elif node.type == "RGB":
            found["factor"] = [float(v) for v in node.outputs[0].default_value[:3]]
        elif node.type in ("VERTEX_COLOR", "ATTRIBUTE"):
            found["attribute"] = (node.layer_name if node.type == "VERTEX_COLOR" else node.attribute_name) or ""
        elif node.type in ("MIX", "MIX_RGB"):
            self._mix(found, node, material, depth)
        elif node.type == "GROUP_INPUT" and (outer := _group_socket(socket, material)) is not None:
            found = self._colour(outer, material, depth + 1)
        elif node.type == "VALTORGB":
            # The last of a toon shader's steps is what is in the light.
            self.warnings[f"the colour ramp of material '{material.name}' was simplified to its last colour"] = 1
            found["factor"] = [float(v) for v in node.color_ramp.elements[-1].color[:3]]
        else:
            self.warnings[f"the {node.type} node of material '{material.name}' was passed over"] = 1
            inner = next((s for s in node.inputs if s.type == "RGBA"), None)
            if inner is not None:
                found = self._colour(inner, material, depth + 1)
        return found

    def _mix(self, found, node, material, depth):
        colours = [s for s in node.inputs if s.type == "RGBA"]
        share = next(s for s in node.inputs if s.type == "VALUE" and s.enabled)
        first, second = (self._colour(s, material, depth + 1) for s in colours[:2])
        weight = 0.5 if share.is_linked else min(1.0, max(0.0, float(share.default_value)))
        if node.blend_type == "MULTIPLY" and weight > 0.5:
            found["factor"] = [a * b for a, b in zip(first["factor"], second["factor"], strict=True)]
            for key in ("node", "attribute"):
                found[key] = second[key] if first[key] is None else first[key]
            return
        if 0.0 < weight < 1.0 or node.blend_type not in ("MIX", "MULTIPLY"):
            self.warnings[f"the mix of colours in material '{material.name}' was simplified"] = 1
        plain = first["node"] is None and second["node"] is None
        if plain and first["attribute"] is None and second["attribute"] is None:
            found["factor"] = [
                a * (1 - weight) + b * weight for a, b in zip(first["factor"], second["factor"], strict=True)
            ]
        else:
            textured = [c for c in (first, second) if c["node"] is not None or c["attribute"] is not None]
            found.update(textured[0] if len(textured) == 1 or weight <= 0.5 else textured[-1])

    def _opacity(self, surface, socket, material, colour_node):
        """Set alpha mode and factor. In an FBX file the constant is its importer's guess; the signs say more.

        `socket` holds the opacity. A mix whose second shader is the transparent one holds the opposite, which shows in
        the order of its inputs.
        """
        turned = socket.node.type == "MIX_SHADER" and _is_transparent(socket.node.inputs[2])
        clip = getattr(material, "blend_method", "HASHED") == "CLIP"
        solid = getattr(material, "blend_method", "HASHED") == "OPAQUE"
        node = _upstream(socket)
        if node is not None and node.type == "GROUP_INPUT":
            outer = _group_socket(socket, material)
            if outer is not None and outer.type == "VALUE":
                socket, node = outer, _upstream(outer)
        while node is not None and node.type == "MATH":
            clip = clip or node.operation in ("ROUND", "GREATER_THAN", "LESS_THAN")
            node = next((n for n in map(_upstream, node.inputs) if n is not None), None)
        if solid:
            return
        if node is None:
            alpha = float(socket.default_value)
            alpha = 1.0 - alpha if turned else alpha
            if self.signs is not None:
                alpha, doubtful = fbx_opacity.opacity(self.signs.get(material.name, {}))
                if doubtful:
                    self.warnings[
                        f"what the file says of the opacity of material '{material.name}' contradicts itself or would "
                        "hide it: it was drawn opaque"
                    ] = 1
            if not socket.is_linked and alpha < 1.0:
                surface["base_color"][3], surface["alpha_mode"] = max(0.0, alpha), "blend"
            elif self.signs is not None and colour_node is not None:
                # The importer heeds an image's own opacity only where it finds the image, and it may lie elsewhere.
                surface["alpha_mode"] = "blend"
        elif node.type == "TEX_IMAGE" and _of_one_image(node, colour_node) and not turned:
            surface["alpha_mode"] = "mask" if clip else "blend"
            surface["alpha_cutoff"] = float(getattr(material, "alpha_threshold", 0.5))
        elif node.type == "TEX_IMAGE" and node.image is not None and self._placed_alike(surface, node):
            # What an FBX file names is an image; which of its channels is meant shows in it.
            channel = "alpha" if node.outputs["Alpha"].is_linked else "color"
            channel = channel if self.signs is None else "either"
            surface["opacity"] = {**self._texture(node), "channel": channel, "turned": turned}
            surface["alpha_mode"] = "mask" if clip else "blend"
            surface["alpha_cutoff"] = float(getattr(material, "alpha_threshold", 0.5))
        else:
            self.warnings[
                f"the opacity of material '{material.name}' comes from elsewhere than its colour; it was left out: put "
                "it into the alpha of its colour's image"
            ] = 1

    def _placed_alike(self, surface, node):
        """Whether the image of a node lies on a surface as that of its colour does, or there is none of its colour."""
        colour, other = surface["texture"], self._texture(node)
        return colour is None or all(colour[key] == other[key] for key in ("wrap", "uv", "transform"))


def _of_one_image(node, other):
    """Whether two nodes or Nones show one image, or two that were read from one file."""
    if node is None or other is None or node.image is None or other.image is None:
        return False
    path = node.image.filepath_raw
    return node.image == other.image or (bool(path) and path == other.image.filepath_raw)


def _glow(shader):
    """The socket of a shader's emission and its strength, 0 where it has none."""
    socket = shader.inputs.get("Emission Color") or shader.inputs.get("Emission")
    strength = shader.inputs.get("Emission Strength")
    if shader.type != "BSDF_PRINCIPLED" or socket is None:
        return None, 0.0
    return socket, 1.0 if strength is None else float(strength.default_value)


def _linked_glow(shader):
    """The socket of a shader's emission where nodes give its colour; else None."""
    socket, power = _glow(shader)
    return socket if power > 0 and socket.is_linked else None


def _emissive(shader):
    """The colour (linear RGB, 0-1) that a shader emits all over; black where nodes say it."""
    socket, power = _glow(shader)
    if power <= 0 or socket.is_linked:
        return [0.0, 0.0, 0.0]
    return [min(1.0, max(0.0, float(v) * power)) for v in socket.default_value[:3]]


def _group_socket(socket, material):
    """The socket of a group in a material that a socket inside that group is fed by; None where there is none."""
    tree, link = socket.id_data, socket.links[0]
    while link.from_node.type == "REROUTE" and link.from_node.inputs[0].links:
        link = link.from_node.inputs[0].links[0]
    groups = (n for n in material.node_tree.nodes if n.type == "GROUP" and n.node_tree == tree)
    inputs = (s for group in groups for s in group.inputs)
    return next((s for s in inputs if s.identifier == link.from_socket.identifier), None)


def _upstream(socket):
    """The node that feeds a socket, reroutes passed over, or None."""
    for _ in range(MOST_NODES):
        if not socket.is_linked or not socket.links:
            return None
        node = socket.links[0].from_node
        if node.type != "REROUTE":
            return node
        socket = node.inputs[0]
    return None


def _shaders(tree, depth=0):
    """What a surface shows: shader nodes that are no mix of others, those nearest to the tree's output first.

    With them comes the socket that says how much of it is mixed with transparency on the way there, or None.
    """
    outputs = [n for n in tree.nodes if n.type in ("OUTPUT_MATERIAL", "GROUP_OUTPUT")]
    outputs.sort(key=lambda n: not n.is_active_output)
    queue = [_upstream(s) for n in outputs[:1] for s in n.inputs if s.type == "SHADER"][:1]
    seen, found, veil = set(), [], None
    while queue and len(seen) < MOST_NODES:
        node = queue.pop(0)
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        inputs = _mixed(node)
        if node.type == "GROUP" and node.node_tree is not None and depth < MOST_GROUPS:
            inner, inner_veil = _shaders(node.node_tree, depth + 1)
            found, veil = found + inner, veil or inner_veil
        elif not inputs:
            found.append(node)
        elif node.type == "MIX_SHADER" and any(map(_is_transparent, inputs)):
            veil = veil or node.inputs[0]
        queue.extend(map(_upstream, inputs))
    return [n for n in found if n.type != "BSDF_TRANSPARENT" or veil is None], veil


def _mixed(node):
    """The sockets of a node for the shaders that it shows something of."""
    inputs = [s for s in node.inputs if s.type == "SHADER"]
    if node.type == "MIX_SHADER" and not node.inputs[0].is_linked and not any(map(_is_transparent, inputs)):
        share = float(node.inputs[0].default_value)
        return inputs[:1] if share <= 0.0 else inputs[1:] if share >= 1.0 else inputs
    return inputs


def _is_transparent(socket):
    """Whether what feeds a socket is see-through and nothing else."""
    node = _upstream(socket)
    return node is not None and node.type == "BSDF_TRANSPARENT"


def _transmission(shader):
    """Share of the light that a shader lets through as glass does."""
    if shader.type == "BSDF_GLASS":
        return 1.0
    socket = shader.inputs.get("Transmission Weight") or shader.inputs.get("Transmission")
    return 0.0 if socket is None or socket.is_linked else min(1.0, max(0.0, float(socket.default_value)))


def _mapping(node):
    """Rows (2 x 3) of the map of u and v (v upwards) that a Mapping node (type point) makes in the plane."""
    location, rotation, scale = (node.inputs[k].default_value for k in ("Location", "Rotation", "Scale"))
    c, s = cos(rotation[2]), sin(rotation[2])
    return [[c * scale[0], -s * scale[1], location[0]], [s * scale[0], c * scale[1], location[1]]]


def _is_default_grey(colour):
    return max(abs(v - 0.8) for v in colour) < 1e-3 or min(colour) > 0.999
