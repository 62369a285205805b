"""The scorer of reconstructions: a mesh against its picture, as it is and in the 48 frames by right angles and mirrors.

Silhouettes from the front and from behind are mirror images of each other, so colours decide between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.errors import CharacterError
from specsia_build.frame import ORTHO_WIDTH, Camera, axis_names, axis_vector, front_rotation, up_rotation
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.fast.renderer import FastRenderer, glance
from specsia_build.rendering.layers import HALF_COVERED, Look
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.overlap import iou

Pixels = NDArray[np.uint8]
_Level = TypeVar("_Level", np.uint8, np.bool_)

SIZE = 128
"""Pixels of the pictures that are compared, at most."""

LEAST_FRONTAL_IOU = 0.5
"""Bad reconstructions still keep 0.6; a figure in T-pose seen from its side has 0.3."""

FLATTEST = 0.02
"""Least height of a mesh for its fit to a picture, as a share of its largest side."""

UPRIGHT, LYING = ("+z",), ("+y", "-y", "+x", "-x", "-z")
FRONTS = ("-y", "+y", "+x", "-x")
OURS = ("+x", "+y", "+z")
MIRROR = np.diag([-1.0, 1.0, 1.0])

SOUND_IOU = 0.85
"""Frontal IoU from which a mesh stands upright and shows its front or its back: 0.88 at least of 96 sound meshes by two
backends, at most 0.79 of those that were turned by a quarter."""

LEAST_IOU = 0.7
"""Frontal IoU that a mesh must reach in another frame for that to be its right one."""

GLANCED = 0.1
"""Frontal IoU that a place of its own may lack of what another gives."""

MUCH_BETTER = 0.15
"""Frontal IoU by which silhouettes tell one frame from another."""

AS_GOOD = 0.08
"""Frontal IoU that the right frame may cost where colours tell."""

NEARER, FARTHER = 1.3, 1.15
"""How many times nearer colours must be where silhouettes do not tell, and how many times farther they may be where
those do. In another frame colours of the 96 sound meshes come nearer by 1.2 at most; of those that face away they are
1.7 times as far apart in the median."""

NEAR = 0.03
"""Mean difference of colours, 0-1, up to which two pictures' are the same, whichever are nearer."""

HANDED = 0.04
"""Frontal IoU by which its mirror image, which is like it in all else, must do better for a mesh to be mirrored. Of the
96 sound meshes none gains more than 0.01, nor 0.02 turned by 20 or 35 degrees or spoilt twice as much; of those that
are mirrored a third does, which are all whose silhouettes are not their own mirror images."""

FAR = 0.16
"""Mean difference of colours, 0-1, from which two pictures are hardly the same figure's: 0.12 at most for the 96 sound
meshes, 0.2 and more for normals, other characters and colours that are encoded twice."""

PALE, PALER = 0.08, 2.0
"""Mean difference of colours from which an encoding may explain it, and how many times nearer that must bring them."""


@dataclass(frozen=True)
class Likeness:
    """How much a picture looks like another.

    Attributes:
        iou: of their silhouettes, 0-1.
        plain: mean difference of encoded levels where both cover, 0-1.
        decoded: the same where those of the first picture are decoded once more, as colours need that were encoded and
            have been taken for linear ones.
    """

    iou: float
    plain: float
    decoded: float

    @property
    def apart(self) -> float:
        """How far colours are apart, whichever way they are encoded."""
        return min(self.plain, self.decoded)

    @property
    def pale(self) -> bool:
        """Whether colours have been encoded twice."""
        return self.plain > PALE and PALER * self.decoded <= self.plain

    @classmethod
    def of(cls, seen: NDArray[np.uint8], goal: NDArray[np.uint8]) -> Likeness:
        """Of two pictures (S, S, 4) uint8 with straight alpha."""
        covered, target = seen[..., 3] >= HALF_COVERED, goal[..., 3] >= HALF_COVERED
        both, overlap = covered & target, iou(covered, target, empty=0.0)
        if not both.any():
            return cls(overlap, 1.0, 1.0)
        levels, wanted = seen[both, :3] / 255, goal[both, :3] / 255
        plain, decoded = (float(np.abs(found - wanted).mean()) for found in (levels, srgb_to_linear(levels)))
        return cls(overlap, plain, decoded)

    @property
    def score(self) -> float:
        """Agreement of silhouette and colours, 0-1."""
        return self.iou * (1 - self.apart)

    def __lt__(self, other: Likeness) -> bool:
        return self.score < other.score

    def surely_beats(self, other: Likeness) -> bool:
        """Whether it is that of the right frame, if one of the two is."""
        if self.iou >= other.iou + MUCH_BETTER:
            return not self._farther(other)
        nearer = other.apart > NEAR and NEARER * self.apart <= other.apart
        return self.iou >= other.iou - AS_GOOD and nearer and self.apart < FAR

    def surely_undoes(self, other: Likeness) -> bool:
        """Whether it is the right one, if one of the two is and they are of mirror images of each other."""
        better = self.iou >= max(SOUND_IOU, other.iou + HANDED) and not self._farther(other)
        return better or self.surely_beats(other)

    def _farther(self, other: Likeness) -> bool:
        return self.apart > max(NEAR, FARTHER * other.apart)


