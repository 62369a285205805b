"""Agreement of the layers of frames: each function counts, of one or two frames, how many of how many hold.

What is true is found here by other means than the layers': vertices are projected as floating-point numbers,
and what hides a point is looked for among all faces.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array
from scipy.spatial import cKDTree
from skimage.measure import label as label_parts

from specsia_build.annotation.lines import BACKGROUND, BINARY, Features, Lines, visible_lines
from specsia_build.rendering.fast.raster import HIDDEN
from specsia_build.rendering.layers import HALF_COVERED, SUBPIXEL, Seen
from specsia_build.rendering.mesh import Mesh

Counts = dict[str, float]
Floats = NDArray[np.float64]

NEAR = 0.5  # Pixels within which a point is where it ought to be
ONE_REGION = 0.98  # Share of a segment's pixels that one region is to hold
STEEP = 4.0  # Pixels at rest to one of the picture beyond which positions are not interpolated
TOUCHING = 5e-4  # Units that a surface in front of a point need to hide it: an eighth of a pixel of 256
ALONG = 0.25  # Pixels between the places of a line that are looked at

KINDS = ("crease", "border", "silhouette", "seam")
"""Lines on the surface; where it turns away from the camera; where parts run through each other."""


@dataclass(frozen=True)
class Frame:
    """A frame with its layers, by name."""

    seen: Seen  # What its view knew
    places: Floats  # (V, 3) of vertices, x and y in pixels and depth in units, projected without rounding
    position: NDArray[np.float32]  # (S, S, 3) rest positions of visible points
    mask: NDArray[np.uint8]  # (S, S)
    unit: float  # Units to a pixel
    lines: Lines
    kinds: NDArray[np.int64]  # (P,) of its lines, numbers in `KINDS`
    layers: Mapping[str, Any]


def _weights(corners: Floats, places: Floats) -> Floats:
    """(N, 3) weights of triangles' corners (N, 3, 2) at places (N, 2); not finite where one is flat."""
    a, b, c = (corners[:, k] - places for k in range(3))
    areas = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(areas / areas.sum(axis=1, keepdims=True))


def _cross(one: Floats, other: Floats) -> Floats:
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])


def first_hits(
    places: Floats, vertices: Floats, faces: NDArray[np.int32]
) -> tuple[NDArray[np.intp], Floats, Floats]:
    """First hit of a ray through each place (N, 2): face (N,), -1 for none, weights (N, 3) and depth (N,)."""
    corners = vertices[faces]
    low, high = corners[..., :2].min(axis=1), corners[..., :2].max(axis=1)
    hits, weights, depths = np.full(len(places), -1), np.zeros((len(places), 3)), np.full(len(places), np.inf)
    for n, place in enumerate(places):
        near = np.flatnonzero(((low <= place) & (place <= high)).all(axis=1))
        of = _weights(corners[near, :, :2], np.broadcast_to(place, (len(near), 2)))
        hit = (of >= 0).all(axis=1)
        near, of = near[hit], of[hit]
        if len(near):
            depth = (of * corners[near, :, 2]).sum(axis=1)
            k = int(depth.argmin())
            hits[n], weights[n], depths[n] = near[k], of[k], depth[k]
    return hits, weights, depths


