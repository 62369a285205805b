"""Transfer of a motion from one figure to another, joint by joint, in one frame, Z up and facing -Y.

A joint turns as the source's does from its rest, whatever the orientation of bones and the hierarchy. Arms
and legs that rest in another direction (a T-pose and an A-pose) are aligned first. Hips move in proportion to
leg length, and as high as puts the lowest sole where the source has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import numpy as np
import scipy

from specsia_build import memory
from specsia_build.animation.figure import (
    CONTACT,
    Figure,
    Soles,
    ground_of,
    leg_length,
    rotations_of,
    slide,
    soles,
)
from specsia_build.animation.humanoid import NEEDED, SPINE
from specsia_build.animation.motion import ROTATION, TRANSLATION, Motion, Track, poses
from specsia_build.animation.skeleton import rotation_between, rotation_matrices
from specsia_build.arrays import Doubles, Mask
from specsia_build.errors import CharacterError

_RATE = 30.0  # Least samples a second of a transferred motion
_CHUNK = 1 << 15  # Joints times frames computed at once
_SAMPLE_COST = 200  # Bytes of memory for a joint at a time
# Largest distance, in lengths of the leg, between hips and soles of the first and last frame of a cycle
_CYCLE = 0.05
_SLIDING = 0.25  # Least distance, in lengths of the leg, that soles slide in a walk on the spot
_MOST_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Retargeted:
    """A motion for another figure's skeleton, with LINEAR tracks, and warnings."""

    motion: Motion
    changes: tuple[str, ...] = ()


def _orthonormal(linear: Doubles) -> Doubles:
    """Rotations (..., 3, 3) from the first two columns of matrices; NaN where these are parallel or zero."""
    with np.errstate(all="ignore"):
        x = linear[..., 0] / np.linalg.norm(linear[..., 0], axis=-1, keepdims=True)
        z = np.cross(x, linear[..., 1])
        z /= np.linalg.norm(z, axis=-1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=-1)


