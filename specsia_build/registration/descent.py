"""Gauss-Newton steps that move a reconstruction's outline onto the ground truth's.

Weighted by their inverse (iteratively reweighted least squares) outline distances sum to the area between two
silhouettes, which is what IoU counts; at rest no small motion changes it. Outlines are sampled where they
cross the lines of pixel centres, and distances are those of antialiased silhouettes: small images will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Floats, Mask, Pixels
from specsia_build.frame import ORTHO_WIDTH, Camera
from specsia_build.jit import compiled
from specsia_build.registration.masks import outline_distance, overlaps, shrink
from specsia_build.registration.outline import Shape, draw, fill, find_outline, first_centre, to_screen, trace
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh, turned

_REACH = 0.1  # Units up to which outline distances tell near from far
OVERSHOOT = 1.7  # Factor of a step where no outline is close: weighted squares overestimate the curvature
LEAD = 2.0  # Growth of the first view's weight with each step that does not keep its IoU
NOISE = 0.001  # Loss of IoU at pixel centres that is accepted although the outlines fit no worse
FLOOR = 0.1  # Pixels below which an outline's distance is no longer divided by
STILL = 0.03  # Pixels below which a step changes nothing


@dataclass(frozen=True)
class Similarity:
    """p' = scale * R_x(pitch) * R_z(yaw) * p + translation; turns are right-handed, in degrees."""

    scale: float = 1.0
    pitch_deg: float = 0.0
    yaw_deg: float = 0.0
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def rotation(self) -> Doubles:
        """R_x(pitch) * R_z(yaw), (3, 3)."""
        p, y = np.deg2rad(self.pitch_deg), np.deg2rad(self.yaw_deg)
        about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
        return np.asarray(about_x @ about_z)

    def apply(self, points: NDArray[np.floating]) -> Doubles:
        """Transform points (N, 3) of the frame."""
        moved = np.asarray(points, dtype=np.float64) @ (self.scale * self.rotation()).T
        return np.asarray(moved + np.array(self.translation))

    def apply_to(self, mesh: Mesh) -> Mesh:
        """Transform a mesh; its rest positions are dropped, as a registered mesh has positions of its own."""
        normals = None if mesh.normals is None else turned(mesh.normals, self.rotation())
        vertices = self.apply(mesh.vertices).astype(np.float32)
        return replace(mesh, vertices=vertices, normals=normals, rest=None)

    def changed(self, log_scale: float, pitch: float, yaw: float, move: NDArray[np.floating]) -> Similarity:
        """The similarity after a small change of log scale, of turns in radians and of shift."""
        x, y, z = (float(a + b) for a, b in zip(self.translation, move, strict=True))
        return Similarity(
            self.scale * float(np.exp(log_scale)),
            self.pitch_deg + float(np.rad2deg(pitch)),
            self.yaw_deg + float(np.rad2deg(yaw)),
            (x, y, z),
        )


@dataclass(frozen=True)
class TrueSilhouettes:
    """Ground truth at one size."""

    axes: Doubles  # (V, 2, 3), pixels to the right and down per unit of the frame
    masks: Mask  # (V, H, H), silhouettes
    distances: Floats  # (V, H, H), signed distance to their outline in pixels; V is 0 if not needed

    @classmethod
    def of(
        cls, masks: Pixels, cameras: Sequence[Camera], size: int, reach: float = _REACH
    ) -> TrueSilhouettes:
        """Shrink coverage (V, H, H) to a size, never enlarged, with distances up to a reach in units."""
        size = min(size, masks.shape[-1])
        small = shrink(masks, size)
        distances = [outline_distance(mask, reach * size / ORTHO_WIDTH) for mask in small if reach > 0]
        right_and_up = np.stack([camera.basis()[:2] for camera in cameras])
        return cls(
            right_and_up * np.array([[size], [-size]]) / ORTHO_WIDTH,
            small >= HALF_COVERED,
            np.stack(distances) if distances else np.empty((0, size, size), np.float32),
        )

    def first(self) -> TrueSilhouettes:
        """The truth of the first view only."""
        return TrueSilhouettes(self.axes[:1], self.masks[:1], self.distances[:1])

    @property
    def size(self) -> int:
        return int(self.masks.shape[-1])

    def views(self, similarity: Similarity) -> Doubles:
        """(V, 2, 4) affine maps from a moved mesh's own coordinates to pixels."""
        turn = similarity.scale * self.axes @ similarity.rotation()
        shift = self.axes @ np.array(similarity.translation) + self.size / 2
        return np.concatenate([turn, shift[..., None]], axis=2)


