"""Render views of one mesh with Blender: colour, coverage and position of each, all in one process.

    blender -b -P render_views.py -- JOB.json
    python render_views.py JOB.json              (with the bpy package)

A job is a JSON object:

    mesh        .npz with vertices (V, 3), faces (F, 3), face_material (F,), rest (V, 3), and where the mesh has them
                uv (F, 3, 2; v downwards), colors (F, 3, 4; linear) and normals (F, 3, 3)
    materials   list of {name, base_color, texture, emissive, emissive_texture, alpha_mode, alpha_cutoff, unlit,
                double_sided}; textures are indices or null
    textures    list of {file, wrap: [u, v], nearest}; files are RGBA PNG
    cameras     list of {position: [x, y, z], right: [...], up: [...]}, unit vectors of the image
    size        pixels on a side
    ortho_width width of the image in units
    engine      cycles or eevee
    samples     per pixel
    light       null for unlit, or {lights: [[x, y, z, intensity], ...], ambient}
    position    whether positions are wanted
    threads     0 for all
    out         folder for the results

Written are ``color_KK.npy`` (H, W, 4) float32, linear, premultiplied, row 0 at the top; ``coverage_KK.npy`` (H, W)
float32 0-1, where a material is not opaque; ``position_KK.npy`` (H * GRID, W * GRID, 4) float32, the rest position of
the surface at the centre of each cell of a grid of GRID x GRID cells a pixel, and whether there is one.
"""

import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

sys.path.insert(0, str(Path(__file__).resolve().parent))

import job_server
import surface_nodes

GRID = 3
"""Cells along a side of a pixel in the position pass; odd, so that one lies at the pixel's centre."""

TRANSPARENT_LAYERS = 64


def render(job):
    """Do a job."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    out = Path(job["out"])
    arrays = dict(np.load(job["mesh"]))
    has = {name for name in ("uv", "colors", "normals") if name in arrays}
    low, side = _box(arrays["rest"][np.unique(arrays["faces"])])
    # Eevee knows no negative light.
    arrays["rest"] = (arrays["rest"] - low) / side
    item = _object(arrays)
    images = [_image(t, job["materials"], k) for k, t in enumerate(job["textures"])]
    scene = _scene(job)
    _fill(item, [surface_nodes.colour_material(m, images, has, job["light"]) for m in job["materials"]])
    scene.render.use_freestyle = False
    _views(scene, job["cameras"], out, "color")
    if any(m["alpha_mode"] != "opaque" for m in job["materials"]):
        _fill(item, [surface_nodes.mask_material(m, images, has) for m in job["materials"]])
        _views(scene, job["cameras"], out, "coverage", channel=3)
    if job["position"]:
        _fill(item, [surface_nodes.position_material(m, images, has) for m in job["materials"]])
        _sample_centres(scene, job)
        _views(scene, job["cameras"], out, "position", scale=side, offset=low)
    return {"blender": bpy.app.version_string, "grid": GRID}


def _box(points):
    """Smallest x, y, z and the sides of the box of points (N, 3); no side is 0."""
    low = points.min(axis=0)
    side = points.max(axis=0) - low
    return low, np.where(side > 0, side, np.float32(1))


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


def _fill(item, materials):
    """Give the object other materials for the same slots."""
    slots = item.data.materials
    for k, material in enumerate(materials):
        if k < len(slots):
            slots[k] = material
        else:
            slots.append(material)


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
    _set_engine(render, job["engine"])
    render.resolution_x = render.resolution_y = job["size"]
    render.resolution_percentage = 100
    render.film_transparent = True
    render.dither_intensity = 0.0
    render.use_compositing = render.use_sequencer = False
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
    camera.type, camera.ortho_scale = "ORTHO", job["ortho_width"]
    camera.clip_start, camera.clip_end = 0.001, 100.0
    item = bpy.data.objects.new("camera", camera)
    scene.collection.objects.link(item)
    scene.camera = item
    if job["engine"] == "cycles":
        _cycles(scene, job["samples"])
    else:
        _eevee(scene, job["samples"])
    return scene


def _set_engine(render, name):
    if name == "cycles" and not hasattr(bpy.context.scene, "cycles"):
        import addon_utils

        addon_utils.enable("cycles")
    # Eevee's name was changed in 4.2 and changed back in 5.0.
    names = {"cycles": ["CYCLES"], "eevee": ["BLENDER_EEVEE_NEXT", "BLENDER_EEVEE"]}
    for identifier in names[name]:
        try:
            render.engine = identifier
        except TypeError:
            continue
        return
    raise job_server.JobError(f"this Blender has no {name}")


def _cycles(scene, samples):
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = False
    cycles.seed = 0
    cycles.pixel_filter_type = "BOX"
    cycles.max_bounces = 0
    cycles.transparent_max_bounces = TRANSPARENT_LAYERS
    cycles.film_transparent_glass = False


def _eevee(scene, samples):
    scene.eevee.taa_render_samples = samples
    # Eevee has no box filter; at this width its own spreads light as far as a box of one pixel does.
    scene.render.filter_size = 1.1
    for name in ("use_gtao", "use_bloom", "use_ssr", "use_motion_blur", "use_raytracing", "use_shadows"):
        if hasattr(scene.eevee, name):
            setattr(scene.eevee, name, False)


def _sample_centres(scene, job):
    """One sample at the centre of each cell of the position pass."""
    scene.render.resolution_x = scene.render.resolution_y = job["size"] * GRID
    if job["engine"] == "cycles":
        scene.cycles.samples = 1
        scene.cycles.pixel_filter_type = "GAUSSIAN"
        scene.cycles.filter_width = 0.01
    else:
        scene.eevee.taa_render_samples = 1
        scene.render.filter_size = 0.0


def _views(scene, cameras, out, name, channel=None, scale=None, offset=None):
    """Render every view and write its pixels, linear and premultiplied; one channel, or the colour rescaled."""
    path = out / "view.exr"
    for k, camera in enumerate(cameras):
        right, up, place = (Vector(camera[key]) for key in ("right", "up", "position"))
        turned = Matrix((right, up, right.cross(up))).transposed().to_4x4()
        scene.camera.matrix_world = Matrix.Translation(place) @ turned
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


if __name__ == "__main__":
    job_server.main(render, {"blender": bpy.app.version_string})
