"""The scorer of reconstructions: a mesh against its picture, as it is and in the 48 frames by right angles and mirrors.

Silhouettes from the front and from behind are mirror images of each other, so colours decide between them. Numbers of
sound meshes below are those of 96 by two backends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.backends.placing import silhouette_box
from specsia_build.frame import Camera, axis_names, axis_vector, front_rotation, up_rotation
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.fast.renderer import FastRenderer, glance
from specsia_build.rendering.layers import HALF_COVERED, Look, iou
from specsia_build.rendering.mesh import Mesh

Pixels = NDArray[np.uint8]
_Level = TypeVar("_Level", np.uint8, np.bool_)

SIZE = 128
"""Pixels of the pictures that are compared, at most."""

FLATTEST = 0.02
"""Least height of a mesh for its fit to a picture, as a share of its largest side."""

MIRROR = np.diag([-1.0, 1.0, 1.0])

AXES_AROUND = ("-y", "+y", "+x", "-x")

SOUND_IOU = 0.85
"""Frontal IoU from which a mesh stands upright and shows its front or its back: 0.88 at least of sound meshes, at most
0.79 of those that were turned by a quarter."""

LEAST_IOU = 0.7
"""Frontal IoU that a mesh must reach in another frame for that to be its right one."""

GLANCED = 0.1
"""Frontal IoU by which a mesh in its registered place may exceed the same mesh fitted by its box."""

MUCH_BETTER, AS_GOOD = 0.15, 0.08
"""Frontal IoU by which silhouettes alone tell the right frame, and which it may cost where colours tell it."""

NEARER, FARTHER = 1.3, 1.15
"""How many times nearer colours must be where silhouettes do not tell, and how many times farther they may be where
those do. In another frame colours of sound meshes come nearer by 1.2 at most; of those that face away they are 1.7
times as far apart in the median."""

NEAR, FAR = 0.03, 0.16
"""Mean difference of colours, 0-1, up to which two pictures' are the same, and from which they are hardly the same
figure's: 0.12 at most for sound meshes, 0.2 and more for normals, other characters and colours encoded twice."""

HANDED = 0.04
"""Frontal IoU by which its mirror image must do better for a mesh to be mirrored. No sound mesh gains more than 0.02,
turned by 35 degrees or not; of mirrored ones a third does: all whose silhouettes are not their own mirror images."""

PALE, PALER = 0.08, 2.0
"""Mean difference of colours from which an encoding may explain it, and how many times nearer that must bring them."""


@dataclass(frozen=True)
class Likeness:
    """How much a picture looks like another.

    Attributes:
        iou: of their silhouettes, 0-1.
        plain: mean difference of encoded levels where both cover, 0-1.
        decoded: the same with the first picture decoded once more, as if it had been encoded twice.
    """

    iou: float
    plain: float
    decoded: float

    @classmethod
    def of(cls, picture: Pixels, goal: Pixels) -> Likeness:
        """Compare two pictures (S, S, 4) uint8 with straight alpha."""
        covered, target = picture[..., 3] >= HALF_COVERED, goal[..., 3] >= HALF_COVERED
        both, overlap = covered & target, iou(covered, target, empty=0.0)
        if not both.any():
            return cls(overlap, 1.0, 1.0)
        levels, wanted = picture[both, :3] / 255, goal[both, :3] / 255
        plain, decoded = (float(np.abs(colours - wanted).mean()) for colours in (levels, srgb_to_linear(levels)))
        return cls(overlap, plain, decoded)

    @property
    def colour_difference(self) -> float:
        """Colour difference 0-1, whichever way colours are encoded."""
        return min(self.plain, self.decoded)

    @property
    def pale(self) -> bool:
        """Whether colours have been encoded twice."""
        return self.plain > PALE and PALER * self.decoded <= self.plain

    @property
    def score(self) -> float:
        """Agreement of silhouette and colours, 0-1."""
        return self.iou * (1 - self.colour_difference)

    def __lt__(self, other: Likeness) -> bool:
        return self.score < other.score

    def surely_beats(self, other: Likeness) -> bool:
        """Whether, if one of the two is of the right frame, this one is."""
        if self.iou >= other.iou + MUCH_BETTER:
            return not self._farther(other)
        nearer = other.colour_difference > NEAR and NEARER * self.colour_difference <= other.colour_difference
        return self.iou >= other.iou - AS_GOOD and nearer and self.colour_difference < FAR

    def surely_undoes(self, other: Likeness) -> bool:
        """The same for two mirror images of each other."""
        better = self.iou >= max(SOUND_IOU, other.iou + HANDED) and not self._farther(other)
        return better or self.surely_beats(other)

    def _farther(self, other: Likeness) -> bool:
        return self.colour_difference > max(NEAR, FARTHER * other.colour_difference)


