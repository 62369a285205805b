"""Read a character from a file that only Blender can read, and write it as plain arrays.

    blender -b -P read_character.py -- JOB.json
    python read_character.py JOB.json            (with the bpy package)

A job is a JSON object:

    path     .fbx, .blend, .glb or .gltf file
    out      folder, there and empty, for what is read
    pose     "rest", or the name of an action with an optional "@frame"
    actions  for another pose than "rest", the file of Python that tells which actions it names

Written are ``mesh.npz`` (vertices (V, 3) float32 in Blender's axes, Z up; faces (F, 3) int32; face_material and
face_part (F,) int32; uv (F, 3, 2) float32, v downwards; colors (F, 3, 4) float32 linear; normals (F, 3, 3) float32; UVs
or colours that no part has are left out), ``mesh.json`` (materials, images, parts, warnings and so on) and the images
that the file carries.
"""

import json
import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import job_server
import material_reader
import scenes
from scenes import values

MOST_SHOWN = 3


def read(job):
    """Do a job; the answer holds counts, or the names of the file's actions where it lacks the pose's or a mesh."""
    signs = {} if Path(job["path"]).suffix.lower() == ".fbx" else None
    stacked = {}
    scenes.open_file(job["path"], signs, {}, stacked)
    scene = bpy.context.scene
    actions = len(bpy.data.actions)
    pose = job.get("pose", "rest")
    odd = scenes.put_in_pose(pose, job.get("actions"))
    if odd is None:
        return {"actions": [action.name for action in bpy.data.actions]}
    unrendered = scenes.use_render_settings()
    images = material_reader.ImageFiles(job["out"])
    reader = material_reader.Reader(images, signs)
    reader.warnings |= dict.fromkeys(odd, 1)
    collected = Collected(reader)
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    for evaluated, mesh, matrix, maker in scenes.shown(graph):
        collected.add(mesh, evaluated, np.array(matrix), _names(maker, evaluated.original))
    if not collected.pieces:
        return {"bare": [action.name for action in bpy.data.actions]}
    arrays = collected.arrays()
    if unrendered:
        reader.warnings[f"a render would show no mesh, so what the viewport shows was read ({_listed(unrendered)})"] = 1
    shown = [collected.materials[k] for k in np.unique(arrays["face_material"])]
    bare = [material["name"] for material in shown if material["bare"]]
    if 0 < len(bare) < len(shown):
        noun, has, were = ("material", "has", "was") if len(bare) == 1 else ("materials", "have", "were")
        told = f"{noun} {_listed(bare)} {has} no colour and no image that Blender reads, and {were} drawn in plain grey"
        reader.warnings[f"{told}: export it again as GLB"] = 1
    for name in [material["name"] for material in shown if material["name"] in stacked]:
        told = f"the texture of material '{name}' has {stacked[name]} layers, of which the lowest alone was taken"
        reader.warnings[f"{told}: bake them into one image"] = 1
    strands = [item.name for item in scenes.rendered() if _has_strands(item)]
    if strands:
        named = _listed(strands)
        reader.warnings[f"hair or fur made of strands was left out ({named}): make it a mesh in Blender to have it"] = 1
    drawn = [item.name for item in scenes.rendered() if item.type in ("GPENCIL", "GREASEPENCIL")]
    if drawn:
        reader.warnings[f"what is drawn with Grease Pencil was left out ({_listed(drawn)}): make it a mesh"] = 1
    elsewhere = [s.name for s in bpy.data.scenes if any(o.type == "MESH" and not o.users_scene[1:] for o in s.objects)]
    if unread := [name for name in elsewhere if name != scene.name]:
        reader.warnings[f"its other scenes have meshes too, which were not read ({_listed(unread)})"] = 1
    if bpy.data.libraries:
        reader.warnings["it links other .blend files; changes in them are not noticed"] = 1
    facts = {
        "blender": bpy.app.version_string,
        "materials": collected.materials,
        "images": images.described,
        "parts": collected.parts,
        "skinned": any(m.type == "ARMATURE" for o in scene.objects for m in o.modifiers),
        "animations": actions,
        "landmarks": _landmarks(scene, graph),
        "rest_landmarks": [] if pose == "rest" else _landmarks(scene),
        "warnings": list(reader.warnings),
        "idle": [] if any(material["texture"] for material in shown) else _idle_images(),
    }
    np.savez(Path(job["out"]) / "mesh.npz", **arrays)
    (Path(job["out"]) / "mesh.json").write_text(json.dumps(facts), encoding="utf-8")
    return {"triangles": len(arrays["faces"]), "blender": bpy.app.version_string}


