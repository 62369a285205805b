"""Colours of a surface from drawings of its front, its side and its back, in one texture.

The texture has four pictures beside each other: the surface as seen from the front, the left, the back and
the right. In each, a pixel blends the drawings that see its point, by the angle at which they do. A face
takes the picture that it faces, among those that see it, and where two of them meet, their blends agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Floats, Mask, Pixels
from specsia_build.frame import Camera
from specsia_build.jit import ready
from specsia_build.pictures.masks import box_around, continued
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.light import vertex_normals
from specsia_build.rendering.mesh import Material, Mesh, Texture

YAWS = (0.0, 90.0, 180.0, 270.0)  # Front, left, back, right: the order of all sequences of four here
_SHARPNESS = 6.0  # Power of the cosine by which a drawing counts
_LEAST = 1e-3  # Least weight of the drawing from a picture's own side
_NEAR = 0.012  # Units by which a point may lie behind what a view shows there and still be seen
_GRAZING = 0.15  # Cosine up to which a view does not count as seeing a face
_BLURRED = 1.5  # Pixels over which normals are averaged
_MARGIN = 4  # Pixels around the figure in each picture


class SeenSide(NamedTuple):
    """A surface from one of `YAWS`, in a picture of C pixels."""

    camera: Camera
    position: Floats  # (C, C, 3) float32, the point at each pixel, in units
    normal: Floats  # (C, C, 3) float32, its unit normal
    covered: Mask  # (C, C), whether there is one

    @property
    def depth(self) -> Floats:
        """Distance (C, C) along the camera's direction; infinite where nothing is seen."""
        depth = self.position @ self.camera.basis()[2].astype(np.float32)
        return np.where(self.covered, depth, np.float32(np.inf))

    def sees(self, points: Doubles) -> Mask:
        """Whether points (N, 3) of the surface are seen; those of its rim are."""
        columns, rows, away = self.camera.project(points).T
        last = self.camera.size - 1
        at = (rows.astype(int).clip(0, last), columns.astype(int).clip(0, last))
        return np.asarray(away <= self.depth[at] + _NEAR)


@dataclass(frozen=True, eq=False)
class Turnaround:
    """Colours of a figure, continued beyond its silhouette, in squares of C pixels with the same middle."""

    front: Pixels  # (C, C, 3) uint8
    left: Pixels  # (C, C, 3) uint8, seen from its left; what its right shows is the mirror image
    back: Pixels  # (C, C, 3) uint8, seen from behind

    @property
    def around(self) -> tuple[Pixels, ...]:
        """In the order of `YAWS`."""
        return self.front, self.left, self.back, self.left[:, ::-1]


def centred(colours: Pixels, size: int, row: int, column: int) -> Pixels:
    """Put colours (h, w, 3) into a square of `size` pixels at `row`, `column`, the nearest around them."""
    height, width = colours.shape[:2]
    rows, columns = np.arange(size) - row, np.arange(size) - column
    return np.ascontiguousarray(colours[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)])


def baked(mesh: Mesh, drawings: Turnaround, pixels_per_unit: float) -> Mesh:
    """A mesh without colours with a texture from drawings; `pixels_per_unit` is their scale."""
    size = len(drawings.front)
    normals = vertex_normals(mesh.vertices.astype(np.float64), ready(mesh.faces, np.int32))
    views = _views(mesh, normals, size, size / pixels_per_unit)
    around = drawings.around
    painted = [_painted(number, views, around) for number in range(len(YAWS))]
    boxes = [box_around(view.covered, _MARGIN) for view in views]
    rows = slice(min(box[0].start for box in boxes), max(box[0].stop for box in boxes))
    texture = np.concatenate([colours[rows, box[1]] for colours, box in zip(painted, boxes, strict=True)], 1)
    offsets = np.cumsum([0, *(box[1].stop - box[1].start for box in boxes)])
    chosen = _chosen(mesh, normals, views)
    uv = np.empty((len(mesh.faces), 3, 2), np.float32)
    for number, view in enumerate(views):
        corners = view.camera.project(mesh.vertices[mesh.faces[chosen == number]])
        columns = boxes[number][1]
        across = corners[..., 0].clip(columns.start + 0.5, columns.stop - 0.5) - columns.start
        uv[chosen == number, :, 0] = (across + offsets[number]) / offsets[-1]
        uv[chosen == number, :, 1] = (corners[..., 1] - rows.start) / len(texture)
    pixels = np.dstack([texture, np.full(texture.shape[:2], 255, np.uint8)])
    material = Material(name="relief", texture=Texture(pixels, wrap=("clamp", "clamp")))
    return replace(mesh, materials=(material,), uv=uv)


def _views(mesh: Mesh, normals: Floats, size: int, width: float) -> list[SeenSide]:
    """The surface from each of `YAWS`, in pictures of `size` pixels that are `width` units wide."""
    cameras = [Camera(yaw, size, width) for yaw in YAWS]
    views = []
    for camera, layers in zip(cameras, FastRenderer().render(mesh, cameras, seen=True), strict=True):
        assert layers.seen is not None
        normal = scipy.ndimage.gaussian_filter(layers.seen.values(normals), (_BLURRED, _BLURRED, 0))
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        views.append(SeenSide(camera, layers.position.copy(), normal, layers.mask >= HALF_COVERED))
    return views


def _painted(number: int, views: Sequence[SeenSide], drawings: Sequence[Pixels]) -> Pixels:
    """The picture (C, C, 3) of one view: at each point the drawings that see it, by their angles."""
    own = views[number]
    points, normals = own.position[own.covered].astype(np.float64), own.normal[own.covered]
    total, colours = np.zeros(len(points)), np.zeros((len(points), 3))
    for k, (view, drawing) in enumerate(zip(views, drawings, strict=True)):
        cosine = np.maximum(-normals @ view.camera.basis()[2], 0.0)
        weight = np.where(view.sees(points), cosine**_SHARPNESS, 0.0) + (_LEAST if k == number else 0.0)
        some = weight > 0
        columns, rows, _ = view.camera.project(points[some]).T
        for channel in range(3):
            seen = scipy.ndimage.map_coordinates(
                drawing[..., channel], [rows - 0.5, columns - 0.5], np.float32, order=1, mode="nearest"
            )
            colours[some, channel] += weight[some] * seen
        total += weight
    picture = np.zeros(drawings[number].shape, np.uint8)
    picture[own.covered] = np.rint(colours / total[:, None]).astype(np.uint8)
    return continued(picture, own.covered)


def _chosen(mesh: Mesh, normals: Floats, views: Sequence[SeenSide]) -> NDArray[np.intp]:
    """The view (F,) that each face takes its colours from."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    middle, normal = corners.mean(axis=1), normals[mesh.faces].mean(axis=1)
    cosines = np.stack([-normal @ view.camera.basis()[2] for view in views])
    seen = np.stack([view.sees(middle) for view in views]) & (cosines > _GRAZING)
    return np.asarray((cosines + 2 * seen).argmax(axis=0))
