"""Scores of reconstructions: conditions of a generated mesh; likeness to the picture in the 48 axis frames.

A generator may return nothing, a speck, a sheet turned inside out, a cloud of crumbs, or another figure.
Silhouettes from the front and from behind are mirror images of each other, so colours decide between them.
Numbers of sound meshes below are those of 96 by two backends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.backends.placing import silhouette_box
from specsia_build.errors import CharacterError, LowQualityError
from specsia_build.frame import Camera, axis_names, axis_vector, front_rotation, up_rotation
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.fast.renderer import FastRenderer, glance
from specsia_build.rendering.layers import HALF_COVERED, Look, iou
from specsia_build.rendering.mesh import CORNER_ARRAYS, Mesh
from specsia_build.rendering.topology import Topology, topology

_Level = TypeVar("_Level", np.uint8, np.bool_)

_SIZE = 128  # Largest size in pixels of the pictures to compare
_FLATTEST = 0.02  # Least height of a mesh for its fit to a picture, as a share of its largest side
MIRROR = np.diag([-1.0, 1.0, 1.0])

# Least frontal IoU of upright meshes: correct ones have 0.88 or more, turned by 90 degrees 0.79 or less
SOUND_IOU = 0.85
LEAST_IOU = 0.7  # Frontal IoU that a mesh must reach in another frame for that to be its right one
# Frontal IoU by which a mesh in its registered place may exceed the same mesh fitted by its box
GLANCED = 0.1
# Gain of frontal IoU that suffices alone, and loss that colours may outweigh
MUCH_BETTER, AS_GOOD = 0.15, 0.08

_NEARER, FARTHER = 1.3, 1.15
"""Least ratio of colour differences where silhouettes do not decide, and most where they do. In another frame
colours of sound meshes come nearer by 1.2 at most; of those that face away they are 1.7 times as far in the
median."""

_NEAR, FAR_COLOUR = 0.03, 0.16
"""Colour differences of the same picture at most, and of another figure at least: 0.12 at most for sound
meshes, 0.2 and more for normals, other characters and colours encoded twice."""

HANDED = 0.04  # Gain of frontal IoU of the mirror image of mirrored meshes; sound meshes gain at most 0.02
# Colour difference that an encoding may explain, and the least ratio by which it does
PALE, PALER = 0.08, 2.0
# Units of the box's largest side; backends without a scale give 1 or 2
LEAST_EXTENT, MOST_EXTENT = 0.05, 20.0
MOST_COORDINATE = 1e6  # Coordinates beyond this leave too few float32 digits for a surface
# Share of the surface from which a connected piece is a part of a figure, such as a wing; less is a crumb
PART = 0.05
# Least share of the surface in parts, times the share of the silhouette that its largest piece holds
WHOLE = 0.5
_MARK = 0.01  # Share of the silhouette's area below which a separate part is a stray mark
LEAST_FRONTAL_IOU = 0.5  # Bad reconstructions still keep 0.6; a figure in T-pose seen from its side has 0.3
YAW_STEP = 15  # Degrees between the turns about Z that are tried where a mesh may have any


@dataclass(frozen=True)
class Likeness:
    """How much a picture looks like another."""

    iou: float  # IoU of their silhouettes, 0-1
    plain: float  # Mean difference of encoded levels where both cover, 0-1
    decoded: float  # The same with the first picture decoded once more, as if it had been encoded twice

    @classmethod
    def of(cls, picture: Pixels, goal: Pixels) -> Likeness:
        """Compare two pictures (S, S, 4) uint8 with straight alpha."""
        covered, target = picture[..., 3] >= HALF_COVERED, goal[..., 3] >= HALF_COVERED
        both, overlap = covered & target, iou(covered, target, empty=0.0)
        if not both.any():
            return cls(overlap, 1.0, 1.0)
        levels, goal_levels = picture[both, :3] / 255, goal[both, :3] / 255
        plain, decoded = (float(np.abs(c - goal_levels).mean()) for c in (levels, srgb_to_linear(levels)))
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
        """Whether this is the right frame if one of the two is."""
        if self.iou >= other.iou + MUCH_BETTER:
            return not self._farther(other)
        own, others = self.colour_difference, other.colour_difference
        nearer = others > _NEAR and _NEARER * own <= others
        return self.iou >= other.iou - AS_GOOD and nearer and own < FAR_COLOUR

    def surely_undoes(self, other: Likeness) -> bool:
        """The same for two mirror images of each other."""
        better = self.iou >= max(SOUND_IOU, other.iou + HANDED) and not self._farther(other)
        return better or self.surely_beats(other)

    def _farther(self, other: Likeness) -> bool:
        return self.colour_difference > max(_NEAR, FARTHER * other.colour_difference)


@dataclass(frozen=True)
class Turned:
    """A mesh brought into another frame by a matrix (3, 3) of determinant 1, or -1 to undo a mirror."""

    matrix: Doubles
    likeness: Likeness

    @property
    def as_is(self) -> bool:
        return bool((self.matrix == np.eye(3)).all())

    @property
    def mirrored(self) -> bool:
        return bool(np.linalg.det(self.matrix) < 0)

    @property
    def seems(self) -> str:
        """Describe the mesh in its own frame, to follow "it seems to"."""
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
    matrix: Doubles, axes_read: Sequence[str] = ("+x", "+y", "+z"), stated_in: str | None = None
) -> str:
    """The setting of `axes` that applies a matrix (3, 3) to a mesh whose file was read with `axes_read`."""
    rows = np.array([axis_vector(axis) for axis in axes_read])
    axes = ", ".join(f'"{axis}"' for axis in axis_names(matrix @ rows))
    return f"axes: [{axes}]" + (f" in {stated_in}" if stated_in else " as its x, y, z")


def better_frame(
    mesh: Mesh, placed: Mesh, front: Pixels, behind: Pixels | None, goal: Pixels, look: Look
) -> tuple[Likeness, Turned | None]:
    """Likeness of a mesh to its picture, and the frame in which it is surely higher, or None.

    Args:
        mesh: as the backend returned it, in any position.
        placed: the same after registration, which may have pitched a mesh that is in another frame.
        front: (S, S, 4) uint8, the frontal view of `placed`.
        behind: its view from behind or None; it may make other views unnecessary.
        goal: the frontal picture that it should show.
    """
    as_is, target = Likeness.of(front, goal), goal[..., 3] >= HALF_COVERED
    upright = as_is.iou >= SOUND_IOU
    if upright and behind is not None:
        rivals = (Likeness.of(picture, goal) for picture in (behind, _mirrored(behind, target)))
        flipped = Likeness.of(_mirrored(front, target), goal)
        if all(as_is.surely_beats(rival) for rival in rivals) and not flipped.surely_undoes(as_is):
            return as_is, None
    declared, *others = in_frames(mesh, goal, look, upright=upright, placed=placed)
    as_is = max(as_is, declared.likeness)
    sure = [frame for frame in others if frame.surely_beats(as_is)]
    turned = _best([frame for frame in sure if not frame.mirrored])
    undone = _best([frame for frame in sure if frame.mirrored])
    if turned is None or (undone is not None and undone.likeness.surely_beats(turned.likeness)):
        turned = undone
    return as_is, turned


def _best(frames: Sequence[Turned]) -> Turned | None:
    return max(frames, key=lambda frame: frame.likeness, default=None)


def in_frames(
    mesh: Mesh, goal: Pixels, look: Look, *, upright: bool = False, placed: Mesh | None = None
) -> list[Turned]:
    """The mesh, fitted to the picture's silhouette, in the 48 frames: its own first, mirrored ones last.

    Args:
        goal: (S, S, 4) uint8, the picture that its front should show.
        upright: whether it surely stands and shows its front or its back, so that 4 frames are enough.
        placed: the registered mesh, whose likeness counts if it is higher; frames that silhouettes rule out
            are then left out.
    """
    target = goal[..., 3] >= HALF_COVERED
    proper: list[Turned] = []
    mirrored: list[Turned] = []
    ups = ("+z",) if upright else ("+z", "+y", "-y", "+x", "-x", "-z")
    fronts = ("-y", "+y") if upright else ("-y", "+y", "+x", "-x")
    for turn in (front_rotation(front) @ up_rotation(up) for up in ups for front in fronts):
        places = [fitted(mesh.rotated(turn), target)]
        if placed is not None:
            if proper and not _may_fit(places[0], target):
                continue
            places.append(placed.rotated(turn))
        pictures = [next(FastRenderer().render(p, [Camera(0.0, len(goal))], look)).color for p in places]
        proper.append(Turned(turn, max(Likeness.of(picture, goal) for picture in pictures)))
        flipped = max(Likeness.of(_mirrored(picture, target), goal) for picture in pictures)
        mirrored.append(Turned(MIRROR @ turn, flipped))
    return [*proper, *mirrored]


def _may_fit(mesh: Mesh, target: Mask) -> bool:
    """Whether a quick look at a mesh's silhouette, or its mirror image, allows for it being the right one."""
    silhouette = np.isfinite(glance(mesh, [Camera(0.0, len(target))])[0])
    ious = (iou(shape, target, empty=0.0) for shape in (silhouette, _mirrored(silhouette, target)))
    return max(ious) >= LEAST_IOU - GLANCED


