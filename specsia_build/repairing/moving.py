"""Set a reconstruction in motion: by its own rig, the character's, or one made from the drawing's joints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.carry import carried
from specsia_build.animation.figure import figure_of, leg_length, soles
from specsia_build.animation.motion import TRANSLATION, Motion, Poses, Track, poses
from specsia_build.animation.rig import Rig, posed_through
from specsia_build.characters.character import RawMoving
from specsia_build.characters.motions import BUILT_IN, SUFFIXES, built_in, motion_for, read_motions
from specsia_build.errors import CharacterError, UsageError, brief, meant, some
from specsia_build.frame import ORTHO_WIDTH, Camera, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer, Still
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh
from specsia_build.repairing.drawing import FACES, PROFILES, Frontal
from specsia_build.repairing.reconstruction import VIEW_MARGIN, Frame, Placed, frames_of
from specsia_build.rigging.file import joints_json, read_joints
from specsia_build.rigging.find import find_joints
from specsia_build.rigging.four_legs import rig_animal
from specsia_build.rigging.joints import JOINTS, OTHER_SIDE, Joints
from specsia_build.rigging.skeleton import OUTSIDE, below_cut, joints_in, rig_figure
from specsia_build.rigging.sway import FOR_ANY, spine_rig
from specsia_build.rigging.webs import without_webs
from specsia_build.stages.clips.actor import entry_pose
from specsia_build.stages.clips.motions import moves
from specsia_build.warning import Warning

_NOT_UPRIGHT, _UPRIGHT = 0.3, 0.65
"""Mean confidence of joints up to which a figure may lie on its side, and from which it stands.

Of eleven drawn people nine have .75 to .97, and .26 at most when they are turned by 90 degrees, when animals
have .59 at most.
"""

_SURE_KIND = 0.9  # Certainty from which an animal is taken for one on four legs
_LIKELY_KIND = 0.5  # The same from which it is mentioned that it may be drawn from its side


@dataclass(frozen=True, eq=False)
class Rigged:
    """The rig of a reconstruction's vertices in the frame.

    Attributes:
        own: the rig with the figure's own motions, and warnings.
        name: of the file that it comes from.
        mesh: the reconstruction; an animal has two legs where two are drawn as one.
        joints: those in the frame of the drawing that it was made from; None for a character's own rig.
        advice: what to do where it has no arms and legs.
    """

    own: RawMoving
    name: str
    mesh: Mesh
    joints: Joints | None = None
    advice: str = ""

    @property
    def limbs(self) -> bool:
        """Whether it has the bones of a person, or is a character's own."""
        return self.joints is None or bool(self.own.humanoid)

    def movable(self, mesh: Mesh) -> Mesh:
        """The reconstruction, with any texture, without the webs of a drawing between an arm and the body."""
        return mesh if self.joints is None else without_webs(mesh, self.own)


