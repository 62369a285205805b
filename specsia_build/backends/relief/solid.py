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

CELLS = 128  # Cells along the longest side of front and side; of thin figures more
_MOST_CELLS = 6e6  # Cells of the whole volume, for memory
_THINNEST = 0.6  # Half the least thickness in cells, so that the lattice does not miss a part
_SMOOTH = 0.5  # Rows of the crop over which the stretch is averaged
_ACROSS = (1e6, 1.0)  # Steps down and across of a search that stays in its row


@dataclass(frozen=True, eq=False)
class SideCut:
    """The silhouette of a drawn side, seen from the figure's left.

    Attributes:
        distance: (S, W), signed distance in pixels to its contour, positive inside; rows without a pixel of
            the figure have that of the nearest row with some.
        middle: the column halfway between its first and last one.
    """

    distance: Doubles
    middle: float


def side_cut(picture: NDArray[np.uint8]) -> SideCut:
    """Cut the silhouette out of a side (S, W, 4) uint8 seen from the left; a `CharacterError` if it shows
    nothing."""
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

    Raises:
        CharacterError: if the side shows nothing, or all is thinner than a cell.
    """
    side, crop, top = side_cut(picture), figure.crop, figure.window[0].start
    rows_of_crop = crop.top + (np.arange(SIZE) + 0.5) * crop.side / SIZE + top
    sheets = stretched(depth, inside, crop, extent_of(side, rows_of_crop))
    columns, rows, cell = _lattice(figure, side)
    at = ((columns - crop.left) * SIZE / crop.side, (rows - crop.top) * SIZE / crop.side)
    near, far = (sampled(sheets[..., k], *at) for k in (0, 1))
    low, high = extent_of(side, rows[:, 0] + top).T
    away = np.arange(low.min() - 2 * cell, high.max() + 3 * cell, cell)
    beside = sampled(side.distance, *np.meshgrid(away, rows[:, 0] + top))
    near, far = _moved_inside(near, far, beside, away, cell)
    volume = np.minimum(away - near[..., None], far[..., None] - away)
    volume = np.minimum(volume, sampled(figure.distance, columns, rows)[..., None])
    volume = np.minimum(volume, beside[:, None, :])
    volume = np.pad(np.clip(volume, -2 * cell, 2 * cell), 1, constant_values=-cell).astype(np.float32)
    if not (volume > 0).any():
        raise CharacterError("the picture shows nothing that is thicker than a pixel")
    points, faces, _, _ = skimage.measure.marching_cubes(volume, 0.0, gradient_direction="ascent")
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
    coarsest = max(max(lengths) / CELLS, float(np.prod(lengths) / _MOST_CELLS) ** (1 / 3))
    nodes = max(lengths[:2]) / coarsest
    columns, rows, cell = lattice_of(figure.covered, figure.distance, nodes)
    if np.prod(lengths) / cell**3 > _MOST_CELLS:
        return lattice_of(figure.covered, figure.distance, nodes, finer=False)
    return columns, rows, cell


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