class Transfer:
    """Transfers motions from one figure to another; holds everything that is the same for all frames."""

    def __init__(
        self,
        source: Figure,
        target: Figure,
        pairs: Mapping[int, int],
        stand: Doubles,
        flat: Doubles,
        people: bool,
    ) -> None:
        """Compare two figures, by the node of the source for each node of the target that follows it.

        The source's poses (J, 4, 4) are the one in which it stands, and that with both feet flat on the
        ground; `people` says whether both are humanoids.
        """
        self.source, self.target = source, target
        self.people = people
        self.pairs = dict(sorted(pairs.items()))
        self.stand, self.rest = stand, target.skeleton.rest_worlds
        facing, faces_front = self._facing(), not people or source.upright(source.neutral.rest_worlds)
        self.turn = facing @ source.turn
        self.heading = facing.T if faces_front else np.eye(3)
        self.origins = _orthonormal(flat[:, :3, :3])
        self.rest_rotations = rotations_of(self.rest)
        self.rotations = rotation_matrices(target.skeleton.rotations)
        self.aligned = self._alignments()
        sizes = self._sizes()
        self.to_target = sizes[1] / sizes[0] * (target.turn.T @ self.heading @ self.turn)
        self.anatomical = self._anatomical_parents() if people else {}
        needed = self._needed()
        self.order = [node for node in self._order() if needed[node]]
        if people:
            source_soles = soles(source.skeleton, source.human, flat, self.turn, sizes[0])
            self.soles: tuple[Soles, Soles] = (
                replace(source_soles, turn=self.heading @ self.turn),
                soles(target.skeleton, target.human, self.rest, target.turn, sizes[1]),
            )

    def _facing(self) -> Doubles:
        """Turn about Z after which the standing source faces -Y; the identity if it does so at rest."""
        yaw = self.source.yaw(self.stand) if self.people else 0.0
        if self.stand is self.source.neutral.rest_worlds and abs(yaw) <= np.pi / 2:
            yaw = 0.0
        return np.asarray(scipy.spatial.transform.Rotation.from_euler("z", -yaw).as_matrix())

    def _alignments(self) -> Doubles:
        """Rotations (J, 3, 3) of the target's nodes from its arms and legs at rest to the source's."""
        rotations: dict[int, Doubles] = {}
        if self.people:
            a, b = self.source.human.bones, self.target.human.bones
            # The rest of these depends on how the rig was built rather than on the pose.
            kept = [node for bone, node in b.items() if bone.endswith(("neck", "head", "Foot"))]
            trunk = [node for bone, node in b.items() if bone.endswith(("hips", *SPINE, "Shoulder"))]
            rotations = dict.fromkeys(kept, np.eye(3)) | dict.fromkeys(trunk, self._trunk())
            stand, rest = self.stand[:, :3, 3], self.rest[:, :3, 3]
            for side in ("left", "right"):
                for limb in (("UpperArm", "LowerArm", "Hand"), ("UpperLeg", "LowerLeg", "Foot")):
                    for upper, lower in pairwise(side + part for part in limb):
                        if {upper, lower} <= a.keys() & b.keys():
                            of_source = self.turn @ (stand[a[lower]] - stand[a[upper]])
                            of_target = self.target.turn @ (rest[b[lower]] - rest[b[upper]])
                            rotations[b[upper]] = rotation_between(of_target, of_source)
        aligned = np.empty((len(self.rest), 3, 3))
        for node, parent in enumerate(self.target.skeleton.parents.tolist()):
            aligned[node] = rotations.get(node, aligned[parent] if parent >= 0 else np.eye(3))
        return aligned

    def _trunk(self) -> Doubles:
        """Rotation (3, 3) from the target's back at rest to the source's as it stands."""
        a, b = self.source.human.bones, self.target.human.bones
        top = next((bone for bone in ("neck", "head") if bone in a and bone in b), None)
        if self.stand is self.source.neutral.rest_worlds or top is None:
            return np.eye(3)
        of_source = self.turn @ (self.stand[a[top], :3, 3] - self.source.pelvis(self.stand))
        of_target = self.target.turn @ (self.rest[b[top], :3, 3] - self.target.pelvis(self.rest))
        return rotation_between(of_target, of_source)

    def _sizes(self) -> tuple[float, float]:
        """Comparable sizes of source and target: lengths of their legs, or else extents of shared joints."""
        if self.people:
            of_source = leg_length(self.source.human, self.stand)
            of_target = leg_length(self.target.human, self.rest)
        else:
            of_source = float(self.stand[list(self.pairs.values()), :3, 3].std(axis=0).sum())
            of_target = float(self.rest[list(self.pairs), :3, 3].std(axis=0).sum())
        if not (0 < of_source < np.inf and 0 < of_target < np.inf):
            raise CharacterError("the joints of one figure are all at one place, so its size is unknown")
        return of_source, of_target

    def _anatomical_parents(self) -> dict[int, int]:
        """Anatomical parents of the target's bones where the rig has others, as for feet without a shin."""
        human, skeleton = self.target.human, self.target.skeleton
        parents = {}
        for bone, node in human.bones.items():
            parent = human.parent(bone)
            if parent is None or bone in ("spine", "chest", "upperChest") or node == parent:
                continue
            if parent not in skeleton.above(node) and node not in skeleton.above(parent):
                parents[node] = parent
        return parents

    def _needed(self) -> Mask:
        """(J,) whether to compute positions of the target's nodes: those that follow, and all above them."""
        human = self.target.human
        followers = {*self.pairs, *self.anatomical, *self.anatomical.values()}
        followers |= {human.bones[bone] for bone in NEEDED} if self.people else set()
        return self.target.skeleton.holding(sorted(followers))

    def _order(self) -> list[int]:
        """Nodes of the target, each after its parent and its anatomical parent."""
        parents = self.target.skeleton.parents.tolist()
        graph = {node: [parent] if parent >= 0 else [] for node, parent in enumerate(parents)}
        for node, parent in self.anatomical.items():
            graph[node].append(parent)
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError:
            self.anatomical = {}
            return list(range(len(parents)))

    def of(self, motion: Motion, changes: tuple[str, ...]) -> Retargeted:
        """Transfer a motion; `changes`, ends of sentences, are passed through."""
        times = sample_times(motion)
        memory.ask(_SAMPLE_COST * len(times) * max(1, len(self.pairs)))
        chunk = max(1, _CHUNK // max(len(self.stand), len(self.rest)))
        parts = [times[k : k + chunk] for k in range(0, len(times), chunk)]
        translated = self._translated(motion)
        hips = np.zeros((len(times), 3))
        if self.people:
            posed = (poses(self.source.skeleton, motion, part).worlds for part in parts)
            walks = [self._walk(worlds, translated) for worlds in posed]
            hips, source_soles, target_soles = (np.concatenate(arrays) for arrays in zip(*walks, strict=True))
            if self.stand is not self.source.neutral.rest_worlds:
                # A frame of the motion need not have both soles flat on the ground.
                source_soles[..., 2] -= ground_of(source_soles)
            on_ground = np.asarray(source_soles[..., 2] < ground_of(source_soles) + CONTACT)
            hips_off = float(np.linalg.norm(hips[-1] - hips[0])) / self.soles[1].leg
            returns = max(hips_off, np.abs(source_soles[-1] - source_soles[0]).max()) < _CYCLE
            on_the_spot = slide(source_soles, on_ground) > _SLIDING and returns
            step = _foot_correction(source_soles, target_soles, on_ground, on_the_spot=on_the_spot)
            hips = hips + step * self.soles[1].leg @ self.target.turn
        rotations: dict[int, list[Doubles]] = {}
        shifts: dict[int, list[Doubles]] = {}
        for k, part in enumerate(parts):
            worlds = poses(self.source.skeleton, motion, part).worlds
            local = self._local_rotations(worlds)
            _, offsets = self._forward(local, worlds, translated, hips[k * chunk : k * chunk + len(part)])
            for node, matrices in local.items():
                turns = scipy.spatial.transform.Rotation.from_matrix(matrices).as_quat()
                rotations.setdefault(node, []).append(np.asarray(turns))
            for node, offset in offsets.items():
                shifts.setdefault(node, []).append(offset)
        tracks = [Track(node, ROTATION, times, np.concatenate(values)) for node, values in rotations.items()]
        tracks += [Track(node, TRANSLATION, times, np.concatenate(values)) for node, values in shifts.items()]
        if not all(np.isfinite(track.values).all() for track in tracks):
            raise CharacterError("it moves joints to coordinates that are too large")
        tracks.sort(key=lambda track: (track.node, track.path))
        return Retargeted(Motion(motion.name, tuple(tracks), motion.start, motion.end), changes)

    def _translated(self, motion: Motion) -> frozenset[int]:
        """Nodes of the target that a motion translates, without the bones of a body."""
        body = {*self.target.human.bones.values(), *self.target.human.spine} if self.people else set()
        shifts = {
            track.node
            for track in motion.tracks
            if track.path == TRANSLATION and np.ptp(track.values.reshape(-1, 3), axis=0).max() > 0
        }
        return frozenset(node for node, other in self.pairs.items() if other in shifts and node not in body)

    def _walk(self, worlds: Doubles, translated: frozenset[int]) -> tuple[Doubles, Doubles, Doubles]:
        """Offsets (T, 3) of the target's hips that follow the source's, and both figures' soles (T, 4, 3)."""
        local, still = self._local_rotations(worlds), np.zeros((len(worlds), 3))
        posed, _ = self._forward(local, worlds, translated, still)
        hips = (self.source.pelvis(worlds) - self.source.pelvis(self.stand)) @ self.to_target.T
        hips += self.target.pelvis(self.rest) - self.target.pelvis(posed)
        moved = hips @ self.target.turn.T / self.soles[1].leg
        return hips, self.soles[0].at(worlds), self.soles[1].at(posed) + moved[:, None]

    def _local_rotations(self, worlds: Doubles) -> dict[int, Doubles]:
        """Rotations (T, 3, 3) of the target's nodes relative to their parents, for poses of the source."""
        turn, onto = self.turn, self.target.turn
        delta: dict[int, Doubles] = {-1: np.broadcast_to(np.eye(3), (len(worlds), 3, 3))}
        local: dict[int, Doubles] = {}
        for node in self.order:
            parent, other = int(self.target.skeleton.parents[node]), self.pairs.get(node)
            if other is None:
                delta[node] = delta[self.anatomical.get(node, parent)]
            else:
                turned = _orthonormal(worlds[:, other, :3, :3]) @ self.origins[other].T
                turned = np.where(np.isfinite(turned).all(axis=(1, 2), keepdims=True), turned, np.eye(3))
                delta[node] = onto.T @ self.heading @ turn @ turned @ turn.T @ self.aligned[node] @ onto
            if other is not None or node in self.anatomical:
                upper = self.rest_rotations[parent] if parent >= 0 else np.eye(3)
                back = upper.T @ np.swapaxes(delta[parent], 1, 2)
                local[node] = back @ delta[node] @ upper @ self.rotations[node]
        return local

    def _forward(
        self, local: Mapping[int, Doubles], worlds: Doubles, translated: frozenset[int], hips: Doubles
    ) -> tuple[Doubles, dict[int, Doubles]]:
        """World matrices (T, J, 4, 4) of the target, and the translations (T, 3) of the nodes that have some.

        `local` has the rotations relative to parents, of nodes that turn, and `worlds` the source's poses;
        `translated` nodes follow the source's translation, and `hips` (T, 3) is the offset of the hips.
        """
        skeleton = self.target.skeleton
        posed = np.empty((len(worlds), len(self.rest), 4, 4))
        hip_node = self.target.human.bones["hips"] if self.people else None
        translations = {}
        for node in self.order:
            parent = int(skeleton.parents[node])
            above = posed[:, parent] if parent >= 0 else np.eye(4)
            matrix = np.repeat(skeleton.rest[node][None], len(worlds), axis=0)
            if node in local:
                matrix[:, :3, :3] = local[node] * skeleton.scales[node]
            if node == hip_node or node in translated or node in self.anatomical:
                place = _attached(posed, self.rest, self.anatomical.get(node, parent), node)
                if node == hip_node:
                    place = place + hips
                elif node in translated:
                    place = place + self._shift(worlds, node)
                offset = (place - above[..., :3, 3])[..., None]
                translations[node] = matrix[:, :3, 3] = (np.linalg.pinv(above[..., :3, :3]) @ offset)[..., 0]
            posed[:, node] = above @ matrix
        return posed, translations

    def _shift(self, worlds: Doubles, node: int) -> Doubles:
        """Translation (T, 3) of the source's joint from its rest, without that of its parent."""
        other = self.pairs[node]
        above = self.pairs.get(int(self.target.skeleton.parents[node]), -1)
        shift = worlds[:, other, :3, 3] - _attached(worlds, self.stand, above, other)
        return np.asarray(shift @ self.to_target.T)


def _foot_correction(
    source_soles: Doubles, target_soles: Doubles, on_ground: Mask, *, on_the_spot: bool
) -> Doubles:
    """Shifts (T, 3) of a figure that bring its soles (T, 4, 3) to where the source's are.

    The lowest sole gets the same height, and soles on the ground (T, 4) slide alike, or stay on the spot.
    """
    both = (on_ground[1:] & on_ground[:-1])[..., None]
    off = np.where(both, np.diff(source_soles - target_soles, axis=0), 0.0).sum(axis=1)
    off /= np.maximum(both.sum(axis=1), 1)
    step = np.concatenate([np.zeros((1, 3)), np.cumsum(off, axis=0)])
    if on_the_spot:
        step -= np.linspace(0.0, 1.0, len(step))[:, None] * step[-1]
    step[:, 2] = source_soles[..., 2].min(axis=1) - target_soles[..., 2].min(axis=1)
    return np.asarray(step)


def _attached(worlds: Doubles, rest: Doubles, parent: int, node: int) -> Doubles:
    """Positions (T, 3) of a node rigidly attached to another as at rest; its rest if there is none (-1)."""
    if parent < 0:
        return np.asarray(rest[node, :3, 3])
    place = np.linalg.pinv(rest[parent]) @ rest[node, :, 3]
    return np.asarray((worlds[:, parent] @ place)[:, :3])


def sample_times(motion: Motion) -> Doubles:
    """Times (T,) of keys and `_RATE` samples a second between; a CharacterError above `_MOST_SAMPLES`."""
    keys = np.unique(np.concatenate([[motion.start, motion.end], *(track.times for track in motion.tracks)]))
    # Keys of one frame differ between tracks by the rounding of single precision.
    keys = keys[np.concatenate([[True], np.diff(keys) > 1e-5]) & (keys >= motion.start)]
    parts = np.maximum(1, np.ceil(np.diff(keys) * _RATE - 1e-3)).astype(np.int64)
    if parts.sum() >= _MOST_SAMPLES:
        raise CharacterError(f"'{motion.name}' lasts {motion.duration:,.0f} seconds, too long to take over")
    steps = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(keys, keys[1:], parts, strict=False)]
    return np.concatenate([*steps, keys[-1:]])
