"""Faces of a mesh by material, with vertices as other programs have them: one for all attributes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Floats


class Patch(NamedTuple):
    """The faces of one material, with a vertex for each combination of attributes that a corner has.

    `material` is its number, `triangles` (F, 3) the faces, and `rows` (V,) the mesh's vertex and `corners`
    (V,) one of the mesh's 3 F corners for each of the patch's vertices.
    """

    material: int
    triangles: NDArray[np.int64]
    rows: NDArray[np.int32]
    corners: NDArray[np.int64]


def patches(
    faces: NDArray[np.int32], face_material: NDArray[np.int32], attributes: Sequence[Floats]
) -> Iterator[Patch]:
    """Split faces (F, 3) by material (F,), and vertices where attributes (F, 3, W) of their corners differ.

    Faces that name a vertex twice have no area and are left out.
    """
    a, b, c = faces.T
    has_area = (a != b) & (b != c) & (c != a)
    for material in np.unique(face_material[has_area]).tolist():
        chosen = np.flatnonzero(has_area & (face_material == material))
        columns = [faces[chosen].reshape(-1, 1)]
        for values in attributes:
            whole = np.ascontiguousarray(values[chosen], np.float32)
            columns.append(whole.reshape(len(columns[0]), -1).view(np.int32))
        table = np.ascontiguousarray(np.concatenate(columns, axis=1, dtype=np.int32))
        keys = table.view(np.dtype((np.void, table.itemsize * table.shape[1])))[:, 0]
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        # Vertices come in the order of the faces, whatever their values are.
        order = np.argsort(first)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        own = first[order]
        corners = 3 * chosen[own // 3] + own % 3
        yield Patch(material, rank[inverse.reshape(-1, 3)], table[own, 0], corners)