def masks_of(shape: Shape, similarity: Similarity, truth: TrueSilhouettes) -> Mask:
    """(V, H, H) bool, silhouettes of a moved shape in the truth's cameras, sampled at pixel centres."""
    return np.asarray(draw(shape, truth.views(similarity), truth.size))


def _shares(counts: NDArray[np.int64]) -> Doubles:
    both, either = counts.T
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def ious(shape: Shape, similarity: Similarity, truth: TrueSilhouettes) -> Doubles:
    """(V,) IoU of each view, at pixel centres."""
    return _shares(overlaps(masks_of(shape, similarity, truth), truth.masks))


@compiled
def _add_sample(shape, sample, distance, view, weights, sums):  # type: ignore[no-untyped-def]
    """Add one point of an outline, at pixel x, y and fraction `along` of an edge, with outward normal nx, ny.

    `sample` holds the edge, `along`, the place and the normal; `view` the image's axes and the similarity's
    scale and rotation; `weights` the sample's and the share of what both cover; `sums` what
    `_normal_equations` returns.
    """
    edge, along, (x, y), (nx, ny) = sample
    weight, share = weights
    size = distance.shape[0]
    if not (1 <= x < size - 1 and 1 <= y < size - 1):
        return
    cx, cy = int(x - 0.5), int(y - 0.5)
    fx, fy = x - 0.5 - cx, y - 0.5 - cy
    upper = (1 - fx) * distance[cy, cx] + fx * distance[cy, cx + 1]
    lower = (1 - fx) * distance[cy + 1, cx] + fx * distance[cy + 1, cx + 1]
    r = (1 - fy) * upper + fy * lower
    # Motion of the place along the normal for each parameter, in pixels: times the outline's length, an area.
    axes, scale, turn = view
    a = shape.ends[edge, 0]
    b = shape.ends[edge, 1]
    vertices = shape.vertices
    px = vertices[0, a] + along * (vertices[0, b] - vertices[0, a])
    py = vertices[1, a] + along * (vertices[1, b] - vertices[1, a])
    pz = vertices[2, a] + along * (vertices[2, b] - vertices[2, a])
    qx = scale * (turn[0, 0] * px + turn[0, 1] * py + turn[0, 2] * pz)
    qy = scale * (turn[1, 0] * px + turn[1, 1] * py + turn[1, 2] * pz)
    qz = scale * (turn[2, 0] * px + turn[2, 1] * py + turn[2, 2] * pz)
    hx = nx * axes[0, 0] + ny * axes[1, 0]
    hy = nx * axes[0, 1] + ny * axes[1, 1]
    hz = nx * axes[0, 2] + ny * axes[1, 2]
    # Yaw turns about Z before pitch tilts that axis.
    yaw = turn[1, 2] * (hx * qz - hz * qx) + turn[2, 2] * (hy * qx - hx * qy)
    row = (hx * qx + hy * qy + hz * qz, hz * qy - hy * qz, yaw, hx, hy, hz)
    # IoU gains by a pixel that both cover, and loses by one that only ours covers.
    weight *= share if r > 0 else 1.0
    lhs, rhs, far = sums
    far[0] += weight
    far[1] += weight if abs(r) > FLOOR else 0.0
    w = weight / max(abs(r), FLOOR)
    for j in range(6):
        rhs[j] += w * row[j] * r
        for k in range(j, 6):
            lhs[j, k] += w * row[j] * row[k]