@dataclass(frozen=True)
class Turned:
    """A mesh in another frame.

    Attributes:
        matrix: (3, 3) that brings it there; its determinant is -1 where it undoes a mirror.
        likeness: of the mesh there.
    """

    matrix: NDArray[np.float64]
    likeness: Likeness

    @property
    def undoes_mirror(self) -> bool:
        """Whether it undoes a mirror and nothing else."""
        return bool((self.matrix == MIRROR).all())

    @property
    def seems(self) -> str:
        """What the mesh seems to be, as it is: the end of a sentence about it."""
        mirrored = np.linalg.det(self.matrix) < 0
        if self.undoes_mirror:
            return "be mirrored"
        if self.matrix[2, 2] < 1:
            return "be mirrored and not upright" if mirrored else "lie or stand on its head"
        if mirrored:
            return "be mirrored and turned"
        return "face away" if self.matrix[0, 0] < 0 else "face sideways"


def stated_axes(matrix: NDArray[np.float64], taken: Sequence[str] = OURS, stated_in: str | None = None) -> str:
    """The setting that brings a mesh, whose file's axes were taken so, by a matrix (3, 3) to where it looks right."""
    rows = np.array([axis_vector(axis) for axis in taken])
    axes = ", ".join(f'"{axis}"' for axis in axis_names(matrix @ rows))
    return f"axes: [{axes}]" + (f" in {stated_in}" if stated_in else " as its x, y, z")


def better_frame(
    mesh: Mesh, placed: Mesh, front: Pixels, behind: Pixels | None, goal: Pixels, look: Look
) -> tuple[Likeness, Turned | None]:
    """How much a mesh looks like the picture, and the frame in which it surely does more; None where nothing tells.

    Args:
        mesh: as it came, in any place.
        placed: where registration laid it, which may have pitched one that is in another frame.
        front: (S, S, 4) uint8, the frontal view of that.
        behind: the view from behind, which spares others where it tells; None where there is none.
        goal: the frontal picture that it should show.
        look: of the pictures.
    """
    as_is, target = Likeness.of(front, goal), goal[..., 3] >= HALF_COVERED
    if as_is.iou >= SOUND_IOU and behind is not None:
        rivals = (Likeness.of(picture, goal) for picture in (behind, _mirrored(behind, target)))
        flipped = Likeness.of(_mirrored(front, target), goal)
        if all(as_is.surely_beats(rival) for rival in rivals) and not flipped.surely_undoes(as_is):
            return as_is, None
    proper, mirrored = in_frames(mesh, goal, look, turns(upright=as_is.iou >= SOUND_IOU), placed)
    as_is = max(as_is, proper[0].likeness)
    turned, undone = (_best(frames, as_is) for frames in (proper[1:], mirrored))
    if turned is None or (undone is not None and undone.likeness.surely_beats(turned.likeness)):
        turned = undone
    return as_is, turned


def in_frames(
    mesh: Mesh, goal: Pixels, look: Look, rotations: Iterable[NDArray[np.float64]], placed: Mesh | None = None
) -> tuple[list[Turned], list[Turned]]:
    """The mesh under each of the rotations, and under each and a mirror, fitted to the picture's silhouette.

    Args:
        mesh: in any place.
        goal: (S, S, 4) uint8, the picture that its front should show.
        look: of that.
        rotations: (3, 3) each; after the first, those that silhouettes rule out are left out if `placed` is given.
        placed: the mesh in a place of its own, whose likeness counts if it is higher; None where there is none.
    """
    target = goal[..., 3] >= HALF_COVERED
    proper: list[Turned] = []
    mirrored: list[Turned] = []
    for turn in rotations:
        places = [fitted(mesh.rotated(turn), target)]
        if placed is not None:
            if proper and not _may_fit(places[0], target):
                continue
            places.append(placed.rotated(turn))
        seen = [next(FastRenderer().render(place, [Camera(0.0, len(goal))], look)).color for place in places]
        proper.append(Turned(turn, max(Likeness.of(picture, goal) for picture in seen)))
        mirrored.append(Turned(MIRROR @ turn, max(Likeness.of(_mirrored(picture, target), goal) for picture in seen)))
    return proper, mirrored


