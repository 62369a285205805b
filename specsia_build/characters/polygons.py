"""Polygons to triangles, and vertex attributes as files write them."""

import warnings
from collections.abc import Iterator
from dataclasses import replace

import mapbox_earcut
import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.arrays import Floats, Mask
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Material, Mesh, flat_normals

Ints = NDArray[np.int64]
Corners = NDArray[np.float64]

# Maximum for a character; instances of one mesh could otherwise multiply without end
MAX_TRIANGLES = 20_000_000

TRIANGLE_COST = 200  # Bytes of memory, measured, that each takes from its being read until it is drawn
VERTEX_COST = 150
POLYGON_COST = 120

# Maximum corners of a polygon that is cut by its shape: the time may grow with their square
MOST_CORNERS = 4096
_CORNER_COST = 300  # Bytes of memory for a corner of a polygon of more than four while its shape is looked at
_REFLEX = 1e-4  # Share of a polygon's area that a concave corner folds in by; less is rounding.
_MOST_PAST_ONE = 2.0


def triangulate(
    points: NDArray[np.floating], corners: Ints, first: Ints, keep: Mask, *, shorter: bool = True
) -> tuple[Ints, Ints]:
    """Cut polygons: quads along their shorter diagonal, larger ones as a fan from their first corner.

    Unless `shorter`, quads are cut from their first corner too, as Blender does. Concave quads are cut along
    the diagonal that lies inside, larger ones by ear clipping. `corners` (C,) are indices into `points`
    (V, 3), polygons in order, beginning at `first` (P + 1,); `keep` (P,): wanted ones.
    Returns triangles (T, 3) as indices into `corners`, in polygon order, and the polygon (T,) of each.
    """
    memory.ask(POLYGON_COST * len(keep))
    sides = np.diff(first)
    per_polygon = np.where(keep, np.maximum(sides - 2, 0), 0)
    memory.take(TRIANGLE_COST * int(per_polygon.sum()) + VERTEX_COST * len(points))
    polygon = np.repeat(np.arange(len(sides)), per_polygon)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(per_polygon) - per_polygon, per_polygon)
    start = first[:-1][polygon]
    triangles = np.stack([start, start + step + 1, start + step + 2], axis=1)

    quad = np.flatnonzero(keep & (sides == 4))
    memory.ask(_CORNER_COST * len(quad))
    turned = np.zeros(len(sides), dtype=bool)
    quads = points[corners[first[quad][:, None] + np.arange(4)]].astype(np.float64)
    turned[quad[_cut_across(quads, shorter)]] = True
    first_half, second_half = turned[polygon] & (step == 0), turned[polygon] & (step == 1)
    triangles[first_half] = start[first_half, None] + np.array([0, 1, 3])
    triangles[second_half] = start[second_half, None] + np.array([1, 2, 3])

    large = np.flatnonzero(keep & (sides > 4) & (sides <= MOST_CORNERS))
    begin, spare = np.cumsum(per_polygon) - per_polygon, np.zeros(len(triangles), dtype=bool)
    for index, flat in _concave(points, corners, first, large):
        cut = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], np.uint32))
        ears = cut.reshape(-1, 3).astype(np.int64)
        rows = slice(begin[index], begin[index] + per_polygon[index])
        # Corners on a straight line make no triangle; what makes none at all stays a fan.
        if len(ears):
            triangles[rows][: len(ears)] = first[index] + ears
            spare[rows][len(ears) :] = True
    return (triangles[~spare], polygon[~spare]) if spare.any() else (triangles, polygon)


def _cut_across(quads: NDArray[np.float64], prefer_shorter: bool) -> Mask:
    """Which quads (Q, 4, 3) are cut from the second corner to the fourth, not from the first to the third."""
    a, b, c, d = quads.transpose(1, 0, 2)

    def is_inside(a: Corners, b: Corners, c: Corners, d: Corners) -> Mask:
        """Whether the diagonal from a to c lies inside: the triangles on both sides of it face one way."""
        return np.asarray(np.einsum("ij,ij->i", np.cross(b - a, c - a), np.cross(c - a, d - a)) > 0)

    with np.errstate(invalid="ignore", over="ignore"):
        shorter = prefer_shorter & (np.square(d - b).sum(axis=1) < np.square(c - a).sum(axis=1))
        first_inside, second_inside = is_inside(a, b, c, d), is_inside(b, c, d, a)
    return np.asarray(np.where(first_inside == second_inside, shorter, second_inside))