@dataclass(frozen=True)
class Turned:
    """A mesh brought into another frame by a matrix (3, 3) of determinant 1, or -1 to undo a mirror."""

    matrix: NDArray[np.float64]
    likeness: Likeness

    @property
    def as_is(self) -> bool:
        """Whether it is the mesh's own frame."""
        return bool((self.matrix == np.eye(3)).all())

    @property
    def mirrored(self) -> bool:
        """Whether it undoes a mirror."""
        return bool(np.linalg.det(self.matrix) < 0)

    @property
    def seems(self) -> str:
        """Describe the mesh as it is: what it seems to ..."""
        if self.matrix[2, 2] < 1:
            return "be mirrored and not upright" if self.mirrored else "lie or stand on its head"
        if self.mirrored:
            return "be mirrored" if (self.matrix == MIRROR).all() else "be mirrored and turned"
        return "face away" if self.matrix[0, 0] < 0 else "face sideways"

    def surely_beats(self, as_is: Likeness) -> bool:
        """Whether it is the mesh's right frame instead of its own."""
        beats = self.likeness.surely_undoes if (self.matrix == MIRROR).all() else self.likeness.surely_beats
        return self.likeness.iou >= LEAST_IOU and beats(as_is)


def stated_axes(
    matrix: NDArray[np.float64], taken: Sequence[str] = ("+x", "+y", "+z"), stated_in: str | None = None
) -> str:
    """The setting of `axes` that applies a matrix (3, 3) to a mesh whose file was read with the axes `taken`."""
    rows = np.array([axis_vector(axis) for axis in taken])
    axes = ", ".join(f'"{axis}"' for axis in axis_names(matrix @ rows))
    return f"axes: [{axes}]" + (f" in {stated_in}" if stated_in else " as its x, y, z")


def better_frame(
    mesh: Mesh, placed: Mesh, front: Pixels, behind: Pixels | None, goal: Pixels, look: Look
) -> tuple[Likeness, Turned | None]:
    """Likeness of a mesh to its picture, and the frame in which it is surely greater; None where nothing tells.

    Args:
        mesh: as it came, in any place.
        placed: where registration put it, which may have pitched one that is in another frame.
        front: (S, S, 4) uint8, the frontal view of `placed`.
        behind: its view from behind, which may make other views unnecessary.
        goal: the frontal picture that it should show.
        look: of the pictures.
    """
    as_is, target = Likeness.of(front, goal), goal[..., 3] >= HALF_COVERED
    upright = as_is.iou >= SOUND_IOU
    if upright and behind is not None:
        rivals = (Likeness.of(picture, goal) for picture in (behind, _mirrored(behind, target)))
        flipped = Likeness.of(_mirrored(front, target), goal)
        if all(as_is.surely_beats(rival) for rival in rivals) and not flipped.surely_undoes(as_is):
            return as_is, None
    own, *others = in_frames(mesh, goal, look, upright=upright, placed=placed)
    as_is = max(as_is, own.likeness)
    sure = [frame for frame in others if frame.surely_beats(as_is)]
    turned, undone = (
        max((f for f in sure if f.mirrored is mirrored), key=lambda f: f.likeness, default=None)
        for mirrored in (False, True)
    )
    if turned is None or (undone is not None and undone.likeness.surely_beats(turned.likeness)):
        turned = undone
    return as_is, turned


