"""Meshes made ready for perspective cameras: faces small enough to draw flat, and none behind a camera."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.rendering.mesh import Mesh, compacted, concatenate

NEAR = 0.02  # Distance from a perspective camera in units before which nothing is drawn
# Pixels by which what a face carries may lie off, as it is interpolated on the screen and not in space
_MOST_SHIFT = 0.1
GUARD = 3.0  # Widths of the picture from its middle beyond which a perspective camera's surface is cut off
_ROUNDS = 12  # Times that an edge may be halved


def by_camera(mesh: Mesh, cameras: Sequence[Camera]) -> Iterator[tuple[Mesh, Sequence[Camera]]]:
    """Yield the cameras, in order and in runs that see the same mesh, with that mesh.

    Orthographic cameras see the mesh as it is. For perspective ones its faces are split, and cut for one that
    it reaches behind or far beside. Raises a CharacterError for a camera that sees nothing of it.
    """
    if all(camera.fov_deg is None for camera in cameras):
        yield mesh, cameras
        return
    drawn, run = mesh, list[Camera]()
    whole = split(mesh, cameras)
    for camera in cameras:
        wanted = mesh
        if camera.fov_deg is not None:
            wanted = _cut(whole, camera) if _reaches_beyond(mesh, camera) else whole
        if run and wanted is not drawn:
            yield drawn, run
            run = []
        drawn = wanted
        run.append(camera)
    yield drawn, run


def split(mesh: Mesh, cameras: Sequence[Camera]) -> Mesh:
    """Split the faces that perspective cameras would draw wrongly; the surface stays the same.

    Along an edge of length d, which is L pixels long on the screen and whose ends' distances differ by the
    share r, interpolation on the screen is off by up to L r / 4 pixels; that is at most f d² / (8 z²) for a
    focal length f in pixels and a distance z.
    """
    lenses = [camera for camera in cameras if camera.fov_deg is not None]
    most = np.zeros(0)
    for _ in range(_ROUNDS if lenses else 0):
        most = np.concatenate([most, _longest(mesh.vertices[len(most) :], lenses)])
        a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
        sides = np.stack([b - a, c - b, a - c], axis=1)
        ends = most[mesh.faces]
        long = np.einsum("fki,fki->fk", sides, sides) > np.minimum(ends, np.roll(ends, -1, axis=1))
        if not long.any():
            break
        mesh = _halved(mesh, long)
    return mesh


def _longest(points: NDArray[np.float32], cameras: Sequence[Camera]) -> NDArray[np.float64]:
    """Squares of the longest sides (N,) that may end at points, whichever of the cameras looks."""
    places = np.array([camera.position() for camera in cameras])
    # What is in the picture is as far along the axis as this share of its distance, at least.
    halves = np.array([np.hypot(camera.size, camera.height) / 2 / camera.focal_length for camera in cameras])
    squares = np.zeros((len(points), len(cameras)))
    for axis in range(3):
        squares += (points[:, axis, None] - places[:, axis]) ** 2
    nearest = np.maximum(squares / (1 + halves * halves), NEAR * NEAR)
    shares = np.array([8 * _MOST_SHIFT / camera.focal_length for camera in cameras])
    return np.asarray((nearest * shares).min(axis=1))


# Corners 0 to 2 of a face and 3 to 5, the middles of its sides: triangles by which of its sides are halved.
_PATTERNS: dict[int, tuple[tuple[int, int, int], ...]] = {
    0: ((0, 1, 2),),
    1: ((0, 3, 2), (3, 1, 2)),
    2: ((1, 4, 0), (4, 2, 0)),
    3: ((3, 1, 4), (0, 3, 4), (0, 4, 2)),
    4: ((2, 5, 1), (5, 0, 1)),
    5: ((5, 0, 3), (2, 5, 3), (2, 3, 1)),
    6: ((4, 2, 5), (1, 4, 5), (1, 5, 0)),
    7: ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
}


def _halved(mesh: Mesh, long: NDArray[np.bool_]) -> Mesh:
    """Halve the long sides (F, 3) of faces; a side that two faces share is halved in both."""
    faces = mesh.faces
    ends = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2)[long], axis=1)
    keys = ends[:, 0].astype(np.int64) * len(mesh.vertices) + ends[:, 1]
    unique, number = np.unique(keys, return_inverse=True)
    parents = np.stack(np.divmod(unique, len(mesh.vertices)), axis=1)
    six = np.concatenate([faces, np.zeros_like(faces)], axis=1)
    six[:, 3:][long] = len(mesh.vertices) + number
    codes = long @ np.array([1, 2, 4])
    triangles = np.array([len(_PATTERNS[code]) for code in range(8)])[codes]
    first = np.concatenate([[0], np.cumsum(triangles)])
    origin = np.repeat(np.arange(len(faces)), triangles)
    corners = np.empty((first[-1], 3), np.int64)
    for code, pattern in _PATTERNS.items():
        of_code = np.flatnonzero(codes == code)
        for k, triangle in enumerate(pattern):
            corners[first[of_code] + k] = triangle

    def grown(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([points, (points[parents[:, 0]] + points[parents[:, 1]]) * np.float32(0.5)])

    def picked(values: NDArray[np.float32]) -> NDArray[np.float32]:
        middles = (values + np.roll(values, -1, axis=1)) * np.float32(0.5)
        return np.concatenate([values, middles], axis=1)[origin[:, None], corners]

    return replace(
        mesh,
        vertices=grown(mesh.vertices),
        faces=six[origin[:, None], corners].astype(np.int32),
        face_material=mesh.face_material[origin],
        rest=None if mesh.rest is None else grown(mesh.rest),
        **mesh.cornerwise(picked),
    )


def _planes(camera: Camera) -> NDArray[np.float64]:
    """Planes (5, 4) within which a perspective camera's surface lies: p · n + d is not negative there."""
    right, up, forward = camera.basis()
    reach = GUARD * max(camera.size, camera.height) / (camera.focal_length if camera.fov_deg else 1.0)
    normals = [reach * forward + side for side in (right, -right, up, -up)]
    place = camera.position()
    planes = [[*forward, -NEAR - forward @ place], *([*normal, -normal @ place] for normal in normals)]
    return np.array(planes)


