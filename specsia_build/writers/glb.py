"""Write a character as a GLB file: still, or skinned with any number of animations of one mesh."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import __version__
from specsia_build.animation.motion import ROTATION, TRANSLATION, WEIGHTS, Motion, Track, poses
from specsia_build.arrays import Doubles, Floats
from specsia_build.files.glb import INDICES, VERTICES, GlbWriter
from specsia_build.files.writing import write_bytes
from specsia_build.rendering.patches import Patch, patches
from specsia_build.warning import Warning
from specsia_build.writers.exported import ExportedCharacter
from specsia_build.writers.materials import UNLIT, GltfMaterials
from specsia_build.writers.skin import BoundSkin

_MOST_SHORT = 65535  # Vertices up to which indices have two bytes: the last number is reserved
_SAMPLE, _INSTANT = 1 / 60, 1e-3  # Seconds between samples of splines of weights, and before steps


def write_glb(path: Path, character: ExportedCharacter) -> tuple[Warning, ...]:
    """Write a character as a GLB file, whole or not at all; returns warnings about what glTF cannot hold.

    The file is in metres, Y up, facing +Z, its lowest point at 0. With a rig it holds one skinned mesh below
    no other node, and each motion as an animation that begins at 0 seconds. Raises `CharacterError` if the
    mesh has no surface or no height.
    """
    body = GlbBody(character)
    write_bytes(path, body.encode())
    return body.about(path)


class GlbBody:
    """The contents of a GLB file, to which extensions may be added."""

    def __init__(self, character: ExportedCharacter) -> None:
        self.glb = GlbWriter()  # What is written; node k of the skeleton is node k + 1
        self.extensions: dict[str, Any] = {}  # Of the root, by name
        self._character = character
        self._lacks: tuple[str, ...] = ()
        skin = None
        if character.rig is not None:
            skin = BoundSkin.of(character.rig, character.to_metres())
            self._lacks = skin.lacks
        mesh = _mesh(self.glb, character, skin)
        if skin is None:
            self._roots = [self.glb.add("nodes", name=character.name, mesh=mesh)]
            return
        holder = self.glb.add("nodes", name=character.name, mesh=mesh, skin=skin.add_nodes(self.glb))
        self._roots = [0, holder]
        _add_animations(self.glb, skin, holder, character.motions)

    def about(self, path: Path) -> tuple[Warning, ...]:
        """What the file lacks."""
        return tuple(Warning("not-written", f"{path.name}: {lack}", path.name) for lack in self._lacks)

    def encode(self) -> bytes:
        """The bytes of the file."""
        character = self._character
        owner = "; ".join(filter(None, (character.credit, character.license)))
        asset = {"version": "2.0", "generator": f"written by specsia {__version__}"}
        root: dict[str, Any] = {"asset": asset | ({"copyright": owner} if owner else {})}
        used = sorted(self.extensions)
        if any(UNLIT in material.get("extensions", {}) for material in self.glb.lists["materials"]):
            used.append(UNLIT)
        if used:
            root["extensionsUsed"] = used
        if self.extensions:
            root["extensions"] = self.extensions
        return self.glb.encode(**root, scene=0, scenes=[{"nodes": self._roots}])


def _mesh(glb: GlbWriter, character: ExportedCharacter, skin: BoundSkin | None) -> int:
    """Add the mesh, with a primitive for each material; returns its index."""
    mesh, materials = character.mesh, GltfMaterials(glb, character.lit)
    entries: list[dict[str, Any]] = []
    points = character.in_metres().vertices if skin is None else skin.points
    attributes = {"TEXCOORD_0": mesh.uv, "NORMAL": character.normals(), "COLOR_0": mesh.colors}
    given = {name: values for name, values in attributes.items() if values is not None}
    for patch in patches(mesh.faces, mesh.face_material, list(given.values())):
        material = mesh.materials[patch.material]
        stored = {"POSITION": glb.accessor(points[patch.rows].astype("<f4"), VERTICES, bounds=True)}
        for name, values in given.items():
            own = values.reshape(-1, values.shape[2])[patch.corners].astype(np.float32)
            if name == "TEXCOORD_0" and material.texture is material.emissive_texture is None:
                continue
            if name == "COLOR_0":
                own = np.clip(own, 0.0, 1.0)
            if name == "NORMAL":
                # Z up, as the points that are stored have them.
                own = np.stack([own[:, 0], own[:, 2], -own[:, 1]], axis=1)
                own = own if skin is None else skin.normals(patch.rows, own)
            stored[name] = glb.accessor(own, VERTICES)
        if skin is not None:
            stored |= skin.attributes(glb, patch.rows)
        entry = {"attributes": stored, "indices": _indices(glb, patch.triangles)}
        entry["material"] = materials.add(material, coloured=mesh.colors is not None)
        if skin is not None and skin.targets:
            entry["targets"] = [{"POSITION": _target(glb, skin, patch, target)} for target in skin.targets]
        entries.append(entry)
    weights = None
    if skin is not None and skin.targets:
        rest = skin.rig.skeleton.morph_weights
        weights = [float(rest[node][k]) if k < len(rest.get(node, ())) else 0.0 for node, k in skin.targets]
    return glb.add("meshes", name=character.name, primitives=entries, weights=weights)


def _indices(glb: GlbWriter, triangles: NDArray[np.int64]) -> int:
    """Add triangles (F, 3)."""
    kind = "<u2" if triangles.max() < _MOST_SHORT else "<u4"
    return glb.accessor(triangles.reshape(-1).astype(kind), INDICES)


def _target(glb: GlbWriter, skin: BoundSkin, patch: Patch, target: tuple[int, int]) -> int:
    """Add the offsets of a patch's vertices by a morph target."""
    offsets = np.zeros((len(skin.points), 3), np.float32)
    for morph in skin.rig.morphs:
        if (morph.node, morph.target) == target:
            offsets[morph.vertices] = skin.offsets(morph.vertices, morph.offsets)
    own = offsets[patch.rows]
    moved = np.flatnonzero(own.any(axis=1))
    return glb.sparse(moved, own[moved], len(own))


