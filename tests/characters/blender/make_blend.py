"""Run by a Python with bpy: ``make_blend.py FILE.blend`` writes a scene whose reading can be worked out by hand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import bpy
from mathutils import Matrix


def material(name: str, colour: Sequence[float], alpha: float = 1.0) -> tuple[Any, Any]:
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Alpha"].default_value = alpha
    return made, shader


def square(name: str, place: Sequence[float], made: Any, scale: Sequence[float] = (1.0, 1.0, 1.0)) -> Any:
    corners = ((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1))
    mesh = bpy.data.meshes.new(name + "Mesh")
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    layer = mesh.uv_layers.new(name="map")
    for loop, uv in zip(layer.data, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        loop.uv = uv
    mesh.materials.append(made)
    item = bpy.data.objects.new(name, mesh)
    item.matrix_world = Matrix.LocRotScale(place, None, scale)
    bpy.context.scene.collection.objects.link(item)
    return item


bpy.ops.wm.read_factory_settings(use_empty=True)

red, _ = material("red", (1.0, 0.0, 0.0))
body = square("Body", (0, 0, 0), red)
mirror = body.modifiers.new("mirror", "MIRROR")

glass, _ = material("glass", (0.0, 0.0, 1.0), alpha=0.25)
glass.use_backface_culling = True
flipped = square("Flipped", (0, 5, 0), glass, scale=(-2.0, 1.0, 1.0))

image = bpy.data.images.new("painted", 2, 2, alpha=True)
image.pixels = [1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 0]
image.pack()
cloth, shader = material("cloth", (1.0, 1.0, 1.0))
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
square("Cloth", (0, 10, 0), cloth)

painted, shader = material("painted", (1.0, 1.0, 1.0))
attribute = painted.node_tree.nodes.new("ShaderNodeVertexColor")
attribute.layer_name = "paint"
painted.node_tree.links.new(attribute.outputs["Color"], shader.inputs["Base Color"])
hand = square("Hand", (0, 15, 0), painted)
paint = hand.data.color_attributes.new("paint", "FLOAT_COLOR", "POINT")
for k, value in enumerate(paint.data):
    value.color = (k / 4, 0.5, 1.0, 1.0)

for name, hide in (("Unseen", "hide_viewport"), ("Hidden", "hide_render")):
    setattr(square(name, (0, 20, 0), red), hide, True)

furry = square("Furry", (15, 0, 0), red)
furry.modifiers.new("hair", "PARTICLE_SYSTEM")
furry.particle_systems[0].settings.type = "HAIR"

bpy.context.scene.collection.objects.link(bpy.data.objects.new("Brows", bpy.data.grease_pencils.new("Lines")))

bones = bpy.data.armatures.new("Bones")
rig = bpy.data.objects.new("Rig", bones)
bpy.context.scene.collection.objects.link(rig)
bpy.context.view_layer.objects.active = rig
bpy.ops.object.mode_set(mode="EDIT")
bone = bones.edit_bones.new("arm")
bone.head, bone.tail = (0, 0, 0), (0, 0, 1)
bpy.ops.object.mode_set(mode="OBJECT")
hand.parent = rig
hand.modifiers.new("rig", "ARMATURE").object = rig
hand.vertex_groups.new(name="arm").add([0, 1, 2, 3], 1.0, "REPLACE")
rig.animation_data_create()
rig.animation_data.action = bpy.data.actions.new("Lift")
for frame, height in ((1, 1.0), (11, 3.0)):
    rig.pose.bones["arm"].location = (0, height, 0)
    rig.pose.bones["arm"].keyframe_insert("location", frame=frame)

bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])
