"""Everything about a mesh that does not depend on the view, laid out for compiled code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from specsia_build.rendering.mesh import Mesh, Texture, flat_normals
from specsia_build.rendering.textures import TextureTable, pack_textures, rough_faces, sample, texel_range

OPAQUE, MASK, BLEND, INVISIBLE = 0, 1, 2, 3


SMALL_JUMP = 6.0
"""Encoded levels by which the colours of two faces may differ along their edge and still count as continuous."""


SAME_NORMAL = 0.998
"""Cosine between the normals of two faces, from which their light counts as continuous."""


FARTHEST_UV = 2.0**20
"""Texture coordinates are cut at this; a float32 has no fraction of a texel left there."""


class Surface(NamedTuple):
    """Per-corner and per-material arrays that shading reads.

    F faces, M materials. `uv` is (F, 3, 2) in 0-1 texture space, `colors` (F, 3, 4) linear or empty, `normals`
    (F, 3, 3) or empty, `positions` (V, 3) the attribute that position images show. `base` is (M, 4) linear,
    `emissive` (M, 3) linear, `texture` and `glow` (M,) index the texture table or are -1, `cutoff` (M,), and
    `plain` (M,) says that a texel is shown as it is: no factor, no emission. `rough` (F,) says that the texture on
    the face is not locally linear, so that a pixel that spans several texels needs several look-ups.
    """

    faces: NDArray[np.int32]
    material: NDArray[np.int32]
    uv: NDArray[np.float32]
    colors: NDArray[np.float32]
    normals: NDArray[np.float32]
    positions: NDArray[np.float32]
    base: NDArray[np.float32]
    emissive: NDArray[np.float32]
    texture: NDArray[np.int32]
    glow: NDArray[np.int32]
    cutoff: NDArray[np.float32]
    unlit: NDArray[np.bool_]
    plain: NDArray[np.bool_]
    rough: NDArray[np.bool_]


class Edges(NamedTuple):
    """Welded edges, E of them: end vertices (E, 2), adjacent faces (E, 2) with -1 for none, and whether the surface's
    colour may jump across the edge (E,)."""

    ends: NDArray[np.int32]
    sides: NDArray[np.int32]
    jump: NDArray[np.bool_]


@dataclass(frozen=True)
class Prepared:
    """A mesh ready to be drawn from any number of views.

    Attributes:
        vertices: (V, 3) float32 where the surface is drawn.
        surface: see `Surface`.
        textures: see `TextureTable`.
        alpha_class: (F,) int8, OPAQUE, MASK, BLEND or INVISIBLE.
        closed: (F,) bool; the face belongs to a closed opaque part, so that it is never seen from its back.
        part: (F,) int32, connected part of the surface.
        edges: see `Edges`.
    """

    vertices: NDArray[np.float32]
    surface: Surface
    textures: TextureTable
    alpha_class: NDArray[np.int8]
    closed: NDArray[np.bool_]
    part: NDArray[np.int32]
    edges: Edges


def weld(vertices: NDArray[np.float32]) -> NDArray[np.int32]:
    """(V,) the lowest index among the vertices that lie at exactly the same place."""
    keys = np.ascontiguousarray(vertices + np.float32(0)).view(np.uint32).reshape(len(vertices), 3).astype(np.uint64)
    mixed = keys[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ keys[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) ^ keys[:, 2] * np.uint64(
        0x94D049BB133111EB
    )
    order = np.argsort(mixed, kind="stable")
    first: NDArray[np.int32] = _weld_sorted(vertices, mixed, order)
    return first


@njit(cache=True, nogil=True)
def _weld_sorted(vertices, mixed, order):  # type: ignore[no-untyped-def]
    count = len(order)
    first = np.empty(count, np.int32)
    start = 0
    while start < count:
        stop = start + 1
        while stop < count and mixed[order[stop]] == mixed[order[start]]:
            stop += 1
        for i in range(start, stop):
            v = order[i]
            first[v] = v
            for j in range(start, i):
                w = order[j]
                if (
                    first[w] == w
                    and vertices[v, 0] == vertices[w, 0]
                    and vertices[v, 1] == vertices[w, 1]
                    and vertices[v, 2] == vertices[w, 2]
                ):
                    first[v] = w
                    break
        start = stop
    return first


@njit(cache=True, nogil=True)
def _pair_edges(faces, welded, keys, order):  # type: ignore[no-untyped-def]
    """Walk half-edges sorted by edge key.

    Returns per edge its half-edges (E, 2), the second -1 where there is none or more than one, and whether they run
    against each other (E,); and per face whether it has exactly one such neighbour on each side (F,).
    """
    total = len(order)
    halves = np.empty((total, 2), np.int32)
    opposed = np.zeros(total, np.bool_)
    shut = np.ones(len(faces), np.bool_)
    count = 0
    start = 0
    while start < total:
        stop = start + 1
        while stop < total and keys[order[stop]] == keys[order[start]]:
            stop += 1
        h = order[start]
        halves[count, 0] = h
        halves[count, 1] = -1
        if stop - start == 2:
            g = order[start + 1]
            halves[count, 1] = g
            opposed[count] = welded[faces[h // 3, h % 3]] == welded[faces[g // 3, (g % 3 + 1) % 3]]
        if not opposed[count]:
            for i in range(start, stop):
                shut[order[i] // 3] = False
        count += 1
        start = stop
    return halves[:count].copy(), opposed[:count].copy(), shut


@njit(cache=True, nogil=True)
def _color_between(f, i, j, t, surface, textures):  # type: ignore[no-untyped-def]
    """Encoded colour of a face at the fraction `t` between its corners i and j."""
    m = surface.material[f]
    texture = surface.texture[m]
    out = np.empty(4, np.float64)
    out[:] = 255.0
    if texture >= 0:
        u = surface.uv[f, i, 0] * (1 - t) + surface.uv[f, j, 0] * t
        v = surface.uv[f, i, 1] * (1 - t) + surface.uv[f, j, 1] * t
        size, wrap = textures.levels[texture, 0], textures.wrap[texture]
        out[0], out[1], out[2], out[3] = sample(
            textures.texels, size[0], size[1], size[2], wrap[0], wrap[1], textures.nearest[texture], u, v
        )
    for c in range(4):
        factor = np.float64(surface.base[m, c])
        if len(surface.colors) > 0:
            factor *= surface.colors[f, i, c] * (1 - t) + surface.colors[f, j, c] * t
        out[c] *= min(1.0, max(0.0, factor)) ** (1 / 2.2)
    return out


@njit(cache=True, nogil=True)
def _jumps(halves, opposed, surface, textures, rough):  # type: ignore[no-untyped-def]
    """Per edge, whether the colour may change across it within a pixel.

    Where texture coordinates part, a look-up that spans several texels would also reach over the seam, so a rough
    texture counts as a change.
    """
    jump = np.ones(len(halves), np.bool_)
    for e in range(len(halves)):
        if not opposed[e]:
            continue
        h, g = halves[e, 0], halves[e, 1]
        f, i, j = h // 3, h % 3, (h % 3 + 1) % 3
        f2, i2, j2 = g // 3, (g % 3 + 1) % 3, g % 3
        m, m2 = surface.material[f], surface.material[f2]
        if m != m2 and (surface.unlit[m] != surface.unlit[m2] or surface.glow[m] != surface.glow[m2]):
            continue
        if (surface.emissive[m] != surface.emissive[m2]).any():
            continue
        if len(surface.normals) > 0 and not surface.unlit[m]:
            same_i, same_j = 0.0, 0.0
            for k in range(3):
                same_i += surface.normals[f, i, k] * surface.normals[f2, i2, k]
                same_j += surface.normals[f, j, k] * surface.normals[f2, j2, k]
            if min(same_i, same_j) < SAME_NORMAL:
                continue
        parted = False
        for k in range(2):
            if (
                abs(surface.uv[f, i, k] - surface.uv[f2, i2, k]) > 1e-5
                or abs(surface.uv[f, j, k] - surface.uv[f2, j2, k]) > 1e-5
            ):
                parted = True
        if parted and (rough[f] or rough[f2]):
            continue
        if m == m2 and not parted and len(surface.colors) == 0:
            jump[e] = False
            continue
        differs = False
        for t in (0.02, 0.5, 0.98):
            one = _color_between(f, i, j, t, surface, textures)
            two = _color_between(f2, i2, j2, t, surface, textures)
            for c in range(4):
                if abs(one[c] - two[c]) > SMALL_JUMP:
                    differs = True
        jump[e] = differs
    return jump


class _Topology(NamedTuple):
    halves: NDArray[np.int32]
    opposed: NDArray[np.bool_]
    ends: NDArray[np.int32]
    sides: NDArray[np.int32]
    closed: NDArray[np.bool_]
    part: NDArray[np.int32]


def _topology(mesh: Mesh) -> _Topology:
    welded = weld(mesh.vertices)
    corner = welded[mesh.faces].astype(np.int64)
    following = np.roll(corner, -1, axis=1)
    low, high = np.minimum(corner, following), np.maximum(corner, following)
    keys = (low * len(mesh.vertices) + high).ravel()
    order = np.argsort(keys, kind="stable")
    halves, opposed, shut = _pair_edges(mesh.faces, welded, keys, order)
    first = halves[:, 0]
    ends = np.stack([mesh.faces.ravel()[first], np.roll(mesh.faces, -1, axis=1).ravel()[first]], axis=1)
    sides = np.where(halves < 0, -1, halves // 3).astype(np.int32)
    graph = coo_matrix(
        (np.ones(corner.size, np.int8), (corner.ravel(), following.ravel())), shape=(len(welded), len(welded))
    )
    _, label = connected_components(graph, directed=False)
    part = label[corner[:, 0]].astype(np.int32)
    parts = int(part.max()) + 1
    open_faces = np.bincount(part, weights=~shut, minlength=parts)
    p = mesh.vertices[mesh.faces].astype(np.float64)
    centred = p - p.reshape(-1, 3).mean(axis=0)
    six_volumes = np.einsum("ij,ij->i", centred[:, 0], np.cross(centred[:, 1], centred[:, 2]))
    volume = np.bincount(part, weights=six_volumes, minlength=parts)
    closed = ((open_faces == 0) & (volume > 0))[part]
    return _Topology(halves, opposed, ends, sides, closed, part)


def surface_edges(mesh: Mesh) -> tuple[Edges, NDArray[np.bool_]]:
    """A mesh's welded edges without regard to colour, and per face whether it belongs to a closed part (F,)."""
    t = _topology(mesh)
    return Edges(t.ends, t.sides, np.zeros(len(t.ends), np.bool_)), t.closed


