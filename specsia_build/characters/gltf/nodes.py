"""The nodes of a glTF file as a skeleton, with its skins, animations and humanoid bones."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import Interpolation, Motion, Path, Track
from specsia_build.animation.skeleton import Skeleton, composed, decomposed
from specsia_build.arrays import Doubles
from specsia_build.characters.actions import chosen, unknown_action
from specsia_build.characters.character import Motions
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document, denormalise
from specsia_build.errors import CharacterError, CostError, some

MOST_NODES = 50_000  # Nodes of a file; each takes a tenth of a millisecond to read
_MOST_SKINS = 64  # Skins that are searched for bind poses
_INSTANCE_COST = 600  # Bytes of memory of an instance's transform
_AT_REST = {"TRANSLATION": (0.0, 0.0, 0.0), "ROTATION": (0.0, 0.0, 0.0, 1.0), "SCALE": (1.0, 1.0, 1.0)}
_KEY_COST = 32  # Bytes of memory for a number of a key while it is read
_PATHS: tuple[str, ...] = get_args(Path)
_INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)
_WIDTHS = {"translation": 3, "rotation": 4, "scale": 3}


@dataclass(frozen=True)
class Hierarchy:
    """All N nodes of a file, in its scene or not."""

    nodes: Sequence[schema.Node]  # As stored; transforms that are not finite are removed
    parents: Sequence[int | None]  # Index of each node's parent, None for roots
    skeleton: Skeleton  # The same nodes, parents first, with the morph weights that nodes state
    number: NDArray[np.int32]  # (N,) int32, each node's index in the skeleton
    broken: frozenset[int]  # Nodes whose transform is not finite

    def check(self, document: Document, used: Iterable[int]) -> None:
        """Raise `CharacterError` if a node in use is broken or hangs below a broken one."""
        needed = set(used)
        for index in sorted(self.broken):
            if not needed.isdisjoint(below(self.nodes, [index])):
                raise document.error(schema.Node, index, "has a transform that is not of finite numbers")

    def above(self, index: int) -> Iterator[int]:
        """The nodes above a node, nearest first."""
        at = self.parents[index]
        while at is not None:
            yield at
            at = self.parents[at]


def read_hierarchy(document: Document) -> Hierarchy:
    """Read the nodes of a file."""
    if document.count(schema.Node) > MOST_NODES:
        problem = f"{document.name} has more than {MOST_NODES:,} nodes: join its meshes and export it again"
        raise CharacterError(problem)
    nodes, broken = document.entries(schema.Node), set[int]()
    for index, node in enumerate(nodes):
        for key in ("matrix", "translation", "rotation", "scale"):
            values = getattr(node, key) or ()
            if None in values or not math.isfinite(sum(values)):
                broken.add(index)
                nodes[index] = msgspec.structs.replace(nodes[index], **{key: None})
    parents: list[int | None] = [None] * len(nodes)
    for index, node in enumerate(nodes):
        for child in node.children or ():
            if child >= len(nodes) or parents[child] is not None:
                raise document.error(
                    schema.Node, index, f"has a child {child} that does not exist or has two parents"
                )
            parents[child] = index
    order = list(below(nodes, [i for i, parent in enumerate(parents) if parent is None]))
    if len(order) < len(nodes):
        raise document.error(schema.Node, min({*range(len(nodes))} - {*order}), "hangs below itself")
    number = np.empty(len(nodes), np.int32)
    number[order] = np.arange(len(nodes))
    return Hierarchy(nodes, parents, _skeleton(nodes, parents, order, number), number, frozenset(broken))


def below(nodes: Sequence[schema.Node], starts: Sequence[int]) -> dict[int, None]:
    """The nodes `starts` and all below them, parents first."""
    reached: dict[int, None] = {}
    pending = list(reversed(starts))
    while pending:
        index = pending.pop()
        if index not in reached:
            reached[index] = None
            pending.extend(reversed(nodes[index].children or ()))
    return reached


def hidden_nodes(document: Document, nodes: Sequence[schema.Node]) -> set[int]:
    """Nodes that the file hides: with all below them, as coarser levels of detail, or from others' eyes."""
    starts, none = list[int](), schema.Extensions()
    for index, node in enumerate(nodes):
        extensions = node.extensions or none
        if extensions.visibility is not None and not extensions.visibility.visible:
            starts.append(index)
        if extensions.levels is not None:
            starts += [coarser for coarser in extensions.levels.ids if coarser < len(nodes)]
    hidden = set(below(nodes, starts))
    vrm = document.extensions.vrmc_vrm or document.extensions.vrm or schema.Vrm()
    try:
        annotations = msgspec.convert(vrm.first_person or {}, schema.FirstPerson).mesh_annotations
    except msgspec.ValidationError as error:
        document.warn("unusable", f"{document.name}: its firstPerson is damaged ({error}); it was left out")
        return hidden
    own = [each for each in annotations if str(each.flag or each.type).lower() == "firstpersononly"]
    meshes = {each.mesh for each in own if each.mesh is not None}
    hidden.update(index for index, node in enumerate(nodes) if node.mesh in meshes)
    return hidden.union(each.node for each in own if each.node is not None)