@compiled
def _normal_equations(shape, views, pose, masks, distances, lead):  # type: ignore[no-untyped-def]
    """J^T W J and J^T W r for (log scale, pitch, yaw, tx, ty, tz), per view the pixels that both and that
    either cover, and the share of outlines that are farther than `FLOOR`."""
    axes, scale, turn = pose
    size = masks.shape[1]
    layers = np.zeros((size, size + 1), np.int32)
    points = np.empty((2, shape.vertices.shape[1]), np.float32)
    facing = np.empty(shape.normals.shape[1] + 1, np.int8)
    outline, change = np.empty(len(shape.ends) + 1, np.int32), np.empty(len(shape.ends) + 1, np.int8)
    drawn = np.empty((1, size, size), np.bool_)
    edges, lines = np.empty(size * (size + 1), np.int32), np.empty(size * (size + 1), np.int32)
    crossings = np.empty(size * (size + 1))
    crossed = layers, edges, lines, crossings
    counts = np.empty((len(views), 2), np.int64)
    lhs, rhs = np.zeros((6, 6)), np.zeros(6)
    far = np.zeros(2)
    for k in range(len(views)):
        to_screen(shape.vertices, views[k], points)
        n = find_outline(shape, views[k], facing, outline, change)
        fill(points, shape.ends, outline[:n], change[:n], drawn[0], layers)
        covered = overlaps(drawn, masks[k : k + 1])
        # Assigning a row at once would take a second more to compile.
        counts[k, 0], counts[k, 1] = covered[0, 0], covered[0, 1]
        share = counts[k, 0] / max(1, counts[k, 1])
        for axis in range(2):
            m = trace(points, shape.ends, outline[:n], axis, drawn[0], crossed)
            for i in range(m):
                a, b = shape.ends[edges[i], 0], shape.ends[edges[i], 1]
                line = lines[i] + np.float32(0.5)
                along = (line - points[axis, a]) / (points[axis, b] - points[axis, a])
                x, y = (crossings[i], line) if axis == 1 else (line, crossings[i])
                ex, ey = points[0, b] - points[0, a], points[1, b] - points[1, a]
                length = np.sqrt(ex * ex + ey * ey)
                nx, ny = ey / length, -ex / length
                after = first_centre(crossings[i], size)
                row, column = (lines[i], after) if axis == 1 else (after, lines[i])
                if ((nx if axis == 1 else ny) > 0) == (after < size and drawn[0, row, column]):
                    nx, ny = -nx, -ny
                # The length of outline between two lines, as a share of all that either silhouette covers.
                weight = length / max(abs(ex), abs(ey)) / max(1, counts[k, 1]) * (lead if k == 0 else 1.0)
                view = (axes[k], scale, turn)
                sample = edges[i], along, (x, y), (nx, ny)
                _add_sample(shape, sample, distances[k], view, (weight, share), (lhs, rhs, far))
    for j in range(6):
        for k in range(j):
            lhs[j, k] = lhs[k, j]
    return lhs, rhs, counts, far[1] / max(far[0], 1e-30)


def _step(
    shape: Shape, truth: TrueSilhouettes, start: Similarity, with_yaw: bool, lead: float
) -> tuple[Doubles, Similarity, float]:
    """IoU of each view at the start, the similarity after one step, and a bound on how far it moves an
    outline in pixels; the first view counts `lead` times."""
    pose, views = (truth.axes, start.scale, start.rotation()), truth.views(start)
    lhs, rhs, counts, far = _normal_equations(shape, views, pose, truth.masks, truth.distances, lead)
    free = [0, 1, 2, 3, 4, 5] if with_yaw else [0, 1, 3, 4, 5]
    a = lhs[np.ix_(free, free)]
    damping = 1e-6 * np.trace(a) / len(free) + 1e-12
    delta = np.zeros(6)
    delta[free] = np.linalg.solve(a + damping * np.eye(len(free)), -(1 + (OVERSHOOT - 1) * far) * rhs[free])
    log_scale = float(np.clip(delta[0], -0.3, 0.3))
    pitch, yaw = (float(x) for x in np.clip(delta[1:3], -0.2, 0.2))
    most = 0.5 * (abs(log_scale) + abs(pitch) + abs(yaw)) + float(np.abs(delta[3:]).max())
    return _shares(counts), start.changed(log_scale, pitch, yaw, delta[3:]), most * truth.size / ORTHO_WIDTH


def descend(
    shape: Shape, truth: TrueSilhouettes, start: Similarity, with_yaw: bool, steps: int, least: float = 0.0
) -> tuple[float, Similarity, bool]:
    """Fit a shape's outlines to the truth's in at most `steps` steps.

    The first view's IoU must be at least `least`; its weight grows while it is less. Returns the mean IoU,
    the similarity, and whether the steps came to rest. The similarity is the last one that keeps the first
    view's IoU, or the best of these if the mean has fallen since; else the start, with mean -1.
    """
    current = kept = start
    kept_iou = best_iou = -1.0
    lead = 1.0
    for _ in range(steps):
        views, following, moved = _step(shape, truth, current, with_yaw, lead)
        iou = float(views.mean())
        if views[0] < least:
            lead *= LEAD
        elif iou > best_iou - NOISE:
            kept, kept_iou = current, iou
            best_iou = max(iou, best_iou)
        if moved < STILL and views[0] >= least:
            return kept_iou, kept, True
        current = following
    return kept_iou, kept, False
