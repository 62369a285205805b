"""Read how a character moves from a file that only Blender can read, and write it as plain arrays.

    blender -b -P read_rig.py -- JOB.json
    python read_rig.py JOB.json            (with the bpy package)

A job is that of ``read_character.py``, whatever its pose. Nodes (J) are bones and objects, parents first; vertices (V)
are those that ``read_character.py`` writes, in its order. ``rig.npz`` holds of the rest, each with ``_rest`` behind its
name,

    parents         (J,) int32, -1 for those without
    local           (J, 4, 4) float64, from each node's coordinates to its parent's
    points          (V, 3) float32, in the coordinates of the vertex's object
    slots, weights  (V, K) int32, float32: a point is moved by these slots as by these weights, which sum to 1
    nodes, binds    (P,) int32, (P, 4, 4) float64: node of each slot, and from the points' coordinates to the node's
    morph_nodes, morph_targets, morph_sizes   (M,) int32; and of one morph after the other
    morph_vertices, morph_offsets             (...,) int32, (..., 3) float32: added to points at weight 1
    morph_weights   (...,) float32, of one node of `morphed` in rig.json after the other
    checked         (S,) int32, some vertices

and of each motion, with its number behind the name as in ``_0``,

    times           (T,) seconds from its first frame on
    local, morph_weights    (T, J, 4, 4) and (T, ...) float32
    check_times, check      (C,) of the times, and (C, S, 3) float32 where Blender has the checked vertices then

and ``rig.json`` names of nodes and motions, nodes that are bones, motions that cannot be played and why, the nodes with
morphs with how many they have, what of the file no skin can do, and the layers of takes that are the sum of several.
"""

import json
import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import job_server
import scenes
from scenes import values

MOST_FRAMES = 10_000
"""Of one motion."""

MOST_MATRICES, MOST_POINTS = 2_000_000, 1_000_000_000
"""Nodes times frames, and vertices times frames, of all of a file's motions: 100 MB, and some minutes."""

CHECKS, CHECKED = 4, 2_000
"""Frames of each motion, and vertices at most, that Blender's own places are kept of."""

LEAST_WEIGHT = 1e-4
"""All weights of a vertex together, up to which Blender leaves it to its object."""

HARMLESS = frozenset({"ARMATURE", "MIRROR", "SUBSURF", "TRIANGULATE", "EDGE_SPLIT", "WEIGHTED_NORMAL", "UV_PROJECT"})
"""Modifiers that a skin can stand for, or nearly."""

TRANSFORM = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")


def read(job):
    """Do a job; the answer holds counts."""
    layered = {}
    scenes.open_file(job["path"], {}, layered, {})
    scenes.use_render_settings()
    opened = Opened()
    scenes.put_in_pose("rest", None)
    graph = _graph()
    nodes = Nodes()
    keys = Keys(nodes)
    worlds = nodes.worlds()
    for (_, name), world in zip(nodes.names, worlds, strict=True):
        if not np.isfinite(world).all():
            raise job_server.JobError(f"'{name}' is at no finite place")
    hung = Hung(nodes, worlds, graph)
    arrays = hung.arrays() | {"parents": nodes.parents, "local": nodes.local(worlds), "morph_weights": keys.now()}
    count = len(arrays["points"])
    arrays["checked"] = np.linspace(0, max(count - 1, 0), min(count, CHECKED)).astype(np.int32)
    sampler = Sampler(nodes, keys, arrays["checked"], count)
    for name, actions in scenes.takes():
        opened.restore()
        sampler.add(name, actions)
    opened.restore()
    scenes.put_in_pose("rest", None)
    arrays |= keys.morphs(hung.firsts, arrays["points"], [arrays["morph_weights"], *sampler.morph_weights()])
    arrays = {f"{name}_rest": array for name, array in arrays.items()}
    np.savez(Path(job["out"]) / "rig.npz", **arrays, **sampler.arrays)
    facts = {
        "names": [name for _, name in nodes.names],
        "bones": sorted(node for key, node in nodes.index.items() if len(key) > 1),
        "morphed": [[node, len(blocks)] for node, _, blocks in keys.of],
        "motions": sampler.motions,
        "spoilt": sampler.spoilt,
        "unlike": sorted(hung.unlike),
        "layered": layered,
    }
    (Path(job["out"]) / "rig.json").write_text(json.dumps(facts), encoding="utf-8")
    return {"nodes": len(nodes.names), "motions": len(sampler.motions)}


def _graph():
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    return graph