def flow_counts(here: Frame, there: Frame, mesh: Mesh, samples: int, random: np.random.Generator) -> Counts:
    """Whether `flow` and `unmatched` of a frame are right, given the next one and the mesh at rest.

    Of the matched and of the unmatched points so many `samples` are compared with all faces.
    """
    seen, unmatched = here.seen, here.layers["unmatched"]
    row, column = np.nonzero(seen.face >= 0)
    offsets = seen.offsets[seen.sample[row, column]] / SUBPIXEL
    start = np.stack([column, row], axis=1) + 0.5 + offsets
    corners = seen.faces[seen.face[row, column]]
    weights = _weights(here.places[corners][..., :2], start)
    thin = ~(np.isfinite(weights).all(axis=1) & (np.abs(weights) < 2).all(axis=1))
    weights[thin] = seen.weights[row, column][thin]
    moved = here.layers["flow"][row, column].astype(np.float64)
    place, depth = np.split((weights[..., None] * there.places[corners]).sum(axis=1), (2,), axis=1)
    before = (weights[..., None] * here.places[corners]).sum(axis=1)[:, :2]
    off = np.linalg.norm(moved - (place - before), axis=1)
    matched = ~unmatched[row, column]
    counts = {
        "seen": float(len(row)),
        "matched": float(matched.sum()),
        "matched, projected": float((off[matched] <= NEAR).sum()),
        "most off, projected": float(off[matched].max(initial=0)),
    }
    counts |= _interpolated(start[matched] + moved[matched], here.position[row, column][matched], there)
    drawn = seen.faces[there.seen.facing != HIDDEN]
    rest = np.asarray(mesh.vertices, np.float64)
    for name, chosen in (("matched", matched), ("unmatched", ~matched)):
        picked = np.flatnonzero(chosen)
        picked = random.choice(picked, min(samples, len(picked)), replace=False)
        aim = (start + moved if name == "matched" else place)[picked]
        true = (weights[picked][..., None] * rest[corners[picked]]).sum(axis=1)
        outside = ((place[picked] < 0) | (place[picked] > len(seen.face))).any(axis=1)
        face = seen.face[row, column][picked]
        away = there.seen.facing[face] != seen.facing[face]
        hidden, same = outside | away, np.zeros(len(picked), np.bool_)
        counts[f"{name}, looked at"] = float(len(picked))
        for aside in NEAR * np.array(((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))):
            hit, at, front = first_hits(aim + aside, there.places, drawn)
            hidden |= front < depth[picked, 0] - TOUCHING
            apart = np.linalg.norm((at[..., None] * rest[drawn[hit]]).sum(axis=1) - true, axis=1)
            # Half a pixel aside the surface is half a pixel farther, or more where it bends.
            reach = NEAR if not aside.any() else 1.5 * NEAR
            same |= (hit >= 0) & (apart <= reach * _stretch(rest[drawn[hit]], there.places[drawn[hit]]))
            counts.setdefault(f"{name}, hidden", float(hidden.sum()))
            counts.setdefault(f"{name}, same place", float(same.sum()))
        counts[f"{name}, hidden within half a pixel"] = float(hidden.sum())
        counts[f"{name}, same place within half a pixel"] = float(same.sum())
    return counts


def _stretch(rest: Floats, places: Floats) -> Floats:
    """(N,) most units at rest to a pixel, of triangles (N, 3, 3) and the places of their corners."""
    sides, on = rest[:, 1:] - rest[:, :1], places[:, 1:, :2] - places[:, :1, :2]
    return np.asarray(np.linalg.norm(np.linalg.pinv(on) @ sides, 2, axis=(1, 2)))


def _interpolated(places: Floats, expected: NDArray[np.float32], there: Frame) -> Counts:
    """How far, in pixels, rest positions at places (N, 2) of a frame are from the expected (N, 3)."""
    size = len(there.mask)
    corner = np.floor(places - 0.5).astype(np.intp)
    inside = ((corner >= 0) & (corner < size - 1)).all(axis=1)
    corner, part, expected = corner[inside], (places - 0.5)[inside], expected[inside]
    part = part - corner
    column, row = corner.T
    four = [there.position[row + r, column + c].astype(np.float64) for r in (0, 1) for c in (0, 1)]
    shown = np.stack([there.seen.face[row + r, column + c] for r in (0, 1) for c in (0, 1)])
    samples = np.stack([there.seen.sample[row + r, column + c] for r in (0, 1) for c in (0, 1)])
    whole = ((shown >= 0) & (samples == 0)).all(axis=0)
    x, y = part[:, :1], part[:, 1:]
    at = (four[0] * (1 - x) + four[1] * x) * (1 - y) + (four[2] * (1 - x) + four[3] * x) * y
    across = (four[1] - four[0]) * (1 - y) + (four[3] - four[2]) * y
    down = (four[2] - four[0]) * (1 - x) + (four[3] - four[1]) * x
    along = np.stack([across, down], 2)
    pairs = ((0, 1), (2, 3), (0, 2), (1, 3))
    steps = np.max([np.linalg.norm(four[i] - four[j], axis=1) for i, j in pairs], axis=0)
    flat = whole & (steps <= STEEP * there.unit) & (steps > 0)
    along, away = along[flat], (expected - at)[flat]
    by = (np.linalg.pinv(along) @ away[..., None])[..., 0]
    beside = np.linalg.norm(away - (along @ by[..., None])[..., 0], axis=1) / there.unit
    off = np.hypot(np.linalg.norm(by, axis=1), beside)
    one = (shown == shown[0]).all(axis=0)[flat]
    return {
        "matched, within one face": float(one.sum()),
        "matched, same position within one face": float((off[one] <= NEAR).sum()),
        "matched, between like positions": float(len(off)),
        "matched, same position": float((off <= NEAR).sum()),
    }