def _idle_images():
    """Where the images lie that textures name which no material shows: those of Blender before 2.80 lose them here."""
    images = [texture.image for texture in bpy.data.textures if texture.type == "IMAGE" and texture.image]
    return list(dict.fromkeys(image.filepath for image in images if image.filepath and not image.packed_file))


def _listed(names):
    return ", ".join(f"'{name}'" for name in names[:MOST_SHOWN]) + (" and others" if names[MOST_SHOWN:] else "")


class Collected:
    """The triangles of all objects so far."""

    def __init__(self, reader):
        self.reader = reader
        self.materials = []
        self.parts = []
        self._slots = {}
        self.pieces = []

    def add(self, mesh, item, matrix, names):
        """Add a mesh as an object shows it, with the names that it goes by."""
        self.parts.append(names)
        mesh.calc_loop_triangles()
        triangles = len(mesh.loop_triangles)
        corners = values(mesh.loop_triangles, "loops", 3 * triangles, np.int32).reshape(-1, 3)
        faces = values(mesh.loop_triangles, "vertices", 3 * triangles, np.int32).reshape(-1, 3)
        slot = values(mesh.loop_triangles, "material_index", triangles, np.int32)
        points = values(mesh.vertices, "co", 3 * len(mesh.vertices), np.float32).reshape(-1, 3)
        normals = _corner_normals(mesh)[corners]
        slots = [self._material(s.material) for s in item.material_slots] or [self._material(None)]
        slot = np.clip(slot, 0, len(slots) - 1)
        linear = matrix[:3, :3].astype(np.float64)
        turned = normals @ np.linalg.pinv(linear)
        if np.linalg.det(linear) < 0:
            faces, corners, turned = (a[:, ::-1] for a in (faces, corners, turned))
        length = np.linalg.norm(turned, axis=-1, keepdims=True)
        piece = {
            "vertices": (points @ linear.T + matrix[:3, 3]).astype(np.float32),
            "faces": faces,
            "face_material": np.array(slots, np.int32)[slot],
            "normals": np.divide(turned, length, out=np.zeros_like(turned), where=length > 0).astype(np.float32),
            "uv": self._uv(mesh, corners, slots, slot),
            "colors": self._colors(mesh, corners, slots, slot),
        }
        self.pieces.append(piece)

    def _material(self, material):
        key = None if material is None else material.name
        if key not in self._slots:
            self._slots[key] = len(self.materials)
            self.materials.append(self.reader.read(None if material is None else material.original))
        return self._slots[key]

    def _uv(self, mesh, corners, slots, slot):
        if not len(mesh.uv_layers):
            return None
        default = next((u for u in mesh.uv_layers if u.active_render), mesh.uv_layers[0])
        layers = {u.name: values(u.data, "uv", 2 * len(mesh.loops), np.float32).reshape(-1, 2) for u in mesh.uv_layers}
        uv = layers[default.name][corners]
        for k, index in enumerate(slots):
            texture = self.materials[index]["texture"] or self.materials[index]["opacity"]
            chosen = slot == k
            if texture is not None and chosen.any():
                rows = np.array(texture["transform"], np.float64)
                source = layers.get(texture["uv"] or default.name, layers[default.name])[corners[chosen]]
                uv[chosen] = source @ rows[:, :2].T + rows[:, 2]
        return np.stack([uv[..., 0], 1 - uv[..., 1]], axis=-1).astype(np.float32)

    def _colors(self, mesh, corners, slots, slot):
        """Vertex colours where a material asks for them, else white; None if no material does."""
        out = np.ones((len(corners), 3, 4), np.float32)
        used = False
        for k, index in enumerate(slots):
            name = self.materials[index]["vertex_colors"]
            chosen = slot == k
            layer = None if name is None else _color_layer(mesh, name)
            if layer is None or not chosen.any():
                continue
            found = values(layer.data, "color", 4 * len(layer.data), np.float32).reshape(-1, 4)
            if layer.domain == "POINT":
                found = found[values(mesh.loops, "vertex_index", len(mesh.loops), np.int32)]
            out[chosen] = found[corners[chosen]]
            out[..., 3] = 1.0
            if name == "":
                # The attribute stands in for a colour that nobody set.
                self.materials[index]["bare"] = False
                out[chosen, :, :3] /= np.maximum(np.array(self.materials[index]["base_color"][:3], np.float32), 1e-3)
            used = True
        return out if used else None

    def arrays(self):
        """All pieces as one mesh."""
        pieces = self.pieces
        firsts = np.cumsum([0] + [len(p["vertices"]) for p in pieces])
        arrays = {
            "vertices": np.concatenate([p["vertices"] for p in pieces]),
            "faces": np.concatenate([p["faces"] + f for p, f in zip(pieces, firsts[:-1], strict=True)]).astype(
                np.int32
            ),
            "face_material": np.concatenate([p["face_material"] for p in pieces]),
            "face_part": np.repeat(np.arange(len(pieces), dtype=np.int32), [len(p["faces"]) for p in pieces]),
            "normals": np.concatenate([p["normals"] for p in pieces]),
        }
        for key, fill, width in (("uv", 0, 2), ("colors", 1, 4)):
            if any(p[key] is not None for p in pieces):
                blank = [np.full((len(p["faces"]), 3, width), fill, np.float32) for p in pieces]
                arrays[key] = np.concatenate(
                    [b if p[key] is None else p[key] for p, b in zip(pieces, blank, strict=True)]
                )
        return arrays


