"""Lines that can be worked out by hand, and how to look at those of a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from specsia_build.annotation.lines import BINARY, Features, Lines, draw_lines, feature_edges, visible_lines
from specsia_build.frame import Camera
from specsia_build.rendering.layers import Seen
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import topology
from tests.annotation.scenes import seen
from tests.rendering.scenes import SIZE

Bytes = NDArray[np.uint8]
Points = Sequence[tuple[float, float]]


def parts(mesh: Mesh) -> NDArray[np.int32]:
    """A region for each connected part of one material."""
    key = topology(mesh).part.astype(np.int64) * len(mesh.materials) + mesh.face_material
    return np.asarray(np.unique(key, return_inverse=True)[1], np.int32)


def lines_of(mesh: Mesh, yaw: float = 0.0, size: int = SIZE) -> tuple[Lines, Seen, Features]:
    features = feature_edges(mesh, parts(mesh))
    view = seen(mesh, Camera(yaw, size))
    return visible_lines(view, features), view, features


def drawn(mesh: Mesh, yaw: float = 0.0, size: int = SIZE, width: float = 1.0) -> Bytes:
    return draw_lines(lines_of(mesh, yaw, size)[0], size, width)


def expected(strokes: Sequence[Points], size: int = SIZE, width: float = 1.0) -> NDArray[np.float64]:
    """The picture of polylines, each pixel as dark as its distance from the nearest says."""
    row, column = np.indices((size, size)) + 0.5
    nearest = np.full((size, size), np.inf)
    for points in strokes:
        for (x0, y0), (x1, y1) in pairwise(points):
            dx, dy = x1 - x0, y1 - y0
            t = np.clip(((column - x0) * dx + (row - y0) * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
            nearest = np.minimum(nearest, np.hypot(column - x0 - t * dx, row - y0 - t * dy))
    return np.asarray(255 * (1 - np.clip(width / 2 + 0.5 - nearest, 0, 1)))


def rectangle(left: float, top: float, right: float, bottom: float) -> Points:
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def enclosed(line: Bytes) -> tuple[NDArray[np.int32], int]:
    """The parts (H, W) that binarised lines leave, from 1 on, and how many there are."""
    label, count = ndimage.label(line >= BINARY)
    return np.asarray(label, np.int32), int(count)


def leaks(line: Bytes, seen: Seen) -> int:
    """Pixels of the figure that can be reached from the picture's corner without crossing a line."""
    label, _ = enclosed(line)
    return int(np.count_nonzero((label == label[0, 0]) & (label > 0) & (seen.face >= 0)))


def uncovered(line: Bytes, seen: Seen, region: NDArray[np.int32]) -> tuple[int, int]:
    """Borders between neighbouring pixels of different regions that have no line on either side, and all of them."""
    label, dark = np.where(seen.face >= 0, region[seen.face], -1), line < BINARY
    bare = total = 0
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        border = label[here] != label[there]
        total += int(np.count_nonzero(border))
        bare += int(np.count_nonzero(border & ~dark[here] & ~dark[there]))
    return bare, total


def mixed(line: Bytes, seen: Seen, region: NDArray[np.int32]) -> tuple[int, int]:
    """Pixels that lines enclose together with more pixels of another region, and all that they enclose."""
    label, count = enclosed(line)
    inside = (label > 0) & (label != label[0, 0])
    shown = np.where(seen.face >= 0, region[seen.face], -1) + 1
    held = np.zeros((count + 1, int(shown.max()) + 1), np.int64)
    np.add.at(held, (label[inside], shown[inside]), 1)
    return int(held.sum() - held.max(axis=1).sum()), int(held.sum())
