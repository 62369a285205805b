"""The search: closed form on a light mesh for each pitch of a grid, then Gauss-Newton steps on outline distances.

A coarse search fits scale and translation from area and centroid of the silhouettes. Gauss-Newton steps then move the
reconstruction's outline onto the ground truth's; weighted by their inverse (iteratively reweighted least squares)
outline distances sum to the area between two silhouettes, which is what IoU counts. Outlines that are far from any
counterpart, such as a limb that one side lacks, carry no weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import ORTHO_WIDTH, Camera
from specsia_build.jit import compiled, ready
from specsia_build.registration.masks import HALF_COVERED, lighter, moments, overlap, shrink, signed_distance
from specsia_build.registration.similarity import Similarity, between
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.raster import SUBPIXEL, face_sides, fill, project
from specsia_build.rendering.topology import Topology, topology

VERSION = 3

COARSE_SIZE = 64
FINE_SIZE = 160
"""Pixels of the images of the coarse search and of the outlines; never more than the ground truth has."""

SHARP_SIZE = 512
"""Pixels of the last steps: averaged down, a silhouette's outline lies up to a tenth of a pixel off on thin parts."""

SHARP_FROM = 0.96
"""Mean IoU from which those tenths matter."""

LIGHT_CELLS = 48
LIGHT_FACES = 9_000
"""A mesh of at most so many faces is light enough as it is."""

COARSE_PITCHES = tuple(range(-24, 25, 6))
COARSE_YAWS = tuple(range(-180, 180, 15))

REACH = 0.1
"""Units beyond which two outlines are not each other's counterparts."""

TRIAL_STEPS, LIGHT_STEPS, FULL_STEPS, SHARP_STEPS = 4, 8, 2, 2
STILL = 0.03
"""Pixels of the fine size below which a step changes nothing."""

FRONTAL_LOSS = 0.02
"""IoU of the frontal view that registration may give up for a better mean."""

PLAUSIBLE = 0.5
"""Mean IoU from which a reconstruction as it came is worth refining."""


@dataclass(frozen=True)
class Registration:
    """How well a reconstruction could be laid onto the ground truth.

    Attributes:
        similarity: what is to be applied.
        frontal_iou_before: IoU of the frontal view of the reconstruction as it came, at pixel centres.
    """

    similarity: Similarity
    frontal_iou_before: float


@dataclass(frozen=True)
class _Shape:
    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    topology: Topology


@dataclass(frozen=True)
class _Target:
    """Ground truth at one size: cameras, binary silhouettes (V, H, H) and distances to their outline in pixels."""

    cameras: tuple[Camera, ...]
    masks: NDArray[np.bool_]
    distances: NDArray[np.float32]


def _shape(mesh: Mesh) -> _Shape:
    return _Shape(mesh.vertices.astype(np.float64), ready(mesh.faces, np.int32), topology(mesh))


def _lighter(mesh: Mesh, full: _Shape) -> _Shape:
    """A light stand-in; merging vertices may tear a closed surface, but what faces away stays hidden all the same."""
    shape = _shape(lighter(mesh, LIGHT_CELLS))
    if not full.topology.closed.all():
        return shape
    return _Shape(shape.vertices, shape.faces, shape.topology._replace(closed=np.ones(len(shape.faces), np.bool_)))


def _target(masks: NDArray[np.uint8], cameras: Sequence[Camera], size: int, with_distance: bool) -> _Target:
    small = shrink(masks, size)
    reach = REACH * size / ORTHO_WIDTH
    distances = np.empty((0, size, size), np.float32)
    if with_distance:
        distances = np.stack([signed_distance(m, reach) for m in small])
    return _Target(tuple(Camera(camera.yaw_deg, size) for camera in cameras), small >= HALF_COVERED, distances)