def _has_strands(item):
    """Whether a render shows an object with strands of hair, which are no surface."""
    particles = (m.particle_system.settings for m in item.modifiers if m.type == "PARTICLE_SYSTEM" and m.show_render)
    return item.type == "CURVES" or any(s.type == "HAIR" and s.render_type == "PATH" for s in particles)


def _landmarks(scene, graph=None):
    """Name and place of every object, and of every bone: at rest, or in the pose of a dependency graph."""
    found = []
    for item in scene.objects:
        found.append([item.name, list(item.matrix_world.translation)])
        if item.type == "ARMATURE":
            bones = item.data.bones if graph is None else item.evaluated_get(graph).pose.bones
            found += [[b.name, list(item.matrix_world @ (b.head_local if graph is None else b.head))] for b in bones]
    return [[name, place] for name, place in found if np.isfinite(place).all()]


def _names(item, shown):
    """What an object can be called: by its own name, its mesh's, or that of a bone or object that it hangs below."""
    names = [item.name]
    if shown.data is not None:
        names.append(shown.data.name)
    if shown.name != item.name:
        names.append(shown.name)
    while item.parent is not None:
        if item.parent_type == "BONE" and item.parent_bone:
            names.append(item.parent_bone)
        item = item.parent
        names.append(item.name)
    return list(dict.fromkeys(names))


def _corner_normals(mesh):
    if hasattr(mesh, "corner_normals"):
        return values(mesh.corner_normals, "vector", 3 * len(mesh.loops), np.float32).reshape(-1, 3)
    mesh.calc_normals_split()
    return values(mesh.loops, "normal", 3 * len(mesh.loops), np.float32).reshape(-1, 3)


def _color_layer(mesh, name):
    layers = [c for c in mesh.color_attributes if c.domain in ("POINT", "CORNER")]
    shown = mesh.color_attributes.render_color_index
    if not name and 0 <= shown < len(mesh.color_attributes):
        name = mesh.color_attributes[shown].name
    return next((c for c in layers if c.name == name), None)


if __name__ == "__main__":
    job_server.main(read, {"blender": bpy.app.version_string})
