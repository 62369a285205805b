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
}

WRAPS = {"REPEAT": "repeat", "MIRROR": "mirror", "EXTEND": "clamp", "CLIP": "clamp"}

MOST_NODES = 64

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

    `signs` are what an FBX file's materials say about opacity, by name; None for other files.
    """

    def __init__(self, images, signs):
        self.images = images
        self.signs = signs
        self.warnings = {}

    def read(self, material):
        """A material as a dict: name, base_color (linear RGBA), texture, emissive, alpha_mode, unlit, double_sided,
        vertex_colors.

        ``texture`` is None or a dict with image (index), wrap, nearest, uv (layer name or None) and transform (2 x 3).
        ``vertex_colors`` is the attribute that the colour is multiplied with, None, or "" for any there is.
        """
        surface = {
            "name": material.name if material else "",
            "base_color": [0.8, 0.8, 0.8, 1.0],
            "texture": None,
            "emissive": [0.0, 0.0, 0.0],
            "alpha_mode": "opaque",
            "alpha_cutoff": 0.5,
            "unlit": False,
            "double_sided": material is None or not material.use_backface_culling,
            "vertex_colors": "" if material is None else None,
        }
        if material is None:
            return surface
        shader = _shader(material.node_tree) if material.use_nodes and material.node_tree else None
        if shader is None:
            surface["base_color"] = [*material.diffuse_color[:3], 1.0]
            return surface
        colour = self._colour(shader.inputs[COLOUR_SOCKETS[shader.type]], material)
        surface["base_color"] = [*colour["factor"], 1.0]
        surface["vertex_colors"] = colour["attribute"]
        if colour["node"] is not None:
            surface["texture"] = self._texture(colour["node"])
        elif colour["attribute"] is None and _is_default_grey(colour["factor"]):
            # FBX has no way to say that vertex colours are meant; a colour nobody set says it.
            surface["vertex_colors"] = ""
        surface["unlit"] = shader.type == "EMISSION"
        if shader.type == "BSDF_PRINCIPLED":
            surface["emissive"] = self._emissive(shader)
            self._opacity(surface, shader, material, colour["node"])
        return surface

    def _texture(self, node):
        vector = node.inputs["Vector"]
        uv, transform = None, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
        source = _upstream(vector)
        if source is not None and source.type == "MAPPING":
            transform = _mapping(source)
            source = _upstream(source.inputs["Vector"])
        if source is not None and source.type == "UVMAP":
            uv = source.uv_map or None
        elif source is not None and source.type not in ("TEX_COORD", "MAPPING"):
            self.warnings[
                f"the look-up of texture '{node.image.name}' by a {source.type} node was simplified to UVs"
            ] = 1
        return {
            "image": self.images.index(node.image),
            "wrap": WRAPS.get(node.extension, "repeat"),
            "nearest": node.interpolation == "Closest",
            "uv": uv,
            "transform": transform,
        }

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

    def _emissive(self, shader):
        socket = shader.inputs.get("Emission Color") or shader.inputs.get("Emission")
        strength = shader.inputs.get("Emission Strength")
        power = 1.0 if strength is None else float(strength.default_value)
        if socket is None or socket.is_linked or power <= 0:
            if socket is not None and socket.is_linked and power > 0:
                self.warnings[f"the emission texture of '{shader.id_data.name}' was left out"] = 1
            return [0.0, 0.0, 0.0]
        return [min(1.0, max(0.0, float(v) * power)) for v in socket.default_value[:3]]

    def _opacity(self, surface, shader, material, colour_node):
        """Set alpha mode and factor. In an FBX file the constant is its importer's guess; the signs say more."""
        socket = shader.inputs["Alpha"]
        clip = getattr(material, "blend_method", "HASHED") == "CLIP"
        solid = getattr(material, "blend_method", "HASHED") == "OPAQUE"
        node = _upstream(socket)
        while node is not None and node.type == "MATH":
            clip = clip or node.operation in ("ROUND", "GREATER_THAN", "LESS_THAN")
            node = next((n for n in map(_upstream, node.inputs) if n is not None), None)
        if solid:
            return
        if node is None:
            alpha = float(socket.default_value)
            if self.signs is not None:
                alpha, doubtful = fbx_opacity.opacity(self.signs.get(material.name, {}))
                if doubtful:
                    self.warnings[
                        f"what the file says of the opacity of material '{material.name}' contradicts itself or would "
                        "hide it: it was drawn opaque"
                    ] = 1
            if not socket.is_linked and alpha < 1.0:
                surface["base_color"][3], surface["alpha_mode"] = max(0.0, alpha), "blend"
        elif node.type == "TEX_IMAGE" and colour_node is not None and node.image == colour_node.image:
            surface["alpha_mode"] = "mask" if clip else "blend"
            surface["alpha_cutoff"] = float(getattr(material, "alpha_threshold", 0.5))
        else:
            self.warnings[
                f"the opacity of material '{material.name}' comes from elsewhere than its colour; it was left out"
            ] = 1


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


def _shader(tree):
    """The node of the tree that gives the surface its colour: nearest to the output, or None."""
    outputs = [n for n in tree.nodes if n.type == "OUTPUT_MATERIAL"]
    outputs.sort(key=lambda n: not n.is_active_output)
    queue = [_upstream(n.inputs["Surface"]) for n in outputs[:1]]
    seen = set()
    while queue and len(seen) < MOST_NODES:
        node = queue.pop(0)
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.type in COLOUR_SOCKETS:
            return node
        if node.type == "GROUP" and node.node_tree is not None:
            inner = _group_shader(node.node_tree)
            if inner is not None:
                return inner
        queue.extend(_upstream(s) for s in node.inputs if s.type == "SHADER")
    return None


def _group_shader(tree):
    return next((n for n in tree.nodes if n.type in COLOUR_SOCKETS), None)


def _mapping(node):
    """Rows (2 x 3) of the map of u and v (v upwards) that a Mapping node (type point) makes in the plane."""
    location, rotation, scale = (node.inputs[k].default_value for k in ("Location", "Rotation", "Scale"))
    c, s = cos(rotation[2]), sin(rotation[2])
    return [[c * scale[0], -s * scale[1], location[0]], [s * scale[0], c * scale[1], location[1]]]


def _is_default_grey(colour):
    return max(abs(v - 0.8) for v in colour) < 1e-3 or min(colour) > 0.999