@compiled
def _add_outline(  # type: ignore[no-untyped-def]
    turned, basis, sx, sy, ends, sides, facing, mask, distance, weight, scale, pixels_per_unit, reach, lhs, rhs
):
    """Add one view's outline to J^T W J and J^T W r for (log scale, pitch, yaw, tx, ty, tz)."""
    size = mask.shape[0]
    row = np.empty(6)
    k = pixels_per_unit
    for e in range(len(ends)):
        f, g = sides[e, 0], sides[e, 1]
        if g >= 0 and facing[f] == facing[g]:
            continue
        a, b = ends[e, 0], ends[e, 1]
        x, y = 0.5 * (sx[a] + sx[b]) / SUBPIXEL, 0.5 * (sy[a] + sy[b]) / SUBPIXEL
        ix, iy = int(np.floor(x)), int(np.floor(y))
        if ix < 2 or iy < 2 or ix >= size - 2 or iy >= size - 2:
            continue
        ex, ey = np.float64(sx[b] - sx[a]), np.float64(sy[b] - sy[a])
        length = np.sqrt(ex * ex + ey * ey)
        if length == 0:
            continue
        # An outline of the whole silhouette has background within a pixel and a half across the edge.
        nx, ny = -ey / length * 1.5, ex / length * 1.5
        if mask[int(np.floor(y + ny)), int(np.floor(x + nx))] and mask[int(np.floor(y - ny)), int(np.floor(x - nx))]:
            continue
        u, v = x - 0.5, y - 0.5
        cx, cy = int(np.floor(u)), int(np.floor(v))
        fx, fy = u - cx, v - cy
        d00, d01 = distance[cy, cx], distance[cy, cx + 1]
        d10, d11 = distance[cy + 1, cx], distance[cy + 1, cx + 1]
        r = (1 - fy) * ((1 - fx) * d00 + fx * d01) + fy * ((1 - fx) * d10 + fx * d11)
        if abs(r) >= reach - 1:
            continue
        gx = (1 - fy) * (d01 - d00) + fy * (d11 - d10)
        gy = (1 - fx) * (d10 - d00) + fx * (d11 - d01)
        # Motion of the edge's middle for each parameter, along the distance's gradient, in pixels.
        qx = 0.5 * (turned[a, 0] + turned[b, 0])
        qy = 0.5 * (turned[a, 1] + turned[b, 1])
        qz = 0.5 * (turned[a, 2] + turned[b, 2])
        hx = gx * basis[0, 0] - gy * basis[1, 0]
        hy = gx * basis[0, 1] - gy * basis[1, 1]
        hz = gx * basis[0, 2] - gy * basis[1, 2]
        row[0] = k * scale * (hx * qx + hy * qy + hz * qz)
        row[1] = k * scale * (-hy * qz + hz * qy)
        row[2] = k * scale * (-hx * qy + hy * qx)
        row[3], row[4], row[5] = k * hx, k * hy, k * hz
        w = weight * length / SUBPIXEL / max(abs(r), 0.1)
        for i in range(6):
            rhs[i] += w * row[i] * r
            for j in range(6):
                lhs[i, j] += w * row[i] * row[j]


def _masks(shape: _Shape, similarity: Similarity, cameras: Iterable[Camera]) -> list[NDArray[np.bool_]]:
    points = similarity.apply(shape.vertices)
    out = []
    for camera in cameras:
        sx, sy, _ = project(points, camera.basis(), camera.pixels_per_unit, camera.size / 2)
        out.append(fill(sx, sy, shape.faces, shape.topology.closed, camera.size))
    return out


def _ious(shape: _Shape, similarity: Similarity, target: _Target, views: int | None = None) -> NDArray[np.float64]:
    """(V,) IoU of each view, or of the first `views`, at pixel centres."""
    drawn = _masks(shape, similarity, target.cameras[:views])
    counts = [overlap(m, t) for m, t in zip(drawn, target.masks[:views], strict=True)]
    return np.array([both / either if either else 1.0 for both, either in counts])


