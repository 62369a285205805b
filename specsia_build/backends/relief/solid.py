"""A closed surface from a front's silhouette and depths, and the silhouette of a drawn side.

Each row of depths is stretched to the extent that the side shows in that row; then the side's silhouette is
cut out of the whole. Gaps of the side, as between the legs of an animal, so become gaps of the surface, which
a front and a back depth alone cannot have. Places are in pixels of the picture: column, row, and distance
from the viewer as a column of the side seen from the figure's left.
"""

from dataclasses import dataclass

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Floats, Mask
from specsia_build.backends.relief.sheets import SIZE, Crop, FigureCut, contour_distance, lattice_of, sampled
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.pictures.masks import box_around, continued
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Material, Mesh

SOLID_CELLS = 128  # Cells along the longest side of front and side; of thin figures more
_MOST_CELLS = 6e6  # Cells of the whole volume, for memory
_THINNEST = 0.6  # Half the least thickness in cells, so that the lattice does not miss a part
_CLEAR = 0.02  # Least distance of the surface from a node, in cells
_SMOOTH = 0.5  # Rows of the crop over which the stretch is averaged
_STRIDE, _GROUND = 0.1, 0.04  # Least height of a gap between striding legs, and most above ground, in heights
# Mean width of such a gap, and width of the figure above it, in its largest widths, at most: 0.50 and 0.89
# of a figure that strides, 0.8 and 1.2 of animals
_FILLED, _ABOVE = 0.65, 1.1
_ACROSS = (1e6, 1.0)  # Steps down and across of a search that stays in its row


@dataclass(frozen=True, eq=False)
class SideCut:
    """The silhouette of a drawn side, seen from the figure's left."""

    # (S, W), signed distance in pixels to its contour, positive inside; rows without a pixel of the figure
    # have that of the nearest row with some
    distance: Doubles
    middle: float  # The column halfway between its first and last one


def side_cut(picture: NDArray[np.uint8]) -> SideCut:
    """Cut the silhouette out of a side (S, W, 4) uint8 from the left; a `CharacterError` if it is empty."""
    # Room for what lies outside of a silhouette that reaches the picture's border.
    covered = np.pad(picture[..., 3] >= HALF_COVERED, ((0, 0), (1, 1)))
    if not covered.any():
        raise CharacterError("the side is transparent: it shows nothing")
    distance = contour_distance(covered)[:, 1:-1]
    shown = np.asarray((distance > 0).any(axis=1))
    _, columns = box_around(covered)
    filled = continued(distance, np.broadcast_to(shown[:, None], distance.shape), (1.0, 1e6))
    return SideCut(filled, (columns.start + columns.stop) / 2 - 1)


def stretched(depth: Floats, inside: Mask, crop: Crop, extent: Doubles) -> Doubles:
    """Depths (S, S, 2) of front and back as columns of the side, stretched row by row to its extent.

    Args:
        depth: (S, S, 2), heights towards the viewer in lengths of the figure.
        inside: (S, S), the figure in its crop.
        crop: its length in pixels.
        extent: (S, 2), first and last column of the side in each row.
    """
    away = -depth.astype(np.float64) * crop.figure
    near = np.where(inside, away[..., 0], np.inf).min(axis=1)
    far = np.where(inside, away[..., 1], -np.inf).max(axis=1)
    shown = np.asarray(inside.any(axis=1))
    near, far = (continued(values[:, None], shown[:, None])[:, 0] for values in (near, far))
    scale = (extent[:, 1] - extent[:, 0]) / np.maximum(far - near, 1.0)
    first, scale, near = (
        scipy.ndimage.gaussian_filter1d(values, _SMOOTH) for values in (extent[:, 0], scale, near)
    )
    return np.asarray(first[:, None, None] + (away - near[:, None, None]) * scale[:, None, None])


def extent_of(side: SideCut, rows: Doubles) -> Doubles:
    """First and last column (R, 2) of a side in rows (R,) of the picture, between pixels."""
    columns = np.arange(side.distance.shape[1]) + 0.5
    distance = sampled(side.distance, *np.meshgrid(columns, rows))
    covered = distance > 0
    first = covered.argmax(axis=1)
    last = covered.shape[1] - 1 - covered[:, ::-1].argmax(axis=1)
    each = np.arange(len(rows))
    return np.stack([columns[first] - distance[each, first], columns[last] + distance[each, last]], axis=-1)


