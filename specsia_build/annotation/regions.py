"""Regions: the parts of a character's surface that an artist would fill with one flat colour each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.annotation.face_colors import face_colors, jumps
from specsia_build.annotation.merging import (
    Links,
    Patches,
    merged,
    shared_out,
    straddling,
    straightened,
    with_borders,
    without_specks,
)
from specsia_build.errors import CharacterError
from specsia_build.rendering import joining
from specsia_build.rendering.fast.prepare import Prepared, prepare
from specsia_build.rendering.mesh import Material, Mesh, Texture
from specsia_build.rendering.topology import weld

LEAST_SIDE = 1 / 128
"""Side of the smallest square that is a region, as a share of the character's extent: 4 of 512 pixels."""

NEAR = 4
"""Parts that a speck without neighbours is compared with."""

_COARSE = 1e-3
"""Pixels a unit at which all mip levels are made."""


@dataclass(frozen=True)
class Regions:
    """R regions of F faces, the largest first.

    Attributes:
        of_face: (F,) int32, region of each face.
        colors: (R, 3) uint8, flat sRGB colours.
    """

    of_face: NDArray[np.int32]
    colors: NDArray[np.uint8]


def regions(mesh: Mesh) -> Regions:
    """Divide a character into connected parts of its surface of one material and one colour.

    Faces are connected by common edges; vertices at one place count as one. The colour of a face is its mean without
    light, so that details within a face are lost, and a border painted across faces runs along their edges. A gradient
    is one region unless its halves are two colours (`merging.MOST_APART`). Specks join a neighbour or what is near.

    Args:
        mesh: at rest, with finite vertices.

    Raises:
        CharacterError: if the mesh has no faces.
    """
    if len(mesh.faces) == 0:
        raise CharacterError("the mesh has no faces to divide into regions")
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = mesh.doubled_areas / 2
    # Faces without area have a colour, too, but hardly any weight.
    weight = area + 1e-9 * (area.mean() or 1.0)
    low, high = mesh.bounds()
    extent, middle = float((high - low).max()), corners.mean(axis=1)
    least = (LEAST_SIDE * extent) ** 2
    prepared = prepare(mesh, _COARSE, lit=False)
    mean, variance = face_colors(mesh, prepared)
    faces = Patches(
        of_face=np.arange(len(area)),
        area=weight,
        color=mean * weight[:, None],
        square=((mean**2).sum(axis=1) + variance) * weight,
        material=_numbers_of(mesh.materials)[mesh.face_material],
    )
    across = straddling(variance, weight, extent)
    links = with_borders(_links(mesh, prepared, corners), faces, middle, across, extent)
    beside = _near(middle, weight, links.faces, least)
    none = np.zeros((len(beside), 3))
    near = Links._make(map(np.concatenate, zip(links, (beside, none[:, 0], none), strict=True)))
    within = ~across[links.faces].any(axis=1)
    patches = merged(faces, Links._make(field[within] for field in links))
    patches = merged(shared_out(patches, links, across), links)
    # Some patches were separated by specks only.
    patches = merged(without_specks(patches, near, least), links)
    patches = without_specks(straightened(faces, patches, links, across), near, least)
    order = np.argsort(-patches.area, kind="stable")
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    of_face = number[patches.of_face]
    # Faces across a border have hardly any weight in the colours on its two sides.
    say = np.where(across, 1e-6, 1.0) * weight
    flat = (
        np.stack([np.bincount(of_face, say * mean[:, k]) for k in range(3)], axis=1)
        / np.bincount(of_face, say)[:, None]
    )
    return Regions(of_face, np.round(skimage.color.lab2rgb(flat) * 255).astype(np.uint8))


def _numbers_of(materials: tuple[Material, ...]) -> NDArray[np.int64]:
    """Number the materials (M,); equal ones get one number."""
    known: dict[object, int] = {}
    pixels: dict[int, bytes] = {}

    def content(texture: Texture | None) -> object:
        if texture is None:
            return None
        if id(texture) not in pixels:
            pixels[id(texture)] = hashlib.sha256(texture.pixels.tobytes()).digest()
        return texture.pixels.shape, pixels[id(texture)], texture.wrap, texture.nearest

    keys = (
        (m.name, m.base_color, content(m.texture), m.emissive, content(m.emissive_texture), m.alpha_mode, m.unlit)
        for m in materials
    )
    return np.array([known.setdefault(key, len(known)) for key in keys])


def _links(mesh: Mesh, prepared: Prepared, corners: NDArray[np.float64]) -> Links:
    """Link faces that share an edge; of more than two, each with the next."""
    welded = weld(mesh.vertices)[mesh.faces].astype(np.int64)
    start, end = welded.ravel(), np.roll(welded, -1, axis=1).ravel()
    edge = np.minimum(start, end) * len(mesh.vertices) + np.maximum(start, end)
    edge[start == end] = -1
    order = np.argsort(edge, kind="stable")
    shared = np.flatnonzero((np.diff(edge[order]) == 0) & (edge[order][1:] >= 0))
    halves = np.stack([order[shared], order[shared + 1]], axis=1)
    face, corner = np.divmod(halves[:, 0], 3)
    length = np.linalg.norm(corners[face, corner] - corners[face, (corner + 1) % 3], axis=1)
    return Links(halves // 3, length, jumps(prepared, halves))


def _near(
    middle: NDArray[np.float64], area: NDArray[np.float64], linked: NDArray[np.int64], least: float
) -> NDArray[np.int64]:
    """Pairs (N, 2) of a face of each connected part of an area below `least`, and a face of another part near it.

    Args:
        middle: (F, 3), centres of faces.
        area: (F,), of faces.
        linked: (L, 2), connected faces.
        least: area of a visible part.
    """
    count = len(middle)
    part = joining.joined(linked[:, 0], linked[:, 1], count)
    total, first = np.bincount(part, area), np.unique(part, return_index=True)[1]
    small, rest = np.flatnonzero(total < least), np.flatnonzero(total[part] >= least)
    # A small part is represented by one place, a large one by all its faces.
    centres = np.stack([np.bincount(part, area * middle[:, k]) for k in range(3)], axis=1)[small] / total[small, None]
    places, faces = np.concatenate([centres, middle[rest]]), np.concatenate([first[small], rest])
    nearest = min(NEAR + 1, len(places))
    indices = scipy.spatial.cKDTree(places).query(centres, nearest)[1].reshape(len(small), nearest)
    pairs = np.stack([np.repeat(first[small], nearest), faces[indices].ravel()], axis=1)
    return np.asarray(pairs[pairs[:, 0] != pairs[:, 1]])