@dataclass(frozen=True, eq=False)
class Moving:
    """Motions of a reconstruction, at least one, and the rig of its vertices in the frame."""

    mesh: Mesh
    rig: Rig
    motions: tuple[Motion, ...]
    warnings: tuple[Warning, ...] = ()

    def frames(self, count: int, size: int, fps: float) -> Iterator[Frame]:
        """Render a figure that turns once while it plays its motions in turn, each repeated in one place."""
        track = self._track(count, fps)
        shifts, width = self._room(track, size)
        # Rotating normals costs more than all else, and unlit colours need none.
        mesh, camera = replace(self.mesh, normals=None), Camera(0.0, size, width)
        turns = [view.turn().T.astype(np.float32) for view in view_cameras(count, size)]

        def moved() -> Iterator[Mesh]:
            for k, pose in enumerate(posed_through(mesh, self.rig, track)):
                yield pose.with_vertices((pose.vertices + shifts[k]) @ turns[k])

        still = Still.of(mesh, self.rig.bound, camera.pixels_per_unit)
        return frames_of(FastRenderer().animate(still, moved(), [camera]), self.mesh)

    def _track(self, count: int, fps: float) -> Poses:
        """Poses of so many frames, of which each motion has an equal share."""
        ends = np.arange(len(self.motions) + 1) * count // len(self.motions)
        parts = []
        for motion, frames in zip(self.motions, np.diff(ends), strict=True):
            times = motion.start + np.arange(frames) / fps % max(motion.duration, 1 / fps)
            parts.append(poses(self.rig.skeleton, motion, times))
        worlds = np.concatenate([part.worlds for part in parts])
        weights = {}
        for node in parts[0].morph_weights:
            weights[node] = np.concatenate([part.morph_weights[node] for part in parts])
        return Poses(worlds, weights)

    def _room(self, track: Poses, size: int) -> tuple[NDArray[np.float32], float]:
        """Shifts (T, 3) that keep the figure's middle over the origin, and the width that shows all of it."""
        shifts, reach = np.zeros((len(track.worlds), 3), np.float32), 0.0
        for k, vertices in enumerate(self.rig.each_vertices(track)):
            shifts[k, :2] = -vertices[:, :2].mean(axis=0)
            moved = vertices + shifts[k]
            across, upright = np.linalg.norm(moved[:, :2], axis=1).max(), np.abs(moved[:, 2]).max()
            reach = max(reach, float(across), float(upright))
        return shifts, max(ORTHO_WIDTH, 2 * reach * size / (size - 2 * VIEW_MARGIN))


def rig_of(placed: Placed, front: Frontal, joints: Path | None = None) -> Rigged:
    """The rig of a placed reconstruction: its file's, the character's carried over, or one by joints.

    `front` is the drawing in the scale of `placed`. Its joints are those of the file `joints`, or found. A
    drawing of an animal on four legs from its side gets legs, any other without a person, or from the side,
    an upright spine. Raises `UsageError` if the file cannot be read or has joints off the figure, or there is
    a rig already, and `CharacterError` if the mesh has no surface.
    """
    for character, rig in ((placed.own, placed.rig), (front.own, front.rig)):
        if character is None or rig is None or len(rig.nodes) < 2:
            continue
        name = character.character.entry.path.name
        if joints is not None:
            raise UsageError(f"{name} has its own rig, so --joints does not apply: leave it out")
        if character is front.own:
            assert front.mesh is not None
            pose = entry_pose(character, character.character.entry.pose)
            rig, notes = carried(front.mesh, rig, placed.mesh, pose)
            own = replace(_only_moving(character), rig=rig, warnings=notes.warnings)
        else:
            own = replace(_only_moving(character), rig=rig, warnings=())
        return Rigged(own, name, placed.mesh)
    known = found_joints(front) if joints is None else _read(joints, front)
    sure = joints is not None or known.certainty >= _SURE_KIND
    is_animal = known.kind == "four-legged" and sure
    if front.facing in PROFILES and is_animal:
        animal = rig_animal(placed.mesh, front.facing)
        if animal is not None:
            return Rigged(animal[1], front.name, animal[0], known, "an animal on four legs can walk")
    used = None if joints is None and front.facing in PROFILES else known
    try:
        own = rig_figure(placed.mesh, used, front.image, FACES[front.facing])
    except CharacterError as error:
        if joints is not None:
            raise UsageError(f"{joints.name}: {error}") from error
        own = replace(spine_rig(placed.mesh), warnings=(Warning("joints-unsure", str(error), front.name),))
    if joints is None:
        own = replace(own, warnings=(*_lying(front, known), *own.warnings))
    else:
        # Somebody has looked at these.
        others = (warning for warning in own.warnings if warning.code != "joints-unsure")
        own = replace(own, warnings=tuple(others))
    return Rigged(own, front.name, placed.mesh, known, _advice(front.facing, is_animal))


def _advice(facing: str, is_animal: bool) -> str:
    """How a figure without limbs gets them: one drawn from a side, which is an animal on four legs or not."""
    correct = "repair it without --motion, correct its joints.json, setting the kind to"
    if facing not in PROFILES:
        return (
            "an animal drawn from its side with its legs apart may walk with --facing left|right; if it is a "
            f"person, {correct} person, and give the file as --joints"
        )
    if is_animal:
        return "an animal can walk if its front legs and its hind legs are drawn apart"
    return f"an animal on four legs may walk: {correct} four-legged, and give the file as --joints"


