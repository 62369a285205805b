"""Opening files in Blender, putting them into poses and seeing what a render shows, for the scripts that read them."""

import importlib.util
from pathlib import Path

import bpy
import fbx_colour
import fbx_curves
import fbx_layers
import fbx_opacity
import job_server
import numpy as np

GEOMETRY = ("MESH", "CURVE", "SURFACE", "FONT", "META")

_FOR_OBJECTS = {"OBJECT", "UNSPECIFIED", ""}


def open_file(path, signs, layered, stacked):
    """Make a file the scene.

    What an FBX file says of opacity is noted in the dict `signs`, the layers of takes that have several in `layered`,
    how many layers textures of materials have in `stacked`.
    """
    if not Path(path).is_file():
        raise job_server.JobError("there is no such file")
    suffix = Path(path).suffix.lower()
    try:
        if suffix == ".blend":
            # No script of the file is run: it may come from anywhere.
            bpy.ops.wm.open_mainfile(filepath=path, load_ui=False, use_scripts=False)
            return
        bpy.ops.wm.read_factory_settings(use_empty=True)
        if suffix == ".fbx":
            _import_fbx(path, signs, layered, stacked)
        elif suffix in (".glb", ".gltf"):
            _enable("io_scene_gltf2", "gltf")
            bpy.ops.import_scene.gltf(filepath=path)
        else:
            raise job_server.JobError(f"Blender is not asked to read '{suffix}' files")
    except RuntimeError as error:
        raise job_server.JobError(_reason(str(error))) from error


def _reason(told):
    """The last line of what an operator says of its failure; where in Blender it failed stands behind that."""
    lines = [line.strip() for line in told.splitlines() if line.strip() and not line.startswith("Location: ")]
    return lines[-1].removeprefix("Error: ") if lines else "no reason given"


def _import_fbx(path, signs, layered, stacked):
    _enable("io_scene_fbx", "fbx")
    fbx_opacity.remember_signs(signs)
    fbx_curves.follow_curves()
    fbx_layers.remember_layers(layered)
    fbx_colour.understand_links(stacked)
    if "fbx" in dir(bpy.ops.import_scene):
        bpy.ops.import_scene.fbx(filepath=path, use_image_search=False)
    else:
        bpy.ops.wm.fbx_import(filepath=path)
    _link_by_name()
    for item in bpy.context.scene.objects:
        # What the file says is invisible, the importer hides from the viewport alone.
        item.hide_render = item.hide_render or item.hide_viewport


def _link_by_name():
    """Put the objects of the scene's collections in the order of their names.

    The importer links the meshes of an armature in the order of a set, which is another in each process.
    """
    for collection in (bpy.context.scene.collection, *bpy.context.scene.collection.children_recursive):
        for item in sorted(collection.objects, key=lambda item: item.name):
            collection.objects.unlink(item)
            collection.objects.link(item)


def _enable(module, operator):
    """Enable the add-on of an importer where it is not."""
    if operator not in dir(bpy.ops.import_scene):
        import addon_utils

        addon_utils.enable(module)


def put_in_pose(pose, rules):
    """Put armatures at rest, or everything into the pose that an action has at a frame.

    Gives what is odd about that as a list of sentences, or None where there is no such action.

    What is no armature stands at rest as it does in the scene's own frame.

    `rules` is the file of Python that tells which actions a pose names; for "rest" it is not needed.
    """
    if pose == "rest":
        for item in bpy.context.scene.objects:
            if item.type == "ARMATURE":
                # An action may move the armature as a whole as well.
                if item.animation_data is not None:
                    item.animation_data.action = None
                    item.animation_data.use_nla = False
                item.data.pose_position = "REST"
        show_frame(bpy.context.scene.frame_current_final)
        return []
    actions = _module(rules)
    indices, frame = actions.chosen([action.name for action in bpy.data.actions], pose)
    matches = [bpy.data.actions[index] for index in indices]
    if not matches:
        return None
    play(matches)
    show_frame(matches[0].frame_range[0] if frame is None else frame)
    first, last = (pick(action.frame_range[end] for action in matches) for end, pick in ((0, min), (1, max)))
    return [told for told in [actions.outside(pose, frame, first, last)] if told is not None]


