"""Registration: the one similarity per character that lays a reconstruction onto the ground truth's silhouettes.

p' = scale * R_x(pitch) * R_z(yaw) * p + translation, yaw 0 unless a backend declares that it needs it. A coarse search
fits scale and translation in closed form from area and centroid of the silhouettes for each pitch of a grid; then
Gauss-Newton steps on the distance between outlines refine all parameters. Outline distances weighted by their inverse
(iteratively reweighted least squares) sum to the area between two silhouettes, which is what IoU counts; outlines that
are far from any counterpart, such as a limb that one side lacks, carry no weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from specsia_build.frame import Camera
from specsia_build.rendering.contour import outside_distance
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.prepare import Edges, surface_edges
from specsia_build.rendering.raster import SUBPIXEL, face_sides, fill, project

VERSION = 1

COARSE_SIZE = 96
FINE_SIZE = 256
COARSE_PITCHES = tuple(range(-24, 25, 4))
COARSE_YAWS = tuple(range(-180, 180, 15))
REACH = 20.0
"""Pixels of the fine size beyond which two outlines are not each other's counterparts."""

STEPS = 12
FRONTAL_LOSS = 0.02
"""IoU of the frontal view that registration may give up for a better mean."""

HALF_COVERED = 128
"""Least coverage byte that counts as inside a silhouette: half of 255, rounded up."""


