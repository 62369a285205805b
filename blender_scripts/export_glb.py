"""Export what a render of a .blend file shows as GLB, with Blender's own exporter.

See `job_server`. A job is a JSON object of `path` and, for an export, `out` (a folder) and `images`: a file,
or null, for each image outside of the file, by its name in Blender. Without `images` the answer is what
`images` must name, each with the path that the file gives. Written are ``scene.glb`` (meshes at rest, skins,
shape keys, and an animation for each take) and ``scene.json`` (frames a second, and warnings).
"""

import json
import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import job_server

GEOMETRY = ("MESH", "CURVE", "SURFACE", "FONT", "META")

MOST_FRAMES = 10_000  # Maximum frames of one action; a longer one is left out

EXPORTED = {
    "export_format": "GLB",
    "use_active_scene": True,
    "export_all_influences": True,
    "export_attributes": False,
    "export_morph_normal": False,
    "export_anim_single_armature": False,
    "export_negative_frame": "CROP",
    "export_gn_mesh": True,
}

_opened = {}


def export(job):
    """Do a job."""
    path = job["path"]
    if _opened.get("path") != path:
        _opened.clear()
        open_file(path)
        _opened["path"] = path
    files = (
        i for i in bpy.data.images if i.packed_file is None and i.source in ("FILE", "SEQUENCE", "TILED")
    )
    outside = {image.name: image.filepath_raw for image in files if image.filepath_raw}
    if "images" not in job:
        return {"images": outside}
    _opened.clear()
    warnings = show_what_renders()
    if not any(item.type in GEOMETRY for item in bpy.context.scene.objects if not item.hide_render):
        warnings.append("has no mesh that a render would show")
    warnings += load_images(outside, job["images"])
    owners, takes = find_takes(warnings)
    put_at_rest(owners, takes, make_meshes())
    out, render = Path(job["out"]), bpy.context.scene.render
    # The exporter multiplies by the base where it is to divide.
    render.fps, render.fps_base = max(1, round(render.fps / render.fps_base)), 1.0
    _enable("io_scene_gltf2")
    known = bpy.ops.export_scene.gltf.get_rna_type().properties
    options = {key: value for key, value in EXPORTED.items() if key in known}
    bpy.ops.export_scene.gltf(filepath=str(out / "scene.glb"), **options)
    facts = {"fps": render.fps, "warnings": warnings, "blender": bpy.app.version_string}
    (out / "scene.json").write_text(json.dumps(facts), encoding="utf-8")
    return {"blender": bpy.app.version_string}


def open_file(path):
    """Make a file the scene."""
    if not Path(path).is_file():
        raise job_server.JobError("there is no such file")
    try:
        # No script of the file is run: it may come from anywhere.
        bpy.ops.wm.open_mainfile(filepath=path, load_ui=False, use_scripts=False)
    except RuntimeError as error:
        lines = [
            line.strip() for line in str(error).splitlines() if line.strip() and "Location: " not in line
        ]
        raise job_server.JobError(
            lines[-1].removeprefix("Error: ") if lines else "no reason given"
        ) from error


def _enable(module):
    import addon_utils

    if not addon_utils.check(module)[1]:
        addon_utils.enable(module)


def load_images(outside, found):
    """Load the files that were found for images, and remove images without one; returns warnings."""
    warnings = []
    for name in outside:
        image = bpy.data.images[name]
        if found.get(name):
            image.source, image.filepath = "FILE", found[name]
            image.reload()
            if not image.size[0]:
                warnings.append(
                    f"has a texture '{Path(found[name]).name}' that Blender cannot read; it was left out"
                )
        if not found.get(name) or not image.size[0]:
            bpy.data.images.remove(image)
    return warnings


def show_what_renders():
    """Show what a render would, or else what the viewport shows, and hide the rest; returns warnings."""
    scene, warnings = bpy.context.scene, []
    layers, pending = [], [bpy.context.view_layer.layer_collection]
    while pending:
        layer = pending.pop()
        if not (layer.exclude or layer.collection.hide_render):
            layers.append(layer)
            pending.extend(layer.children)
    rendered = {
        o for layer in layers for o in layer.collection.objects if not o.hide_render and o.visible_camera
    }
    if not any(item.type in GEOMETRY or item.is_instancer for item in rendered):
        shapes = {bone.custom_shape for o in scene.objects if o.pose is not None for bone in o.pose.bones}
        seen = {
            o
            for o in bpy.context.view_layer.objects
            if o.type in GEOMETRY and o.visible_get() and o not in shapes
        }
        if seen:
            warnings.append("would show no mesh in a render: what the viewport shows was read")
        rendered |= seen
    modifiers = [m for o in rendered for m in o.modifiers if m.type == "PARTICLE_SYSTEM" and m.show_render]
    systems = [modifier.particle_system.settings for modifier in modifiers]
    strands = any(s.type == "HAIR" and s.render_type == "PATH" for s in systems)
    if strands or any(o.type in ("CURVES", "GPENCIL", "GREASEPENCIL") for o in rendered):
        warnings.append("has strands of hair or Grease Pencil, which were left out: make them meshes")
    if bpy.data.libraries:
        warnings.append("links other .blend files; changes in them are not noticed")
    for layer in layers:
        layer.hide_viewport = layer.collection.hide_viewport = False
    for item in scene.objects:
        item.hide_render = item not in rendered
        if item in rendered:
            item.hide_viewport = False
            item.hide_set(False)
        for modifier in item.modifiers:
            modifier.show_viewport = modifier.show_render
            if modifier.type in ("SUBSURF", "MULTIRES"):
                modifier.levels = modifier.render_levels
    return warnings


