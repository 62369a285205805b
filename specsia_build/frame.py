"""Axes, cameras, pixels and position colours.

Right-handed, Z up, the character faces -Y and its own left is +X. A camera of the dataset's ring is
orthographic, looks at the origin from (2 sin yaw, -2 cos yaw, 0) and its image spans `ORTHO_WIDTH` units.
Yaw 0 is the frontal view; a growing yaw walks the camera counter-clockwise seen from above, so it shows more
of the character's left side. `Camera` has the other kinds.
Pixel (column, row) covers [column, column + 1) x [row, row + 1) with row 0 at the top; centres are at halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Width and height of the image in units of the frame (the published set's orthographic scale)
ORTHO_WIDTH = 1.35
CAMERA_DISTANCE = 2.0  # Distance of an orthographic camera from the origin in units, from which depth counts
EXTENT = 1.0  # Largest side of a normalised character's bounding box, in units

AXES = ("+x", "-x", "+y", "-y", "+z", "-z")


@dataclass(frozen=True)
class Camera:
    """A camera of the frame, orthographic, or perspective where it has a field of view.

    It looks at `target` from `radius` units away. Its own axes are those of OpenGL and Blender: x right, y
    up, and it looks along -z.
    """

    yaw_deg: float  # Turn about Z in degrees, counter-clockwise seen from above; 0 is the frontal view
    size: int  # Width of the image in pixels, and its height unless `rows` says otherwise
    width: float = ORTHO_WIDTH  # Orthographic width, the units that the image spans
    elevation_deg: float = 0.0  # Height above the horizon in degrees, -90 to 90
    roll_deg: float = 0.0  # Turn about its own axis in degrees, which turns the picture clockwise
    fov_deg: float | None = None  # Horizontal field of view in degrees; None for an orthographic camera
    radius: float = CAMERA_DISTANCE  # Distance from the target in units
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)  # Point of the frame that it looks at
    rows: int | None = None  # Height of the image in pixels; None for `size`
    # Principal point, column and row in pixels; None for the middle.
    centre: tuple[float, float] | None = None

    @classmethod
    def at(cls, c2w: NDArray[np.floating], size: int, **lens: Any) -> Camera:
        """Return the camera with a camera-to-world matrix (3 or 4, 4), in OpenGL's axes.

        `lens` are other fields, as `fov_deg`. Raises ValueError if the matrix is no rotation with a place.
        """
        rows = np.asarray(c2w, np.float64)[:3]
        turn, place = rows[:, :3], rows[:, 3]
        sound = np.isfinite(rows).all() and np.abs(turn @ turn.T - np.eye(3)).max() < 1e-3
        if not sound or np.linalg.det(turn) < 0:
            raise ValueError("the matrix of a camera must be a rotation and a position, of finite numbers")
        away = turn[:, 2]
        level = np.hypot(away[0], away[1])
        # Straight above and below, the right of the image tells the yaw.
        yaw = np.arctan2(away[0], -away[1]) if level > 1e-9 else np.arctan2(turn[1, 0], turn[0, 0])
        elevation = np.arctan2(away[2], level)
        upright = cls(_degrees(yaw % (2 * np.pi)) % 360, size, elevation_deg=_degrees(elevation))
        right, up, _ = upright.basis()
        roll_deg = _degrees(np.arctan2(turn[:, 0] @ up, turn[:, 0] @ right))
        radius = round(float(place @ away), 12)
        if radius <= 0:
            radius = CAMERA_DISTANCE
        # A negative zero would not be that of a camera made by angles.
        x, y, z = (round(float(value), 12) + 0.0 for value in place - radius * away)
        return replace(upright, roll_deg=roll_deg, radius=radius, target=(x, y, z), **lens)

    @property
    def height(self) -> int:
        """Height of the image in pixels."""
        return self.size if self.rows is None else self.rows

    @property
    def is_plain(self) -> bool:
        """Whether the middle of a square image shows the origin."""
        return self.target == (0.0, 0.0, 0.0) and self.rows in (None, self.size) and self.centre is None

    @property
    def principal_point(self) -> tuple[float, float]:
        """Column and row in pixels of what lies straight ahead."""
        return (self.size / 2, self.height / 2) if self.centre is None else self.centre

    @property
    def focal_length(self) -> float:
        """Focal length of a perspective camera in pixels."""
        assert self.fov_deg is not None
        return self.size / 2 / float(np.tan(np.deg2rad(self.fov_deg) / 2))

    @property
    def span(self) -> float:
        """Units that the image spans; in a perspective one, at the distance of the target."""
        return self.width if self.fov_deg is None else self.size * self.radius / self.focal_length

    @property
    def pixels_per_unit(self) -> float:
        """Pixels of the image in a unit of the frame; in a perspective one, at the distance of the target."""
        return self.size / self.span

    def basis(self) -> NDArray[np.float64]:
        """Rows: the image's right, up and forward (away from the camera) directions in the frame, (3, 3)."""
        yaw, elevation, roll = np.deg2rad([self.yaw_deg, self.elevation_deg, self.roll_deg])
        c, s = float(np.cos(yaw)), float(np.sin(yaw))
        level, steep = float(np.cos(elevation)), float(np.sin(elevation))
        right = np.array([c, s, 0.0])
        up = np.array([-s * steep, c * steep, level])
        forward = np.array([-s * level, c * level, -steep])
        along, across = float(np.cos(roll)), float(np.sin(roll))
        return np.array([along * right + across * up, along * up - across * right, forward])

    def turn(self) -> NDArray[np.float64]:
        """Rotation (3, 3) into the camera's axes: x right, y away, z up."""
        right, up, forward = self.basis()
        return np.stack([right, forward, up])

    def position(self) -> NDArray[np.float64]:
        """Position of the camera, (3,), in units."""
        return np.asarray(np.array(self.target) - self.radius * self.basis()[2])

    def c2w(self, *, opencv: bool = False) -> NDArray[np.float64]:
        """Camera-to-world matrix (4, 4): its columns are x, y and z of the camera's axes, and its position.

        With `opencv`, x is right, y down, and the camera looks along z.
        """
        right, up, forward = self.basis()
        y, z = (-up, forward) if opencv else (up, -forward)
        matrix = np.eye(4)
        matrix[:3] = np.stack([right, y, z, self.position()], axis=1)
        return matrix

    def w2c(self, *, opencv: bool = False) -> NDArray[np.float64]:
        """World-to-camera matrix (4, 4), the inverse of `c2w`."""
        matrix = np.eye(4)
        pose = self.c2w(opencv=opencv)
        matrix[:3, :3] = pose[:3, :3].T
        matrix[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
        return matrix

    def distance(self, depth: NDArray[np.floating]) -> NDArray[np.floating]:
        """Distance from the camera along its axis in units, of depths as renderers interpolate them.

        These are, at the distance z, z - radius + the target's depth in an orthographic view, and radius
        (1 - radius / z) in a perspective one.
        """
        if self.fov_deg is None:
            return depth + (self.radius - float(self.basis()[2] @ np.array(self.target)))
        return self.radius / (1 - depth / self.radius)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Column and row in pixels of points (..., 3), and their depth in units beyond the target."""
        seen = (np.asarray(points, dtype=np.float64) - np.array(self.target)) @ self.basis().T
        x, y = self.principal_point
        depth = seen[..., 2]
        scale = self.pixels_per_unit
        if self.fov_deg is not None:
            scale = self.focal_length / (self.radius + depth)
        return np.stack([seen[..., 0] * scale + x, y - seen[..., 1] * scale, depth], axis=-1)


def _degrees(angle: float) -> float:
    """Degrees of an angle, rounded so that those of a camera's matrix are those that it was made by."""
    return round(float(np.rad2deg(angle)), 10) + 0.0


def view_yaws(views: int) -> tuple[float, ...]:
    """Yaw in degrees of each of `views` evenly spaced cameras, the frontal view first."""
    return tuple(360.0 * k / views for k in range(views))


def view_cameras(views: int, size: int) -> tuple[Camera, ...]:
    """Cameras of `views` evenly spaced images of `size` pixels."""
    return tuple(Camera(yaw, size) for yaw in view_yaws(views))


def signed_axis(axis: str) -> str:
    """Normalise an axis' name, in any case and with or without plus, to that in `AXES`; raises ValueError."""
    name = axis.lower() if axis[:1] in "+-" else "+" + axis.lower()
    if name not in AXES:
        raise ValueError(f"'{axis}' is not an axis: use one of {', '.join(AXES)}")
    return name


def axis_vector(axis: str) -> NDArray[np.float64]:
    """Unit vector of an axis name such as ``+x``, ``-y`` or ``z``; raises ValueError if it is none."""
    name = signed_axis(axis)
    vector = np.zeros(3)
    vector["xyz".index(name[1])] = 1.0 if name[0] == "+" else -1.0
    return vector


def axis_names(matrix: NDArray[np.floating]) -> tuple[str, ...]:
    """Names of the signed axes that are the rows of a matrix (3, 3), the inverse of `axis_vector`."""
    columns = np.abs(matrix).argmax(axis=1)
    return tuple(("+" if row[k] > 0 else "-") + "xyz"[k] for row, k in zip(matrix, columns, strict=True))


def up_rotation(up: str) -> NDArray[np.float64]:
    """Rotation (3, 3) that turns coordinates whose up axis is `up` into Z up.

    ``+y`` gives (x, -z, y), which turns a glTF or OBJ character (facing +Z) to -Y; ``+z`` is the identity.
    """
    rotations = {
        "+z": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "+y": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        "-y": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
        "-z": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
        "+x": [[0, 0, -1], [0, 1, 0], [1, 0, 0]],
        "-x": [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
    }
    return np.array(rotations[signed_axis(up)], dtype=np.float64)


def front_rotation(front: str) -> NDArray[np.float64]:
    """Rotation (3, 3) about Z from `front`, where a Z-up character faces, to -Y; ValueError if that is Z."""
    x, y, z = axis_vector(front)
    if z != 0:
        raise ValueError(f"a character cannot face '{front}': front must be +x, -x, +y or -y")
    return np.array([[-y, x, 0.0], [-x, -y, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class Normalisation:
    """p' = scale * (p - centre): the box's centre to the origin, its largest side to `EXTENT` times `fit`."""

    centre: tuple[float, float, float]  # (x, y, z) in the character's own units
    scale: float  # Units of the frame per unit of the character, `fit` included
    fit: float  # 1, or less where the frame would have cut the character in some view

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        moved = (np.asarray(points, dtype=np.float64) - np.array(self.centre)) * self.scale
        return np.asarray(moved, dtype=np.float32)


def normalise(points: NDArray[np.floating], cameras: Sequence[Camera], margin_px: float) -> Normalisation:
    """Compute the centre and scale that put a character's drawn vertices (N, 3) into the frame.

    All `cameras` show all of it, with `margin_px` pixels free at the border for the contour. Raises
    ValueError if the points have no extent, or the margin leaves no room for them.
    """
    # numpy takes ten times as long along the first axis.
    low = np.array([along.min() for along in points.T], np.float64)
    high = np.array([along.max() for along in points.T], np.float64)
    centre, extent = (low + high) / 2, float(np.max(high - low))
    if not np.isfinite(extent) or extent <= 0:
        raise ValueError("the points have no extent")
    scale = EXTENT / extent
    centred = (np.asarray(points, dtype=np.float64) - centre) * scale
    fit = min((room_for(centred, camera, margin_px) for camera in cameras), default=1.0)
    return Normalisation((float(centre[0]), float(centre[1]), float(centre[2])), scale * fit, fit)


def room_for(points: NDArray[np.floating], camera: Camera, margin_px: float) -> float:
    """Largest scale, at most 1, at which a camera shows points (N, 3) with a margin in pixels."""
    x, y = camera.principal_point
    sides = ((0, x, camera.size - x), (1, camera.height - y, y))
    basis = camera.basis()
    seen = np.abs(points @ basis[:2].T)
    fit = 1.0
    for axis, low, high in sides:
        room = min(low, high) / camera.size * camera.span - margin_px / camera.pixels_per_unit
        if room <= 0:
            raise ValueError(f"a margin of {margin_px} px leaves no room in an image of {camera.size} px")
        reach = seen[:, axis]
        if camera.fov_deg is not None:
            # A point at x, z of the camera's axes is seen at f s x / (radius + s z), where s is the scale.
            reach = reach - room / camera.radius * (points @ basis[2])
        most = float(reach.max())
        if most > room:
            fit = min(fit, room / most)
    return fit


@dataclass(frozen=True)
class PositionChannels:
    """Meaning of the colour channels R, G, B of a position image."""

    axes: tuple[int, int, int]  # Coordinate that each channel shows
    signs: tuple[float, float, float]  # 1, or -1 where the channel is 255 at the smallest coordinate


ON_CHARACTER = PositionChannels((0, 2, 1), (1.0, 1.0, -1.0))
"""R = x, G = z, B = -y of the frame, so that the front is bright in B."""

IN_VIEW = PositionChannels((0, 1, 2), (1.0, 1.0, 1.0))
"""Channels of published points in the camera's axes (`Camera.turn`): R right, G away from it, B up."""

POSITION_CHANNELS = {"character": ON_CHARACTER, "view": IN_VIEW}  # Channels by the setting `pos_frame`


def position_codes(
    box_min: Sequence[float], box_max: Sequence[float], channels: PositionChannels = ON_CHARACTER
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the affine map from points to position colours.

    Channel c is gain[c] * p[channels.axes[c]] + offset[c]: 0 at the box's near end of the channel and 255 at
    its far end, which a negative sign exchanges. A flat axis maps to 0. Both gain and offset are (3,).
    """
    gain, offset = np.zeros(3), np.zeros(3)
    for channel, (axis, sign) in enumerate(zip(channels.axes, channels.signs, strict=True)):
        low, high = float(box_min[axis]), float(box_max[axis])
        if high > low:
            gain[channel] = sign * 255.0 / (high - low)
            offset[channel] = -gain[channel] * (low if sign > 0 else high)
    return gain, offset


def decode_position(
    colours: NDArray[np.uint8],
    box_min: Sequence[float],
    box_max: Sequence[float],
    channels: PositionChannels = ON_CHARACTER,
) -> NDArray[np.float64]:
    """Decode position colours (..., 3) uint8 to points (..., 3) float64: x, y, z in units.

    The colours span a box from its smallest to its largest x, y, z. Points are of the frame, or for `IN_VIEW`
    in the camera's axes, and off by at most half a step of the box's side / 255.
    """
    gain, offset = position_codes(box_min, box_max, channels)
    points = np.empty(colours.shape, dtype=np.float64)
    for channel, axis in enumerate(channels.axes):
        rise = gain[channel]
        points[..., axis] = (colours[..., channel] - offset[channel]) / rise if rise else box_min[axis]
    return points