def _add_animations(glb: GlbWriter, skin: BoundSkin, holder: int, motions: Sequence[Motion]) -> None:
    """Add each motion that moves anything; `holder` is the node of the mesh."""
    times: dict[bytes, int] = {}
    for number, motion in enumerate(motions):
        tracks = [track for track in motion.tracks if track.path != WEIGHTS]
        keys = [(track.node + 1, track, _values(track, skin.scale)) for track in tracks]
        if (shapes := _shapes(motion, skin)) is not None:
            keys.append((holder, shapes, shapes.values.reshape(-1)))
        if not keys:
            continue
        begin = min(float(track.times[0]) for _, track, _ in keys)
        samplers, channels = list[dict[str, Any]](), list[dict[str, Any]]()
        for node, track, values in keys:
            seconds = _rising(track.times - begin)
            key = seconds.tobytes()
            if key not in times:
                times[key] = glb.accessor(seconds, bounds=True)
            output = glb.accessor(values.astype("<f4"))
            samplers.append({"input": times[key], "output": output, "interpolation": _kind(track)})
            channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": track.path}})
        name = motion.name or f"motion {number + 1}"
        glb.add("animations", name=name, samplers=samplers, channels=channels)


def _values(track: Track, scale: float) -> Doubles:
    """Values of a track as they are stored, (K, W), or (3 K, W) for splines: rotations of length 1."""
    values = track.values
    if track.interpolation == "CUBICSPLINE" and _kind(track) != "CUBICSPLINE":
        values = values[:, 1]
    if track.path == TRANSLATION:
        values = values * scale
    if track.path == ROTATION:
        values = values.copy()
        turns = values[:, 1] if _kind(track) == "CUBICSPLINE" else values
        turns /= np.maximum(np.linalg.norm(turns, axis=-1, keepdims=True), 1e-12)
    return values.reshape(-1, values.shape[-1])


def _shapes(motion: Motion, skin: BoundSkin) -> Track | None:
    """The weights of all morph targets as one track; None without.

    It is linear between keys: splines are sampled, and a step becomes a short ramp that ends at its key.
    """
    nodes = {node for node, _ in skin.targets}
    tracks = [track for track in motion.tracks if track.path == WEIGHTS and track.node in nodes]
    if not tracks:
        return None
    times = np.unique(np.concatenate([_keys(track) for track in tracks]))
    weights = poses(skin.rig.skeleton, motion, times).morph_weights
    columns = []
    for node, target in skin.targets:
        own = weights.get(node, np.zeros((len(times), 0)))
        columns.append(own[:, target] if target < own.shape[1] else np.zeros(len(times)))
    return Track(tracks[0].node, WEIGHTS, times, np.stack(columns, axis=1))


def _keys(track: Track) -> Doubles:
    """Times between which a track is linear, or nearly so."""
    if _kind(track) == "STEP":
        return np.concatenate([track.times, track.times[1:] - _INSTANT])
    if _kind(track) == "CUBICSPLINE":
        return np.concatenate([track.times, np.arange(track.times[0], track.times[-1], _SAMPLE)])
    return track.times


def _kind(track: Track) -> str:
    """Interpolation of a track; splines need two keys."""
    return "LINEAR" if len(track.times) < 2 else track.interpolation


def _rising(times: Doubles) -> Floats:
    """Times (K,) float32 where each is later than the one before, as glTF demands."""
    seconds = times.astype("<f4")
    for k in range(1, len(seconds)):
        if seconds[k] <= seconds[k - 1]:
            seconds[k] = np.nextafter(seconds[k - 1], np.float32(np.inf))
    return seconds