def mention_side(rigged: Rigged, front: Frontal) -> Rigged:
    """Add a warning to an animal on four legs that was taken for a front: most are drawn from their side."""
    known = rigged.joints
    is_animal = known is not None and known.kind == "four-legged" and known.certainty >= _LIKELY_KIND
    is_named = any(warning.code == "side-unsure" for warning in front.warnings)
    if front.facing != "front" or not is_animal or is_named:
        return rigged
    sentence = (
        "this seems to be an animal on four legs: if it is drawn from the side, give --facing left|right"
    )
    warning = Warning("side-unsure", sentence, front.name)
    return replace(rigged, own=replace(rigged.own, warnings=(warning, *rigged.own.warnings)))


def _lying(front: Frontal, joints: Joints) -> tuple[Warning, ...]:
    """A warning if few of a drawing's joints are sure, but those of a person are after a quarter turn."""
    if joints.confidence.mean() > _NOT_UPRIGHT:
        return ()
    for way, quarters in (("left", 1), ("right", 3)):
        turned = find_joints(np.ascontiguousarray(np.rot90(front.color, quarters)))
        if turned.kind == "person" and turned.confidence.mean() >= _UPRIGHT:
            sentence = (
                f"the figure seems to lie on its side: turn {front.name} to the {way} by 90 degrees, and "
                "repair it again"
            )
            return (Warning("side-unsure", sentence, front.name),)
    return ()


def _only_moving(character: RawMoving) -> RawMoving:
    return RawMoving(**{name: getattr(character, name) for name in RawMoving.__dataclass_fields__})


def found_joints(front: Frontal) -> Joints:
    """The joints of a drawing's figure; of one from behind, what looks like its left is its right."""
    joints = joints_in(front.color)
    if front.place is not None and "bottom" in front.place.cut:
        joints = replace(joints, confidence=np.where(below_cut(joints), 0.0, joints.confidence))
    if front.facing != "back":
        return joints
    order = list(OTHER_SIDE)
    return replace(
        joints, pixels=joints.pixels[order], inside=joints.inside[order], confidence=joints.confidence[order]
    )


def _read(path: Path, front: Frontal) -> Joints:
    """A file's joints in the frame of a drawing; raises `UsageError` if one lies off the figure."""
    size = len(front.image)
    if front.place is None:
        joints = read_joints(path, (size, size))
    else:
        joints = read_joints(path, front.place.size)
        joints = replace(joints, pixels=front.place.in_frame(joints.pixels, size))
    away = scipy.ndimage.distance_transform_edt(front.image[..., 3] < HALF_COVERED)
    column, row = np.clip(np.floor(joints.pixels), 0, size - 1).astype(np.int64).T
    beyond = ((joints.pixels < 0) | (joints.pixels > size)).any(axis=1)
    off = (joints.confidence > 0) & (beyond | (away[row, column] > OUTSIDE * size))
    if off.any():
        names = [name for name, is_off in zip(JOINTS, off, strict=True) if is_off]
        raise UsageError(
            f"{path.name} has joints outside the figure ({some(names)}): move each onto the figure, or write "
            "null in place of its pixel if the drawing does not show it"
        )
    return joints


def joints_of_drawing(joints: Joints, front: Frontal) -> bytes:
    """The file of joints in the frame, in pixels of the drawing, or of the frame of a character."""
    size = len(front.image)
    if front.place is None:
        return joints_json(joints, (size, size))
    return joints_json(replace(joints, pixels=front.place.in_picture(joints.pixels, size)), front.place.size)


def moving(rigged: Rigged, names: Sequence[str]) -> Moving:
    """Find motions of a reconstruction by names: the figure's own, built-in ones, or files; at least one.

    Raises `UsageError` if there is no such motion, or it does not suit the rig.
    """
    motions: list[Motion] = []
    warnings: list[Warning] = []
    for name in names:
        motion, notes = _motion(rigged, name)
        motions.append(motion)
        warnings += notes
    motions = _told_apart(motions, names)
    return Moving(rigged.movable(rigged.mesh), rigged.own.rig, tuple(motions), tuple(dict.fromkeys(warnings)))


