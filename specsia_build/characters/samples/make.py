"""One character from its seed: shape, texture and rig."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.bicar_rig import StoredRig
from specsia_build.characters.samples import clothing
from specsia_build.characters.samples.body import Body, add_body, cloak
from specsia_build.characters.samples.chance import Chance
from specsia_build.characters.samples.extras import add_extras
from specsia_build.characters.samples.faces import add_face
from specsia_build.characters.samples.hair import add_hair, add_hat
from specsia_build.characters.samples.head import Skull, add_head
from specsia_build.characters.samples.paint import TEXTURE, Paint, paint, place
from specsia_build.characters.samples.rigging import rig_of
from specsia_build.characters.samples.shapes import Array, Piece
from specsia_build.characters.samples.traits import Traits, draw_build, draw_traits


@dataclass(frozen=True)
class Sample:
    """One finished character, OBJ axes.

    Attributes:
        traits: what was drawn by chance.
        vertices: (V, 3) float64.
        corners: (F, 4) int64 into `vertices`, counter-clockwise from outside; a triangle repeats one.
        uv: (F, 4, 2) float64, 0-1, v down.
        image: (TEXTURE, TEXTURE, 3) uint8.
        rig: what moves it.
    """

    traits: Traits
    vertices: Array
    corners: NDArray[np.int64]
    uv: Array
    image: NDArray[np.uint8]
    rig: StoredRig


def make_sample(seed: int, index: int) -> Sample:
    """Character `index` of the samples of `seed`; it depends on nothing else."""
    chance = Chance.of(seed, index)
    traits = draw_traits(chance)
    body = Body(chance, traits, draw_build(chance, traits))
    skull = Skull.of(body.build)
    tint = clothing.colours(body)
    add_body(body)
    add_head(body, skull)
    add_hair(body, skull)
    add_hat(body, skull)
    if traits.cape:
        cloak(body)
    add_extras(body)
    face = add_face(body, skull, tint)
    shadow, fade = chance.between(0.05, 0.2), chance.between(0.15, 0.45) if chance.true(0.25) else 0.0
    how = Paint(tint, clothing.prints(body, tint), [*clothing.stamps(body, tint), *face], shadow, fade)
    welded = [_welded(piece) for piece in body.pieces]
    boxes = place(body.pieces)
    image = paint(body.pieces, [normals[ids] for _, _, normals, ids in welded], boxes, how)
    starts = np.cumsum([0, *(len(points) for points, *_ in welded[:-1])])
    vertices = [points for points, *_ in welded]
    corners, uv = [], []
    for (_, faces, _, ids), start, (row, column, height, width) in zip(welded, starts, boxes, strict=True):
        rows, columns = ids.shape
        across = (column + 0.5 + np.linspace(0, width - 1, columns)) / TEXTURE
        down = (row + 0.5 + np.linspace(0, height - 1, rows)) / TEXTURE
        texel = np.stack(np.broadcast_arrays(across[None, :], down[:, None]), axis=2).reshape(-1, 2)
        corners.append(ids.ravel()[faces] + start)
        uv.append(texel[faces])
    return Sample(
        traits,
        np.concatenate(vertices),
        np.concatenate(corners),
        np.concatenate(uv),
        image,
        rig_of(body.pieces, vertices, body, skull),
    )


def _welded(piece: Piece) -> tuple[Array, NDArray[np.int64], Array, NDArray[np.int64]]:
    """Vertices (V, 3), faces (F, 4) of places in the grid, normals (V, 3), and each place's vertex (R, C)."""
    rows, columns = piece.grid.shape[:2]
    flat = piece.grid.reshape(-1, 3)
    _, first, ids = np.unique(np.rint(flat * 1e6), axis=0, return_index=True, return_inverse=True)
    points, ids = flat[first], ids.reshape(rows, columns)
    at = np.arange(rows * columns).reshape(rows, columns)
    faces = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], axis=2).reshape(-1, 4)
    corners = ids.ravel()[faces]
    distinct = (corners != np.roll(corners, 1, axis=1)).sum(axis=1)
    crossed = (corners[:, 0] == corners[:, 2]) | (corners[:, 1] == corners[:, 3])
    keep = (distinct >= 3) & ~crossed
    faces, corners = faces[keep], corners[keep]
    a, b, c, d = (points[corners[:, k]] for k in range(4))
    normal = np.cross(c - a, d - b)
    if float((normal * (a + b + c + d - 4 * points.mean(axis=0))).sum()) < 0:
        faces, normal = faces[:, ::-1], -normal
    sums = np.stack(
        [np.bincount(corners.ravel(), np.repeat(normal[:, k], 4), minlength=len(points)) for k in range(3)], axis=1
    )
    return points, faces, sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12), ids