def _closed_form(shape: _Shape, target: _Target, pitch: float, yaw: float) -> tuple[float, Similarity]:
    """Mean IoU, and the scale and translation that match area and centroids, at a given turn."""
    low, high = shape.vertices.min(axis=0), shape.vertices.max(axis=0)
    guess = Similarity(1.0 / max(float((high - low).max()), 1e-30), pitch, yaw)
    centre = guess.apply(((low + high) / 2)[None])[0]
    guess = guess.changed(0, 0, 0, -centre)
    half = target.cameras[0].size / 2
    for _ in range(2):
        rows, ours, theirs = [], [], []
        area = wanted = 0
        for camera, mask, goal in zip(target.cameras, _masks(shape, guess, target.cameras), target.masks, strict=True):
            (n, x, y), (m, u, v) = moments(mask), moments(goal)
            if n and m:
                area, wanted = area + n, wanted + m
                k, basis = camera.pixels_per_unit, camera.basis()
                rows += [basis[0], basis[1]]
                ours += [(x - half) / k, (half - y) / k]
                theirs += [(u - half) / k, (half - v) / k]
        if not rows:
            return 0.0, guess
        grow = float(np.sqrt(wanted / area))
        move, *_ = np.linalg.lstsq(np.array(rows), np.array(theirs) - grow * np.array(ours), rcond=None)
        shift = (grow - 1) * np.array(guess.translation) + move
        guess = guess.changed(float(np.log(grow)), 0, 0, shift)
    return float(_ious(shape, guess, target).mean()), guess


def _step(
    outline: _Shape, filled: _Shape, target: _Target, similarity: Similarity, with_yaw: bool
) -> tuple[float, Similarity, float]:
    """One Gauss-Newton step.

    Args:
        outline: whose outline is moved.
        filled: what is drawn to tell outer outlines from inner ones; a lighter mesh of the same surface will do.
        target: ground truth.
        similarity: where to start.
        with_yaw: whether yaw may change.

    Returns:
        Mean IoU of `filled` before the step, the similarity after it, and a bound on how far it moves an outline in
        pixels.
    """
    turned = outline.vertices @ similarity.rotation().T
    points = similarity.scale * turned + np.array(similarity.translation)
    lhs, rhs = np.zeros((6, 6)), np.zeros(6)
    found = outline.topology
    ious = []
    masks = _masks(filled, similarity, target.cameras)
    for camera, mask, goal, distance in zip(target.cameras, masks, target.masks, target.distances, strict=True):
        basis, k = camera.basis(), camera.pixels_per_unit
        sx, sy, _ = project(points, basis, k, camera.size / 2)
        facing, _ = face_sides(sx, sy, outline.faces, found.closed)
        both, either = overlap(mask, goal)
        ious.append(both / max(1, either))
        of_view = (basis, sx, sy, found.ends, found.sides, facing, mask, distance, 1.0 / max(1, either))
        _add_outline(turned, *of_view, similarity.scale, k, REACH * k, lhs, rhs)
    free = [0, 1, 2, 3, 4, 5] if with_yaw else [0, 1, 3, 4, 5]
    a = lhs[np.ix_(free, free)]
    damping = 1e-6 * np.trace(a) / len(free) + 1e-12
    delta = np.zeros(6)
    delta[free] = np.linalg.solve(a + damping * np.eye(len(free)), -rhs[free])
    log_scale, pitch, yaw = float(np.clip(delta[0], -0.3, 0.3)), *(float(x) for x in np.clip(delta[1:3], -0.2, 0.2))
    moved = similarity.changed(log_scale, pitch, yaw, delta[3:])
    most = 0.5 * (abs(log_scale) + abs(pitch) + abs(yaw)) + float(np.abs(delta[3:]).max())
    return float(np.mean(ious)), moved, most * target.cameras[0].pixels_per_unit


def _descend(
    shape: _Shape, target: _Target, start: Similarity, with_yaw: bool, steps: int
) -> tuple[float, Similarity, bool]:
    """Mean IoU and place of the best similarity that Gauss-Newton passes through, and whether it came to rest."""
    best, best_iou, current = start, -1.0, start
    for _ in range(steps):
        iou, following, moved = _step(shape, shape, target, current, with_yaw)
        if iou > best_iou:
            best, best_iou = current, iou
        if moved < STILL or iou < best_iou - 0.01:
            return best_iou, best, True
        current = following
    return best_iou, best, False


