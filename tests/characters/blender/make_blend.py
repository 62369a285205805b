"""Write a .blend file with known content: every kind of surface beyond y = 100, and things that move.

Ten frames a second. A rig that is twice as large and at (1, 0, 0) bends its upper bone to -Y while it moves
to (1, 3, 0), with a strip on it and a sword on the bone; a box slides; a mirrored face smiles.
"""

import math
from collections.abc import Sequence
from typing import Any

import bpy
from mathutils import Matrix

from tests.characters.blender.making import SQUARE, add, material


def square(name: str, x: float, y: float, look: Any) -> Any:
    item = add(name, SQUARE, [(0, 1, 2, 3)], look)
    item.location = (x, 100 + y, 0)
    return item


red, _ = material("red", (1.0, 0.0, 0.0))
square("Body", 0, 0, red).modifiers.new("mirror", "MIRROR")
square("Furry", 15, 0, red).modifiers.new("hair", "PARTICLE_SYSTEM")
bpy.data.objects["Furry"].particle_systems[0].settings.type = "HAIR"
square("Unseen", 0, 20, red).hide_viewport = True
square("Hidden", 0, 20, red).hide_render = True

glass, _ = material("glass", (0.0, 0.0, 1.0), alpha=0.25)
glass.use_backface_culling = True
square("Flipped", 0, 5, glass).scale = (-2.0, 1.0, 1.0)

image = bpy.data.images.new("painted", 2, 2, alpha=True)
image.pixels = [1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 0]
image.pack()
cloth, shader = material("cloth")
tree = cloth.node_tree
texture = tree.nodes.new("ShaderNodeTexImage")
texture.image, texture.extension, texture.interpolation = image, "EXTEND", "Closest"
mapping = tree.nodes.new("ShaderNodeMapping")
mapping.inputs["Scale"].default_value = (2.0, 3.0, 1.0)
mapping.inputs["Location"].default_value = (0.25, 0.0, 0.0)
uv_map = tree.nodes.new("ShaderNodeUVMap")
uv_map.uv_map = "map"
mix = tree.nodes.new("ShaderNodeMix")
mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
mix.inputs["Factor"].default_value = 1.0
colours = [s for s in mix.inputs if s.type == "RGBA"]
colours[1].default_value = (0.5, 0.25, 1.0, 1.0)
tree.links.new(uv_map.outputs[0], mapping.inputs["Vector"])
tree.links.new(mapping.outputs[0], texture.inputs["Vector"])
tree.links.new(texture.outputs["Color"], colours[0])
tree.links.new(next(s for s in mix.outputs if s.type == "RGBA"), shader.inputs["Base Color"])
tree.links.new(texture.outputs["Alpha"], shader.inputs["Alpha"])
square("Cloth", 0, 10, cloth)

painted, shader = material("painted")
attribute = painted.node_tree.nodes.new("ShaderNodeVertexColor")
attribute.layer_name = "paint"
painted.node_tree.links.new(attribute.outputs["Color"], shader.inputs["Base Color"])
paint = square("Hand", 0, 15, painted).data.color_attributes.new("paint", "FLOAT_COLOR", "POINT")
for k, value in enumerate(paint.data):
    value.color = (k / 4, 0.5, 1.0, 1.0)

scene = bpy.context.scene
scene.collection.objects.link(bpy.data.objects.new("Brows", bpy.data.grease_pencils.new("Lines")))
scene.render.fps, scene.render.fps_base = 20, 2.0

bones = bpy.data.armatures.new("Bones")
rig = bpy.data.objects.new("Rig", bones)
scene.collection.objects.link(rig)
bpy.context.view_layer.objects.active = rig
bpy.ops.object.mode_set(mode="EDIT")
lower, upper = bones.edit_bones.new("lower"), bones.edit_bones.new("upper")
lower.head, lower.tail = (0, 0, 0), (0, 0, 1)
upper.head, upper.tail, upper.parent = (0, 0, 1), (0, 0, 2), lower
bpy.ops.object.mode_set(mode="OBJECT")
rig.location, rig.scale = (1, 0, 0), (2, 2, 2)
bpy.context.view_layer.update()

corners = [(x, 0, z) for z in (0, 1.5, 2) for x in (0, 0.5)]
strip = add("Strip", corners, [(0, 1, 3, 2), (2, 3, 5, 4)], material("strip")[0])
strip.parent = rig
strip.modifiers.new("rig", "ARMATURE").object = rig
# Weights count by their share; bones beside them and groups that are none do not.
for group, rows, weight in (("lower", (0, 1), 1.0), ("lower", (2, 3), 0.25), ("upper", (2, 3), 0.25)):
    (strip.vertex_groups.get(group) or strip.vertex_groups.new(name=group)).add(rows, weight, "REPLACE")
strip.vertex_groups["upper"].add((4, 5), 1.0, "REPLACE")
strip.vertex_groups.new(name="pinned").add((0, 4), 1.0, "REPLACE")

sword = add("Sword", [(0, 0, 0), (0, 0, 1), (1, 0, 1)])
sword.parent, sword.parent_type, sword.parent_bone = rig, "BONE", "upper"
sword.matrix_world = Matrix.Translation((1, 0, 4))

box = add("Box", [(0, 0, 0), (1, 0, 0), (1, 0, 1)])
box.location = (0, 20, 0)

face = add("Face", [(1, 10, 0), (2, 10, 0), (2, 10, 1)])
face.modifiers.new("mirror", "MIRROR")
for name in ("Basis", "Frown", "Smile"):
    face.shape_key_add(name=name)
keys = face.data.shape_keys
keys.name = "FaceKeys"
keys.key_blocks["Smile"].data[2].co = (3, 10, 2)
keys.key_blocks["Frown"].data[1].co = (2, 11, 0)
keys.key_blocks["Frown"].value = 0.5


def curve(action: str, path: str, index: int, keys: Sequence[tuple[float, float]]) -> None:
    """Let an action, which is new or has other curves, change a value by keys."""
    made = bpy.data.actions.get(action) or bpy.data.actions.new(action)
    made.use_fake_user = True
    found = made.fcurves.new(path, index=index)
    for frame, value in keys:
        found.keyframe_points.insert(frame, value).interpolation = "LINEAR"


curve("Rig|Bend", "location", 1, [(1, 0), (11, 3)])
for index, values in ((0, (1, math.cos(math.pi / 4))), (1, (0, math.sin(math.pi / 4)))):
    bent = list(zip((1, 11), values, strict=True))
    curve("Rig|Bend", 'pose.bones["upper"].rotation_quaternion', index, bent)
curve("BoxAction", "location", 0, [(1, 0), (11, 10)])
curve("Smiling", 'key_blocks["Smile"].value', 0, [(1, 0.2), (11, 1.0)])
for thing, name in ((rig, "Rig|Bend"), (box, "BoxAction"), (keys, "Smiling")):
    thing.animation_data_create()
    thing.animation_data.action = bpy.data.actions[name]
# Nothing has these, so that they are the rig's.
curve("Lift", 'pose.bones["lower"].location', 1, [(1, 0), (6, 1)])
curve("Endless", 'pose.bones["lower"].location', 1, [(0, 0), (100_000, 1)])
bpy.data.actions.new("Nothing").use_fake_user = True
