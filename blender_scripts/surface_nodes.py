"""Shader nodes that show a surface by formula: emission only, so that no engine adds light of its own."""

import bpy

LEAST_SEEN = 1 / 255
"""Opacity from which a translucent surface counts as covering."""


class Graph:
    """Adds nodes to the tree of a new material."""

    def __init__(self, name):
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        cycles = getattr(self.material, "cycles", None)
        # A mesh that emits would else be sampled as a lamp.
        if hasattr(cycles, "emission_sampling"):
            cycles.emission_sampling = "NONE"
        elif hasattr(cycles, "sample_as_light"):
            cycles.sample_as_light = False
        self.material.use_backface_culling = False

    def node(self, kind, **settings):
        node = self.tree.nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        return node

    def put(self, socket, value):
        """Link a socket, or set its value."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif value is not None:
            socket.default_value = value

    def vector(self, operation, a, b=None):
        """Output of a vector operation on sockets or triples."""
        node = self.node("ShaderNodeVectorMath", operation=operation)
        self.put(node.inputs[0], a)
        self.put(node.inputs[1], b)
        return node.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]

    def math(self, operation, a, b=None):
        """Output of an operation on sockets or numbers."""
        node = self.node("ShaderNodeMath", operation=operation)
        self.put(node.inputs[0], a)
        self.put(node.inputs[1], b)
        return node.outputs[0]

    def attribute(self, name, output="Vector"):
        node = self.node("ShaderNodeAttribute", attribute_name=name)
        return node.outputs[output]

    def finish(self, spec, colour, opacity=None):
        """Emit a colour, let the rest through, and return the material; a single-sided one is not there from behind.

        Cycles knows no culling, so that is part of the opacity.
        """
        if not spec["double_sided"]:
            seen = self.math("SUBTRACT", 1.0, self.node("ShaderNodeNewGeometry").outputs["Backfacing"])
            opacity = seen if opacity is None else self.math("MULTIPLY", opacity, seen)
        emission = self.node("ShaderNodeEmission")
        self.put(emission.inputs["Color"], colour)
        shader = emission.outputs[0]
        if opacity is not None:
            mix = self.node("ShaderNodeMixShader")
            self.put(mix.inputs[0], opacity)
            self.tree.links.new(self.node("ShaderNodeBsdfTransparent").outputs[0], mix.inputs[1])
            self.tree.links.new(shader, mix.inputs[2])
            shader = mix.outputs[0]
            if hasattr(self.material, "surface_render_method"):
                self.material.surface_render_method = "DITHERED"
            else:
                self.material.blend_method = "HASHED"
        output = self.node("ShaderNodeOutputMaterial")
        self.tree.links.new(shader, output.inputs["Surface"])
        return self.material


def colour_material(spec, images, has, light):
    """The material of a mesh's surface.

    Args:
        spec: of the job: base_color, texture, emissive, emissive_texture, alpha_mode, alpha_cutoff, unlit,
            double_sided.
        images: Blender image and sampler settings of each texture of the job.
        has: names of the mesh's corner attributes (uv, colors, normals).
        light: {lights, ambient} of the look, or None for unlit.
    """
    graph = Graph(spec["name"] or "material")
    texture = _look_up(graph, images, spec["texture"], has)
    glow = _look_up(graph, images, spec["emissive_texture"], has)
    colour, opacity = _base(graph, spec, texture, has)
    if light is not None and not spec["unlit"] and "normals" in has:
        colour = graph.vector("MULTIPLY", colour, _light(graph, light))
    if any(spec["emissive"]):
        emitted = tuple(spec["emissive"])
        emitted = graph.vector("MULTIPLY", glow.outputs["Color"], emitted) if glow is not None else emitted
        colour = graph.vector("ADD", colour, emitted)
    colour = graph.vector("MINIMUM", colour, (1.0, 1.0, 1.0))
    return graph.finish(spec, colour, opacity)


def mask_material(spec, images, has):
    """White wherever the material's surface can be seen at all, for coverage."""
    graph = Graph("mask")
    _, opacity = _base(graph, spec, _look_up(graph, images, spec["texture"], has), has)
    if spec["alpha_mode"] == "blend":
        opacity = graph.math("GREATER_THAN", opacity, LEAST_SEEN)
    return graph.finish(spec, (1.0, 1.0, 1.0, 1.0), opacity)


