"""A rig carried over from a character to a reconstruction of it.

Weights come from the nearest point of the character's surface where distance and normal agree, and are filled in
smoothly over the reconstruction's own surface elsewhere, after Abdrashitov et al., Robust Skin Weights Transfer via
Weight Inpainting (2023).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.closest import nearest_on
from specsia_build.animation.motion import Poses, poses
from specsia_build.animation.rig import Morph, Rig
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh, doubled_areas

FARTHEST = 0.05
"""Distance of a match, as a share of the diagonal of the character's box."""

WIDEST_DEGREES = 30.0
"""Angle between the normals of a match."""

INFLUENCES = 8
"""Slots that a vertex hangs on at most."""

SMALLEST_WEIGHT = 1e-3
"""What is filled in below this is left out."""

ALIKE = 1e-4
"""How far the matrices at rest of two slots of one node may differ, in the frame's units, to be one."""

FLATTEST = 1e-3
"""Of the smallest stretch of a slot by its largest, from which it has a place in the frame."""

MOST_STRETCH = 2.0
"""Of the largest stretch of the blended slots of a vertex by its smallest, at rest, to be undone."""

MOST_OFF = 0.01
"""How far a mesh may stand from where its rig has it, as a share of its largest extent."""

COLUMNS = 32
"""Slots filled in at once."""


@dataclass(frozen=True)
class Carried:
    """How well weights were carried over.

    Attributes:
        matched: share of the reconstruction's surface that lies near the character's with an agreeing normal, 0-1.
        inpainted: vertices whose weights were filled in over the surface.
        unmatched_pieces: connected pieces without any match, which took the weights of the nearest point.
        warnings: sentences.
    """

    matched: float
    inpainted: int
    unmatched_pieces: int
    warnings: tuple[str, ...] = ()


def carried(mesh: Mesh, rig: Rig, onto: Mesh, stands: Poses | None = None) -> tuple[Rig, Carried]:
    """The rig of a character for a reconstruction of it.

    Args:
        mesh: the character as it stands.
        rig: of its vertices, placed where `mesh` is.
        onto: the reconstruction, in the same frame.
        stands: how the skeleton stands in `mesh`, the first of some poses; at rest by default.

    Returns:
        The rig of the vertices of `onto`, which has them where they are as the character stands, and how it was come
        by.

    Raises:
        CharacterError: if nothing of the character has a surface and a place to hang on, or `mesh` does not stand so.
    """
    stands = poses(rig.skeleton, None, np.zeros(1)) if stands is None else stands
    low, high = mesh.bounds()
    off = np.abs(rig.vertices(stands, 0) - mesh.vertices)[mesh.used]
    if not off.max(initial=0) <= MOST_OFF * (high - low).max():
        raise CharacterError(
            "it does not stand as its skeleton does, so that its reconstruction cannot move with it: leave out 'pose'"
        )
    aligned, hangs = _aligned(rig, stands.worlds[0])
    source = mesh.of_faces(np.asarray(hangs[mesh.faces].all(axis=1)))
    found = nearest_on(source, onto)
    if found is None:
        raise CharacterError("its surface at rest is empty, so that a reconstruction cannot take its weights")
    diagonal = float(np.linalg.norm(np.subtract(*source.bounds())))
    matched = (found.distance <= FARTHEST * diagonal) & (found.agreement >= np.cos(np.deg2rad(WIDEST_DEGREES)))
    rows = np.repeat(np.arange(len(onto.vertices)), 3)
    points = scipy.sparse.csr_array(
        (found.barycentric.ravel(), (rows, source.faces[found.face].ravel())),
        shape=(len(onto.vertices), len(mesh.vertices)),
    )
    links = _links(onto)
    pieces, piece = scipy.sparse.csgraph.connected_components(links, directed=False)
    drawn = np.zeros(len(onto.vertices), np.bool_)
    drawn[onto.faces] = True
    with_match = np.bincount(piece, matched & drawn, pieces) > 0
    unknown = ~matched & with_match[piece]
    slots, weights = _most(_filled_in(points @ _matrix(aligned), links, unknown))
    new = replace(aligned, points=onto.vertices, slots=slots, weights=weights, morphs=())
    new = _at_rest(replace(new, morphs=_morphs(aligned, points, matched)), onto, matched, stands)
    area = _vertex_areas(onto)
    share = float(area[matched].sum() / area.sum()) if area.any() else 0.0
    lonely = len(np.unique(piece[drawn & ~with_match[piece]]))
    warnings: tuple[str, ...] = ()
    if share < 0.5:
        warnings = (
            f"only {share:.0%} of the reconstruction's surface lies where the character's does, so that most of how it "
            "moves is guessed",
        )
    return new, Carried(share, int((unknown & drawn).sum()), lonely, warnings)