def offsets_of(document: Document, index: int, node: schema.Node) -> Doubles:
    """Transforms (K, 4, 4) of the instances of a node's mesh to the node; the identity without any."""
    stated = (node.extensions or schema.Extensions()).instancing
    attributes = (stated and stated.attributes) or {}
    values = dict[str, Doubles]()
    for name in _AT_REST:
        if name in attributes:
            stored = document.accessor(attributes[name])
            memory.ask(_INSTANCE_COST * len(stored))
            values[name] = denormalise(stored).astype(np.float64)
    # Skins place their vertices themselves.
    if not values or node.skin is not None:
        return np.eye(4)[None]
    count = len(next(iter(values.values())))
    parts = []
    for name, usual in _AT_REST.items():
        parts.append(values.get(name, np.tile(usual, (count, 1))))
        if parts[-1].shape != (count, len(usual)) or not np.isfinite(parts[-1]).all():
            raise document.error(schema.Node, index, "has instances whose transforms are damaged")
    return composed(parts[0], parts[1], parts[2])


def _skeleton(
    nodes: Sequence[schema.Node],
    parents: Sequence[int | None],
    order: Sequence[int],
    number: NDArray[np.int32],
) -> Skeleton:
    ordered, above = [nodes[index] for index in order], [parents[index] for index in order]
    translations = np.array([node.translation or (0.0, 0.0, 0.0) for node in ordered]).reshape(-1, 3)
    rotations = np.array([node.rotation or (0.0, 0.0, 0.0, 1.0) for node in ordered]).reshape(-1, 4)
    scales = np.array([node.scale or (1.0, 1.0, 1.0) for node in ordered]).reshape(-1, 3)
    stated = [place for place, node in enumerate(ordered) if node.matrix is not None]
    matrices = np.array([ordered[place].matrix for place in stated]).reshape(-1, 4, 4).transpose(0, 2, 1)
    matrices[:, 3] = (0.0, 0.0, 0.0, 1.0)
    # A motion of one of the three starts from the matrix's own other two.
    translations[stated], rotations[stated], scales[stated] = decomposed(matrices)
    return Skeleton(
        names=tuple(node.name or "" for node in ordered),
        parents=np.array([-1 if parent is None else number[parent] for parent in above], np.int32),
        translations=translations,
        rotations=rotations,
        scales=scales,
        matrices=dict(zip(stated, matrices, strict=True)),
        morph_weights={k: np.array(node.weights) for k, node in enumerate(ordered) if node.weights},
    )


