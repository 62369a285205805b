"""Which point of the surface each pixel shows: what all else that is said of a view follows from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import ready, uncounted

SUBPIXEL = 256
"""Parts of a pixel that places on the screen are counted in."""


@dataclass(frozen=True)
class Seen:
    """The renderer's record of a view of S x S pixels, of a mesh of V vertices, F faces and E welded edges.

    Pixel (row, column) has its centre at the place (column + 1/2, row + 1/2) of the screen, in pixels.

    Attributes:
        faces: (F, 3) int32 into the vertices.
        ends: (E, 2) int32, end vertices of edges.
        sides: (E, 2) int32, the faces beside them; -1 for none, `topology.CROWDED` for several.
        part: (F,) int32, connected part of the surface.
        facing: (F,) int8, 1 seen from outside, -1 from inside, 0 edge on, 2 not there from the side it would be seen.
        screen: (V, 2) int32, where vertices are on the screen, x and y in 1/256 pixel.
        depth: (V,) float32 of vertices along the view, in units of the frame; what is farther has more.
        box: first and end row, first and end column of the pixels outside of which nothing is seen.
        face: (S, S) int32, the face of the visible point, -1 where the view's alpha is 0.
        sample: (S, S) uint8, which of the pixel's samples it lies at; 0 is the centre.
        offsets: (L, 2) int32, x and y of the samples from the centre in 1/256 pixel.
    """

    faces: NDArray[np.int32]
    ends: NDArray[np.int32]
    sides: NDArray[np.int32]
    part: NDArray[np.int32]
    facing: NDArray[np.int8]
    screen: NDArray[np.int32]
    depth: NDArray[np.float32]
    box: tuple[int, int, int, int]
    face: NDArray[np.int32]
    sample: NDArray[np.uint8]
    offsets: NDArray[np.int32]

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """(S, S, 3) float32, the visible point's weights of its face's corners, 0 where nothing is seen."""
        out = np.zeros((*self.face.shape, 3), np.float32)
        _weigh(self.face, self.sample, self.faces, self.screen, self.box, self.offsets, out)
        return out

    def values(self, attribute: NDArray[np.floating]) -> NDArray[np.float32]:
        """An attribute of vertices (V, K) at the visible points, (S, S, K) float32, 0 where nothing is seen."""
        out = np.zeros((*self.face.shape, attribute.shape[1]), np.float32)
        _mix(self.face, self.weights, self.faces, ready(attribute, np.float32), self.box, out)
        return out

    def numbers(self, of_face: NDArray[np.int32]) -> NDArray[np.int32]:
        """Numbers of faces (F,) at the visible points, (S, S) int32, -1 where nothing is seen."""
        out = np.full(self.face.shape, -1, np.int32)
        _look_up(self.face, ready(of_face, np.int32), self.box, out)
        return out


@uncounted
def _look_up(face, of_face, box, out):  # type: ignore[no-untyped-def]
    """Fill `out` (S, S) inside the box."""
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            f = face[row, column]
            if f >= 0:
                out[row, column] = of_face[f]


@uncounted
def _weigh(face, sample, faces, screen, box, offsets, out):  # type: ignore[no-untyped-def]
    """Fill `out` (S, S, 3) inside the box, which is 0 before."""
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            f = face[row, column]
            if f < 0:
                continue
            s = sample[row, column]
            x = np.int64(column * SUBPIXEL + SUBPIXEL // 2 + offsets[s, 0])
            y = np.int64(row * SUBPIXEL + SUBPIXEL // 2 + offsets[s, 1])
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            ax, ay = screen[a, 0] - x, screen[a, 1] - y
            bx, by = screen[b, 0] - x, screen[b, 1] - y
            cx, cy = screen[c, 0] - x, screen[c, 1] - y
            at_a, at_b, at_c = bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx
            share = 1.0 / (at_a + at_b + at_c)
            out[row, column, 0] = at_a * share
            out[row, column, 1] = at_b * share
            out[row, column, 2] = at_c * share


@uncounted
def _mix(face, weights, faces, attribute, box, out):  # type: ignore[no-untyped-def]
    """Fill `out` (S, S, K) inside the box, which is 0 before."""
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            f = face[row, column]
            if f < 0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            at_a, at_b, at_c = weights[row, column, 0], weights[row, column, 1], weights[row, column, 2]
            for k in range(attribute.shape[1]):
                out[row, column, k] = at_a * attribute[a, k] + at_b * attribute[b, k] + at_c * attribute[c, k]