def _alpha_class(mesh: Mesh, surface: Surface, textures: TextureTable) -> NDArray[np.int8]:
    """A face whose opacity cannot matter is drawn as opaque, one that is nowhere visible is not drawn."""
    modes = {"opaque": OPAQUE, "mask": MASK, "blend": BLEND}
    of_material = np.array([modes[m.alpha_mode] for m in mesh.materials], dtype=np.int8)
    classes = of_material[mesh.face_material]
    asked = np.flatnonzero(classes != OPAQUE)
    if len(asked) == 0:
        return classes
    low, high = texel_range(asked, surface, textures)
    cutoff = surface.cutoff[surface.material[asked]]
    masked = classes[asked] == MASK
    opaque = np.where(masked, low >= cutoff, low >= 254.5 / 255)
    gone = np.where(masked, high < cutoff, high < 0.5 / 255)
    classes[asked] = np.where(opaque, OPAQUE, np.where(gone, INVISIBLE, classes[asked]))
    return classes


def smooth_normals(mesh: Mesh) -> NDArray[np.float32]:
    """Area-weighted vertex normals over welded vertices, per corner, (F, 3, 3) float32."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    face_normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    welded = weld(mesh.vertices)[mesh.faces]
    total = np.zeros((len(mesh.vertices), 3))
    for k in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(welded[:, k], face_normal[:, axis], minlength=len(total))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit = np.divide(total, length, out=np.zeros_like(total), where=length > 0)
    return np.asarray(unit[welded], dtype=np.float32)


def _along_winding(mesh: Mesh, normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normals (F, 3, 3), those of a face turned round together where they point to its inside."""
    against = np.einsum("fi,fi->f", flat_normals(mesh)[:, 0], normals.sum(axis=1)) < 0
    return np.where(against[:, None, None], -normals, normals)