class Opened:
    """What actions change, as it was when the file had been opened."""

    def __init__(self):
        self._frame = bpy.context.scene.frame_current_final
        self._animated = []
        for thing in scenes.animated_things():
            data = thing.animation_data
            if data is not None:
                self._animated.append((data, data.action, getattr(data, "action_slot", None), data.use_nla))
        self._positions = [(armature, armature.pose_position) for armature in bpy.data.armatures]
        self._values = []
        for thing in scenes.animated_things():
            if thing.id_type == "KEY":
                self._values += [(block, "value", block.value) for block in thing.key_blocks]
                continue
            for moved in (thing, *(thing.pose.bones if thing.pose is not None else ())):
                self._values += [(moved, name, tuple(getattr(moved, name))) for name in TRANSFORM]

    def restore(self):
        """Make it so again."""
        for thing in scenes.animated_things():
            if thing.animation_data is not None:
                thing.animation_data.action = None
        for data, action, slot, use_nla in self._animated:
            data.action, data.use_nla = action, use_nla
            if hasattr(data, "action_slot"):
                data.action_slot = slot
        for armature, position in self._positions:
            armature.pose_position = position
        for thing, name, value in self._values:
            setattr(thing, name, value)
        scenes.show_frame(self._frame)


class Nodes:
    """The scene's objects that are drawn or move what is, with the bones of armatures after each, parents first.

    Attributes:
        names: of each (object, node).
        index: of (object,) or (object, bone).
        parents: (J,) int32.
    """

    def __init__(self):
        items = [o for o in bpy.context.scene.objects if o.type in (*scenes.GEOMETRY, "ARMATURE", "EMPTY")]
        items = dict.fromkeys(above for o in items for above in reversed([o, *_above(o)]))
        self.names, self.index, self._items, parents = [], {}, [], []
        for item in sorted(items, key=lambda o: len(_above(o))):
            parent = -1
            if item.parent is not None:
                bone = item.parent_bone if item.parent_type == "BONE" else None
                parent = self.index.get((item.parent.name, bone), self.index[item.parent.name,])
            self._items.append((item, len(self.names)))
            self.index[item.name,] = len(self.names)
            self.names.append((item.name, item.name))
            parents.append(parent)
            for bone in () if item.type != "ARMATURE" else _parents_first(item.data.bones):
                self.index[item.name, bone.name] = len(self.names)
                self.names.append((item.name, bone.name))
                above = (item.name,) if bone.parent is None else (item.name, bone.parent.name)
                parents.append(self.index[above])
        self.parents = np.array(parents, np.int32)

    def worlds(self):
        """(J, 4, 4) float64, from each node's coordinates to the scene's, as they are now."""
        found = np.empty((len(self.names), 4, 4))
        for item, first in self._items:
            world = np.array(item.matrix_world, np.float64)
            found[first] = world
            if item.type == "ARMATURE":
                bones = item.pose.bones
                poses = values(bones, "matrix", 16 * len(bones), np.float32).reshape(-1, 4, 4).transpose(0, 2, 1)
                found[[self.index[item.name, bone.name] for bone in bones]] = world @ poses
        return found

    def local(self, worlds):
        """(..., J, 4, 4), from each node's coordinates to its parent's, of those to the scene's."""
        inverses = _inverse(worlds)[..., self.parents, :, :]
        return np.where((self.parents < 0)[:, None, None], worlds, inverses @ worlds)