def read_skin(document: Document, index: int) -> tuple[NDArray[np.int64], Doubles]:
    """Joints of a skin (J,), as nodes of the file, and their inverse bind matrices (J, 4, 4)."""
    skin = document.entry(schema.GltfSkin, index)
    joints = np.array(skin.joints or (), dtype=np.int64)
    if not len(joints) or int(joints.max()) >= document.count(schema.Node):
        raise document.error(schema.GltfSkin, index, "has no joints, or names a node that does not exist")
    if skin.inverse_bind_matrices is None:
        return joints, np.broadcast_to(np.eye(4), (len(joints), 4, 4))
    stored = document.accessor(skin.inverse_bind_matrices)
    if stored.shape[1] != 16 or len(stored) < len(joints):
        raise document.error(schema.GltfSkin, index, "has fewer inverse bind matrices than joints")
    return joints, stored[: len(joints)].astype(np.float64).reshape(-1, 4, 4).transpose(0, 2, 1)


def with_binds(skeleton: Skeleton, document: Document, number: NDArray[np.int32]) -> Skeleton:
    """Add the joints and bind poses of skins; damaged ones are skipped, as reading their mesh reports them.

    Of bind poses that differ those of the skin of most joints count, with others that agree with it.
    """
    held, poses = set[int](), []
    for index in range(min(document.count(schema.GltfSkin), _MOST_SKINS)):
        with suppress(CharacterError):
            joints, inverse = read_skin(document, index)
            nodes = number[joints]
            held.update(nodes.tolist())
            valid = np.isfinite(inverse).all(axis=(1, 2)) & (inverse != np.eye(4)).any(axis=(1, 2))
            valid[valid] = np.linalg.det(inverse[valid]) > 0
            poses.append(dict(zip(nodes[valid].tolist(), np.linalg.inv(inverse[valid]), strict=True)))
    merged: Mapping[int, Doubles] = {}
    for pose in sorted(poses, key=len, reverse=True):
        shared = [node for node in pose if node in merged]
        agree = all(np.allclose(pose[node], merged[node], 1e-3, 1e-3) for node in shared)
        if not merged or (shared and agree):
            merged = {**pose, **merged}
    return replace(skeleton, bound=merged, joints=frozenset(held))


def read_motions(document: Document, number: NDArray[np.int32]) -> Motions:
    """Read all animations of a file, and the humanoid bones that it names; `number` is as in `Hierarchy`."""
    motions, spoilt = [], []
    for index, name in enumerate(_names(document)):
        try:
            tracks = _tracks(document, number, index)
            if not tracks:
                raise CharacterError(f"{document.name}: animations[{index}] moves no node")
        except (CharacterError, CostError) as error:
            spoilt.append((name, str(error)))
            continue
        start, end = min(track.times[0] for track in tracks), max(track.times[-1] for track in tracks)
        motions.append(Motion(name, tuple(tracks), float(start), float(end)))
    return Motions(motions=tuple(motions), spoilt=tuple(spoilt), humanoid=_humanoid(document, number))


def read_pose(document: Document, number: NDArray[np.int32], pose: str) -> tuple[Motion | None, float]:
    """Read the motion of a pose, ``rest`` or an action with an optional frame, and its time in seconds."""
    if pose == "rest":
        return None, 0.0
    names = _names(document)
    indices, frame = chosen(names, pose)
    if not indices:
        raise CharacterError(unknown_action(document.name, pose, names))
    tracks = [track for index in indices for track in _tracks(document, number, index)]
    start = min((float(track.times[0]) for track in tracks), default=0.0)
    time = start if frame is None else frame / document.fps
    return Motion(pose, tuple(tracks), time, time), time


def _names(document: Document) -> list[str]:
    """Names of the animations; empty where one cannot be decoded."""
    names = [""] * document.count(schema.Animation)
    for index in range(len(names)):
        with suppress(CharacterError):
            names[index] = document.entry(schema.Animation, index).name or ""
    return names


