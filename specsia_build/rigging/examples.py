"""What joints are learnt from: pictures of rigged characters with the places of their joints.

Characters are drawn from the front, at rest, in their own and the built-in motions and with other arms, a
little turned, some of them dressed anew; animals and things without such joints tell kinds of figures apart.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.animation.humanoid import humanoid
from specsia_build.animation.motion import Motion, poses
from specsia_build.animation.rig import Rig
from specsia_build.arrays import Doubles, Pixels
from specsia_build.characters.character import Entry
from specsia_build.characters.motions import built_in, motion_for
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.errors import CharacterError, SpecsiaError
from specsia_build.frame import Camera, normalise
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh, compacted
from specsia_build.rigging.dressing import Places, dressed, places_of, with_large_head, with_limbs_moved
from specsia_build.rigging.find import KINDS
from specsia_build.rigging.joints import JOINTS

FRAME, _MARGIN = 224, 4  # Pixels of the frame that characters are drawn in, and around them
_NEEDED = ("leftUpperArm", "rightUpperArm", "leftUpperLeg", "rightUpperLeg")  # Bones of a person
_YAW = 12.0  # Standard deviation of the turn about the vertical axis in degrees, at most `_MOST_YAW`
_MOST_YAW = 20.0
_UPRIGHT, _FRONTAL = 0.7, 0.8  # Least cosines of trunk and hips to the axes of a standing, frontal figure


class JointPicture(NamedTuple):
    """A drawn figure, cut out, with its joints.

    Attributes:
        color: (H, W, 4) uint8, straight alpha.
        joints: (22, 3) float32, column, row, and share of the way through the body; NaN for bones it lacks.
        kind: index into `KINDS`.
    """

    color: Pixels
    joints: NDArray[np.float32]
    kind: int


def pictures_of(entry: Entry, kind: int, count: int) -> Iterator[JointPicture]:
    """`count` pictures of a character, a person's with joints; a CharacterError if it cannot be read.

    A person without arms or legs that its rig tells gives none.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(entry.id.encode()).digest()[:4], "big"))
    animated = read_animated(entry)
    if kind != KINDS.index("person"):
        yield from _unjointed(animated, kind, count, rng)
        return
    mesh, rig = _bound(animated)
    bones = humanoid(rig.skeleton, animated.humanoid or None).bones
    if not all(bone in bones for bone in _NEEDED):
        return
    bones = {bone: node for bone, node in bones.items() if bone in JOINTS}
    motions = _motions(animated)
    for number in range(count):
        motion = motions[int(rng.integers(len(motions)))] if number and rng.random() < 0.7 else None
        time = 0.0 if motion is None else motion.start + motion.duration * rng.random()
        pose = poses(rig.skeleton, motion, np.array([time]))
        places = places_of(rig, bones, pose.worlds[0])
        if not _stands(places):
            continue
        if number and rng.random() < 0.5:
            pose, places = with_limbs_moved(rig, bones, pose, rng)
        points = rig.vertices(pose, 0)
        if number and "head" in bones and rng.random() < 0.3:
            points = with_large_head(points, rig, bones["head"], float(rng.uniform(0.8, 1.9)))
        posed = mesh.with_vertices(points)
        if number and rng.random() < 0.5:
            posed = dressed(posed, places, rng)
        yaw = float(np.clip(rng.normal(0, _YAW), -_MOST_YAW, _MOST_YAW)) if number else 0.0
        yield _drawn(posed, places, yaw, kind)


def _bound(animated: AnimatedCharacter) -> tuple[Mesh, Rig]:
    whole = animated.character.mesh
    return compacted(whole), animated.rig.of_vertices(whole.used)


def _motions(animated: AnimatedCharacter) -> list[Motion]:
    """A character's own motions, and the built-in ones that it can play."""
    motions, source = list(animated.motions), built_in()
    for motion in source.motions:
        try:
            motions.append(motion_for(animated.rig, animated.humanoid, source, motion)[0])
        except CharacterError:
            break
    return motions or [Motion("rest", (), 0.0, 0.0)]


def _stands(places: Places) -> bool:
    """Whether a figure is upright and faces the viewer, so that left and right are what they seem."""
    left, right = places["leftUpperLeg"], places["rightUpperLeg"]
    above = (places["leftUpperArm"] + places["rightUpperArm"] - left - right) / 2
    across = left - right
    return bool(above[2] > _UPRIGHT * np.linalg.norm(above) and across[0] > _FRONTAL * np.linalg.norm(across))


