"""Transfer of a character's rig to a reconstruction of it.

Weights come from the nearest point of the character's surface where distance and normal agree, and are filled
in smoothly over the reconstruction's own surface elsewhere, after Abdrashitov et al., Robust Skin Weights
Transfer via Weight Inpainting (2023).
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.motion import Poses, poses
from specsia_build.animation.rig import Morph, Rig
from specsia_build.arrays import Doubles, Floats, Mask
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh, face_normals
from specsia_build.warning import Warning

_FARTHEST = 0.05  # Largest distance of a match, as a share of the diagonal of the character's box
WIDEST_DEGREES = 30.0  # Largest angle between the normals of a match
INFLUENCES = 8  # Largest number of nodes that move a vertex
SMALLEST_WEIGHT = 1e-3  # Filled-in weights below this are dropped
# Ratio of a node's smallest stretch to its largest below which it counts as flat and is left out
_FLATTEST = 1e-3
MOST_OFF = 0.01  # Largest distance of a mesh from where its rig puts it, as a share of its largest extent
_COLUMNS = 32  # Nodes filled in at once

SPACING = 0.006
"""Distance between samples of a face, as a share of the surface's diagonal; corners are samples, too."""

_MOST_SAMPLES = 400_000  # Largest number of samples of the whole surface, besides its corners
_NEAREST = 24  # Number of nearest samples compared for each vertex
_TURN = 0.02  # Penalty for a different normal, as a share of the surface's diagonal per unit of 1 - cosine


@dataclass(frozen=True)
class Carried:
    """Quality of a transfer of weights."""

    matched: float  # Share of the reconstruction's surface near the character's with an agreeing normal, 0-1
    inpainted: int  # Number of vertices whose weights were filled in over the surface
    # Number of connected pieces without a match, which take the nearest point's weights
    unmatched_pieces: int
    warnings: tuple[Warning, ...] = ()


def carried(mesh: Mesh, rig: Rig, onto: Mesh, stands: Poses | None = None) -> tuple[Rig, Carried]:
    """Transfer the rig of a character to the vertices of a reconstruction of it.

    The character's pose in `mesh` becomes the bind pose. Raises CharacterError if the character has no
    surface with weights, or `mesh` is not in that pose.

    Args:
        mesh: the posed character.
        rig: of its vertices, placed where `mesh` is.
        onto: the reconstruction, in the same frame.
        stands: pose of the skeleton in `mesh`, the first of some poses; at rest by default.
    """
    stands = poses(rig.skeleton, None, np.zeros(1)) if stands is None else stands
    low, high = mesh.bounds()
    off = np.abs(rig.vertices(stands, 0) - mesh.vertices)[mesh.used]
    if not off.max(initial=0) <= MOST_OFF * (high - low).max():
        reason = "it does not stand as its skeleton does, so that its reconstruction cannot move with it"
        raise CharacterError(f"{reason}: leave out 'pose'")
    nodes, binds, weights = _of_nodes(rig, stands.worlds[0])
    hangs = np.diff(weights.indptr) > 0
    source = mesh.of_faces(np.asarray(hangs[mesh.faces].all(axis=1)))
    face, barycentric, distance, agreement = _nearest_on(source, onto)
    diagonal = float(np.linalg.norm(np.subtract(*source.bounds())))
    matched = (distance <= _FARTHEST * diagonal) & (agreement >= np.cos(np.deg2rad(WIDEST_DEGREES)))
    points = scipy.sparse.csr_array(
        (barycentric.ravel(), (np.repeat(np.arange(len(onto.vertices)), 3), source.faces[face].ravel())),
        shape=(len(onto.vertices), len(mesh.vertices)),
    )
    links = _links(onto)
    pieces, piece = scipy.sparse.csgraph.connected_components(links, directed=False)
    used = np.zeros(len(onto.vertices), np.bool_)
    used[onto.faces] = True
    with_match = np.bincount(piece, matched & used, pieces) > 0
    unknown = ~matched & with_match[piece]
    slots, values = _most(_filled_in(points @ weights, links, unknown))
    morphs = _morphs(rig, stands, points, matched)
    new = replace(
        rig,
        points=_without(morphs, stands, onto.vertices),
        slots=slots,
        weights=values,
        nodes=nodes,
        inverse_binds=binds,
        morphs=morphs,
    )
    area = np.bincount(onto.faces.ravel(), np.repeat(onto.doubled_areas, 3), len(onto.vertices))
    share = float(area[matched].sum() / area.sum()) if area.any() else 0.0
    lonely = len(np.unique(piece[used & ~with_match[piece]]))
    warnings: tuple[Warning, ...] = ()
    if share < 0.5:
        sentence = (
            f"only {share:.0%} of the reconstruction's surface lies where the character's does, so most "
            "of its motion is guessed"
        )
        warnings = (Warning("weights-guessed", sentence, "reconstruction"),)
    return new, Carried(share, int((unknown & used).sum()), lonely, warnings)


