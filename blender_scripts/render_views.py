"""Render views of one mesh with Blender's Cycles: colour, coverage and position of each; see `job_server`.

A job is a JSON object:

    mesh        .npz with vertices (V, 3), faces (F, 3), face_material (F,), rest (V, 3), and where the mesh
                has them uv (F, 3, 2; v downwards), colors (F, 3, 4; linear) and normals (F, 3, 3)
    materials   list of {name, base_color, texture, emissive, emissive_texture, alpha_mode, alpha_cutoff,
                unlit, double_sided}; textures are indices or null
    textures    list of {file, wrap: [u, v], nearest}; files are RGBA PNG
    cameras     list of {c2w: 4 rows of 4, ortho_width, angle, shift: [x, y]}; the width or the angle (in
                radians, null for an orthographic camera) of the longer side, and the shift in shares of it
    size        columns and rows in pixels
    samples     per pixel
    light       null for unlit, or {lights: [[x, y, z, intensity], ...], ambient}
    threads     0 for all
    out         folder for the results

Written are ``color_KK.npy`` (H, W, 4) float32, linear, premultiplied, row 0 at the top; ``coverage_KK.npy``
(H, W) float32 0-1, where a material is not opaque; ``position_KK.npy`` (H * GRID, W * GRID, 4) float32, the
rest position of the surface at the centre of each cell of a grid of GRID x GRID cells a pixel, and whether
there is one.
"""

import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

sys.path.insert(0, str(Path(__file__).resolve().parent))

import job_server

GRID = 3  # Cells along a side of a pixel in the position pass; odd, so that one lies at the pixel's centre

CYCLES = {
    "device": "CPU",
    "seed": 0,
    "pixel_filter_type": "BOX",
    "max_bounces": 0,
    "transparent_max_bounces": 64,
}
CYCLES |= dict.fromkeys(("use_adaptive_sampling", "use_denoising", "film_transparent_glass"), False)
"""Settings of the engine: a sampler of emission alone, 64 translucent layers deep."""

LEAST_SEEN = 1 / 255  # Opacity from which a translucent surface counts as covering