def segment_counts(frame: Frame) -> Counts:
    """Contents of the segments: those of the layer, and those that lines alone enclose."""
    seg, label, line = (frame.layers[name] for name in ("seg", "label", "line"))
    majority, sizes = _majority(seg, label)
    own = (np.arange(len(sizes)) > BACKGROUND) & (sizes > 0)
    free = line >= BINARY
    figure = (label >= 0) & (frame.mask >= HALF_COVERED)
    enclosed = label_parts(free, connectivity=1)
    shown = np.where(figure, label, -1)
    by_lines, areas = _majority(enclosed, shown)
    edge = np.unique(np.concatenate([enclosed[0], enclosed[-1], enclosed[:, 0], enclosed[:, -1]]))
    outer = np.zeros(len(areas), np.bool_)
    outer[edge[edge > 0]] = True
    inner = ~outer
    inner[0] = False
    pure = by_lines >= ONE_REGION * areas
    return {
        "frames": 1.0,
        "segments": float(own.sum()),
        "segments of one region": float((own & (majority >= ONE_REGION * sizes)).sum()),
        "enclosed areas": float(inner.sum()),
        "enclosed areas of one region": float((inner & pure).sum()),
        "enclosed pixels": float(areas[inner].sum()),
        "enclosed pixels of one region": float(areas[inner & pure].sum()),
        "figure": float((figure & free).sum()),
        "leaked": float((outer[enclosed] & figure & free).sum()),
        "most segments": float(own.sum()),
    }