def _drawn(mesh: Mesh, places: Places, yaw: float, kind: int) -> JointPicture:
    """A picture of a posed mesh, turned by `yaw`, and of its joints."""
    turn = Camera(yaw, FRAME).turn()
    camera = Camera(0.0, FRAME)
    mesh = compacted(mesh).rotated(turn)
    placed = normalise(mesh.vertices, [camera], 2)
    mesh = mesh.with_vertices(placed.apply(mesh.vertices))
    layers = next(FastRenderer().render(mesh, [camera], "unlit"))
    joints = np.full((len(JOINTS), 3), np.nan)
    known = dict(places)
    if kind == KINDS.index("person"):
        # Rigs put their hips anywhere between the legs and the waist.
        known["hips"] = (places["leftUpperLeg"] + places["rightUpperLeg"]) / 2
    for number, bone in enumerate(JOINTS):
        if bone in known:
            place = placed.apply((turn @ known[bone])[None])[0]
            joints[number, :2] = FRAME / 2 + place[[0, 2]] * (1, -1) * camera.pixels_per_unit
            joints[number, 2] = _inside(mesh, place)
    return cut_out(layers.color, joints, kind)


def _inside(mesh: Mesh, place: Doubles) -> float:
    """How far through a mesh a place lies on its line of sight, 0 to 1; NaN where the line misses it."""
    corners = mesh.vertices[mesh.faces] - place
    corners = corners[(corners[..., 0].min(axis=1) <= 0) & (corners[..., 0].max(axis=1) >= 0)]
    after = np.roll(corners, -1, axis=1)
    # Twice the area, as seen, between each edge and the line of sight
    areas = corners[..., 0] * after[..., 2] - corners[..., 2] * after[..., 0]
    whole = areas.sum(axis=1)
    hit = (areas * np.sign(whole)[:, None] >= 0).all(axis=1) & (np.abs(whole) > 1e-12)
    opposite = np.roll(areas[hit], -1, axis=1)
    depths = (opposite * corners[hit, :, 1]).sum(axis=1) / whole[hit]
    if len(depths) < 2 or np.ptp(depths) < 1e-6:
        return float("nan")
    return float(np.clip(-depths.min() / np.ptp(depths), 0, 1))


def cut_out(color: Pixels, joints: Doubles, kind: int) -> JointPicture:
    """Cut a picture to its figure and a margin; a CharacterError if it shows nothing."""
    if not (color[..., 3] >= HALF_COVERED).any():
        raise CharacterError("it shows nothing from the front")
    rows, columns = box_around(color[..., 3] >= HALF_COVERED, _MARGIN)
    moved = joints - (columns.start, rows.start, 0)
    return JointPicture(np.ascontiguousarray(color[rows, columns]), moved.astype(np.float32), kind)


def _unjointed(
    animated: AnimatedCharacter, kind: int, count: int, rng: np.random.Generator
) -> Iterator[JointPicture]:
    """Pictures of an animal or a thing from any side."""
    mesh, rig = _bound(animated)
    for number in range(count):
        motions = animated.motions
        motion = motions[int(rng.integers(len(motions)))] if number and motions else None
        time = 0.0 if motion is None else motion.start + motion.duration * rng.random()
        posed = mesh.with_vertices(rig.vertices(poses(rig.skeleton, motion, np.array([time])), 0))
        yaws = (0.0, 0.0, 90.0, -90.0, float(rng.uniform(-180, 180)))
        yield _drawn(posed, {}, yaws[number] if number < 2 else yaws[int(rng.integers(5))], kind)


def gathered(entries: Sequence[Entry], kind: int, count: int) -> list[JointPicture]:
    """Pictures of characters of one kind; those that cannot be read are left out with a message."""
    drawn: list[JointPicture] = []
    for entry in entries:
        try:
            own = list(pictures_of(entry, kind, count))
        except SpecsiaError as error:
            click.echo(f"{entry.id} is left out: {error}", err=True)
            continue
        if not own:
            click.echo(f"{entry.id} is left out: its rig tells no arms and legs", err=True)
        drawn += own
    return drawn


def drawings_of(folder: Path) -> list[JointPicture]:
    """Read cut-out PNGs of the subfolders ``person``, ``four-legged`` and ``other``; their joints are NaN."""
    unknown = np.full((len(JOINTS), 3), np.nan, np.float32)
    return [JointPicture(color, unknown, kind) for kind, color in cut_outs(folder, KINDS)]


def cut_outs(folder: Path, names: Sequence[str]) -> Iterator[tuple[int, Pixels]]:
    """Read the PNGs of subfolders as RGBA; yields each with the place of its subfolder in `names`.

    Raises `SpecsiaError` if there is none.
    """
    files = [
        (place, file) for place, name in enumerate(names) for file in sorted((folder / name).glob("*.png"))
    ]
    if not files:
        raise SpecsiaError(f"{folder} has no PNG in its subfolders {', '.join(names)}")
    for place, file in files:
        with Image.open(file) as picture:
            yield place, np.asarray(picture.convert("RGBA"))