def _near_uv(mesh: Mesh, textured: Sequence[tuple[Texture | None, Texture | None]]) -> NDArray[np.float32]:
    """Texture coordinates (F, 3, 2), moved by whole periods towards 0 where that loses nothing of a repeat or mirror.

    A face that is textured far from 0 would else be looked up with too few digits.
    """
    if mesh.uv is None:
        return np.zeros((len(mesh.faces), 3, 2), np.float32)
    if np.abs(mesh.uv).max() <= 2:
        return np.ascontiguousarray(mesh.uv, np.float32)
    uv = np.clip(np.nan_to_num(mesh.uv), -FARTHEST_UV, FARTHEST_UV).astype(np.float32)
    periodic = np.array([[all(t is None or t.wrap[k] != "clamp" for t in pair) for k in (0, 1)] for pair in textured])
    shift = 2 * np.floor(uv.min(axis=1) / 2)
    shift[~periodic[mesh.face_material]] = 0
    return np.asarray(uv - shift[:, None, :])


def _finite(attribute: NDArray[np.float32]) -> NDArray[np.float32]:
    """A contiguous attribute, 0 where it is no number: compiled look-ups would leave their tables."""
    whole = np.ascontiguousarray(attribute, np.float32)
    return whole if np.isfinite(whole).all() else np.nan_to_num(whole, posinf=0.0, neginf=0.0)