def _mirrored(picture: NDArray[_Level], target: Mask) -> NDArray[_Level]:
    """A picture (S, S) or (S, S, 4) mirrored, its silhouette's box centred on that of another (S, S)."""
    flipped = picture[:, ::-1]
    covered = flipped if flipped.ndim == 2 else flipped[..., 3] >= HALF_COVERED
    target_columns, columns = (np.flatnonzero(mask.any(axis=0)) for mask in (target, covered))
    if len(columns) == 0:
        return flipped
    shift = (target_columns[0] + target_columns[-1] - columns[0] - columns[-1]) / 2
    return np.roll(flipped, round(shift), axis=1)


def small(color: Pixels, mask: Pixels) -> Pixels:
    """A picture (S, S, 4) with its alpha cut to a mask (S, S), shrunk to at most `_SIZE` pixels."""
    picture = color.copy()
    np.minimum(color[..., 3], mask, out=picture[..., 3])
    if len(picture) <= _SIZE:
        return picture
    premultiplied = Image.fromarray(picture).convert("RGBa").resize((_SIZE, _SIZE), Image.Resampling.BOX)
    return np.asarray(premultiplied.convert("RGBA"))


def fitted(mesh: Mesh, target: Mask) -> Mesh:
    """The mesh with the height and centre of the box of a frontal silhouette (S, S) that is not empty."""
    left, bottom, right, top = silhouette_box(target)
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    # A mesh that lies flat would be drawn larger than any picture.
    height = max(float(high[2] - low[2]), _FLATTEST * float(np.max(high - low)), 1e-9)
    centre = np.array([(left + right) / 2, 0.0, (bottom + top) / 2])
    return mesh.with_vertices((mesh.vertices - (low + high) / 2) * ((top - bottom) / height) + centre)