def find_takes(warnings):
    """All objects and shape keys, and takes as (object or shape keys, name of the take, action)."""
    owners = [*bpy.context.scene.objects]
    owners += [o.data.shape_keys for o in owners if getattr(o.data, "shape_keys", None) is not None]
    takes = []
    for action in bpy.data.actions:
        first, last = action.frame_range
        if not np.isfinite((first, last)).all() or last - first >= MOST_FRAMES:
            warnings.append(
                f"has an action '{action.name}' of more than {MOST_FRAMES} frames, which was left out"
            )
            continue
        owner, _, take = action.name.partition("|")
        named = [item for item in owners if item.name == owner] if take else []
        # Blender imports FBX files with an action for each object and take, called OBJECT|TAKE.
        takes += [(item, take if named else action.name, action) for item in named or _owners(owners, action)]
    return owners, takes


def put_at_rest(owners, takes, replaced):
    """Put armatures at rest, and each take on a track of its own, which the exporter makes an animation of.

    `replaced` gives new shape keys by old ones.
    """
    bpy.context.scene.frame_set(bpy.context.scene.frame_current)
    for owner in owners:
        if (data := owner.animation_data) is not None:
            data.action = None
            for track in list(data.nla_tracks):
                data.nla_tracks.remove(track)
    for owner, take, action in takes:
        item = replaced.get(owner, owner)
        data = item.animation_data or item.animation_data_create()
        track = data.nla_tracks.new()
        track.name = take
        strip = track.strips.new(take, int(action.frame_range[0]), action)
        if getattr(strip, "action_slot", 1) is None and strip.action_suitable_slots:
            strip.action_slot = strip.action_suitable_slots[0]
        data.use_nla = False
    for armature in bpy.data.armatures:
        armature.pose_position = "POSE"


def _owners(owners, action):
    """Objects that an action moves: its users, or armatures that have all the bones it names."""

    def actions(item):
        data = item.animation_data
        strips = [] if data is None else [strip for track in data.nla_tracks for strip in track.strips]
        return [] if data is None else [data.action, *(strip.action for strip in strips)]

    if users := [item for item in owners if action in actions(item)]:
        return users
    bones = {
        c.data_path.split('"')[1]
        for c in getattr(action, "fcurves", ())
        if c.data_path.startswith("pose.bones[")
    }
    armatures = [o for o in bpy.context.scene.objects if o.type == "ARMATURE"]
    return [o for o in armatures if bones and bones <= set(o.data.bones.keys())]


def make_meshes():
    """Apply all modifiers but armatures to what a render shows, and empty the rest; returns new shape keys by
    old.

    The exporter itself applies modifiers only to meshes without shape keys.
    """
    scene, view_layer = bpy.context.scene, bpy.context.view_layer
    curves = [o for o in view_layer.objects if o.type in GEOMETRY and o.type != "MESH" and not o.hide_render]
    for item in view_layer.objects:
        item.select_set(item in curves)
    if curves:
        view_layer.objects.active = curves[0]
        bpy.ops.object.convert(target="MESH")
    meshes = [o for o in scene.objects if o.type == "MESH"]
    for item in meshes:
        for modifier in item.modifiers:
            modifier.show_viewport = modifier.show_viewport and modifier.type != "ARMATURE"
    made, replaced = {}, {}
    for item in meshes:
        # A scalp is not shown where only the hair on it is.
        emits = item.is_instancer or len(item.particle_systems)
        if item.hide_render or (emits and not item.show_instancer_for_render):
            made[item] = [bpy.data.meshes.new(item.data.name)]
        elif any(m.type not in ("ARMATURE", "PARTICLE_SYSTEM") and m.show_viewport for m in item.modifiers):
            made[item] = _shapes(item)
    for item, shapes in made.items():
        name, keys = item.data.name, item.data.shape_keys
        for modifier in [m for m in item.modifiers if m.type != "ARMATURE"]:
            item.modifiers.remove(modifier)
        item.data = shapes[0]
        item.data.name = name
        if keys is not None and len(shapes) > 1 and len({len(mesh.vertices) for mesh in shapes}) == 1:
            for block, mesh in zip(keys.key_blocks, shapes, strict=True):
                made_block = item.shape_key_add(name=block.name)
                points = np.empty(3 * len(mesh.vertices), np.float32)
                mesh.vertices.foreach_get("co", points)
                made_block.data.foreach_set("co", points)
                made_block.value = block.value
            replaced[keys] = item.data.shape_keys
    for item in meshes:
        for modifier in item.modifiers:
            modifier.show_viewport = modifier.show_render
    return replaced


def _shapes(item):
    """A mesh as its modifiers make it, for each of its shape keys."""
    keys = item.data.shape_keys
    found = []
    for index in range(1 if keys is None else len(keys.key_blocks)):
        item.show_only_shape_key, item.active_shape_key_index = keys is not None, index
        graph = bpy.context.evaluated_depsgraph_get()
        graph.update()
        evaluated = item.evaluated_get(graph)
        found.append(
            bpy.data.meshes.new_from_object(evaluated, preserve_all_data_layers=True, depsgraph=graph)
        )
    item.show_only_shape_key = False
    return found


if __name__ == "__main__":
    job_server.main(export, {"blender": bpy.app.version_string})