def _reaches_beyond(mesh: Mesh, camera: Camera) -> bool:
    """Whether some of a mesh lies clearly outside of what a perspective camera can draw."""
    planes = _planes(camera)
    return bool((mesh.vertices @ planes[:, :3].T + planes[:, 3] < -1e-4).any())


def _cut(mesh: Mesh, camera: Camera) -> Mesh:
    """Cut off what a perspective camera cannot draw."""
    for plane in _planes(camera):
        mesh = _cut_at(mesh, plane)
        if len(mesh.faces) == 0:
            raise CharacterError("a camera sees nothing of the mesh: it lies behind or beside it")
    return mesh


def _cut_at(mesh: Mesh, plane: NDArray[np.float64]) -> Mesh:
    """Cut off what lies outside of one plane: a face loses one corner or two there, and gets two new ones."""
    heights = (mesh.vertices @ plane[:3] + plane[3])[mesh.faces].astype(np.float32)
    count = (heights >= 0).sum(axis=1)
    if count.all() and (count == 3).all():
        return mesh
    pieces = [_piece(mesh, heights, np.flatnonzero(count == n), n) for n in (1, 2)]
    return concatenate([compacted(mesh.of_faces(count == 3)), *pieces])


def _piece(mesh: Mesh, heights: NDArray[np.float32], cut: NDArray[np.int64], inside: int) -> Mesh:
    """The part inside a plane of the faces that have `inside` corners there; `heights` (F, 3) above it."""
    lone = np.argmax((heights[cut] >= 0) == (inside == 1), axis=1)
    # The corners of each face, the one that lies alone on its side of the plane first.
    order = (lone[:, None] + np.arange(3)) % 3
    high = np.take_along_axis(heights[cut], order, axis=1)
    triangles = [(0, 3, 4)] if inside == 1 else [(3, 1, 2), (3, 2, 4)]

    def pieces(values: NDArray[np.float32]) -> NDArray[np.float32]:
        corners = np.take_along_axis(values[cut], order[..., None], axis=1)
        ends = [(corners[:, :1], high[:, :1]), (corners[:, 1:], high[:, 1:])]
        # Always from inside to outside, so that two faces cut their common edge at the same place.
        (start, above), (end, below) = ends if inside == 1 else ends[::-1]
        share = (above / (above - below))[..., None]
        five = np.concatenate([corners, start + share * (end - start)], axis=1)
        return np.concatenate([five[:, list(triangle)] for triangle in triangles])

    count = len(cut) * len(triangles)
    return replace(
        mesh,
        vertices=pieces(mesh.vertices[mesh.faces]).reshape(-1, 3),
        faces=np.arange(3 * count, dtype=np.int32).reshape(-1, 3),
        face_material=np.tile(mesh.face_material[cut], len(triangles)),
        rest=None if mesh.rest is None else pieces(mesh.rest[mesh.faces]).reshape(-1, 3),
        **mesh.cornerwise(pieces),
    )