def check_mesh(mesh: Mesh) -> None:
    """Raise a CharacterError unless a mesh has faces, finite colours and coordinates, and a usable size."""
    if len(mesh.faces) == 0:
        raise CharacterError("the mesh is empty")
    for name in ("vertices", *CORNER_ARRAYS):
        values = getattr(mesh, name)
        if values is not None and not np.isfinite(values).all():
            count = np.count_nonzero(~np.isfinite(values))
            raise CharacterError(f"the mesh is not finite: {count} of its {name}")
    low, high = mesh.bounds()
    if not float(np.max(high - low)) > 0:
        raise CharacterError("the mesh has no size: all of its vertices lie at one place")
    if float(max(-low.min(), high.max())) > MOST_COORDINATE:
        raise CharacterError(f"the mesh has coordinates beyond {MOST_COORDINATE:,.0f}")


def check_generated(mesh: Mesh, image: Pixels, *, any_yaw: bool = False) -> None:
    """Check that a generated mesh may be what the picture shows.

    Args:
        mesh: in the axes of the frame, in any place; without vertices that no face uses.
        image: (S, S, 4) uint8, straight alpha: the picture that it was made from.
        any_yaw: whether it may be turned about Z, which registration then undoes.

    Raises CharacterError, naming the first that fails of `check_mesh`, size, volume, share of crumbs and
    frontal IoU; a `LowQualityError` without pictures for the last two.
    """
    check_mesh(mesh)
    low, high = mesh.bounds()
    extent = float(np.max(high - low))
    if not LEAST_EXTENT <= extent <= MOST_EXTENT:
        raise CharacterError(f"the mesh is {extent:.3g} units large, not {LEAST_EXTENT:g} to {MOST_EXTENT:g}")
    parts = topology(mesh)
    volume = closed_volume(parts)
    if volume is not None and volume <= 0:
        problem = f"the mesh is inside out: its closed parts have a volume of {volume:.3g}"
        cure = "reverse the order of each face's corners, which mirroring changes"
        raise CharacterError(f"{problem}; {cure}")
    share, least = share_of_parts(parts), WHOLE * _largest_piece(image)
    if share < least:
        reason = f"larger parts hold {share:.0%} of its surface, and this picture needs {least:.0%}"
        raise LowQualityError(f"the mesh is all crumbs: {reason}", {})
    best = 0.0
    for yaw in range(0, 360 if any_yaw else 1, YAW_STEP):
        best = max(best, _frontal_iou(mesh.rotated(Camera(float(yaw), _SIZE).turn()) if yaw else mesh, image))
        if best >= LEAST_FRONTAL_IOU:
            return
    reason = f"its frontal silhouette has an IoU of {best:.2f}, and {LEAST_FRONTAL_IOU:.2f} is needed"
    raise LowQualityError(f"the mesh does not look like the picture: {reason}", {})