def _may_fit(mesh: Mesh, target: NDArray[np.bool_]) -> bool:
    """Whether a glance at a mesh's silhouette, or at its mirror image, leaves room for its being the right one."""
    seen = np.isfinite(glance(mesh, [Camera(0.0, len(target))])[0])
    shown = (seen, _mirrored(seen, target))
    return max(iou(silhouette, target, empty=0.0) for silhouette in shown) >= LEAST_IOU - GLANCED


def _mirrored(picture: NDArray[_Level], target: NDArray[np.bool_]) -> NDArray[_Level]:
    """A picture (S, S) or (S, S, 4) mirrored, the middle of its silhouette's box moved to that of another (S, S)."""
    flipped = picture[:, ::-1]
    covered = flipped if flipped.ndim == 2 else flipped[..., 3] >= HALF_COVERED
    there, here = (np.flatnonzero(mask.any(axis=0)) for mask in (target, covered))
    if len(here) == 0:
        return flipped
    return np.roll(flipped, round((there[0] + there[-1] - here[0] - here[-1]) / 2), axis=1)


def turns(*, upright: bool) -> Iterator[NDArray[np.float64]]:
    """The turns that a mesh may need: about the half where it is surely upright and shows its front or its back."""
    for up in UPRIGHT if upright else (*UPRIGHT, *LYING):
        for front in FRONTS[:2] if upright else FRONTS:
            yield front_rotation(front) @ up_rotation(up)


def _best(frames: list[Turned], as_is: Likeness) -> Turned | None:
    """The frame of the best likeness of those that surely beat that of the mesh as it is."""

    def sure(frame: Turned) -> bool:
        beats = frame.likeness.surely_undoes if frame.undoes_mirror else frame.likeness.surely_beats
        return frame.likeness.iou >= LEAST_IOU and beats(as_is)

    return max(filter(sure, frames), key=lambda frame: frame.likeness, default=None)


def small(color: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (S, S, 4) within a silhouette (S, S), not larger than `SIZE`: (s, s, 4) uint8, straight alpha."""
    picture = color.copy()
    np.minimum(color[..., 3], mask, out=picture[..., 3])
    if len(picture) <= SIZE:
        return picture
    premultiplied = Image.fromarray(picture).convert("RGBa").resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(premultiplied.convert("RGBA"))


def frontal_iou(mesh: Mesh, image: NDArray[np.uint8]) -> float:
    """IoU 0-1 of the mesh's frontal silhouette and the picture's: of the mesh in its place, or where that is too
    little for the gate, the best of that, of both in the picture's own pixels, since thin lines have no others, and of
    the mesh brought to the height and the centre of the picture's figure."""
    alpha = Image.fromarray(np.ascontiguousarray(image[..., 3]))
    small = np.asarray(alpha.resize((SIZE, SIZE), Image.Resampling.BOX)) >= HALF_COVERED
    found = 0.0
    for target in (small, image[..., 3] >= HALF_COVERED):
        found = max(found, iou(_silhouette(mesh, len(target)), target, empty=0.0))
        if found >= LEAST_FRONTAL_IOU:
            return found
    return max(found, iou(_silhouette(fitted(mesh, small), SIZE), small, empty=0.0)) if small.any() else found


def fitted(mesh: Mesh, target: NDArray[np.bool_]) -> Mesh:
    """The mesh brought to the height and the centre of the box of a frontal silhouette (S, S), which is not empty."""
    rows, columns = np.flatnonzero(target.any(axis=1)), np.flatnonzero(target.any(axis=0))
    pixel = ORTHO_WIDTH / len(target)
    middle_x = (int(columns[0]) + int(columns[-1]) + 1) / 2 * pixel - ORTHO_WIDTH / 2
    middle_z = ORTHO_WIDTH / 2 - (int(rows[0]) + int(rows[-1]) + 1) / 2 * pixel
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    # What lies flat has no height to be judged by, and would be drawn larger than any picture.
    height = max(float(high[2] - low[2]), FLATTEST * float(np.max(high - low)), 1e-9)
    scale = (int(rows[-1]) + 1 - int(rows[0])) * pixel / height
    centre = (low + high) / 2
    return mesh.with_vertices((mesh.vertices - centre) * scale + np.array([middle_x, 0.0, middle_z]))


def _silhouette(mesh: Mesh, size: int) -> NDArray[np.bool_]:
    try:
        return np.asarray(np.isfinite(glance(mesh, [Camera(0.0, size)])[0]))
    except CharacterError:
        # Too far outside of the frame to be drawn there.
        return np.zeros((size, size), np.bool_)