def solid_of(
    figure: FigureCut, depth: Floats, inside: Mask, picture: NDArray[np.uint8]
) -> tuple[Mesh, SideCut]:
    """The surface, without colours, in units of the frame; the middle of the side's box is at depth 0.

    Args:
        figure: in its picture of S pixels.
        depth: (R, R, 2), front and back in the figure's crop: heights towards the viewer in lengths of the
            figure.
        inside: (R, R), the figure in its crop.
        picture: (S, W, 4) uint8, the side seen from the left.

    Raises CharacterError if the side shows nothing, or all is thinner than a cell.
    """
    side = side_cut(picture)
    crop, top = figure.crop, figure.window[0].start
    rows_of_crop = crop.top + (np.arange(SIZE) + 0.5) * crop.side / SIZE + top
    sheets = stretched(depth, inside, crop, extent_of(side, rows_of_crop))
    columns, rows, cell = _lattice(figure, side)
    at = ((columns - crop.left) * SIZE / crop.side, (rows - crop.top) * SIZE / crop.side)
    near, far = (sampled(sheets[..., k], *at) for k in (0, 1))
    low, high = extent_of(side, rows[:, 0] + top).T
    away = np.arange(low.min() - 2 * cell, high.max() + 3 * cell, cell)
    beside = sampled(side.distance, *np.meshgrid(away, rows[:, 0] + top))
    near, far = _moved_inside(near, far, beside, away, cell)
    front = sampled(figure.distance, columns, rows)
    hidden = np.zeros((*front.shape, len(away)), np.bool_)
    for stride in _strides(beside > 0):
        near, far = _stepped(stride, (near, far, front > 0), away, hidden)
    volume = np.minimum(away - near[..., None], far[..., None] - away)
    volume = np.minimum(volume, front[..., None])
    volume[hidden] = -cell
    volume = np.minimum(volume, beside[:, None, :])
    # A surface through a node itself would have faces without area.
    volume = np.copysign(np.clip(np.abs(volume), _CLEAR * cell, 2 * cell), volume)
    volume = np.pad(volume, 1, constant_values=-cell).astype(np.float32)
    if not (volume > 0).any():
        raise CharacterError("the picture shows nothing that is thicker than a pixel")
    points, faces = skimage.measure.marching_cubes(volume, 0.0, gradient_direction="ascent")[:2]
    # Rows grow downwards, which mirrors the volume.
    faces = np.ascontiguousarray(faces[:, ::-1], np.int32)
    places = (points - 1) * cell + [rows[0, 0] + top, columns[0, 0] + figure.window[1].start, away[0]]
    half, unit = figure.size / 2, 1.0 / Camera(0.0, figure.size).pixels_per_unit
    vertices = np.stack([places[:, 1] - half, places[:, 2] - side.middle, half - places[:, 0]], axis=-1)
    mesh = Mesh(
        vertices=(vertices * unit).astype(np.float32),
        faces=faces,
        materials=(Material(name="relief"),),
        face_material=np.zeros(len(faces), np.int32),
    )
    return mesh, side


def _lattice(figure: FigureCut, side: SideCut) -> tuple[Doubles, Doubles, float]:
    """Columns and rows (h, w) of the nodes over the front, and their cell in pixels."""
    boxes = [*box_around(figure.covered), box_around(side.distance > 0)[1]]
    lengths = [box.stop - box.start for box in boxes]
    coarsest = max(max(lengths) / SOLID_CELLS, float(np.prod(lengths) / _MOST_CELLS) ** (1 / 3))
    nodes = max(lengths[:2]) / coarsest
    columns, rows, cell = lattice_of(figure.covered, figure.distance, nodes)
    if np.prod(lengths) / cell**3 > _MOST_CELLS:
        return lattice_of(figure.covered, figure.distance, nodes, finer=False)
    return columns, rows, cell


@dataclass(frozen=True, eq=False)
class _Stride:
    """A gap between two legs, one before the other; of each of its rows (R,) the row's number, and along it
    the first node of the leg in front, of the gap, and of the leg behind, and the end of that."""

    row: NDArray[np.intp]
    front: NDArray[np.intp]
    gap: NDArray[np.intp]
    behind: NDArray[np.intp]
    end: NDArray[np.intp]


