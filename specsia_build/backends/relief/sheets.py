"""A closed mesh from the silhouette of a drawing and the depths of its front and its back.

Two sheets over one lattice of the picture, the front and the back, share the vertices of their rim, which lie
on the silhouette's contour halfway between the depths there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.arrays import Doubles, Mask
from specsia_build.backends.base import check_image
from specsia_build.backends.relief.blocks import LARGEST, faces_of_blocks
from specsia_build.backends.relief.legs import deep_legs, profile_legs
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.pictures.masks import box_around, continued, distance_to
from specsia_build.rendering.ink import LUMA
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Material, Mesh, Texture

SIZE = 128  # Width and height of a crop in pixels
FILLED = 112  # Pixels of a crop that the longest side of the figure's box fills
FULLY_COVERED = 250  # Coverage from which a pixel's colour is the figure's alone
# Share of the figure's longest side that is kept around it; the network was trained with as much
_MARGIN = 0.032
_SPECK = 1e-3  # Share of the silhouette below which a separate part is left out
NODES = 160  # Cells along the longest side of the silhouette's box: about 2.4 pixels of a picture of 512
_NEAR = 0.3  # Cells from the contour within which a node is moved onto it
THIN = 2.0  # Cells of half the width below which a part is thin
_ROUND = 2.0  # Thickness of a thin part as a share of its width
_LEAST = 0.1  # Half of the least thickness in pixels
_LOST = 0.01  # Share of the silhouette that may be thinner than a cell; of more, the lattice is made finer
_OF_TWO, _INNER = 0.45, 0.1
"""Largest share of the depth that each of two legs has, and cells that they lie inside of the body, so that
the three do not touch."""

FINER, _FINEST = 2.0, 1.0  # Factor by which the lattice is made finer, and the pixels of its smallest cell


@dataclass(frozen=True)
class Crop:
    """A square of a picture by its corner and side in pixels; parts of it may lie outside."""

    left: float
    top: float
    side: float

    @property
    def figure(self) -> float:
        """The longest side of the figure in pixels of the picture, the network's unit of depth."""
        return self.side * FILLED / SIZE

    def resized(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The crop (SIZE, SIZE, C) of a picture (H, W, C) uint8, averaged; 0 outside of the picture."""
        left, top = int(np.floor(self.left)), int(np.floor(self.top))
        reach = int(np.ceil(self.side)) + 1
        around = Image.fromarray(np.ascontiguousarray(picture)).crop((left, top, left + reach, top + reach))
        box = (self.left - left, self.top - top, self.left - left + self.side, self.top - top + self.side)
        layers = [layer.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box) for layer in around.split()]
        return np.stack([np.asarray(layer) for layer in layers], axis=-1)

    def enlarged(self, values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
        """Values (SIZE, SIZE) of the crop in each pixel of the picture (height, width), bilinearly."""
        height, width = shape
        scale = SIZE / self.side
        left, top = -self.left * scale, -self.top * scale
        right, bottom = left + width * scale, top + height * scale
        beyond = 1 + max(0, *(int(np.ceil(side)) for side in (-left, -top, right - SIZE, bottom - SIZE)))
        values = np.pad(values, beyond, mode="edge")
        box = (left + beyond, top + beyond, right + beyond, bottom + beyond)
        larger = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR, box)
        return np.asarray(larger, np.float32)

    def places(self, shape: tuple[int, ...], part: tuple[slice, slice]) -> Doubles:
        """Where the pixels of a picture (H, W) lie in a part of the crop: (2, max(H, W), 2) float64.

        Of each row, and of each column, the last row or column of the part before it, and the share of the
        next one.
        """
        out = np.zeros((2, max(shape[:2]), 2))
        for axis, (corner, inner) in enumerate(zip((self.top, self.left), part, strict=True)):
            at = (np.arange(len(out[axis])) + 0.5 - corner) * SIZE / self.side - 0.5 - inner.start
            at = at.clip(0, inner.stop - inner.start - 1)
            out[axis, :, 0] = np.minimum(np.floor(at), inner.stop - inner.start - 2)
            out[axis, :, 1] = at - out[axis, :, 0]
        return out

    def nearest(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """The crop (SIZE, SIZE, ...) of values (H, W, ...) by nearest neighbours; 0 outside."""
        steps = (np.arange(SIZE) + 0.5) * self.side / SIZE
        rows, columns = (np.floor(first + steps).astype(int) for first in (self.top, self.left))
        height, width = values.shape[:2]
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
        taken = values[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
        taken[~inside] = 0
        return np.asarray(taken)


def crop_of(covered: Mask) -> Crop:
    """The crop around a silhouette (H, W), which is not empty."""
    rows, columns = box_around(covered)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    side = max(height, width) * SIZE / FILLED
    return Crop(columns.start + (width - side) / 2, rows.start + (height - side) / 2, side)


@dataclass(frozen=True)
class FigureCut:
    """A figure cut out of a picture of `size` pixels."""

    # (H, W, 4) uint8 sRGB, straight alpha: a window of the picture around the figure
    picture: NDArray[np.uint8]
    covered: Mask  # (H, W) bool, its silhouette without specks
    crop: Crop  # Square around the silhouette
    window: tuple[slice, slice]  # Rows and columns of the window in the picture
    size: int

    @cached_property
    def distance(self) -> Doubles:
        """See `contour_distance`, (H, W)."""
        return contour_distance(self.covered)


def contour_distance(covered: Mask) -> Doubles:
    """Signed distance (H, W) of pixel centres to a silhouette's contour in pixels, positive inside."""
    distance = np.where(covered, distance_to(~covered) - 0.5, 0.5 - distance_to(covered))
    return np.asarray(scipy.ndimage.gaussian_filter(distance, 0.7), np.float64)


def figure_of(image: NDArray[np.uint8]) -> FigureCut:
    """Cut the figure out of a picture (S, S, 4) uint8 with straight alpha.

    Raises CharacterError if the picture is not square or too small, or shows nothing or no background.
    """
    check_image(image)
    covered = image[..., 3] >= HALF_COVERED
    if not covered.any():
        raise CharacterError("the picture is transparent: it shows nothing")
    if covered.all():
        raise CharacterError("the picture has no background: cut the figure out of it first")
    # Specks are left out, and the figure is kept clear of the picture's border.
    labels, _ = scipy.ndimage.label(covered, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept = np.asarray((areas >= _SPECK * areas.sum())[labels])
    kept[[0, -1]] = kept[:, [0, -1]] = False
    covered = kept if kept.any() else covered
    longest = max(side.stop - 1 - side.start for side in box_around(covered))
    window = box_around(covered, max(4, round(_MARGIN * longest)))
    picture, covered = image[window].copy(), covered[window]
    picture[~covered & (picture[..., 3] >= HALF_COVERED)] = 0
    return FigureCut(picture, covered, crop_of(covered), window, len(image))


@dataclass(frozen=True)
class ClosedSurface:
    """A closed surface over a picture."""

    # (V, 3) float64, column, row, height in pixels of the picture; height grows towards the viewer
    points: Doubles
    # (F, 3) int64, counter-clockwise from outside if columns grow to the right and rows downwards
    faces: NDArray[np.int64]
    front: Mask  # (F,) bool, whether the face belongs to the front


def sampled(values: NDArray[np.floating], columns: NDArray[Any], rows: NDArray[Any]) -> Doubles:
    """Values (H, W) between pixels, bilinearly, where the first pixel's centre is at (0.5, 0.5)."""
    at = [np.asarray(rows) - 0.5, np.asarray(columns) - 0.5]
    return np.asarray(scipy.ndimage.map_coordinates(values, at, order=1, mode="nearest"), np.float64)


def lattice_of(
    covered: Mask, distance: Doubles, nodes: float = NODES, *, finer: bool = True
) -> tuple[Doubles, Doubles, float]:
    """Columns and rows (h, w) of the nodes of a lattice over a silhouette (H, W), and its cell in pixels.

    It has `nodes` cells along the silhouette's box, and with `finer` as many more as keep thin parts.
    """
    box = box_around(covered)
    cell = max(_FINEST, max(side.stop - 1 - side.start for side in box) / nodes)
    while True:
        down, across = (np.arange(side.start - 2 * cell, side.stop + 3 * cell, cell) for side in box)
        columns, rows = np.meshgrid(across, down)
        inside = sampled(distance, columns, rows) > _NEAR * cell
        kept = np.zeros_like(covered)
        kept[rows[inside].astype(int), columns[inside].astype(int)] = True
        kept = scipy.ndimage.maximum_filter(kept, 2 * int(np.ceil(cell)) + 3)
        if (
            not finer
            or cell <= _FINEST
            or np.count_nonzero(covered & ~kept) <= _LOST * np.count_nonzero(covered)
        ):
            return columns, rows, cell
        cell = max(_FINEST, cell / FINER)


def surface_of(
    figure: FigureCut, depth: NDArray[np.floating], *, known: bool = True, profile: bool = False
) -> ClosedSurface:
    """The surface that fills a figure's silhouette between two depths.

    Args:
        figure: in its picture.
        depth: (R, R, 2), front and back in the figure's crop: heights towards the viewer, in figure lengths.
        known: whether the depths of thin parts are sure; else these are about as thick as they are wide.
        profile: whether the figure is drawn from its side, see `profile_legs` and `deep_legs`.

    Raises CharacterError if the silhouette is nowhere wider than a cell of the finest lattice.
    """
    covered = figure.covered
    crop = figure.crop
    distance = figure.distance
    columns, rows, cell = lattice_of(covered, distance)
    inside = sampled(distance, columns, rows) > _NEAR * cell
    rim = scipy.ndimage.binary_dilation(inside, np.ones((3, 3), np.bool_)) & ~inside
    down, right = (np.asarray(slope) for slope in np.gradient(distance))
    for _ in range(3):
        x, y = columns[rim], rows[rim]
        gx, gy = sampled(right, x, y), sampled(down, x, y)
        step = np.clip(sampled(distance, x, y) / np.maximum(gx**2 + gy**2, 0.25), -cell, cell)
        columns[rim] -= step * gx
        rows[rim] -= step * gy
    across, down = (
        (at - first) * len(depth) / crop.side for at, first in ((columns, crop.left), (rows, crop.top))
    )
    top, bottom = (sampled(depth[..., side], across, down) * crop.figure for side in (0, 1))
    middle = (top + bottom) / 2
    half = np.maximum((top - bottom) / 2, _LEAST)
    lattice, unit = np.stack([columns, rows]), crop.figure / NODES
    body, legs = inside.copy(), []
    if profile:
        luma = figure.picture[..., :3] @ LUMA
        hiding = profile_legs(inside, sampled(luma, columns, rows))
    else:
        hiding = deep_legs(inside, 2 * half / cell)
    for leg in hiding:
        body &= ~leg.below
        own = np.minimum(leg.width[:, None] * cell / 2, _OF_TWO * half)
        away = half - own - _INNER * cell
        legs += [_sheets(lattice, middle + way * away, own, leg.whole, unit) for way in leg.sides]
    if not known:
        thickest = _thickest(np.maximum(sampled(distance, columns, rows), 0), cell)
        half = np.maximum(np.minimum(half, thickest), _LEAST)
    return _joined([_sheets(lattice, middle, half, body, unit), *legs])


def _thickest(distance: Doubles, cell: float) -> Doubles:
    """The greatest half thickness (h, w) of thin parts, infinite elsewhere, in the unit of `cell`.

    The width of a part at a node is that of the largest disc inside of the silhouette that covers the node;
    `distance` (h, w) is the radius of the disc around it.
    """
    width = distance.copy()
    for cells in range(1, int(2 * THIN) + 1):
        y, x = np.mgrid[-cells : cells + 1, -cells : cells + 1]
        reaching = np.where(distance >= cells * cell, distance, 0.0)
        width = np.maximum(
            width, scipy.ndimage.maximum_filter(reaching, footprint=x * x + y * y <= cells * cells)
        )
    # From one to two times `THIN`, the limit is lifted.
    lifted = np.clip(2 - width / (THIN * cell), 1e-6, 1)
    return np.where(lifted <= 1e-6, np.inf, _ROUND * width / lifted)


def _sheets(lattice: Doubles, middle: Doubles, half: Doubles, inside: Mask, unit: float) -> ClosedSurface:
    """Two sheets over the nodes of a lattice that lie inside of a part, and those around them.

    Args:
        lattice: (2, h, w), columns and rows.
        middle, half: (h, w), height halfway between the sheets, and half of their distance.
        inside: (h, w), nodes of the part; around them the sheets meet.
        unit: a cell in the unit of the lattice before that is refined.
    """
    beyond = [(0, -(n - 1) % LARGEST) for n in inside.shape]
    half = np.where(inside, half, 0.0)
    nodes = np.pad(np.stack([*lattice, middle + half, middle - half]), [(0, 0), *beyond])
    inside = np.pad(inside, beyond)
    rim = scipy.ndimage.binary_dilation(inside, np.ones((3, 3), np.bool_)) & ~inside
    faces = faces_of_blocks(nodes[2:] / unit, inside, rim)
    if not len(faces):
        raise CharacterError("the picture shows nothing that is thicker than a pixel")
    used = np.zeros(inside.size, np.bool_)
    used[faces] = True
    faces = (np.cumsum(used) - 1)[faces]
    on_rim = rim.ravel()[used]
    taken = nodes.reshape(4, -1)[:, used].T
    front, back = taken[:, [0, 1, 2]], taken[:, [0, 1, 3]]
    twin = np.where(on_rim, np.arange(len(front)), len(front) + np.cumsum(~on_rim) - 1)
    points = np.concatenate([front, back[~on_rim]])
    both = np.concatenate([faces, twin[faces][:, ::-1]])
    return ClosedSurface(points, both, np.arange(len(both)) < len(faces))


def _joined(surfaces: Sequence[ClosedSurface]) -> ClosedSurface:
    """One surface of several."""
    counts = np.cumsum([0, *(len(surface.points) for surface in surfaces)])
    faces = [surface.faces + count for surface, count in zip(surfaces, counts[:-1], strict=True)]
    points = np.concatenate([surface.points for surface in surfaces])
    return ClosedSurface(points, np.concatenate(faces), np.concatenate([s.front for s in surfaces]))


def textured(
    figure: FigureCut, surface: ClosedSurface, front: NDArray[np.uint8], back: NDArray[np.uint8]
) -> Mesh:
    """The surface in units of the frame; front and back (H, W, 3), as from the front, are its texture."""
    height, width = front.shape[:2]
    pixels = np.full((height, 2 * width, 4), 255, np.uint8)
    pixels[..., :3] = np.concatenate([front, back], axis=1)
    size, unit = figure.size, 1.0 / Camera(0.0, figure.size).pixels_per_unit
    (x, y, z), (rows, columns) = surface.points.T, figure.window
    vertices = np.stack([x + columns.start - size / 2, -z, size / 2 - y - rows.start], axis=1) * unit
    right = x[surface.faces].clip(0.5, width - 0.5) + np.where(surface.front, 0, width)[:, None]
    uv = np.stack([right / (2 * width), y[surface.faces] / height], axis=-1)
    return Mesh(
        vertices=vertices.astype(np.float32),
        faces=surface.faces.astype(np.int32),
        materials=(Material(name="relief", texture=Texture(pixels, wrap=("clamp", "clamp"))),),
        face_material=np.zeros(len(surface.faces), np.int32),
        uv=uv.astype(np.float32),
    )


def extended(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Mask]:
    """The figure's colours (H, W, 3) continued over its fringe and beyond; and where they are its own.

    A pixel is trusted if it and its four neighbours are wholly covered; a part too thin to have such pixels
    is taken as it is. The rest gets the colour of the nearest trusted pixel.

    Args:
        picture: (H, W, 4) uint8, straight alpha, at least half covered somewhere.
    """
    covered = picture[..., 3] >= HALF_COVERED
    trusted = scipy.ndimage.binary_erosion(picture[..., 3] >= FULLY_COVERED)
    if not trusted.any():
        trusted = covered
    thin = covered & (distance_to(trusted) > 3.0)
    return continued(picture[..., :3], trusted | thin), trusted | thin