def _of_nodes(rig: Rig, worlds: Doubles) -> tuple[NDArray[np.int32], Doubles, scipy.sparse.csr_array]:
    """Nodes (P,) that move vertices, without flat ones, matrices (P, 4, 4) to them, weights (V, P)."""
    nodes = np.unique(rig.nodes).astype(np.int32)
    to_frame = rig.placement @ worlds[nodes]
    stretch = np.linalg.svd(to_frame[:, :3, :3], compute_uv=False)
    solid = stretch[:, 2] > _FLATTEST * stretch[:, 0]
    column = np.searchsorted(nodes, rig.nodes)[rig.slots]
    values = np.where(solid[column], rig.weights, np.float32(0)).astype(np.float64)
    rows = np.repeat(np.arange(len(values)), values.shape[1])
    at, shape = (rows, column.ravel()), (len(values), len(nodes))
    weights = scipy.sparse.csr_array((values.ravel(), at), shape=shape)
    weights.eliminate_zeros()
    total: Doubles = np.asarray(weights.sum(axis=1))
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    binds = np.linalg.inv(np.where(solid[:, None, None], to_frame, np.eye(4)))
    return nodes, binds, scipy.sparse.csr_array(weights * scale[:, None])


def _morphs(rig: Rig, stands: Poses, points: scipy.sparse.csr_array, matched: Mask) -> tuple[Morph, ...]:
    """The morphs of a rig at matched points of its surface, in the character's pose."""
    if not rig.morphs:
        return ()
    linear, morphs = rig.blended(stands.worlds[0]), []
    for morph in rig.morphs:
        offsets = np.zeros((points.shape[1], 3))
        np.add.at(offsets, morph.vertices, np.einsum("vij,vj->vi", linear[morph.vertices], morph.offsets))
        offsets_at_points = (points @ offsets).astype(np.float32)
        vertices = np.flatnonzero(matched & offsets_at_points.any(axis=1)).astype(np.int32)
        if len(vertices):
            morphs.append(replace(morph, vertices=vertices, offsets=offsets_at_points[vertices]))
    return tuple(morphs)


def _without(morphs: tuple[Morph, ...], stands: Poses, vertices: Floats) -> Floats:
    """Vertices without the morphs' offsets in the character's pose."""
    points = vertices.astype(np.float64)
    for morph in morphs:
        amounts = stands.morph_weights.get(morph.node)
        if amounts is not None and morph.target < amounts.shape[1]:
            points[morph.vertices] -= amounts[0, morph.target] * morph.offsets
    return points.astype(np.float32)


def _links(mesh: Mesh) -> scipy.sparse.csr_array:
    """Weights (V, V) of links between vertices: inverse lengths of edges, largest where places are equal."""
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
    weights: scipy.sparse.csr_array, links: scipy.sparse.csr_array, unknown: Mask
) -> scipy.sparse.csr_array:
    """Weights (V, P), unknown rows harmonic over the surface, which keeps them in 0-1 and summing to 1."""
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
    right_side = scipy.sparse.csc_array(pull[:, ~unknown] @ weights[~unknown])
    blocks = []
    for begin in range(0, weights.shape[1], _COLUMNS):
        solution = solver.solve(right_side[:, begin : begin + _COLUMNS].toarray())
        blocks.append(scipy.sparse.csr_array(np.where(solution >= SMALLEST_WEIGHT, solution, 0.0)))
    stacked = scipy.sparse.vstack([weights[~unknown], scipy.sparse.hstack(blocks)], format="csr")
    order = np.concatenate([np.flatnonzero(~unknown), np.flatnonzero(unknown)])
    return scipy.sparse.csr_array(stacked[np.argsort(order)])


def _most(weights: scipy.sparse.csr_array) -> tuple[NDArray[np.int32], Floats]:
    """Slots and values (V, K) of the largest weights of each row, K at most `INFLUENCES`, summing to 1."""
    rows = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    order = np.lexsort((weights.indices, -weights.data, rows))
    rank = np.arange(len(order)) - weights.indptr[rows]
    width = min(INFLUENCES, int(rank.max(initial=0)) + 1)
    is_kept = rank < width
    slots = np.zeros((weights.shape[0], width), np.int32)
    values = np.zeros((weights.shape[0], width))
    slots[rows[is_kept], rank[is_kept]] = weights.indices[order][is_kept]
    values[rows[is_kept], rank[is_kept]] = weights.data[order][is_kept]
    return slots, (values / values.sum(axis=1, keepdims=True)).astype(np.float32)


