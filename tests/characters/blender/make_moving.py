"""Run by a Python with bpy: ``make_moving.py FILE.blend`` writes a scene whose motions can be worked out.

Ten frames a second. A rig that is twice as large and at (1, 0, 0) bends its upper bone to -Y while it moves to
(1, 3, 0), with a strip on it and a sword on the bone; a box slides; a mirrored face smiles.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import bpy
from mathutils import Matrix


def add(name: str, points: Sequence[Sequence[float]], faces: Sequence[Sequence[int]]) -> Any:
    mesh = bpy.data.meshes.new(name + "Mesh")
    mesh.from_pydata(points, [], faces)
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    return item


def action(name: str) -> Any:
    made = bpy.data.actions.new(name)
    made.use_fake_user = True
    return made


def give(thing: Any, made: Any) -> None:
    thing.animation_data_create()
    thing.animation_data.action = made


def curve(name: str, path: str, index: int, keys: Sequence[tuple[float, float]]) -> None:
    found = bpy.data.actions[name].fcurves.new(path, index=index)
    for frame, value in keys:
        found.keyframe_points.insert(frame, value).interpolation = "LINEAR"


bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
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

strip = add("Strip", [(x, 0, z) for z in (0, 1.5, 2) for x in (0, 0.5)], [(0, 1, 3, 2), (2, 3, 5, 4)])
strip.parent = rig
strip.modifiers.new("rig", "ARMATURE").object = rig
# Weights count by their share; bones beside them and groups that are none do not.
for group, rows, weight in (("lower", (0, 1), 1.0), ("lower", (2, 3), 0.25), ("upper", (2, 3), 0.25)):
    (strip.vertex_groups.get(group) or strip.vertex_groups.new(name=group)).add(rows, weight, "REPLACE")
strip.vertex_groups["upper"].add((4, 5), 1.0, "REPLACE")
strip.vertex_groups.new(name="pinned").add((0, 4), 1.0, "REPLACE")

sword = add("Sword", [(0, 0, 0), (0, 0, 1), (1, 0, 1)], [(0, 1, 2)])
sword.parent, sword.parent_type, sword.parent_bone = rig, "BONE", "upper"
sword.matrix_world = Matrix.Translation((1, 0, 4))

box = add("Box", [(0, 0, 0), (1, 0, 0), (1, 0, 1)], [(0, 1, 2)])
box.location = (0, 20, 0)

face = add("Face", [(1, 10, 0), (2, 10, 0), (2, 10, 1)], [(0, 1, 2)])
face.modifiers.new("mirror", "MIRROR")
face.shape_key_add(name="Basis")
for name in ("Frown", "Smile"):
    face.shape_key_add(name=name)
keys = face.data.shape_keys
keys.name = "FaceKeys"
keys.key_blocks["Smile"].data[2].co = (3, 10, 2)
keys.key_blocks["Frown"].data[1].co = (2, 11, 0)
keys.key_blocks["Frown"].value = 0.5

for name in ("Rig|Bend", "BoxAction", "Smiling", "Lift", "Endless", "Nothing"):
    action(name)
curve("Rig|Bend", "location", 1, [(1, 0), (11, 3)])
for index, values in ((0, (1, math.cos(math.pi / 4))), (1, (0, math.sin(math.pi / 4)))):
    curve("Rig|Bend", 'pose.bones["upper"].rotation_quaternion', index, list(zip((1, 11), values, strict=True)))
curve("BoxAction", "location", 0, [(1, 0), (11, 10)])
curve("Smiling", 'key_blocks["Smile"].value', 0, [(1, 0.2), (11, 1.0)])
give(rig, bpy.data.actions["Rig|Bend"])
give(box, bpy.data.actions["BoxAction"])
give(keys, bpy.data.actions["Smiling"])
# Nothing has these, so that they are the rig's.
curve("Lift", 'pose.bones["lower"].location', 1, [(1, 0), (6, 1)])
curve("Endless", 'pose.bones["lower"].location', 1, [(0, 0), (100_000, 1)])
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])