def _strides(solid: Mask) -> list[_Stride]:
    """Gaps of a side (h, d) between the legs of a figure that strides.

    Such a gap is open at the bottom, closes little by little upwards, and is about as wide as the hips above.
    What lies between the fore and the hind legs of an animal is closed at once, by a belly that is wider.
    """
    rows, _ = box_around(solid)
    height = rows.stop - rows.start
    left, right = (np.logical_or.accumulate(side, axis=1) for side in (solid, solid[:, ::-1]))
    gaps, count = scipy.ndimage.label(~solid & left & right[:, ::-1])
    strides = []
    for number in range(1, count + 1):
        gap = gaps == number
        row = np.flatnonzero(gap.any(axis=1))
        widths = np.count_nonzero(gap[row], axis=1)
        if row[0] == rows.start:
            continue
        _, above = box_around(solid[row[0] - 1 : row[0]])
        if (
            row[-1] < rows.stop - 1 - _GROUND * height
            or len(row) < _STRIDE * height
            or widths.mean() > _FILLED * widths.max()
            or above.stop - above.start > _ABOVE * widths.max()
        ):
            continue
        first, last = gap[row].argmax(axis=1), gap.shape[1] - gap[row][:, ::-1].argmax(axis=1)
        places = np.arange(solid.shape[1])
        empty = ~solid[row]
        front = np.where(empty & (places < first[:, None]), places, -1).max(axis=1) + 1
        end = np.where(empty & (places >= last[:, None]), places, solid.shape[1]).min(axis=1)
        strides.append(_Stride(row, front, first, last, end))
    return strides


def _stepped(
    stride: _Stride, sheets: tuple[Doubles, Doubles, Mask], away: Doubles, hidden: Mask
) -> tuple[Doubles, Doubles]:
    """Give each leg of a stride to the half of the figure, left or right, that is predicted nearer to it.

    Args:
        stride: see `_strides`.
        sheets: distances of front and back from the viewer at the nodes (h, w), and the nodes inside.
        away: distances (d,) of nodes along a row of the side.
        hidden: (h, w, d), set where a half has not the leg.

    Returns:
        The distances, which reach over the leg that the half has.
    """
    near, far = sheets[0].copy(), sheets[1].copy()
    inside = sheets[2]
    _, columns = box_around(inside[stride.row])
    halves = [slice(0, (columns.start + columns.stop) // 2), slice((columns.start + columns.stop) // 2, None)]
    middle = (near + far)[stride.row] / 2
    means = [middle[:, half][inside[stride.row][:, half]].mean() for half in halves]
    order = halves if means[0] <= means[1] else halves[::-1]
    for k, row in enumerate(stride.row):
        legs = slice(stride.front[k], stride.gap[k]), slice(stride.behind[k], stride.end[k])
        for half, leg, other in zip(order, legs, legs[::-1], strict=True):
            hidden[row, half, other] = True
            near[row, half] = np.minimum(near[row, half], away[leg.start])
            far[row, half] = np.maximum(far[row, half], away[leg.stop - 1])
    return near, far


def _moved_inside(
    near: Doubles, far: Doubles, beside: Doubles, away: Doubles, cell: float
) -> tuple[Doubles, Doubles]:
    """Move what would be cut away as a whole into the nearest part of its row that the side shows.

    Args:
        near, far: (h, w), distances from the viewer at the nodes.
        beside: (h, d), signed distance to the side's contour at the distances `away` (d,).
        cell: distance between nodes in pixels; nothing gets much thinner.
    """
    middle, half = (near + far) / 2, np.maximum((far - near) / 2, _THINNEST * cell)
    deepest = beside.max(axis=1, keepdims=True)
    solid = beside >= np.minimum(deepest, _THINNEST * cell)
    count = np.pad(np.cumsum(solid, axis=1), ((0, 0), (1, 0)))
    row = np.arange(len(near))[:, None]
    first, last = (
        np.clip(np.ceil((edge - away[0]) / cell), 0, len(away)).astype(int)
        for edge in (middle - half, middle + half)
    )
    lost = count[row, last] == count[row, first]
    places = continued(np.broadcast_to(away, beside.shape), solid, _ACROSS)
    nearest = places[row, np.clip(np.rint((middle - away[0]) / cell), 0, len(away) - 1).astype(int)]
    middle = np.where(lost, nearest, middle)
    return middle - half, middle + half