def _sharpened(full: _Shape, light: _Shape, sharp: _Target, start: Similarity, with_yaw: bool) -> Similarity:
    """A few more steps at the size of `sharp`, if they bring a better mean IoU."""
    found = start
    for _ in range(SHARP_STEPS):
        _, found, _ = _step(full, light, sharp, found, with_yaw)
    return max((start, found), key=lambda s: float(_ious(full, s, sharp).mean()))


def _keep_front(shape: _Shape, target: _Target, front: Similarity, best: Similarity, least: float) -> Similarity:
    """The similarity with the best mean IoU on the way from one to the other that keeps the frontal view."""
    path = [between(front, best, t) for t in np.linspace(0.0, 1.0, 17)]
    scored = [(s, _ious(shape, s, target)) for s in path]
    return max((found for found in scored if found[1][0] >= least), key=lambda found: float(found[1].mean()))[0]


def register(mesh: Mesh, masks: NDArray[np.uint8], cameras: Sequence[Camera], with_yaw: bool = False) -> Registration:
    """Find the similarity with the best mean IoU over all views.

    Args:
        mesh: the reconstruction, in the axes of the frame and in any units; finite.
        masks: (V, H, H) uint8 coverage of the ground truth, the frontal view first.
        cameras: the V views.
        with_yaw: also search the turn about Z.

    Returns:
        The similarity whose mean IoU is best among those found that lose at most `FRONTAL_LOSS` of the frontal view's
        IoU against the better of the reconstruction as it came and the closed-form fit.
    """
    fine = _target(masks, cameras, min(FINE_SIZE, masks.shape[-1]), True)
    coarse = _target(masks, cameras, min(COARSE_SIZE, masks.shape[-1]), False)
    full = _shape(mesh)
    light = full if len(mesh.faces) <= LIGHT_FACES else _lighter(mesh, full)

    identity = Similarity()
    yaw = max(COARSE_YAWS, key=lambda y: _closed_form(light, coarse, 0.0, y)[0]) if with_yaw else 0.0
    _, fitted = max((_closed_form(light, coarse, float(p), float(yaw)) for p in COARSE_PITCHES), key=lambda f: f[0])
    starts = [fitted, identity] if _ious(light, identity, coarse).mean() > PLAUSIBLE else [fitted]
    tried = [_descend(light, fine, start, with_yaw, TRIAL_STEPS) for start in starts]
    _, best, rested = max(tried, key=lambda found: found[0])
    if not rested:
        _, best, _ = _descend(light, fine, best, with_yaw, LIGHT_STEPS)
    candidates = [best]
    if light is not full:
        for _ in range(FULL_STEPS):
            candidates.append(_step(full, light, fine, candidates[-1], with_yaw)[1])
    scored = [(s, _ious(full, s, fine)) for s in (identity, candidates[0], candidates[-1])]
    best, best_ious = max(scored, key=lambda found: float(found[1].mean()))
    if best_ious.mean() > SHARP_FROM and masks.shape[-1] > FINE_SIZE:
        best = _sharpened(full, light, _target(masks, cameras, min(SHARP_SIZE, masks.shape[-1]), True), best, with_yaw)
        best_ious = _ious(full, best, fine)

    before = scored[0][1]
    fitted_front = float(_ious(full, fitted, fine, 1)[0])
    front, least = (identity, float(before[0])) if before[0] >= fitted_front else (fitted, fitted_front)
    if best_ious[0] < least - FRONTAL_LOSS:
        best = _keep_front(full, fine, front, best, least - FRONTAL_LOSS)
    exact = _target(masks[:1], cameras[:1], masks.shape[-1], False)
    return Registration(best, float(_ious(full, identity, exact)[0]))