def _majority(
    part: NDArray[np.integer], label: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many pixels of each part the label that is most frequent in it has, and how many all have."""
    count = int(part.max()) + 1
    ones = np.ones(part.size, np.int64)
    tally = coo_array((ones, (part.ravel(), label.ravel() + 1)), shape=(count, int(label.max()) + 2)).tocsr()
    return np.asarray(tally.max(axis=1).todense()).ravel(), np.bincount(part.ravel(), minlength=count)


def label_counts(frame: Frame, known: NDArray[np.int32]) -> Counts:
    """Whether faces have the label of other frames; `known` (F,), -1 for unknown, learns theirs."""
    shown = frame.seen.face >= 0
    face, label = frame.seen.face[shown], frame.layers["label"][shown]
    new = known[face] < 0
    known[face[new]] = label[new]
    return {
        "labelled": float(len(face)),
        "labelled as before": float((known[face] == label).sum()),
        "unlabelled but outside": float((frame.layers["label"][~shown] != -1).sum()),
    }


def point_counts(frame: Frame, before: Frame | None) -> Counts:
    """Whether the points of strokes are where their vertices are, and how many the frame before had."""
    points = np.array(frame.layers["strokes"]["original index"], np.int64)
    places = np.array(frame.layers["strokes"]["vertex location"], np.float64).reshape(-1, 2)
    real = points < len(frame.places)
    off = np.linalg.norm(places[real] - frame.places[points[real], :2], axis=1)
    counts = {
        "points": float(len(points)),
        "points that are not unique": float(len(points) - len(np.unique(points))),
        "points on vertices": float(real.sum()),
        "points at their vertex": float((off <= NEAR).sum()),
        "most points": float(len(points)),
    }
    if before is not None:
        earlier = np.array(before.layers["strokes"]["original index"], np.int64)
        counts |= {
            "points before": float(len(earlier)),
            "points kept": float(np.isin(earlier, points).sum()),
            "vertices before": float((earlier < len(frame.places)).sum()),
        }
    return counts


def kinds_of(lines: Lines, seen: Seen, features: Features, mesh: Mesh) -> NDArray[np.int64]:
    """(P,) which of `KINDS` each piece of the lines is: that of the edges which alone give that piece."""
    first = features.start[:-1]
    differ = np.diff(features.start) == 1
    for kind in (features.region, mesh.face_material):
        beside = kind[features.faces]
        differ |= np.minimum.reduceat(beside, first) != np.maximum.reduceat(beside, first)
    none = np.zeros(len(first), np.bool_)
    always, turning = features.always, features.turning & ~features.always
    seams = len(KINDS) - 1
    known: dict[bytes, int] = {}
    creases, borders = (0, always & ~differ, none), (1, always & differ, none)
    for number, feature, turn in ((seams, none, none), creases, borders, (2, none, turning)):
        for piece in visible_lines(seen, features._replace(always=feature, turning=turn)).places:
            known.setdefault(piece.tobytes(), number)
    return np.array([known.get(piece.tobytes(), seams) for piece in lines.places], np.int64)


def _along(places: NDArray[np.float32]) -> tuple[Floats, NDArray[np.intp], Floats]:
    """Places (N, 2) along pieces, the piece of each (N,) and the length that it stands for (N,)."""
    ends = places.astype(np.float64)
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    counts = np.maximum(1, np.ceil(lengths / ALONG)).astype(np.intp)
    piece = np.repeat(np.arange(len(ends)), counts)
    t = (np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts) + 0.5) / counts[piece]
    return ends[piece, 0] + t[:, None] * (ends[piece, 1] - ends[piece, 0]), piece, (lengths / counts)[piece]


def line_counts(here: Frame, there: Frame) -> Counts:
    """How much of the lines' length is within a pixel of lines of the next frame, where the flow takes it.

    A place of a line goes with the nearest to the camera of the four pixels around it.
    """
    places, piece, length = _along(here.lines.places)
    counts: Counts = {}
    if not len(places):
        return counts
    size = len(here.mask)
    corner = np.floor(places - 0.5).astype(np.intp)
    depth = here.seen.values(here.seen.depth[:, None])[..., 0]
    depth = np.where(here.seen.face >= 0, depth, np.inf)
    near = np.full(len(places), np.inf)
    row, column = np.zeros(len(places), np.intp), np.zeros(len(places), np.intp)
    for r in (0, 1):
        for c in (0, 1):
            at = np.clip(corner[:, 1] + r, 0, size - 1), np.clip(corner[:, 0] + c, 0, size - 1)
            front = depth[at] < near
            near[front], row[front], column[front] = depth[at][front], at[0][front], at[1][front]
    known = np.isfinite(near) & ~here.layers["unmatched"][row, column]
    target = places + here.layers["flow"][row, column]
    others = _along(there.lines.places)[0]
    away = cKDTree(others).query(target)[0] if len(others) else np.full(len(target), np.inf)
    kinds = here.kinds[piece]
    for number, kind in enumerate(KINDS):
        of = kinds == number
        counts |= {
            f"length of {kind}s": float(length[of].sum()),
            f"{kind}s followed": float(length[of & known].sum()),
            f"{kind}s within a pixel": float(length[of & known & (away <= 1)].sum()),
            f"{kind}s within two pixels": float(length[of & known & (away <= 2)].sum()),
        }
    return counts


def border_counts(frame: Frame) -> Counts:
    """How many of the borders between pixels of two labels have a line within a pixel."""
    label, line = frame.layers["label"], frame.layers["line"]
    away = distance_transform_edt(line >= BINARY)
    counts = {"borders": 0.0, "borders with a line": 0.0, "outlines": 0.0, "outlines with a line": 0.0}
    for turned, away_too in ((label, away), (label.T, away.T)):
        first, second = turned[:-1], turned[1:]
        near = np.minimum(away_too[:-1], away_too[1:]) <= 1
        border, outside = first != second, (first < 0) | (second < 0)
        for name, of in (("borders", border & ~outside), ("outlines", border & outside)):
            counts[name] += float(of.sum())
            counts[f"{name} with a line"] += float((of & near).sum())
    return counts