@dataclass(frozen=True)
class Similarity:
    """p' = scale * R_x(pitch) * R_z(yaw) * p + translation.

    Attributes:
        scale: positive.
        pitch_deg: turn about X in degrees, right-handed.
        yaw_deg: turn about Z in degrees, right-handed, applied first.
        translation: x, y, z in units of the frame.
    """

    scale: float = 1.0
    pitch_deg: float = 0.0
    yaw_deg: float = 0.0
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def rotation(self) -> NDArray[np.float64]:
        """R_x(pitch) * R_z(yaw), (3, 3)."""
        p, y = np.deg2rad(self.pitch_deg), np.deg2rad(self.yaw_deg)
        about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
        return np.asarray(about_x @ about_z)

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (N, 3) of the frame, moved."""
        moved = np.asarray(points, dtype=np.float64) @ (self.scale * self.rotation()).T
        return np.asarray(moved + np.array(self.translation))

    def apply_to(self, mesh: Mesh) -> Mesh:
        """The mesh, moved; its rest positions are dropped, as the position of a registered character is its own."""
        turned = mesh.rotated(self.rotation())
        return Mesh(
            vertices=self.apply(mesh.vertices).astype(np.float32),
            faces=mesh.faces,
            materials=mesh.materials,
            face_material=mesh.face_material,
            uv=mesh.uv,
            colors=mesh.colors,
            normals=turned.normals,
        )


@dataclass(frozen=True)
class Registration:
    """How well a reconstruction could be laid onto the ground truth.

    Attributes:
        similarity: what was applied.
        frontal_iou_before: IoU of the frontal view of the reconstruction as it came.
    """

    similarity: Similarity
    frontal_iou_before: float


def iou(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float:
    """Intersection over union of two coverage images at half coverage; 1.0 where both are empty."""
    a, b = one >= HALF_COVERED, two >= HALF_COVERED
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 1.0


def shrink(masks: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Coverage images (V, H, W) uint8 averaged down (or repeated up) to (V, size, size) uint8."""
    old = masks.shape[-1]
    edges = np.arange(size + 1) * (old / size)

    def along_last(a: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.concatenate([np.zeros((*a.shape[:-1], 1)), np.cumsum(a, axis=-1)], axis=-1)
        low = np.floor(edges).astype(int)
        high = np.minimum(low + 1, old)
        at = total[..., low] + (edges - low) * (total[..., high] - total[..., low])
        return np.asarray(np.diff(at, axis=-1) * (size / old))

    if old == size:
        return masks
    narrow = along_last(masks.astype(np.float64))
    both = along_last(narrow.swapaxes(-1, -2)).swapaxes(-1, -2)
    return np.floor(both + 0.5).clip(0, 255).astype(np.uint8)


@njit(cache=True, nogil=True)
def _overlap(mask, target):  # type: ignore[no-untyped-def]
    both, either = 0, 0
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            both += mask[y, x] and target[y, x]
            either += mask[y, x] or target[y, x]
    return both, either


@njit(cache=True, nogil=True)
def _moments(mask):  # type: ignore[no-untyped-def]
    """Area in pixels, and mean column and row of the covered pixels' centres."""
    n, sx, sy = 0, 0, 0
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            if mask[y, x]:
                n += 1
                sx += x
                sy += y
    if n == 0:
        return 0, 0.0, 0.0
    return n, sx / n + 0.5, sy / n + 0.5


@njit(cache=True, nogil=True)
def _normal_equations(  # type: ignore[no-untyped-def]
    vertices,
    turned,
    basis,
    sx,
    sy,
    ends,
    sides,
    facing,
    closed,
    mask,
    distance,
    weight,
    scale,
    pixels_per_unit,
    reach,
    lhs,
    rhs,
):
    """Add one view's outline to J^T W J and J^T W r for (log scale, pitch, yaw, tx, ty, tz)."""
    size = mask.shape[0]
    row = np.empty(6)
    for e in range(len(ends)):
        f, g = sides[e, 0], sides[e, 1]
        if g >= 0 and facing[f] == facing[g]:
            continue
        a, b = ends[e, 0], ends[e, 1]
        x, y = 0.5 * (sx[a] + sx[b]) / SUBPIXEL, 0.5 * (sy[a] + sy[b]) / SUBPIXEL
        ix, iy = int(np.floor(x)), int(np.floor(y))
        if ix < 2 or iy < 2 or ix >= size - 2 or iy >= size - 2:
            continue
        # An outline of the whole silhouette has background within a pixel and a half across the edge.
        ex, ey = np.float64(sx[b] - sx[a]), np.float64(sy[b] - sy[a])
        length = np.sqrt(ex * ex + ey * ey)
        if length == 0:
            continue
        nx, ny = -ey / length * 1.5, ex / length * 1.5
        one = mask[int(np.floor(y + ny)), int(np.floor(x + nx))]
        two = mask[int(np.floor(y - ny)), int(np.floor(x - nx))]
        if one and two:
            continue
        # Bilinear distance and its gradient at the edge's middle.
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
        # Motion of the point in units for each parameter, then along the gradient in pixels.
        qx = 0.5 * (turned[a, 0] + turned[b, 0])
        qy = 0.5 * (turned[a, 1] + turned[b, 1])
        qz = 0.5 * (turned[a, 2] + turned[b, 2])
        hx = gx * basis[0, 0] - gy * basis[1, 0]
        hy = gx * basis[0, 1] - gy * basis[1, 1]
        hz = gx * basis[0, 2] - gy * basis[1, 2]
        k = pixels_per_unit
        row[0] = k * scale * (hx * qx + hy * qy + hz * qz)
        row[1] = k * scale * (-hy * qz + hz * qy)
        row[2] = k * scale * (-hx * qy + hy * qx)
        row[3], row[4], row[5] = k * hx, k * hy, k * hz
        w = weight * length / SUBPIXEL / max(abs(r), 0.2)
        for i in range(6):
            rhs[i] += w * row[i] * r
            for j in range(6):
                lhs[i, j] += w * row[i] * row[j]


class _Problem:
    """The reconstruction and the ground truth's silhouettes, ready to be compared."""

    def __init__(self, mesh: Mesh, masks: NDArray[np.uint8], cameras: Sequence[Camera], with_yaw: bool) -> None:
        self.vertices = mesh.vertices.astype(np.float64)
        self.faces = mesh.faces
        self.edges: Edges
        self.edges, self.closed = surface_edges(mesh)
        self.with_yaw = with_yaw
        self.yaws = [camera.yaw_deg for camera in cameras]
        self.targets = {s: shrink(masks, s) >= HALF_COVERED for s in (COARSE_SIZE, FINE_SIZE)}
        fine = shrink(masks, FINE_SIZE)
        self.distances = [outside_distance(m, REACH) - outside_distance(np.uint8(255) - m, REACH) for m in fine]

    def masks(
        self, points: NDArray[np.float64], size: int
    ) -> list[tuple[Camera, tuple[NDArray[np.int64], ...], NDArray[np.bool_]]]:
        """Each view's camera, screen coordinates and binary silhouette of moved points."""
        out: list[tuple[Camera, tuple[NDArray[np.int64], ...], NDArray[np.bool_]]] = []
        for yaw in self.yaws:
            camera = Camera(yaw, size)
            sx, sy, _ = project(points, camera.basis(), camera.pixels_per_unit, size / 2)
            out.append((camera, (sx, sy), fill(sx, sy, self.faces, self.closed, size)))
        return out

    def ious(self, similarity: Similarity) -> NDArray[np.float64]:
        """(V,) IoU of each view at the fine size."""
        views = self.masks(similarity.apply(self.vertices), FINE_SIZE)
        counts = [_overlap(mask, t) for (_, _, mask), t in zip(views, self.targets[FINE_SIZE], strict=True)]
        return np.array([both / either if either else 1.0 for both, either in counts])

    def closed_form(self, pitch: float, yaw: float) -> tuple[Similarity, float]:
        """Scale and translation from area and centroids at a given turn, and the mean IoU they give."""
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        size = COARSE_SIZE
        guess = Similarity(1.0 / float((high - low).max()), pitch, yaw)
        centre = guess.apply(((low + high) / 2)[None])[0]
        guess = Similarity(guess.scale, pitch, yaw, (-float(centre[0]), -float(centre[1]), -float(centre[2])))
        for _ in range(2):
            views = self.masks(guess.apply(self.vertices), size)
            rows, shifts, ours, theirs = [], [], 0, 0
            for (camera, _, mask), target in zip(views, self.targets[size], strict=True):
                n, x, y = _moments(mask)
                m, u, v = _moments(target)
                if n == 0 or m == 0:
                    continue
                ours, theirs = ours + n, theirs + m
                basis, k, half = camera.basis(), camera.pixels_per_unit, size / 2
                rows += [basis[0], basis[1]]
                shifts.append((((u - half) / k), ((x - half) / k)))
                shifts.append((((half - v) / k), ((half - y) / k)))
            if ours == 0 or theirs == 0:
                return guess, 0.0
            grow = float(np.sqrt(theirs / ours))
            wanted = np.array([t - grow * s for t, s in shifts])
            move, *_ = np.linalg.lstsq(np.array(rows), wanted, rcond=None)
            t = grow * np.array(guess.translation) + move
            guess = Similarity(guess.scale * grow, pitch, yaw, (float(t[0]), float(t[1]), float(t[2])))
        views = self.masks(guess.apply(self.vertices), size)
        counts = [_overlap(mask, t) for (_, _, mask), t in zip(views, self.targets[size], strict=True)]
        return guess, float(np.mean([b / e if e else 1.0 for b, e in counts]))

    def step(self, similarity: Similarity) -> tuple[Similarity, float]:
        """One Gauss-Newton step, and how far it moves the outline at most, in pixels of the fine size."""
        turned = self.vertices @ similarity.rotation().T
        points = similarity.apply(self.vertices)
        lhs, rhs = np.zeros((6, 6)), np.zeros(6)
        views = self.masks(points, FINE_SIZE)
        for (camera, (sx, sy), mask), target, distance in zip(
            views, self.targets[FINE_SIZE], self.distances, strict=True
        ):
            facing, _ = face_sides(sx, sy, self.faces, self.closed)
            weight = 1.0 / max(1, int(np.count_nonzero(mask | target)))
            _normal_equations(
                self.vertices,
                turned,
                camera.basis(),
                sx,
                sy,
                self.edges.ends,
                self.edges.sides,
                facing,
                self.closed,
                mask,
                distance,
                weight,
                similarity.scale,
                camera.pixels_per_unit,
                REACH,
                lhs,
                rhs,
            )
        free = [0, 1, 2, 3, 4, 5] if self.with_yaw else [0, 1, 3, 4, 5]
        a = lhs[np.ix_(free, free)]
        damping = 1e-6 * np.trace(a) / len(free) + 1e-12
        solved = np.linalg.solve(a + damping * np.eye(len(free)), -rhs[free])
        delta = np.zeros(6)
        delta[free] = solved
        delta[0] = np.clip(delta[0], -0.3, 0.3)
        delta[1:3] = np.clip(delta[1:3], -0.2, 0.2)
        moved = Similarity(
            similarity.scale * float(np.exp(delta[0])),
            similarity.pitch_deg + float(np.rad2deg(delta[1])),
            similarity.yaw_deg + float(np.rad2deg(delta[2])),
            (
                similarity.translation[0] + float(delta[3]),
                similarity.translation[1] + float(delta[4]),
                similarity.translation[2] + float(delta[5]),
            ),
        )
        half_extent = 0.5
        most = (np.abs(delta[:3]).sum() * half_extent + np.abs(delta[3:]).max()) * Camera(0, FINE_SIZE).pixels_per_unit
        return moved, float(most)


def _between(one: Similarity, two: Similarity, t: float) -> Similarity:
    a, b = np.array(one.translation), np.array(two.translation)
    x, y, z = (1 - t) * a + t * b
    return Similarity(
        one.scale ** (1 - t) * two.scale**t,
        (1 - t) * one.pitch_deg + t * two.pitch_deg,
        (1 - t) * one.yaw_deg + t * two.yaw_deg,
        (float(x), float(y), float(z)),
    )


def register(mesh: Mesh, masks: NDArray[np.uint8], cameras: Sequence[Camera], with_yaw: bool = False) -> Registration:
    """Find the similarity with the best mean IoU over all views.

    Args:
        mesh: the reconstruction, in the axes of the frame and in any units; finite.
        masks: (V, H, W) uint8 coverage of the ground truth, the frontal view first.
        cameras: the V views.
        with_yaw: also search the turn about Z.

    Returns:
        The similarity whose mean IoU is best among those found that lose at most `FRONTAL_LOSS` of the frontal view's
        IoU against the best starting point.
    """
    problem = _Problem(mesh, masks, cameras, with_yaw)
    identity = Similarity()
    before = problem.ious(identity)
    yaws = COARSE_YAWS if with_yaw else (0.0,)
    best_yaw = max(yaws, key=lambda yaw: problem.closed_form(0.0, yaw)[1])
    coarse, _ = max(
        (problem.closed_form(float(p), float(best_yaw)) for p in COARSE_PITCHES), key=lambda found: found[1]
    )
    found = [(identity, before)]
    starts = [coarse]
    if float(before.mean()) > 0.5:
        starts.append(identity)
    for start in starts:
        current, current_ious = start, problem.ious(start)
        found.append((current, current_ious))
        for _ in range(STEPS):
            proposal, moved = problem.step(current)
            ious = problem.ious(proposal)
            if ious.mean() < current_ious.mean():
                proposal = _between(current, proposal, 0.5)
                ious = problem.ious(proposal)
            if ious.mean() <= current_ious.mean():
                break
            current, current_ious = proposal, ious
            if moved < 0.02:
                break
        found.append((current, current_ious))
    front = max((f for f in found[:2]), key=lambda f: float(f[1][0]))
    floor = float(front[1][0]) - FRONTAL_LOSS
    best = max(found, key=lambda f: float(f[1].mean()))
    if best[1][0] < floor:
        path = [_between(front[0], best[0], t) for t in np.linspace(0, 1, 11)]
        candidates = [*found, *((s, problem.ious(s)) for s in path)]
        best = max((f for f in candidates if f[1][0] >= floor), key=lambda f: float(f[1].mean()))
    return Registration(best[0], float(before[0]))