def closed_volume(parts: Topology) -> float | None:
    """Signed volume in cubic units of parts without a border, positive if faces turn outwards; else None."""
    closed = parts.volumes[~np.isnan(parts.volumes)]
    return float(closed.sum()) if len(closed) else None


def share_of_parts(parts: Topology) -> float:
    """Share 0-1 of the surface in connected parts of at least `PART` of it."""
    shares = parts.areas / max(parts.areas.sum(), 1e-300)
    return float(shares[shares >= PART].sum())


def _largest_piece(image: Pixels) -> float:
    """Share 0-1 of the silhouette's area that its largest connected part holds."""
    labels, count = scipy.ndimage.label(image[..., 3] >= HALF_COVERED, structure=np.ones((3, 3)))
    if count == 0:
        return 0.0
    areas = np.bincount(labels.ravel())[1:].astype(np.float64)
    areas = areas[areas >= _MARK * areas.sum()]
    # A sheet of many small figures has no larger piece.
    return float(areas.max() / areas.sum()) if len(areas) else 0.0


def _frontal_iou(mesh: Mesh, image: Pixels) -> float:
    """IoU 0-1 of the frontal silhouettes of a mesh and the picture: small, in the picture's pixels for thin
    lines, or with the mesh brought to the height and the centre of the figure, whichever first suffices, else
    the best."""
    alpha = Image.fromarray(np.ascontiguousarray(image[..., 3]))
    small = np.asarray(alpha.resize((_SIZE, _SIZE), Image.Resampling.BOX)) >= HALF_COVERED
    best = 0.0
    for target in (small, image[..., 3] >= HALF_COVERED):
        best = max(best, iou(_silhouette(mesh, len(target)), target, empty=0.0))
        if best >= LEAST_FRONTAL_IOU:
            return best
    return max(best, iou(_silhouette(fitted(mesh, small), _SIZE), small, empty=0.0)) if small.any() else best


def _silhouette(mesh: Mesh, size: int) -> Mask:
    try:
        return np.asarray(np.isfinite(glance(mesh, [Camera(0.0, size)])[0]))
    except CharacterError:
        # The mesh is too far outside of the frame to be drawn.
        return np.zeros((size, size), np.bool_)