def position_material(spec, images, has):
    """The vertices' rest position as colour, where the surface can be seen at all."""
    graph = Graph("position")
    opacity = None
    if spec["alpha_mode"] != "opaque":
        _, opacity = _base(graph, spec, _look_up(graph, images, spec["texture"], has), has)
        if spec["alpha_mode"] == "blend":
            opacity = graph.math("GREATER_THAN", opacity, LEAST_SEEN)
    return graph.finish(spec, graph.attribute("rest"), opacity)


def _base(graph, spec, texture, has):
    """Colour output and opacity (None if opaque) of factor x texture x vertex colour."""
    red, green, blue, alpha = spec["base_color"]
    colour, opacity = (red, green, blue), alpha
    if texture is not None:
        colour = graph.vector("MULTIPLY", texture.outputs["Color"], colour)
        opacity = graph.math("MULTIPLY", texture.outputs["Alpha"], opacity)
    if "colors" in has:
        colour = graph.vector("MULTIPLY", graph.attribute("colors", "Color"), colour)
        opacity = graph.math("MULTIPLY", graph.attribute("colors", "Alpha"), opacity)
    if not isinstance(colour, bpy.types.NodeSocket):
        colour = graph.vector("ADD", colour, (0.0, 0.0, 0.0))
    if spec["alpha_mode"] == "opaque":
        return colour, None
    if spec["alpha_mode"] == "mask":
        # From the cutoff on, itself included.
        return colour, graph.math("GREATER_THAN", opacity, spec["alpha_cutoff"] - 1e-6)
    return colour, graph.math("MINIMUM", opacity, 1.0)


def _look_up(graph, images, index, has):
    """Image node of a texture of the job, or None. Each axis is wrapped before the node, which wraps both alike."""
    if index is None or "uv" not in has:
        return None
    image, settings = images[index]
    uv = graph.node("ShaderNodeUVMap", uv_map="uv").outputs[0]
    parts = graph.node("ShaderNodeSeparateXYZ")
    graph.put(parts.inputs[0], uv)
    joined = graph.node("ShaderNodeCombineXYZ")
    for axis, wrap in enumerate(settings["wrap"]):
        value, half = parts.outputs[axis], 0.5 / image.size[axis]
        if wrap == "mirror":
            value = graph.math("PINGPONG", value, 1.0)
        if wrap != "repeat":
            value = graph.math("MINIMUM", graph.math("MAXIMUM", value, half), 1.0 - half)
        graph.put(joined.inputs[axis], value)
    node = graph.node("ShaderNodeTexImage", image=image, extension="REPEAT")
    node.interpolation = "Closest" if settings["nearest"] else "Linear"
    graph.put(node.inputs["Vector"], joined.outputs[0])
    return node


def _light(graph, light):
    """Light that falls on the surface: ambient + sum of intensity x max(0, normal . direction), at most 1.

    The side that is seen decides: the normal of an inside is turned round.
    """
    seen_from_inside = graph.node("ShaderNodeNewGeometry").outputs["Backfacing"]
    side = graph.math("SUBTRACT", 1.0, graph.math("MULTIPLY", seen_from_inside, 2.0))
    normal = graph.vector("NORMALIZE", graph.attribute("normals"))
    total = light["ambient"]
    for x, y, z, intensity in light["lights"]:
        facing = graph.math("MULTIPLY", graph.vector("DOT_PRODUCT", normal, (x, y, z)), side)
        total = graph.math("ADD", total, graph.math("MULTIPLY", graph.math("MAXIMUM", facing, 0.0), intensity))
    return graph.math("MINIMUM", total, 1.0)