def _aligned(rig: Rig, worlds: NDArray[np.float64]) -> tuple[Rig, NDArray[np.bool_]]:
    """The rig with points in the frame, at rest up to turns between its own joints, and which vertices (V,) hang on it.

    Slots whose points share a space keep sharing one. Slots of one node that do the same become one, so that weights
    of several skins mix. What is flat at rest has no place in the frame and is left out.
    """
    nodes, binds, number = _merged(rig.nodes, rig.inverse_binds)
    rest = _square(replace(rig, nodes=nodes, inverse_binds=binds).matrices(worlds))
    solid = _solid(rest[:, :3, :3])
    weights = np.where(solid[number[rig.slots]], rig.weights, np.float32(0))
    total = weights.sum(axis=1)
    hangs = total > 0
    weights = np.divide(weights, total[:, None], out=np.zeros_like(weights), where=hangs[:, None])
    slots = number[rig.slots].astype(np.int32)
    lean = replace(rig, nodes=nodes, inverse_binds=binds, slots=slots, weights=weights)
    matrix = _matrix(lean)
    _, space = scipy.sparse.csgraph.connected_components(matrix.T @ matrix, directed=False)
    leading = _leading(space, np.where(solid, np.asarray(matrix.sum(axis=0)), -1.0))
    to_frame = np.where(solid[leading][:, None, None], rest[leading], np.eye(4))
    binds = binds @ np.linalg.inv(to_frame)
    first = slots[np.arange(len(slots)), weights.argmax(axis=1)]
    morphs = tuple(
        replace(morph, offsets=np.einsum("vij,vj->vi", to_frame[first[morph.vertices], :3, :3], morph.offsets))
        for morph in rig.morphs
    )
    nodes, binds, number = _merged(nodes, binds, rest @ np.linalg.inv(to_frame))
    return replace(lean, nodes=nodes, inverse_binds=binds, slots=number[slots].astype(np.int32), morphs=morphs), hangs


def _merged(
    nodes: NDArray[np.int32], binds: NDArray[np.float64], rest: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.intp]]:
    """Slots that do the same as one: nodes, inverse binds, and the number (P,) of what each slot became."""
    kept: list[int] = []
    of: dict[int, list[int]] = {}
    number = np.zeros(len(nodes), np.intp)
    for slot, node in enumerate(nodes.tolist()):
        for k in of.setdefault(node, []):
            other = kept[k]
            if np.array_equal(binds[slot], binds[other]) or (
                rest is not None and np.abs(rest[slot] - rest[other]).max() <= ALIKE
            ):
                number[slot] = k
                break
        else:
            number[slot] = len(kept)
            of[node].append(len(kept))
            kept.append(slot)
    return nodes[kept], binds[kept], number


def _leading(space: NDArray[np.int32], weight: NDArray[np.float64]) -> NDArray[np.intp]:
    """(P,) the slot of most weight in the space of each."""
    order = np.lexsort((weight, space))
    last = np.append(space[order][1:] != space[order][:-1], True)
    return np.asarray(order[last][space])