def _tracks(document: Document, number: NDArray[np.int32], index: int) -> list[Track]:
    """Read what an animation moves."""
    animation = document.entry(schema.Animation, index)
    samplers = animation.samplers or ()
    label = f"{document.name}: animations[{index}] ('{animation.name or ''}')"
    tracks: dict[tuple[int, str], Track] = {}
    others: list[str] = []
    # Most channels of an animation share their times.
    times: dict[int, NDArray[Any]] = {}
    for k, channel in enumerate(animation.channels or ()):
        node, path = channel.target.node, channel.target.path or "nothing"
        if path not in _PATHS:
            others.append(path)
            continue
        if node is None:
            continue
        if node >= len(number) or channel.sampler >= len(samplers):
            raise document.error(schema.Animation, index, "names a node or sampler that does not exist")
        sampler = samplers[channel.sampler]
        if sampler.input not in times:
            times[sampler.input] = document.accessor(sampler.input)
        if not len(times[sampler.input]) or (node, path) in tracks:
            sentence = f"{label}.channels[{k}] has no keys, or moves what another does; it was left out"
            document.warn("unusable", sentence)
            continue
        moved = int(number[node]), cast(Path, path)
        try:
            tracks[node, path] = _track(document, sampler, times[sampler.input], moved)
        except ValueError as error:
            raise document.error(schema.Animation, index, f"{error} in channels[{k}]") from error
    if others:
        document.warn("not-read", f"{label} moves {some(others, 3)} too, which is not played")
    return list(tracks.values())


def _track(
    document: Document, sampler: schema.AnimationSampler, times: NDArray[Any], moved: tuple[int, Path]
) -> Track:
    """Read the keys of a track; raises ValueError if they are damaged."""
    stored = document.accessor(sampler.output)
    interpolation = sampler.interpolation or "LINEAR"
    parts = 3 if interpolation == "CUBICSPLINE" else 1
    keys, rows = len(times), len(stored)
    per_key = rows // keys
    width = per_key * stored.shape[1] // parts
    fits = times.shape[1] == 1 and per_key > 0 and per_key * keys == rows and per_key % parts == 0
    if not fits or width != _WIDTHS.get(moved[1], width) or interpolation not in _INTERPOLATIONS:
        raise ValueError("has values that do not fit its times, or an unknown interpolation,")
    if not np.isfinite(times).all() or (times[1:] < times[:-1]).any():
        raise ValueError("has times that are not finite, or run backwards,")
    memory.ask(_KEY_COST * stored.size)
    memory.take(8 * (len(times) + stored.size))
    values = (denormalise(stored) if document.is_normalised(sampler.output) else stored).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("has values that are not finite numbers")
    shape = (len(times), parts, width) if parts > 1 else (len(times), width)
    seconds = times[:, 0].astype(np.float64)
    return Track(*moved, seconds, values.reshape(shape), cast(Interpolation, interpolation))


def is_vrm0(document: Document) -> bool:
    """Whether a file is a character of VRM 0.x."""
    return document.extensions.vrm is not None and document.extensions.vrmc_vrm is None


def _humanoid(document: Document, number: NDArray[np.int32]) -> dict[str, int]:
    """Index in the skeleton of each humanoid bone that VRM 0.x, VRM 1.0 or a VRM animation names."""
    extensions = document.extensions
    vrm = extensions.vrmc_vrm or extensions.vrmc_vrm_animation or extensions.vrm or schema.Vrm()
    try:
        bones = msgspec.convert(vrm.humanoid or {}, schema.GltfHumanoid).human_bones or {}
    except msgspec.ValidationError as error:
        document.warn("unusable", f"{document.name}: its humanoid is damaged ({error}); it was left out")
        return {}
    if isinstance(bones, tuple):
        bones = {bone.bone: bone for bone in bones if bone.bone}
    missing = [name for name, bone in bones.items() if not 0 <= bone.node < len(number)]
    if missing:
        problem = f"{document.name}: humanoid bones of nodes that do not exist were left out: {some(missing)}"
        document.warn("unusable", problem)
    return {name: int(number[bone.node]) for name, bone in bones.items() if name not in missing}