def _inverse(matrices):
    """The inverses, as far as there are any, of finite matrices (..., 4, 4)."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        return np.linalg.pinv(matrices, rcond=1e-12)


def _above(item):
    found = []
    while item.parent is not None:
        item = item.parent
        found.append(item)
    return found


def _parents_first(bones):
    return sorted(bones, key=lambda bone: len(bone.parent_recursive))


class Hung:
    """How the vertices of all that is drawn hang on nodes, read at rest.

    Attributes:
        firsts: row of the first vertex, and how many there are, by name of object; instances are left out.
        unlike: what of the file moves vertices otherwise.
    """

    def __init__(self, nodes, worlds, graph):
        self.firsts, self.unlike = {}, set()
        self.points = [np.empty((0, 3), np.float32)]
        self._nodes = nodes
        self._slots, self._binds = [], []
        self._rows, self._of, self._weights = [np.empty(0, np.int64)], [np.empty(0, np.int32)], [np.empty(0)]
        inverses = _inverse(worlds)
        base = 0
        for evaluated, mesh, matrix, maker in scenes.shown(graph):
            item, count = evaluated.original, len(mesh.vertices)
            node = nodes.index[maker.name,]
            self.points.append(values(mesh.vertices, "co", 3 * count, np.float32).reshape(-1, 3))
            slot = self._slot(node, inverses[node] @ np.array(matrix, np.float64))
            found = np.empty((3, 0))
            if maker == item:
                self.firsts[item.name] = (base, count)
                found = self._skin(item, mesh, worlds, inverses)
            rows, slots, weights = found
            total = np.bincount(rows.astype(np.int64), weights, minlength=count)
            skinned = total > LEAST_WEIGHT
            kept = skinned[rows.astype(np.int64)]
            alone = np.flatnonzero(~skinned)
            self._rows += [rows[kept].astype(np.int64) + base, alone + base]
            self._of += [slots[kept].astype(np.int32), np.full(len(alone), slot, np.int32)]
            self._weights += [weights[kept] / total[rows[kept].astype(np.int64)], np.ones(len(alone))]
            base += count

    def _slot(self, node, bind):
        self._slots.append(node)
        self._binds.append(bind)
        return len(self._slots) - 1

    def _skin(self, item, mesh, worlds, inverses):
        """Rows, slots and weights (3, N) of what the armature of an object does to its vertices."""
        self.unlike |= {m.type.lower().replace("_", " ") for m in item.modifiers if m.type not in HARMLESS}
        modifiers = [m for m in item.modifiers if m.type == "ARMATURE" and m.show_render and m.object is not None]
        armatures = [m.object for m in modifiers]
        if item.parent is not None and item.parent_type == "ARMATURE":
            armatures.append(item.parent)
        if not armatures:
            return np.empty((3, 0))
        self._note(modifiers, armatures)
        armature = armatures[0]
        if (armature.name,) not in self._nodes.index:
            return np.empty((3, 0))
        to_armature = inverses[self._nodes.index[armature.name,]] @ worlds[self._nodes.index[item.name,]]
        slots = {}
        for group in item.vertex_groups:
            bone = armature.data.bones.get(group.name)
            if bone is not None and bone.use_deform:
                bind = np.linalg.inv(np.array(bone.matrix_local, np.float64)) @ to_armature
                slots[group.index] = self._slot(self._nodes.index[armature.name, bone.name], bind)
        found = [
            (vertex.index, slots[g.group], g.weight)
            for vertex in mesh.vertices
            for g in vertex.groups
            if g.group in slots and g.weight > 0
        ]
        return np.array(found, np.float64).reshape(-1, 3).T

    def _note(self, modifiers, armatures):
        if len(armatures) > 1:
            self.unlike.add("several armatures of one mesh")
        if any(m.use_deform_preserve_volume for m in modifiers):
            self.unlike.add("preserved volume")
        if any(m.use_bone_envelopes for m in modifiers):
            self.unlike.add("envelopes of bones")
        if any(m.vertex_group for m in modifiers):
            self.unlike.add("an armature for some of the vertices")
        bones = [bone for armature in armatures for bone in armature.data.bones]
        if any(bone.bbone_segments > 1 for bone in bones):
            self.unlike.add("bendy bones")
        if any(bone.inherit_scale not in ("FULL", "ALIGNED") for bone in bones):
            self.unlike.add("bones that take no scale from those above them")

    def arrays(self):
        """As `rig.npz` has them."""
        rows, of, weights = (np.concatenate(a) for a in (self._rows, self._of, self._weights))
        points = np.concatenate(self.points)
        order = np.lexsort((-weights, rows))
        rows, of, weights = rows[order], of[order], weights[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        width = int(place.max(initial=0)) + 1
        slots, shares = np.zeros((len(points), width), np.int32), np.zeros((len(points), width), np.float32)
        slots[rows, place], shares[rows, place] = of, weights
        return {
            "points": points,
            "slots": slots,
            "weights": shares,
            "nodes": np.array(self._slots, np.int32),
            "binds": np.array(self._binds, np.float64).reshape(-1, 4, 4),
        }


class Keys:
    """The shape keys of objects.

    Attributes:
        of: (node, object, key blocks) of each object that has some.
    """

    def __init__(self, nodes):
        self.of = []
        for item in bpy.context.scene.objects:
            keys = scenes.shape_keys(item)
            if keys is not None and keys.use_relative and (item.name,) in nodes.index:
                self.of.append((nodes.index[item.name,], item, keys.key_blocks))

    def now(self):
        """Their weights, object by object, as they are now: float32."""
        return np.array([block.value for _, _, blocks in self.of for block in blocks], np.float32)

    def morphs(self, firsts, points, weights):
        """Those of the keys whose weights (..., all keys) are not always the same, and points without them.

        To be had at rest; `firsts` are those of `Hung`, and `points` its points.
        """
        moved = np.ptp(np.concatenate([np.atleast_2d(w) for w in weights]), axis=0) > 0
        every = [(node, item, target, block) for node, item, blocks in self.of for target, block in enumerate(blocks)]
        found, points = [], points.copy()
        for (node, item, target, block), moves in zip(every, moved, strict=True):
            if moves and item.name in firsts:
                first, count = firsts[item.name]
                offsets = _pinned(item, block, count) - _pinned(item, block.relative_key, count)
                points[first : first + count] -= block.value * offsets
                rows = np.flatnonzero(np.abs(offsets).max(axis=1) > 0)
                found.append((node, target, len(rows), rows + first, offsets[rows]))
        nodes, targets, sizes, rows, offsets = zip(*found, strict=True) if found else ((), (), (), (), ())
        return {
            "points": points,
            "morph_nodes": np.array(nodes, np.int32),
            "morph_targets": np.array(targets, np.int32),
            "morph_sizes": np.array(sizes, np.int32),
            "morph_vertices": np.concatenate([np.empty(0), *rows]).astype(np.int32),
            "morph_offsets": np.concatenate([np.empty((0, 3)), *offsets]).astype(np.float32),
        }


def _pinned(item, block, count):
    """Points (V, 3) of an object as its modifiers make them where one key alone is its shape."""
    item.show_only_shape_key = True
    item.active_shape_key_index = list(scenes.shape_keys(item).key_blocks).index(block)
    try:
        evaluated = item.evaluated_get(_graph())
        mesh = evaluated.to_mesh()
        if len(mesh.vertices) != count:
            raise job_server.JobError(f"the shape keys of '{item.name}' change how many vertices it has")
        return values(mesh.vertices, "co", 3 * count, np.float32).reshape(-1, 3)
    finally:
        item.show_only_shape_key = False


class Sampler:
    """Motions, frame by frame.

    Attributes:
        motions, spoilt: names, and names with a sentence.
        arrays: as `rig.npz` has them.
    """

    def __init__(self, nodes, keys, checked, count):
        self.motions, self.spoilt, self.arrays = [], [], {}
        self._nodes, self._keys, self._checked, self._count = nodes, keys, checked, count
        self._left = min(MOST_MATRICES // max(len(nodes.names), 1), MOST_POINTS // max(count, 1))
        render = bpy.context.scene.render
        self._fps = render.fps / render.fps_base

    def add(self, name, actions):
        """Sample a motion of some actions, which opened things have not been given yet."""
        why = self._sample(name, actions)
        if why is not None:
            self.spoilt.append([name, why])

    def _sample(self, name, actions):
        if not any(scenes.curves(action) for action in actions):
            return "moves nothing"
        ranges = np.array([tuple(action.frame_range) for action in actions])
        first, last = ranges[:, 0].min(), ranges[:, 1].max()
        most = min(MOST_FRAMES, self._left)
        if not np.isfinite(ranges).all():
            return "has keys at no finite time"
        if not any(scenes.owners(action) for action in actions):
            return "moves nothing that is drawn"
        if last - first >= most:
            return f"has {last - first + 1:.0f} frames; the most that are read of it are {most}"
        frames = np.append(np.arange(first, last - 1e-6), last)
        checks = np.unique(np.linspace(0, len(frames) - 1, CHECKS).astype(int))
        scenes.play(actions)
        worlds = np.empty((len(frames), len(self._nodes.names), 4, 4))
        weights, places = [], []
        for k, frame in enumerate(frames):
            scenes.show_frame(frame)
            worlds[k] = self._nodes.worlds()
            weights.append(self._keys.now())
            if not (np.isfinite(worlds[k]).all() and np.isfinite(weights[k]).all()):
                return f"has values that are not finite numbers at frame {frame:g}"
            if k in checks:
                places.append(_places(self._checked, self._count))
                if places[-1] is None:
                    return f"has other vertices at frame {frame:g} than at rest"
        self._left -= len(frames)
        number = len(self.motions)
        self.motions.append(name)
        times = (frames - first) / self._fps
        self.arrays |= {
            f"times_{number}": times,
            f"local_{number}": self._nodes.local(worlds).astype(np.float32),
            f"morph_weights_{number}": np.array(weights, np.float32),
            f"check_times_{number}": times[checks],
            f"check_{number}": np.array(places, np.float32),
        }
        return None

    def morph_weights(self):
        """Of all motions."""
        return [self.arrays[f"morph_weights_{k}"] for k in range(len(self.motions))]


def _places(chosen, count):
    """Where Blender has some of the vertices now, (S, 3); None if there are more of them or fewer."""
    found = [np.empty((0, 3))]
    for _, mesh, matrix, _ in scenes.shown(bpy.context.evaluated_depsgraph_get()):
        points = values(mesh.vertices, "co", 3 * len(mesh.vertices), np.float32).reshape(-1, 3)
        world = np.array(matrix, np.float64)
        found.append(points @ world[:3, :3].T + world[:3, 3])
    places = np.concatenate(found)
    return places[chosen] if len(places) == count else None


if __name__ == "__main__":
    job_server.main(read, {"blender": bpy.app.version_string})