def _solid(matrices: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of some (..., 3, 3) can be undone."""
    stretch = np.linalg.svd(matrices, compute_uv=False)
    return np.asarray(stretch[..., 2] > FLATTEST * stretch[..., 0])


def _matrix(rig: Rig) -> scipy.sparse.csr_array:
    """Weights (V, P)."""
    count, width = rig.slots.shape
    rows = np.repeat(np.arange(count), width)
    found = scipy.sparse.csr_array(
        (rig.weights.ravel().astype(np.float64), (rows, rig.slots.ravel())), shape=(count, len(rig.nodes))
    )
    found.eliminate_zeros()
    return found


def _links(mesh: Mesh) -> scipy.sparse.csr_array:
    """(V, V) how strongly vertices pull at each other: by edges, and hardest at the same place."""
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, place = np.unique(mesh.vertices, axis=0, return_inverse=True)
    order = np.argsort(place.ravel(), kind="stable")
    same = np.diff(place.ravel()[order]) == 0
    edges = np.unique(np.concatenate([edges, np.stack([order[:-1][same], order[1:][same]], axis=1)]), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    length = np.linalg.norm(np.diff(mesh.vertices[edges].astype(np.float64), axis=1)[:, 0], axis=1)
    floor = 1e-2 * float(np.median(length)) if len(length) else 1.0
    pull = 1 / np.maximum(length, floor if floor > 0 else 1.0)
    shape = (len(mesh.vertices), len(mesh.vertices))
    half = scipy.sparse.csr_array((pull, (edges[:, 0], edges[:, 1])), shape=shape)
    return scipy.sparse.csr_array(half + half.T)


def _filled_in(
    weights: scipy.sparse.csr_array, links: scipy.sparse.csr_array, unknown: NDArray[np.bool_]
) -> scipy.sparse.csr_array:
    """Weights (V, P) whose unknown rows are harmonic over the surface, which keeps them in 0-1 and summing to 1."""
    if not unknown.any():
        return weights
    pull = links[unknown]
    system = scipy.sparse.diags_array(np.asarray(pull.sum(axis=1))) - pull[:, unknown]
    solver = scipy.sparse.linalg.splu(
        scipy.sparse.csc_array(system),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    known = scipy.sparse.csc_array(pull[:, ~unknown] @ weights[~unknown])
    blocks = []
    for begin in range(0, weights.shape[1], COLUMNS):
        found = solver.solve(known[:, begin : begin + COLUMNS].toarray())
        blocks.append(scipy.sparse.csr_array(np.where(found >= SMALLEST_WEIGHT, found, 0.0)))
    stacked = scipy.sparse.vstack([weights[~unknown], scipy.sparse.hstack(blocks)], format="csr")
    order = np.concatenate([np.flatnonzero(~unknown), np.flatnonzero(unknown)])
    return scipy.sparse.csr_array(stacked[np.argsort(order)])


def _most(weights: scipy.sparse.csr_array) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Slots and weights (V, K) of the largest of each row, K at most `INFLUENCES`, summing to 1."""
    rows = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    order = np.lexsort((weights.indices, -weights.data, rows))
    rank = np.arange(len(order)) - weights.indptr[rows]
    width = min(INFLUENCES, int(rank.max(initial=0)) + 1)
    kept = rank < width
    slots = np.zeros((weights.shape[0], width), np.int32)
    values = np.zeros((weights.shape[0], width))
    slots[rows[kept], rank[kept]] = weights.indices[order][kept]
    values[rows[kept], rank[kept]] = weights.data[order][kept]
    return slots, (values / values.sum(axis=1, keepdims=True)).astype(np.float32)


def _morphs(rig: Rig, points: scipy.sparse.csr_array, matched: NDArray[np.bool_]) -> tuple[Morph, ...]:
    """The morphs of a rig at matched points of its surface."""
    found = []
    for morph in rig.morphs:
        offsets = np.zeros((points.shape[1], 3))
        np.add.at(offsets, morph.vertices, morph.offsets)
        there = (points @ offsets).astype(np.float32)
        vertices = np.flatnonzero(matched & there.any(axis=1)).astype(np.int32)
        if len(vertices):
            found.append(replace(morph, vertices=vertices, offsets=there[vertices]))
    return tuple(found)


def _at_rest(rig: Rig, onto: Mesh, matched: NDArray[np.bool_], stands: Poses) -> Rig:
    """The rig with the points that give the vertices of `onto` at rest.

    Matched vertices have the point that the character's have there, which is exact. Others, whose slots may be turned
    so far from each other at rest that no such point exists, hang on what the slots do from rest on.
    """
    worlds = stands.worlds[0]
    rest = _square(rig.matrices(worlds))
    apart = ~matched | (np.linalg.cond(_blend(rig, rest)[:, :3, :3]) > MOST_STRETCH)
    if apart.any():
        nodes, binds = (
            np.tile(rig.nodes, 2),
            np.concatenate([rig.inverse_binds, rig.inverse_binds @ np.linalg.inv(rest)]),
        )
        slots = rig.slots + np.where(apart, np.int32(len(rest)), np.int32(0))[:, None]
        nodes, binds, number = _merged(nodes, binds, np.concatenate([rest, np.broadcast_to(np.eye(4), rest.shape)]))
        rig = replace(rig, slots=number[slots].astype(np.int32), nodes=nodes, inverse_binds=binds)
    blend = _blend(rig, _square(rig.matrices(worlds)))
    there = onto.vertices.astype(np.float64) - blend[:, :3, 3]
    points = np.linalg.solve(blend[:, :3, :3], there[..., None])[..., 0]
    for morph in rig.morphs:
        amounts = stands.morph_weights.get(morph.node)
        if amounts is not None and morph.target < amounts.shape[1]:
            points[morph.vertices] -= amounts[0, morph.target] * morph.offsets
    return replace(rig, points=points.astype(np.float32))


def _blend(rig: Rig, matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, 4, 4) of the matrices (P, 4, 4) of the slots."""
    return np.asarray(np.einsum("vk,vkij->vij", rig.weights.astype(np.float64), matrices[rig.slots]))


def _square(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, 4, 4) of (P, 3, 4)."""
    last = np.broadcast_to([[0.0, 0.0, 0.0, 1.0]], (len(matrices), 1, 4))
    return np.concatenate([matrices, last], axis=1)


def _vertex_areas(mesh: Mesh) -> NDArray[np.float64]:
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = doubled_areas(corners)
    return np.asarray(np.bincount(mesh.faces.ravel(), np.repeat(area, 3), len(mesh.vertices)), np.float64)
