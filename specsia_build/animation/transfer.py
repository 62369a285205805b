"""Correspondence of two figures' joints, and transfer of a motion from one to the other.

Everything is compared in one frame, Z up and facing -Y. What a joint has turned from where it rests turns the other
figure's joint likewise, so that it matters neither how bones are oriented nor what hangs on what; arms and legs that
rest otherwise (a T-pose's and an A-pose's) are laid onto each other first. The hips go as far as legs are long, and
as high as lets the lowest sole be where the motion's own has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.figure import Figure, Soles, ground_of, leg_length, slide, soles, standing
from specsia_build.animation.humanoid import NEEDED, SPINE
from specsia_build.animation.motion import ROTATION, TRANSLATION, Motion, Track, poses
from specsia_build.animation.skeleton import rotation_matrices
from specsia_build.errors import CharacterError

RATE = 30.0
"""Samples a second, at least, of what is taken over."""

_CHUNK = 1 << 15
"""Joints times frames that are worked at together."""

_SAMPLE_COST = 200
"""Bytes of memory for a joint at a time."""

_CYCLE = 0.05
"""Lengths of the leg within which hips and soles come back to where they began, if a motion goes round."""

_SLIDING = 0.25
"""Lengths of the leg that soles slide in who walks on the spot."""

MOST_SAMPLES = 1_000_000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Retargeted:
    """A motion as another figure does it.

    Attributes:
        motion: of that figure's skeleton, LINEAR.
        notes: sentences on what a user should know of it.
    """

    motion: Motion
    notes: tuple[str, ...] = ()


def _frames(linear: Array) -> Array:
    """The directions (..., 3, 3) of matrices, of length 1 and square to each other; NaN where they have none."""
    with np.errstate(all="ignore"):
        x = linear[..., 0] / np.linalg.norm(linear[..., 0], axis=-1, keepdims=True)
        z = np.cross(x, linear[..., 1])
        z /= np.linalg.norm(z, axis=-1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=-1)


def _onto(way: Array, other: Array) -> Array:
    """The least rotation (3, 3) that lays one direction onto another."""
    lengths = float(np.linalg.norm(way) * np.linalg.norm(other))
    axis, cosine = np.cross(way, other), float(way @ other)
    sine = float(np.linalg.norm(axis))
    if lengths == 0 or sine <= 1e-9 * lengths:
        return np.eye(3)
    return np.asarray(scipy.spatial.transform.Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine)).as_matrix())


class Transfer:
    """Values that are the same for all frames of a motion."""

    def __init__(
        self, source: Figure, target: Figure, pairs: Mapping[int, int], stand: Array, flat: Array, people: bool
    ) -> None:
        """Compare two figures.

        Args:
            source, target: whose motion it is, and who is to move so.
            pairs: the source's node for each of the target's that follows one.
            stand: (J, 4, 4), how the source stands.
            flat: (J, 4, 4), the same with each foot as where it is flat on the ground.
            people: whether both are humanoids.
        """
        self.source, self.target, self.people = source, target, people
        self.pairs = dict(sorted(pairs.items()))
        self.stand, self.rest = stand, target.skeleton.rest_worlds
        facing, known = self._facing(), not people or source.upright(source.made.rest_worlds)
        self.turn = facing @ source.turn
        self.heading = facing.T if known else np.eye(3)
        self.origins = _frames(flat[:, :3, :3])
        u, _, vt = np.linalg.svd(self.rest[:, :3, :3])
        self.own = u @ vt
        self.rotations = rotation_matrices(target.skeleton.rotations)
        self.aligned = self._alignments()
        self.ratio = self._ratio()
        self.across = self.ratio * (target.turn.T @ self.heading @ self.turn)
        self.holders = self._holders() if people else {}
        self.needed = self._needed()
        self.order = [node for node in self._order() if node in self.needed]
        if people:
            legs = [
                leg_length(figure.skeleton, figure.human, pose)
                for figure, pose in ((source, stand), (target, self.rest))
            ]
            there = soles(source.skeleton, source.human, flat, self.turn, legs[0])
            self.soles: tuple[Soles, Soles] = (
                replace(there, turn=self.heading @ self.turn),
                soles(target.skeleton, target.human, self.rest, target.turn, legs[1]),
            )

    def _facing(self) -> Array:
        """The turn about Z that lets the source face -Y as it stands, where that is not how it rests."""
        if not self.people or self.stand is self.source.made.rest_worlds:
            return np.eye(3)
        left, right = (self.stand[self.source.human.bones[side + "UpperLeg"], :3, 3] for side in ("left", "right"))
        x, y, _ = self.source.turn @ (left - right)
        return np.asarray(scipy.spatial.transform.Rotation.from_euler("z", -np.arctan2(y, x)).as_matrix())

    def _alignments(self) -> Array:
        """(J, 3, 3) by the target's nodes: what lays its arms and legs at rest onto the source's, in the one frame."""
        rotations: dict[int, Array] = {}
        if self.people:
            a, b = self.source.human.bones, self.target.human.bones
            # How these rest is how the rig was made rather than how the figure holds them.
            rotations = {node: np.eye(3) for bone, node in b.items() if bone.endswith(("neck", "head", "Foot"))}
            trunk = self._trunk()
            rotations |= {node: trunk for bone, node in b.items() if bone.endswith(("hips", *SPINE, "Shoulder"))}
            for side in ("left", "right"):
                for limb in (("UpperArm", "LowerArm", "Hand"), ("UpperLeg", "LowerLeg", "Foot")):
                    bones = [side + part for part in limb]
                    for upper, lower in pairwise(bones):
                        if all(bone in human for bone in (upper, lower) for human in (a, b)):
                            there = self.turn @ (self.stand[a[lower], :3, 3] - self.stand[a[upper], :3, 3])
                            here = self.target.turn @ (self.rest[b[lower], :3, 3] - self.rest[b[upper], :3, 3])
                            rotations[b[upper]] = _onto(here, there)
        aligned = np.empty((len(self.rest), 3, 3))
        for node, parent in enumerate(self.target.skeleton.parents.tolist()):
            aligned[node] = rotations.get(node, aligned[parent] if parent >= 0 else np.eye(3))
        return aligned

    def _trunk(self) -> Array:
        """Rotation (3, 3) from the target's back to the source's, as posed in a frame."""
        a, b = self.source.human.bones, self.target.human.bones
        top = next((bone for bone in ("neck", "head") if bone in a and bone in b), None)
        if self.stand is self.source.made.rest_worlds or top is None:
            return np.eye(3)
        there = self.turn @ (self.stand[a[top], :3, 3] - self.source.pelvis(self.stand))
        return _onto(self.target.turn @ (self.rest[b[top], :3, 3] - self.target.pelvis(self.rest)), there)

    def _ratio(self) -> float:
        """The target's size in the source's units: of the legs, or else of the joints that they share."""
        if self.people:
            there = leg_length(self.source.skeleton, self.source.human, self.stand)
            here = leg_length(self.target.skeleton, self.target.human, self.rest)
        else:
            there = float(self.stand[list(self.pairs.values()), :3, 3].std(axis=0).sum())
            here = float(self.rest[list(self.pairs), :3, 3].std(axis=0).sum())
        if not (0 < there < np.inf and 0 < here < np.inf):
            raise CharacterError("the joints of one of the two figures are all at one place: their sizes say nothing")
        return here / there

    def _holders(self) -> dict[int, int]:
        """Anatomical parents of the target's bones where the rig has others, such as feet without a shin above."""
        human, skeleton = self.target.human, self.target.skeleton
        holders = {}
        for bone, node in human.bones.items():
            holder = human.parent(bone)
            if holder is None or bone in ("spine", "chest", "upperChest") or node == holder:
                continue
            if holder not in skeleton.above(node) and node not in skeleton.above(holder):
                holders[node] = holder
        return holders

    def _needed(self) -> frozenset[int]:
        """The target's nodes whose places are asked for, and all above them."""
        human = self.target.human
        asked = {*self.pairs, *self.holders, *self.holders.values()}
        asked |= {human.bones[bone] for bone in NEEDED} if self.people else set()
        needed: set[int] = set()
        for node in asked:
            for above in self.target.skeleton.above(node):
                if above in needed:
                    break
                needed.add(above)
        return frozenset(needed)

    def _order(self) -> list[int]:
        """The target's nodes, each after its parent and after what holds it."""
        parents = self.target.skeleton.parents.tolist()
        graph = {node: [parent] if parent >= 0 else [] for node, parent in enumerate(parents)}
        for node, holder in self.holders.items():
            graph[node].append(holder)
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError:
            self.holders = {}
            return list(range(len(parents)))

    def of(self, motion: Motion, notes: tuple[str, ...]) -> Retargeted:
        """The motion as the target does it, with what else is to be said of it."""
        times = sample_times(motion)
        memory.ask(_SAMPLE_COST * len(times) * max(1, len(self.pairs)))
        chunk = max(1, _CHUNK // max(len(self.stand), len(self.rest)))
        parts = [times[k : k + chunk] for k in range(0, len(times), chunk)]
        moved = self._moved(motion)
        way = np.zeros((len(times), 3))
        if self.people:
            walked = [self._walked(poses(self.source.skeleton, motion, part).worlds, moved) for part in parts]
            way, there, here = (np.concatenate(found) for found in zip(*walked, strict=True))
            if self.stand is not self.source.made.rest_worlds:
                # A frame need not be one with both soles flat on the ground.
                there[..., 2] -= ground_of(there)
            stands = standing(there)
            back = max(float(np.linalg.norm(way[-1] - way[0])) / self.soles[1].leg, np.abs(there[-1] - there[0]).max())
            step = _steadied(there, here, stands, on_the_spot=slide(there, stands) > _SLIDING and back < _CYCLE)
            way = way + step * self.soles[1].leg @ self.target.turn
        turned: dict[int, list[Array]] = {}
        shifted: dict[int, list[Array]] = {}
        for k, part in enumerate(parts):
            worlds = poses(self.source.skeleton, motion, part).worlds
            local = self._turned(worlds)
            _, places = self._swept(local, worlds, moved, way[k * chunk : k * chunk + len(part)])
            for node, rotations in local.items():
                turned.setdefault(node, []).append(
                    np.asarray(scipy.spatial.transform.Rotation.from_matrix(rotations).as_quat())
                )
            for node, place in places.items():
                shifted.setdefault(node, []).append(place)
        tracks = [Track(node, ROTATION, times, np.concatenate(found)) for node, found in turned.items()]
        tracks += [Track(node, TRANSLATION, times, np.concatenate(found)) for node, found in shifted.items()]
        if not all(np.isfinite(track.values).all() for track in tracks):
            raise CharacterError("it moves joints beyond what numbers hold")
        tracks.sort(key=lambda track: (track.node, track.path))
        return Retargeted(Motion(motion.name, tuple(tracks), motion.start, motion.end), notes)

    def _moved(self, motion: Motion) -> frozenset[int]:
        """The target's nodes whose place follows the source's: what a motion shifts, but for a body's own bones."""
        own = {*self.target.human.bones.values(), *self.target.human.spine} if self.people else set()
        shifts = {
            track.node
            for track in motion.tracks
            if track.path == TRANSLATION and np.ptp(track.values.reshape(-1, 3), axis=0).max() > 0
        }
        return frozenset(node for node, other in self.pairs.items() if other in shifts and node not in own)

    def _walked(self, worlds: Array, moved: frozenset[int]) -> tuple[Array, Array, Array]:
        """How far the target's hips go (T, 3) as the source's do, and the soles of both then, (T, 4, 3)."""
        found, _ = self._swept(self._turned(worlds), worlds, moved, np.zeros((len(worlds), 3)))
        way = (self.source.pelvis(worlds) - self.source.pelvis(self.stand)) @ self.across.T
        way += self.target.pelvis(self.rest) - self.target.pelvis(found)
        carried = way @ self.target.turn.T / self.soles[1].leg
        return way, self.soles[0].at(worlds), self.soles[1].at(found) + carried[:, None]

    def _turned(self, worlds: Array) -> dict[int, Array]:
        """Rotations (T, 3, 3) of the target's nodes to their parents, as the source's worlds have its own."""
        turn, onto = self.turn, self.target.turn
        delta: dict[int, Array] = {-1: np.broadcast_to(np.eye(3), (len(worlds), 3, 3))}
        found: dict[int, Array] = {}
        for node in self.order:
            parent, other = int(self.target.skeleton.parents[node]), self.pairs.get(node)
            own = self.own[parent] if parent >= 0 else np.eye(3)
            if other is None:
                delta[node] = delta[self.holders.get(node, parent)]
                if node in self.holders:
                    found[node] = own.T @ np.swapaxes(delta[parent], 1, 2) @ delta[node] @ own @ self.rotations[node]
                continue
            turned = _frames(worlds[:, other, :3, :3]) @ self.origins[other].T
            turned = np.where(np.isfinite(turned).all(axis=(1, 2), keepdims=True), turned, np.eye(3))
            delta[node] = onto.T @ self.heading @ turn @ turned @ turn.T @ self.aligned[node] @ onto
            found[node] = own.T @ np.swapaxes(delta[parent], 1, 2) @ delta[node] @ own @ self.rotations[node]
        return found

    def _swept(
        self, local: Mapping[int, Array], worlds: Array, moved: frozenset[int], way: Array
    ) -> tuple[Array, dict[int, Array]]:
        """The target's worlds (T, J, 4, 4), and the places (T, 3) in their parents of the nodes that leave theirs.

        Args:
            local: rotations to their parents of the nodes that turn.
            worlds: the source's.
            moved: nodes whose place follows the source's.
            way: (T, 3), how far the hips go.
        """
        skeleton = self.target.skeleton
        found = np.empty((len(worlds), len(self.rest), 4, 4))
        hips = self.target.human.bones["hips"] if self.people else None
        places = {}
        for node in self.order:
            parent = int(skeleton.parents[node])
            above = found[:, parent] if parent >= 0 else np.eye(4)
            here = np.repeat(skeleton.rest[node][None], len(worlds), axis=0)
            if node in local:
                here[:, :3, :3] = local[node] * skeleton.scales[node]
            if node == hips or node in moved or node in self.holders:
                place = _carried(found, self.rest, self.holders.get(node, parent), node)
                place = place + (way if node == hips else self._away(worlds, node) if node in moved else 0.0)
                offset = place - above[..., :3, 3]
                places[node] = here[:, :3, 3] = (np.linalg.pinv(above[..., :3, :3]) @ offset[..., None])[..., 0]
            found[:, node] = above @ here
        return found, places

    def _away(self, worlds: Array, node: int) -> Array:
        """How far the source's joint has gone from where it rests, less what its parent carried it, (T, 3)."""
        other = self.pairs[node]
        above = self.pairs.get(int(self.target.skeleton.parents[node]), -1)
        return np.asarray((worlds[:, other, :3, 3] - _carried(worlds, self.stand, above, other)) @ self.across.T)


def _steadied(there: Array, here: Array, stands: Sequence[Sequence[tuple[int, int]]], *, on_the_spot: bool) -> Array:
    """How far to shift a figure (T, 3) so that its soles `here` (T, 4, 3) do as the source's `there` do.

    The lowest one is as high, and those that stand go as far along the ground; a walk on the spot stays there.
    """
    low = np.zeros((len(there), there.shape[1]), bool)
    for sole, spans in enumerate(stands):
        for begin, end in spans:
            low[begin:end, sole] = True
    both = (low[1:] & low[:-1])[..., None]
    off = np.where(both, np.diff(there - here, axis=0), 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    step = np.concatenate([np.zeros((1, 3)), np.cumsum(off, axis=0)])
    if on_the_spot:
        step -= np.linspace(0.0, 1.0, len(step))[:, None] * step[-1]
    step[:, 2] = there[..., 2].min(axis=1) - here[..., 2].min(axis=1)
    return np.asarray(step)


def _carried(worlds: Array, rest: Array, holder: int, node: int) -> Array:
    """Where a node would be if it hung stiffly on another, (T, 3)."""
    if holder < 0:
        return np.asarray(rest[node, :3, 3])
    place = np.linalg.pinv(rest[holder]) @ rest[node, :, 3]
    return np.asarray((worlds[:, holder] @ place)[:, :3])


def sample_times(motion: Motion) -> Array:
    """Times (T,) of all keys of a motion that are played, and between them as many as make `RATE` a second.

    Raises:
        CharacterError: if there are more than `MOST_SAMPLES`.
    """
    keys = np.unique(np.concatenate([[motion.start, motion.end], *(track.times for track in motion.tracks)]))
    # Keys of one frame in several tracks differ by what single precision leaves of them.
    keys = keys[np.concatenate([[True], np.diff(keys) > 1e-5]) & (keys >= motion.start)]
    parts = np.maximum(1, np.ceil(np.diff(keys) * RATE - 1e-3)).astype(np.int64)
    if parts.sum() >= MOST_SAMPLES:
        raise CharacterError(f"'{motion.name}' lasts {motion.duration:,.0f} seconds, too long to be taken over")
    steps = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(keys, keys[1:], parts, strict=False)]
    return np.concatenate([*steps, keys[-1:]])