def _nearest_on(surface: Mesh, mesh: Mesh) -> tuple[NDArray[np.intp], Doubles, Doubles, Doubles]:
    """Samples of a surface nearest to the V vertices of a mesh, preferring those that face the same way.

    Returns faces (V,); barycentric coordinates (V, 3); distances (V,); and cosines (V,) between the normals
    without their signs, 1 where one has none. Raises CharacterError if no face of the surface has an area.
    """
    corners = surface.vertices[surface.faces].astype(np.float64)
    area = surface.doubled_areas
    if not area.any():
        raise CharacterError("its surface at rest is empty, so that a reconstruction cannot take its weights")
    diagonal = float(np.linalg.norm(np.ptp(corners[area > 0].reshape(-1, 3), axis=0)))
    face, share = _samples(area, SPACING * diagonal)
    places = np.einsum("sc,scj->sj", share, corners[face])
    facing = np.einsum("sc,scj->sj", share, _vertex_normals(surface)[surface.faces[face]])
    points, own = mesh.vertices.astype(np.float64), _vertex_normals(mesh)
    # Corners are pulled into their faces, so that of touching faces the right one is nearer.
    inner = places + 1e-3 * (corners[face].mean(axis=1) - places)
    pulled = points + 1e-3 * (_ring_centres(mesh) - points)
    near = scipy.spatial.cKDTree(inner).query(pulled, k=min(_NEAREST, len(inner)))[1].reshape(len(points), -1)
    cosine = _cosine(own[:, None], facing[near])
    away = np.linalg.norm(pulled[:, None] - inner[near], axis=2)
    cost = away + _TURN * diagonal * (1 - np.abs(cosine)) + np.where(cosine < 0, 1e-2 * diagonal, 0.0)
    best = np.take_along_axis(near, cost.argmin(axis=1)[:, None], 1)[:, 0]
    distance = np.linalg.norm(points - places[best], axis=1)
    return face[best], share[best], distance, np.abs(_cosine(own, facing[best]))


def _samples(area: Doubles, spacing: float) -> tuple[NDArray[np.intp], Doubles]:
    """Faces (S,) and barycentric coordinates (S, 3) of samples: all corners, and some by area of each face.

    Those within a face follow the plastic number's low-discrepancy sequence (Roberts, 2018), triangle-folded.
    """
    solid = np.flatnonzero(area > 0)
    expected = area[solid] / 2 / spacing**2
    count = np.floor(expected * min(1.0, _MOST_SAMPLES / max(expected.sum(), 1.0))).astype(np.int64)
    rank = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    first, second = (0.5 + (rank + 1) * 0.7548776662466927) % 1, (0.5 + (rank + 1) * 0.5698402909980532) % 1
    over = first + second > 1
    first, second = np.where(over, 1 - first, first), np.where(over, 1 - second, second)
    inside = np.stack([1 - first - second, first, second], axis=1)
    faces = np.concatenate([np.repeat(solid, 3), np.repeat(solid, count)])
    return faces, np.concatenate([np.tile(np.eye(3), (len(solid), 1)), inside])


def _cosine(a: Doubles, b: Doubles) -> Doubles:
    """Cosine between directions (..., 3); 1 where one is zero."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    dot = (a * b).sum(axis=-1)
    return np.asarray(np.divide(dot, lengths, out=np.ones_like(dot), where=lengths > 0))


def _vertex_normals(mesh: Mesh) -> Doubles:
    """Unit normals (V, 3): means of adjacent faces by area; zero without faces, or if they cancel out."""
    total = _summed(np.repeat(face_normals(mesh), 3, axis=0), mesh.faces.ravel(), len(mesh.vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    area = _summed(np.repeat(mesh.doubled_areas, 3)[:, None], mesh.faces.ravel(), len(mesh.vertices))
    return np.asarray(np.divide(total, length, out=np.zeros_like(total), where=length > 1e-6 * area))


def _ring_centres(mesh: Mesh) -> Doubles:
    """Mean (V, 3) of the centres of each vertex's faces; the vertex itself without faces."""
    centres = mesh.vertices[mesh.faces].astype(np.float64).mean(axis=1)
    total = _summed(np.repeat(centres, 3, axis=0), mesh.faces.ravel(), len(mesh.vertices))
    count = np.bincount(mesh.faces.ravel(), minlength=len(mesh.vertices))[:, None]
    return np.where(count > 0, total / np.maximum(count, 1), mesh.vertices)


def _summed(values: Doubles, rows: NDArray[np.integer], count: int) -> Doubles:
    return np.stack([np.bincount(rows, column, count) for column in values.T], axis=1)
