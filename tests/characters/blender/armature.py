"""What scripts for a Python with bpy begin with: an empty scene with an armature `rig` of one bone."""

ARMATURE = """
import sys
import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)
link = bpy.context.scene.collection.objects.link
bones = bpy.data.armatures.new("bones")
rig = bpy.data.objects.new("rig", bones)
link(rig)
bpy.context.view_layer.objects.active = rig
bpy.ops.object.mode_set(mode="EDIT")
bones.edit_bones.new("bone").tail = (0, 0, 1)
bpy.ops.object.mode_set(mode="OBJECT")
"""