def prepare(mesh: Mesh, finest_pixels_per_unit: float, lit: bool) -> Prepared:
    """Lay a mesh out for drawing.

    Args:
        mesh: in the frame; finite.
        finest_pixels_per_unit: of the sharpest camera that will look; decides which mip levels are made.
        lit: whether normals are needed.
    """
    f, materials = len(mesh.faces), mesh.materials
    images: list[Texture] = []

    def index(texture: Texture | None) -> int:
        if texture is None:
            return -1
        for i, known in enumerate(images):
            if known is texture:
                return i
        images.append(texture)
        return len(images) - 1

    texture_index = np.array([index(m.texture) for m in materials], np.int32)
    glow_index = np.array([index(m.emissive_texture) for m in materials], np.int32)
    base = np.array([m.base_color for m in materials], np.float32)
    emissive = np.array([m.emissive for m in materials], np.float32)
    plain = (base[:, :3] == 1).all(axis=1) & (emissive == 0).all(axis=1) & (texture_index >= 0)
    empty = np.empty((0, 3, 4), np.float32)
    if lit:
        normals = smooth_normals(mesh) if mesh.normals is None else _along_winding(mesh, mesh.normals)
    else:
        normals = np.empty((0, 3, 3), np.float32)
    surface = Surface(
        faces=np.ascontiguousarray(mesh.faces, np.int32),
        material=np.ascontiguousarray(mesh.face_material, np.int32),
        uv=_near_uv(mesh, [(m.texture, m.emissive_texture) for m in materials]),
        colors=empty if mesh.colors is None else _finite(mesh.colors),
        normals=_finite(normals),
        positions=np.ascontiguousarray(mesh.vertices if mesh.rest is None else mesh.rest, np.float32),
        base=base,
        emissive=emissive,
        texture=texture_index,
        glow=glow_index,
        cutoff=np.array([m.alpha_cutoff for m in materials], np.float32),
        unlit=np.array([m.unlit for m in materials], np.bool_),
        plain=plain if mesh.colors is None else np.zeros_like(plain),
        rough=np.ones(f, np.bool_),
    )
    vertices = np.ascontiguousarray(mesh.vertices, np.float32)
    textures = pack_textures(images, vertices, surface, finest_pixels_per_unit)
    surface = surface._replace(rough=rough_faces(surface, textures, vertices, finest_pixels_per_unit))
    topology = _topology(mesh)
    part = topology.part
    jump = _jumps(topology.halves, topology.opposed, surface, textures, surface.rough)
    edges = Edges(topology.ends, topology.sides, jump)
    alpha_class = _alpha_class(mesh, surface, textures)
    see_through = np.zeros(int(part.max()) + 1, np.bool_)
    see_through[part[alpha_class != OPAQUE]] = True
    return Prepared(vertices, surface, textures, alpha_class, topology.closed & ~see_through[part], part, edges)