def render(job):
    """Do a job."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    out = Path(job["out"])
    arrays = dict(np.load(job["mesh"]))
    has = {name for name in ("uv", "colors", "normals") if name in arrays}
    points = arrays["rest"][np.unique(arrays["faces"])]
    low, side = points.min(axis=0), np.ptp(points, axis=0)
    side[side == 0] = 1
    arrays["rest"] = (arrays["rest"] - low) / side
    item = _object(arrays)
    images = [_image(t, job["materials"], k) for k, t in enumerate(job["textures"])]
    scene = _scene(job)

    def show(shown):
        # To clear the slots would forget which face has which.
        slots = item.data.materials
        for k, spec in enumerate(job["materials"]):
            material = surface_material(shown, spec, images, has, job["light"])
            if k < len(slots):
                slots[k] = material
            else:
                slots.append(material)

    show("color")
    _views(scene, job["cameras"], out, "color")
    if any(m["alpha_mode"] != "opaque" for m in job["materials"]):
        show("coverage")
        _views(scene, job["cameras"], out, "coverage", channel=3)
    show("position")
    # One sample at the centre of each cell.
    scene.render.resolution_x, scene.render.resolution_y = (side * GRID for side in job["size"])
    scene.cycles.samples, scene.cycles.pixel_filter_type, scene.cycles.filter_width = 1, "GAUSSIAN", 0.01
    _views(scene, job["cameras"], out, "position", scale=side, offset=low)
    return {"blender": bpy.app.version_string, "grid": GRID}


def _object(arrays):
    """The mesh as an object of the scene, its attributes under the names that the materials look for."""
    faces = np.ascontiguousarray(arrays["faces"], np.int32)
    vertices = np.ascontiguousarray(arrays["vertices"], np.float32)
    mesh = bpy.data.meshes.new("character")
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    if bpy.app.version < (3, 6, 0):
        mesh.polygons.foreach_set("loop_total", np.full(len(faces), 3, np.int32))
    mesh.polygons.foreach_set("material_index", np.ascontiguousarray(arrays["face_material"], np.int32))
    mesh.update(calc_edges=True)
    if "uv" in arrays:
        uv = arrays["uv"].reshape(-1, 2).astype(np.float32)
        layer = mesh.uv_layers.new(name="uv")
        layer.data.foreach_set("uv", np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1).ravel())
    _attribute(mesh, "rest", "FLOAT_VECTOR", "POINT", "vector", arrays["rest"])
    if "colors" in arrays:
        _attribute(mesh, "colors", "FLOAT_COLOR", "CORNER", "color", arrays["colors"])
    if "normals" in arrays:
        _attribute(mesh, "normals", "FLOAT_VECTOR", "CORNER", "vector", arrays["normals"])
    item = bpy.data.objects.new("character", mesh)
    bpy.context.scene.collection.objects.link(item)
    return item


def _attribute(mesh, name, kind, domain, field, values):
    attribute = mesh.attributes.new(name, kind, domain)
    attribute.data.foreach_set(field, np.ascontiguousarray(values, np.float32).ravel())


def _image(texture, materials, index):
    image = bpy.data.images.load(texture["file"])
    image.colorspace_settings.name = "sRGB"
    see_through = any(m["texture"] == index and m["alpha_mode"] != "opaque" for m in materials)
    # Colours are never to be multiplied with alpha before they are interpolated.
    image.alpha_mode = "CHANNEL_PACKED" if see_through else "NONE"
    return image, texture


def _scene(job):
    scene = bpy.context.scene
    render = scene.render
    if not hasattr(scene, "cycles"):
        import addon_utils

        addon_utils.enable("cycles")
    try:
        render.engine = "CYCLES"
    except TypeError:
        raise job_server.JobError("this Blender has no Cycles") from None
    for key, value in CYCLES.items():
        setattr(scene.cycles, key, value)
    scene.cycles.samples = job["samples"]
    render.resolution_x, render.resolution_y = job["size"]
    render.resolution_percentage = 100
    render.film_transparent = True
    render.dither_intensity = 0.0
    render.use_compositing = render.use_sequencer = render.use_freestyle = False
    render.use_persistent_data = True
    if job["threads"]:
        render.threads_mode, render.threads = "FIXED", job["threads"]
    render.image_settings.file_format = "OPEN_EXR"
    render.image_settings.color_mode, render.image_settings.color_depth = "RGBA", "32"
    render.image_settings.exr_codec = "NONE"
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    scene.world = None
    camera = bpy.data.cameras.new("camera")
    camera.clip_start, camera.clip_end = 0.001, 100.0
    item = bpy.data.objects.new("camera", camera)
    scene.collection.objects.link(item)
    scene.camera = item
    return scene


def _views(scene, cameras, out, name, channel=None, scale=None, offset=None):
    """Render every view and write its pixels, linear and premultiplied; one channel, or the colour
    rescaled."""
    path = out / "view.exr"
    for k, camera in enumerate(cameras):
        scene.camera.matrix_world = Matrix(camera["c2w"])
        lens = scene.camera.data
        lens.type = "ORTHO" if camera["angle"] is None else "PERSP"
        if camera["angle"] is None:
            lens.ortho_scale = camera["ortho_width"]
        else:
            lens.angle = camera["angle"]
        lens.shift_x, lens.shift_y = camera["shift"]
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        pixels = _pixels(path)
        if scale is not None:
            pixels[..., :3] = pixels[..., :3] * scale + offset
        np.save(out / f"{name}_{k:02d}.npy", pixels if channel is None else pixels[..., channel])
    path.unlink()


def _pixels(path):
    image = bpy.data.images.load(str(path))
    try:
        width, height = image.size
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
    return np.ascontiguousarray(pixels.reshape(height, width, 4)[::-1])


class Graph:
    """Adds shader nodes to a new material: emission only, so that Cycles adds no light of its own."""

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

    def node(self, kind, *inputs, **settings):
        """Add a node; inputs are sockets, values, or None for those left as they are."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in settings.items():
            setattr(node, key, value)
        for socket, value in zip(node.inputs, inputs, strict=False):
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, socket)
            elif value is not None:
                socket.default_value = value
        return node

    def vector(self, operation, a, b=None):
        node = self.node("VectorMath", a, b, operation=operation)
        return node.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]

    def math(self, operation, a, b=None):
        return self.node("Math", a, b, operation=operation).outputs[0]

    def attribute(self, name, output="Vector"):
        return self.node("Attribute", attribute_name=name).outputs[output]

    def finish(self, spec, colour, opacity):
        """Emit a colour, let the rest through, and return the material; a single-sided one is not there from
        behind.

        Cycles knows no culling, so that is part of the opacity.
        """
        if not spec["double_sided"]:
            front = self.math("SUBTRACT", 1.0, self.node("NewGeometry").outputs["Backfacing"])
            opacity = front if opacity is None else self.math("MULTIPLY", opacity, front)
        shader = self.node("Emission", colour).outputs[0]
        if opacity is not None:
            shader = self.node("MixShader", opacity, self.node("BsdfTransparent").outputs[0], shader).outputs[
                0
            ]
        self.node("OutputMaterial", shader)
        return self.material