def _told_apart(motions: Sequence[Motion], names: Sequence[str]) -> list[Motion]:
    """Motions of files with equal names, such as ``Take 001``, under the names of their files."""
    count = Counter(motion.name for motion in motions)
    return [
        replace(motion, name=Path(name).stem) if count[motion.name] > 1 and Path(name).is_file() else motion
        for motion, name in zip(motions, names, strict=True)
    ]


def _motion(rigged: Rigged, name: str) -> tuple[Motion, tuple[Warning, ...]]:
    """One motion on a rig's skeleton, with warnings."""
    own = rigged.own
    for motion in own.motions:
        if motion.name == name:
            return motion, ()
    is_file = Path(name).is_file() and Path(name).suffix.lower() in SUFFIXES
    if not (is_file or name in BUILT_IN):
        others = BUILT_IN if rigged.limbs else ()
        names = list(dict.fromkeys([*(motion.name for motion in own.motions if motion.name), *others]))
        raise UsageError(
            f"--motion takes a name or a file ({', '.join(SUFFIXES)}), and {rigged.name} has no motion "
            f"'{brief(name, 80)}': it has {some(names, 12)}{meant(name, names)}"
        )
    if not rigged.limbs:
        raise UsageError(
            f"--motion {brief(name, 80)} needs arms and legs, and none were detected in {rigged.name}: "
            f"{', '.join(FOR_ANY)} move any figure, and {rigged.advice}"
        )
    try:
        source = built_in() if not is_file else read_motions(Path(name))
        motions = [motion for motion in source.motions if is_file or motion.name == name]
        if not motions:
            raise UsageError(f"--motion: {name} holds no motion that can be played")
        motion, warnings = motion_for(own.rig, own.humanoid, source, motions[0])
        if len(motions) > 1:
            sentence = (
                f"{source.name} holds {len(motions)} motions: only the first, '{motions[0].name}', is played"
            )
            warnings = (Warning("motion-changed", sentence, source.name), *warnings)
    except CharacterError as error:
        raise UsageError(f"--motion: {error}") from error
    if not moves(motion, own.rig):
        if motion.duration == 0:
            raise UsageError(f"--motion: '{motion.name}' of {source.name} is one pose: give several frames")
        raise UsageError(
            f"--motion: '{motion.name}' of {source.name} moves nothing of {rigged.name}, perhaps because it "
            "moves only fingers: give a motion of the body"
        )
    return motion if rigged.joints is None else _on_ground(own, motion), warnings


def _on_ground(own: RawMoving, motion: Motion) -> Motion:
    """A motion of a drawn person with the lowest point of its feet where the joints of its soles should be.

    Feet are seldom drawn side by side on level ground.
    """
    rig = own.rig
    hips = next((track for track in motion.tracks if _moves_hips(track, own)), None)
    feet = [number for name, number in own.humanoid.items() if name.endswith(("Foot", "Toes"))]
    of_feet = np.isin(rig.slots[:, 0], feet)
    if hips is None or not of_feet.any():
        return motion
    figure, sequence = figure_of(rig, own.humanoid), poses(rig.skeleton, motion, hips.times)
    rest = poses(rig.skeleton, None, np.zeros(1))
    leg = leg_length(figure.human, rest.worlds[0])
    target = soles(rig.skeleton, figure.human, rest.worlds[0], figure.turn, leg).at(sequence.worlds)
    ground = rig.vertices(rest, 0)[of_feet, 2].min()
    lowest = np.array([vertices[of_feet, 2].min() for vertices in rig.each_vertices(sequence)])
    values = hips.values.copy()
    values[:, 2] += ground + leg * target[..., 2].min(axis=1) - lowest
    moved = replace(hips, values=values)
    return replace(motion, tracks=tuple(moved if track is hips else track for track in motion.tracks))


def _moves_hips(track: Track, own: RawMoving) -> bool:
    return track.node == own.humanoid.get("hips") and track.path == TRANSLATION
