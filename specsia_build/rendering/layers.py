"""The layers that every renderer returns, the protocol of a renderer, and renderers by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.config import Look as Look
from specsia_build.config import RendererName
from specsia_build.errors import ByShape
from specsia_build.frame import Camera
from specsia_build.jit import inlined, ready, uncounted
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.vectors import put, triple

HALF_COVERED = 128  # Least coverage byte that counts as inside a silhouette: half of 255, rounded up
SUBPIXEL = 256  # Screen coordinates in one pixel


@dataclass(frozen=True)
class Seen:
    """The surface point that each pixel of a view shows: S x S pixels, V vertices, F faces, E welded edges.

    The centre of pixel (row, column) lies at (column + 1/2, row + 1/2) on the screen, in pixels.
    """

    faces: NDArray[np.int32]  # (F, 3) into the vertices
    ends: NDArray[np.int32]  # (E, 2), end vertices of edges
    sides: NDArray[np.int32]  # (E, 2), the faces beside them; -1 for none, `topology.CROWDED` for several
    part: NDArray[np.int32]  # (F,), connected part of the surface
    # (F,), 1 seen from outside, -1 from inside, 0 edge on, 2 not there from the visible side
    facing: NDArray[np.int8]
    screen: NDArray[np.int32]  # (V, 2), x and y of vertices in 1/256 pixel
    # (V,) of vertices along the view in units; it grows with the distance, which `Camera.distance` gives
    depth: Floats
    # First and end row, first and end column of the pixels outside of which nothing is seen
    box: tuple[int, int, int, int]
    face: NDArray[np.int32]  # (S, S), the face of the visible point, -1 where the view's alpha is 0
    sample: Pixels  # (S, S), the pixel's sample at which it lies; 0 is the centre
    offsets: NDArray[np.int32]  # (L, 2), x and y of the samples from the centre in 1/256 pixel

    @cached_property
    def weights(self) -> Floats:
        """(S, S, 3) float32, the visible point's weights of its face's corners, 0 where nothing is seen."""
        out = np.zeros((*self.face.shape, 3), np.float32)
        _weigh((self.face, self.sample), self.faces, self.screen, self.box, self.offsets, out)
        return out

    def values(self, attribute: NDArray[np.floating]) -> Floats:
        """An attribute of vertices (V, K) at the visible points, (S, S, K) float32; 0 where there is none."""
        out = np.zeros((*self.face.shape, attribute.shape[1]), np.float32)
        _interpolate(self.face, self.weights, self.faces, ready(attribute, np.float32), self.box, out)
        return out

    def cropped(self, rows: int, columns: int) -> Seen:
        """The first rows and columns."""
        face = np.ascontiguousarray(self.face[:rows, :columns])
        sample = np.ascontiguousarray(self.sample[:rows, :columns])
        top, bottom, left, right = self.box
        box = min(top, rows), min(bottom, rows), min(left, columns), min(right, columns)
        return replace(self, face=face, sample=sample, box=box)

    def numbers(self, of_face: NDArray[np.int32]) -> NDArray[np.int32]:
        """Numbers of faces (F,) at the visible points, (S, S) int32, -1 without a surface."""
        top, bottom, left, right = self.box
        window = np.s_[top:bottom, left:right]
        out = np.full(self.face.shape, -1, np.int32)
        out[window] = np.where(self.face[window] >= 0, of_face[self.face[window]], -1)
        return out


@dataclass(frozen=True, eq=False, repr=False)
class Layers(ByShape):
    """One view of a mesh, size x size pixels, row 0 at the top.

    `position` is the mesh's rest position of the surface nearest to the camera at the pixel's centre (at an
    edge, of the covered sample nearest to the centre), in units of the frame.
    """

    color: Pixels  # (H, W, 4) sRGB, straight alpha = coverage x opacity; RGB is 0 where alpha is 0
    coverage: Pixels  # (H, W), how much of the pixel the surface covers, whatever its opacity; 255 is all
    position: Floats  # (H, W, 3); 0 where alpha is 0
    seen: Seen | None = None  # The visible points, where the renderer was asked for them

    @cached_property
    def mask(self) -> Pixels:
        """(H, W) uint8, the alpha of `color` as a contiguous array."""
        return np.ascontiguousarray(self.color[..., 3])

    def cropped(self, rows: int, columns: int) -> Layers:
        """The first rows and columns."""
        if self.mask.shape == (rows, columns):
            return self
        kept = np.s_[:rows, :columns]
        color, coverage = (np.ascontiguousarray(layer[kept]) for layer in (self.color, self.coverage))
        position = np.ascontiguousarray(self.position[kept])
        return Layers(color, coverage, position, self.seen and self.seen.cropped(rows, columns))


class Renderer(Protocol):
    """Draws meshes of the frame."""

    name: str  # What `--renderer` calls it
    version: int  # Grows whenever the same mesh would give another picture

    def check(self) -> None:
        """Raise a SpecsiaError that says what is missing and how to get it, if this machine cannot draw."""
        ...

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        """Draw each camera's layers, in order; raises a CharacterError if the mesh cannot be drawn."""
        ...