def show_frame(frame):
    """Make a frame, which may lie between two, the scene's."""
    bpy.context.scene.frame_set(int(frame // 1), subframe=float(frame % 1))


def takes():
    """The file's motions: (name, actions that are played together), in file order.

    FBX files have one action a moved thing for each take, all named ``THING|TAKE``.
    """
    found = {}
    for action in bpy.data.actions:
        found.setdefault(_take(action) or action.name, []).append(action)
    return list(found.items())


def play(actions):
    """Give actions to what they move; what has an action of another take keeps still."""
    given = [(thing, action) for action in actions for thing in owners(action)]
    for armature in bpy.data.armatures:
        armature.pose_position = "POSE"
    for thing in animated_things():
        data = thing.animation_data
        if data is not None and data.action is not None and _take(data.action):
            data.action = None
    for thing, action in given:
        assign(thing, action)


def owners(action):
    """What an action moves: the thing that it is named for, else those that have it, else every armature.

    What has an action and nothing that it moves, as a mesh that one of its armature's was put away on, is passed over.
    """
    able = animated_things()
    named = [thing for thing in able if _take(action) and thing.name == action.name.partition("|")[0]]
    having = [thing for thing in able if action in _actions_of(thing)]
    found = ([thing for thing in things if _fits(thing, action)] for things in (named, having))
    return next((things for things in found if things), None) or _armatures_for(action)


def _fits(thing, action):
    """Whether a thing has anything that an action moves."""
    for curve in curves(action):
        try:
            thing.path_resolve(curve.data_path)
        except ValueError:
            continue
        return True
    return False


def curves(action):
    """The curves of an action, which Blender from 5.0 on keeps by what they move."""
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    return [curve for bag in bags for curve in bag.fcurves]


def _armatures_for(action):
    """The armatures, if an action that nothing has is one for objects."""
    kinds = {slot.target_id_type for slot in action.slots} if hasattr(action, "slots") else {action.id_root}
    return [item for item in bpy.context.scene.objects if item.type == "ARMATURE" and kinds <= _FOR_OBJECTS]


def animated_things():
    """Objects of the scene, then shape keys: what an action may move."""
    items = list(bpy.context.scene.objects)
    keys = [shape_keys(item) for item in items]
    return [*items, *dict.fromkeys(key for key in keys if key is not None)]


def shape_keys(item):
    """The shape keys of an object, or None."""
    return getattr(item.data, "shape_keys", None)


def assign(thing, action):
    """Have an object or its shape keys moved by one action and nothing else."""
    data = thing.animation_data or thing.animation_data_create()
    data.use_nla = False
    data.action = action
    # From Blender 4.4 an action has slots, and one must be chosen.
    if getattr(data, "action_slot", 1) is None and data.action_suitable_slots:
        data.action_slot = data.action_suitable_slots[0]


def _actions_of(thing):
    data = thing.animation_data
    if data is None:
        return []
    return [data.action, *(strip.action for track in data.nla_tracks for strip in track.strips)]


def _take(action):
    """The take of an action that is named for what it moves; else an empty text."""
    owner, _, take = action.name.partition("|")
    return take if any(thing.name == owner for thing in animated_things()) else ""


def _module(path):
    """The module in a file of Python."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def use_render_settings():
    """Make the evaluated meshes those of a render, not of the viewport, whatever is hidden there.

    Where a render would show nothing that has a surface, what the viewport shows takes its place, as somebody worked on
    it there: the names of that are given, in order, else none.
    """
    instead = [] if any(item.type in GEOMETRY or item.is_instancer for item in rendered()) else _worked_on()
    for layer in _rendered_layers(all_of_them=True) if instead else ():
        layer.collection.hide_render = layer.collection.hide_render and not _holds(layer.collection, instead)
    for item in instead:
        item.hide_render = False
    for layer in _rendered_layers():
        layer.hide_viewport = layer.collection.hide_viewport = False
        for item in layer.collection.objects:
            item.hide_viewport = False
            item.hide_set(False)
    for item in bpy.context.scene.objects:
        for modifier in item.modifiers:
            modifier.show_viewport = modifier.show_render
            if modifier.type == "SUBSURF" or modifier.type == "MULTIRES":
                modifier.levels = modifier.render_levels
    return [item.name for item in instead]


def _worked_on():
    """What has a surface and is seen in the viewport, but for the shapes that bones are drawn as."""
    poses = [item.pose for item in bpy.context.scene.objects if item.pose is not None]
    drawn_as = {bone.custom_shape for pose in poses for bone in pose.bones}
    seen = [item for item in bpy.context.view_layer.objects if item.type in GEOMETRY and item.visible_get()]
    return [item for item in seen if item not in drawn_as]


def _holds(collection, items):
    """Whether one of the items lies in a collection, or in one below it."""
    return not set(items).isdisjoint(collection.all_objects)


def _rendered_layers(all_of_them=False):
    """The collections that a render shows, each as the view layer has it, those above it first."""
    pending = [bpy.context.view_layer.layer_collection]
    while pending:
        layer = pending.pop()
        if all_of_them or not (layer.exclude or layer.collection.hide_render):
            yield layer
            pending.extend(layer.children)


def rendered():
    """The objects that a render shows, or that carry what it shows."""
    items = dict.fromkeys(item for layer in _rendered_layers() for item in layer.collection.objects)
    return [item for item in items if not item.hide_render]


def shown(graph):
    """(evaluated object, its mesh, world matrix, the object that makes it) of all that a render shows, in order."""
    makers = set(rendered())
    for instance in graph.object_instances:
        evaluated = instance.object
        original = evaluated.original
        maker = instance.parent.original if instance.is_instance and instance.parent else original
        if evaluated.type not in GEOMETRY or original.hide_render or maker not in makers:
            continue
        if not original.visible_camera or not (instance.is_instance or _shows_itself(original)):
            continue
        mesh = evaluated.to_mesh()
        if mesh is None:
            continue
        try:
            if len(mesh.polygons):
                yield evaluated, mesh, instance.matrix_world.copy(), maker
        finally:
            evaluated.to_mesh_clear()


def _shows_itself(item):
    """Whether a render shows an object, and not what hangs on it alone, as the hair on a scalp."""
    return item.show_instancer_for_render or not (item.is_instancer or len(item.particle_systems))


def values(collection, attribute, count, kind):
    """An attribute of all members of a collection as a flat array."""
    found = np.empty(count, kind)
    collection.foreach_get(attribute, found)
    return found
