"""The default renderer: in process, no display, no GPU, deterministic.

One look at every pixel's centre finds what is visible; only pixels that an outline, a border, a jump of colour or
another part crosses are sampled closely, and each face in them is shaded once. Coverage, colour and position come from
the same visibility.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.rendering import blend, raster, resolve
from specsia_build.rendering.layers import Layers, Look
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.prepare import BLEND, MASK, OPAQUE, Prepared, prepare


class FastRenderer:
    """Draws on the CPU; see `Renderer`."""

    name = "fast"
    version = 1

    def check(self) -> None:
        """It needs nothing."""

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        if len(mesh.faces) == 0:
            raise CharacterError("the mesh has no faces to draw")
        if not np.isfinite(mesh.vertices).all():
            mesh = _without_stray_vertices(mesh)
        prepared = prepare(mesh, max(c.pixels_per_unit for c in cameras), look == "lit")
        for camera in cameras:
            yield draw(prepared, camera)


def _without_stray_vertices(mesh: Mesh) -> Mesh:
    """The mesh with vertices that no face uses moved to the origin.

    Raises:
        CharacterError: if a vertex that a face uses is not finite.
    """
    used = np.zeros(len(mesh.vertices), np.bool_)
    used[mesh.faces] = True
    if not np.isfinite(mesh.vertices[used]).all():
        raise CharacterError("the mesh has vertices that are not finite numbers")
    return mesh.with_vertices(np.where(used[:, None], mesh.vertices, 0))


def draw(prepared: Prepared, camera: Camera) -> Layers:
    """One view of a prepared mesh.

    Raises:
        CharacterError: if the mesh reaches absurdly far out of the frame.
    """
    size, surface, textures = camera.size, prepared.surface, prepared.textures
    basis = camera.basis()
    # Before anything is rounded to integers: a number too large for them would come out small.
    reach = float(np.abs(prepared.vertices).max()) * 2 * camera.pixels_per_unit * raster.SUBPIXEL
    if reach > 2.0**62:
        raise CharacterError("the mesh reaches absurdly far out of the picture")
    sx, sy, depth = raster.project(prepared.vertices, basis, camera.pixels_per_unit, size / 2)
    if max(np.abs(sx).max(), np.abs(sy).max()) > raster.MAX_COORDINATE:
        raise CharacterError("the mesh reaches absurdly far out of the picture")
    facing, drawn = raster.face_sides(sx, sy, surface.faces, prepared.closed)
    classes = prepared.alpha_class

    nearest = np.full((size, size), np.inf, np.float32)
    ids = np.full((size, size), raster.NO_FACE, np.int32)
    marked = np.zeros((size, size), np.bool_)
    box = _screen_box(sx, sy, size)
    raster.draw_centres(sx, sy, depth, surface, textures, classes, drawn, False, nearest, ids)
    see_through = bool((classes == MASK).any() or (classes == BLEND).any())
    if see_through:
        raster.draw_centres(sx, sy, depth, surface, textures, classes, drawn, True, nearest, ids)
    raster.mark_edges(sx, sy, depth, prepared.edges, facing, prepared.closed, classes, nearest, marked)
    if see_through:
        raster.mark_faces(sx, sy, depth, surface.faces, classes, drawn, nearest, marked)

    color = np.zeros((size, size, 4), np.uint8)
    coverage = np.zeros((size, size), np.uint8)
    position = np.zeros((size, size, 3), np.float32)
    out = (color, coverage, position)
    resolve.resolve_centres(ids, sx, sy, surface, textures, box, *out)
    resolve.mark_contrast(ids, prepared.part, surface.rough, color, box, marked)
    slots, pixels = raster.number_marked(marked, box)
    sample_depth = np.full((len(pixels), raster.LANES), np.inf, np.float32)
    sample_ids = np.full((len(pixels), raster.LANES), raster.NO_FACE, np.int32)
    for wanted in (OPAQUE, MASK) if see_through else (OPAQUE,):
        where = (wanted, slots, sample_depth, sample_depth, sample_ids)
        raster.draw_samples(sx, sy, depth, surface, textures, classes, drawn, *where)
    resolve.resolve_samples(pixels, sample_ids, prepared.quick, sx, sy, surface, textures, *out)
    if (classes == BLEND).any():
        blend.compose(prepared, (sx, sy, depth), drawn, slots, pixels, sample_depth, sample_ids, *out)
    return Layers(color, coverage, position)


def _screen_box(sx: NDArray[np.int64], sy: NDArray[np.int64], size: int) -> tuple[int, int, int, int]:
    """First row, end row, first column and end column of the pixels that the mesh or its neighbours may touch."""

    def bounds(a: NDArray[np.int64]) -> tuple[int, int]:
        low, high = int(a.min()) >> raster.SUBPIXEL_BITS, int(a.max()) >> raster.SUBPIXEL_BITS
        return min(max(low - 2, 0), size), max(min(high + 3, size), 0)

    return *bounds(sy), *bounds(sx)


def silhouettes(mesh: Mesh, cameras: Sequence[Camera]) -> NDArray[np.uint8]:
    """Coverage of the mesh in each view, whatever its colours, (V, H, W) uint8."""
    return np.stack([layers.coverage for layers in FastRenderer().render(mesh, cameras)])