def surface_material(shown, spec, images, has, light):
    """A material that shows a mesh's colour, its coverage (white) or its rest position (`shown`).

    `spec`, `images`, `has` (names of the corner attributes) and `light` are of the job, see `render`.
    """
    graph = Graph(spec["name"] or "material")
    colour, opacity = _base(graph, spec, images, has)
    if shown != "color":
        if spec["alpha_mode"] == "blend":
            opacity = graph.math("GREATER_THAN", opacity, LEAST_SEEN)
        colour = graph.attribute("rest") if shown == "position" else (1.0, 1.0, 1.0, 1.0)
        return graph.finish(spec, colour, opacity)
    if light is not None and not spec["unlit"] and "normals" in has:
        colour = graph.vector("MULTIPLY", colour, _light(graph, light))
    if any(spec["emissive"]):
        glow, emitted = _look_up(graph, images, spec["emissive_texture"], has), tuple(spec["emissive"])
        emitted = emitted if glow is None else graph.vector("MULTIPLY", glow.outputs["Color"], emitted)
        colour = graph.vector("ADD", colour, emitted)
    return graph.finish(spec, graph.vector("MINIMUM", colour, (1.0, 1.0, 1.0)), opacity)


def _base(graph, spec, images, has):
    """Colour output and opacity (None if opaque) of factor x texture x vertex colour."""
    *colour, opacity = spec["base_color"]
    colour = graph.vector("ADD", colour, (0.0, 0.0, 0.0))
    texture = _look_up(graph, images, spec["texture"], has)
    factors = [] if texture is None else [texture.outputs]
    if "colors" in has:
        factors.append(graph.node("Attribute", attribute_name="colors").outputs)
    for factor in factors:
        colour = graph.vector("MULTIPLY", factor["Color"], colour)
        opacity = graph.math("MULTIPLY", factor["Alpha"], opacity)
    if spec["alpha_mode"] == "opaque":
        return colour, None
    if spec["alpha_mode"] == "mask":
        # From the cutoff on, itself included.
        return colour, graph.math("GREATER_THAN", opacity, spec["alpha_cutoff"] - 1e-6)
    return colour, graph.math("MINIMUM", opacity, 1.0)


def _look_up(graph, images, index, has):
    """Image node of a texture of the job, or None. Each axis is wrapped before the node, which wraps both
    alike."""
    if index is None or "uv" not in has:
        return None
    image, settings = images[index]
    parts = graph.node("SeparateXYZ", graph.node("UVMap", uv_map="uv").outputs[0])
    wrapped = []
    for axis, wrap in enumerate(settings["wrap"]):
        value, half = parts.outputs[axis], 0.5 / image.size[axis]
        if wrap == "mirror":
            value = graph.math("PINGPONG", value, 1.0)
        if wrap != "repeat":
            value = graph.math("MINIMUM", graph.math("MAXIMUM", value, half), 1.0 - half)
        wrapped.append(value)
    interpolation = "Closest" if settings["nearest"] else "Linear"
    at = graph.node("CombineXYZ", *wrapped).outputs[0]
    return graph.node("TexImage", at, image=image, extension="REPEAT", interpolation=interpolation)


def _light(graph, light):
    """Light that falls on the side that is seen: ambient + sum of intensity x max(0, normal . direction), at
    most 1."""
    inside = graph.node("NewGeometry").outputs["Backfacing"]
    side = graph.math("SUBTRACT", 1.0, graph.math("MULTIPLY", inside, 2.0))
    normal = graph.vector("NORMALIZE", graph.attribute("normals"))
    total = light["ambient"]
    for x, y, z, intensity in light["lights"]:
        facing = graph.math("MULTIPLY", graph.vector("DOT_PRODUCT", normal, (x, y, z)), side)
        total = graph.math(
            "ADD", total, graph.math("MULTIPLY", graph.math("MAXIMUM", facing, 0.0), intensity)
        )
    return graph.math("MINIMUM", total, 1.0)


if __name__ == "__main__":
    job_server.main(render, {"blender": bpy.app.version_string})