def in_frames(
    mesh: Mesh, goal: Pixels, look: Look, *, upright: bool = False, placed: Mesh | None = None
) -> list[Turned]:
    """The mesh, fitted to the picture's silhouette, in the 48 frames: its own first, mirrored ones last.

    Args:
        mesh: in any place.
        goal: (S, S, 4) uint8, the picture that its front should show.
        look: of that.
        upright: whether it surely stands and shows its front or its back, so that 4 frames are enough.
        placed: the registered mesh, whose likeness counts if it is higher; frames that silhouettes rule out are then
            left out.
    """
    target = goal[..., 3] >= HALF_COVERED
    proper: list[Turned] = []
    mirrored: list[Turned] = []
    ups, fronts = (("+z",), ("-y", "+y")) if upright else (("+z", "+y", "-y", "+x", "-x", "-z"), AXES_AROUND)
    for turn in (front_rotation(front) @ up_rotation(up) for up in ups for front in fronts):
        places = [fitted(mesh.rotated(turn), target)]
        if placed is not None:
            if proper and not _may_fit(places[0], target):
                continue
            places.append(placed.rotated(turn))
        pictures = [next(FastRenderer().render(place, [Camera(0.0, len(goal))], look)).color for place in places]
        proper.append(Turned(turn, max(Likeness.of(picture, goal) for picture in pictures)))
        flipped = max(Likeness.of(_mirrored(picture, target), goal) for picture in pictures)
        mirrored.append(Turned(MIRROR @ turn, flipped))
    return [*proper, *mirrored]


def _may_fit(mesh: Mesh, target: NDArray[np.bool_]) -> bool:
    """Whether a glance at a mesh's silhouette, or at its mirror image, leaves room for its being the right one."""
    silhouette = np.isfinite(glance(mesh, [Camera(0.0, len(target))])[0])
    ious = (iou(each, target, empty=0.0) for each in (silhouette, _mirrored(silhouette, target)))
    return max(ious) >= LEAST_IOU - GLANCED


def _mirrored(picture: NDArray[_Level], target: NDArray[np.bool_]) -> NDArray[_Level]:
    """A picture (S, S) or (S, S, 4) mirrored, the middle of its silhouette's box moved to that of another (S, S)."""
    flipped = picture[:, ::-1]
    covered = flipped if flipped.ndim == 2 else flipped[..., 3] >= HALF_COVERED
    there, here = (np.flatnonzero(mask.any(axis=0)) for mask in (target, covered))
    if len(here) == 0:
        return flipped
    return np.roll(flipped, round((there[0] + there[-1] - here[0] - here[-1]) / 2), axis=1)


def small(color: Pixels, mask: Pixels) -> Pixels:
    """A picture (S, S, 4) with its alpha cut to a mask (S, S), shrunk to at most `SIZE` pixels."""
    picture = color.copy()
    np.minimum(color[..., 3], mask, out=picture[..., 3])
    if len(picture) <= SIZE:
        return picture
    premultiplied = Image.fromarray(picture).convert("RGBa").resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(premultiplied.convert("RGBA"))


def fitted(mesh: Mesh, target: NDArray[np.bool_]) -> Mesh:
    """The mesh with the height and the centre of the box of a frontal silhouette (S, S), which is not empty."""
    left, bottom, right, top = silhouette_box(target)
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    # A mesh that lies flat would be drawn larger than any picture.
    height = max(float(high[2] - low[2]), FLATTEST * float(np.max(high - low)), 1e-9)
    centre = np.array([(left + right) / 2, 0.0, (bottom + top) / 2])
    return mesh.with_vertices((mesh.vertices - (low + high) / 2) * ((top - bottom) / height) + centre)