def _concave(
    points: NDArray[np.floating], corners: Ints, first: Ints, polygons: Ints
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the concave polygons, each with its corners (N, 2) in its plane, counter-clockwise."""
    if len(polygons) == 0:
        return
    sides = np.diff(first)[polygons]
    memory.ask(_CORNER_COST * int(sides.sum()))
    begin = np.cumsum(sides) - sides
    step = np.arange(int(sides.sum())) - np.repeat(begin, sides)
    base, count = np.repeat(first[polygons], sides), np.repeat(sides, sides)
    before, here, after = (
        points[corners[base + (step + k) % count]].astype(np.float64) - points[corners[base]]
        for k in (-1, 0, 1)
    )
    with np.errstate(invalid="ignore", over="ignore"):
        # Twice the area each, however uneven the polygon is.
        normal = np.add.reduceat(np.cross(here, after), begin)
        turn = np.einsum("ij,ij->i", np.cross(here - before, after - here), np.repeat(normal, sides, axis=0))
        folded = np.minimum.reduceat(turn, begin) < -_REFLEX * np.square(normal).sum(axis=1)
    for number in np.flatnonzero(folded & np.isfinite(normal).all(axis=1)):
        axis = int(np.abs(normal[number]).argmax())
        flat = np.delete(here[begin[number] : begin[number] + sides[number]], axis, axis=1)
        flat = flat[:, ::-1] if np.signbit(normal[number, axis]) != (axis == 1) else flat
        yield int(polygons[number]), np.ascontiguousarray(flat)


def numbers(text: bytes) -> NDArray[np.float64]:
    """Parse all words of a text as numbers, (N,); a `ValueError` if one is none."""
    with warnings.catch_warnings():
        # An error since NumPy 2.3, a warning before.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text.strip(), sep=" ")
        except DeprecationWarning as error:
            raise ValueError(str(error)) from error


def full_scale(colours: NDArray[np.floating]) -> float:
    """The value that means 1 in colours of unknown range: 255 if one is above 2, else 1."""
    return 255.0 if ((colours > _MOST_PAST_ONE) & np.isfinite(colours)).any() else 1.0


def linear_colors(display: NDArray[np.floating], whole: float) -> Floats:
    """Opaque linear colours (N, 4) of display colours (N, 3) in 0-`whole`; white where they are NaN."""
    linear = np.ones((len(display), 4), np.float32)
    linear[:, :3] = srgb_to_linear(np.nan_to_num(display / whole, nan=1.0))
    return linear


def image_uv(uv: NDArray[np.floating]) -> Floats:
    """Texture coordinates (..., 2) with v up as those with v down."""
    with np.errstate(over="ignore"):
        return np.stack([uv[..., 0], 1.0 - uv[..., 1]], axis=-1).astype(np.float32)


def unit_normals(normals: NDArray[np.floating]) -> NDArray[np.float64]:
    """Normalise (N, 3); zero where a normal has no direction."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit = np.zeros(normals.shape)
    np.divide(normals, length, out=unit, where=np.isfinite(length) & (length > 0))
    return unit


def with_flat_gaps(mesh: Mesh) -> Mesh:
    """Replace normals that are zero by those of the faces."""
    if mesh.normals is None:
        return mesh
    x, y, z = np.moveaxis(mesh.normals, 2, 0)
    lost = (x == 0) & (y == 0) & (z == 0)
    if not lost.any():
        return mesh
    return replace(mesh, normals=np.where(lost[..., None], flat_normals(mesh), mesh.normals))


def without_covered_colours(mesh: Mesh) -> Mesh:
    """Make vertex colours white where there is a texture, which replaces them: the product is too dark."""
    textured = np.array([material.texture is not None for material in mesh.materials])[mesh.face_material]
    if mesh.colors is None or mesh.uv is None or not textured.any():
        return mesh
    colors = mesh.colors.copy()
    colors[textured, :, :3] = 1.0
    return replace(mesh, colors=colors)


def without_repeated_light(mesh: Mesh) -> Mesh:
    """Make materials that emit their own base colour image unlit: they would be twice as bright."""

    def unlit(material: Material) -> Material:
        if material.emissive_texture is None or material.emissive_texture is not material.texture:
            return material
        red, green, blue = (max(pair) for pair in zip(material.base_color, material.emissive, strict=False))
        color = (red, green, blue, material.base_color[3])
        return replace(
            material, base_color=color, emissive=(0.0, 0.0, 0.0), emissive_texture=None, unlit=True
        )

    return replace(mesh, materials=tuple(map(unlit, mesh.materials)))