def encoded(linear: NDArray[np.floating], coverage: NDArray[np.floating], cells: Floats) -> Layers:
    """Layers of premultiplied linear RGBA (H, W, 4), coverage (H, W) 0-1 and `_nearest_to_centre`'s cells."""
    alpha = np.clip(linear[..., 3], 0.0, 1.0)
    straight = linear[..., :3] / np.maximum(alpha, 1e-6)[..., None]
    color = np.zeros(linear.shape, np.uint8)
    color[..., 3] = np.floor(alpha * 255 + 0.5)
    color[..., :3] = np.floor(linear_to_srgb(straight) * 255 + 0.5)
    color[color[..., 3] == 0] = 0
    position = _nearest_to_centre(cells, *alpha.shape)
    position[color[..., 3] == 0] = 0
    return Layers(color, np.floor(np.clip(coverage, 0, 1) * 255 + 0.5).astype(np.uint8), position)


def _nearest_to_centre(cells: Floats, rows: int, columns: int) -> Floats:
    """Position (rows, columns, 3) of each pixel's covered cell nearest to its centre; 0 where there is none.

    `cells` is (rows * g, columns * g, 4), g odd: position and, where there is a surface, 1.
    """
    grid = cells.shape[0] // rows
    blocks = cells.reshape(rows, grid, columns, grid, 4).swapaxes(1, 2)
    by_pixel = blocks.reshape(rows, columns, grid * grid, 4)
    offset = np.arange(grid) - (grid - 1) / 2
    order = np.argsort((offset[:, None] ** 2 + offset[None, :] ** 2).ravel(), kind="stable")
    ordered = by_pixel[:, :, order]
    covered: Mask = np.greater(ordered[..., 3], 0.5)
    first = covered.argmax(axis=2)
    chosen = np.take_along_axis(ordered[..., :3], first[..., None, None], axis=2)[:, :, 0]
    return np.where(covered.any(axis=2, keepdims=True), chosen, np.float32(0)).astype(np.float32)


RENDERERS: dict[RendererName, str] = {
    "fast": "specsia_build.rendering.fast.renderer:FastRenderer",
    "cycles": "specsia_build.rendering.blender.renderer:CyclesRenderer",
    "pyrender": "specsia_build.rendering.pyrender:PyrenderRenderer",
}
"""Module and class of each renderer; a module is imported when its renderer is asked for."""


def load_renderer(name: RendererName) -> Renderer:
    """Load a renderer by its name."""
    module, _, attribute = RENDERERS[name].partition(":")
    return cast("Renderer", getattr(import_module(module), attribute)())


Silhouette = Pixels | Mask  # (S, S): coverage, of which half counts, or whether each pixel is covered


def overlap(first: Silhouette, second: Silhouette) -> tuple[int, int, int]:
    """Pixels that two silhouettes, both, the first and the second, cover at least half."""
    ours, theirs = (s if s.dtype == np.bool_ else s >= HALF_COVERED for s in (first, second))
    both, own, other = (int(np.count_nonzero(mask)) for mask in (ours & theirs, ours, theirs))
    return both, own, other


def iou(first: Silhouette, second: Silhouette, *, empty: float = 1.0) -> float:
    """Intersection over union of two silhouettes, at half coverage; `empty` if both are empty."""
    both, ours, theirs = overlap(first, second)
    union = ours + theirs - both
    return both / union if union else empty


@inlined
def corner_weights(faces, f, screen, at):  # type: ignore[no-untyped-def]
    """Weights of the corners of face `f` at a point of the screen, x and y in 1/256 pixel, int64."""
    a, b, c = triple(faces, f)
    ax, ay = screen[a, 0] - at[0], screen[a, 1] - at[1]
    bx, by = screen[b, 0] - at[0], screen[b, 1] - at[1]
    cx, cy = screen[c, 0] - at[0], screen[c, 1] - at[1]
    at_a = bx * cy - by * cx
    at_b = cx * ay - cy * ax
    at_c = ax * by - ay * bx
    share = 1.0 / (at_a + at_b + at_c)
    return at_a * share, at_b * share, at_c * share


@inlined
def place_of_sample(row, column, offset):  # type: ignore[no-untyped-def]
    """Place on the screen of a sample at an offset (2,) from the centre of a pixel, for `corner_weights`."""
    x = np.int64(column * SUBPIXEL + SUBPIXEL // 2 + offset[0])
    y = np.int64(row * SUBPIXEL + SUBPIXEL // 2 + offset[1])
    return x, y


@uncounted
def _weigh(seen, faces, screen, box, offsets, out):  # type: ignore[no-untyped-def]
    """Fill `out` (S, S, 3), 0 before, inside the box; `seen` holds the face and the sample of pixels."""
    face, sample = seen
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            f = face[row, column]
            if f >= 0:
                at = place_of_sample(row, column, offsets[sample[row, column]])
                put(out[row], column, corner_weights(faces, f, screen, at))


@uncounted
def _interpolate(face, weights, faces, attribute, box, out):  # type: ignore[no-untyped-def]
    """Fill `out` (S, S, K) inside the box, which is 0 before."""
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            f = face[row, column]
            if f < 0:
                continue
            a, b, c = triple(faces, f)
            at_a, at_b, at_c = triple(weights[row], column)
            for k in range(attribute.shape[1]):
                out[row, column, k] = at_a * attribute[a, k] + at_b * attribute[b, k] + at_c * attribute[c, k]
