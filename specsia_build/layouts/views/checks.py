"""What `specsia verify` tests of views: depth and silhouettes that agree with cameras, normals with depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Floats, Mask
from specsia_build.frame import Camera

_CELLS = 56  # Cells on a side of the block that silhouettes carve
_MOST_VIEWS = 16  # Views that carve it
_LEAST_FILLED = 0.95  # Share of each silhouette that the carved block must fill
_MOST_OFF = 0.15  # Share of a view's points that may contradict the next one, as thin sides do from behind
_MOST_POINTS = 20_000  # Points of a view that are projected
_TOLERANCE = 0.02  # Distance that counts as none, as a share of the figure's longest side
_MOST_DEGREES = 45.0  # Median angle between normals and those of the depth
_MOST_AWAY = 0.1  # Share of normals that may point away from the camera
_AWAY = -0.15  # Cosine of the angle to the viewer below which a normal points away
_LEAST_PIXELS = 100  # Pixels from which on normals are judged


class CheckedView(NamedTuple):
    """A view of a character, H x W pixels; lengths are in the units of its camera."""

    name: str
    camera: Camera
    mask: Mask  # (H, W), where it shows the character
    depth: Floats | Doubles | None = None  # (H, W) along the camera's axis

    @classmethod
    def of(
        cls, name: str, camera: Camera, alpha: NDArray[np.integer], depth: Floats | Doubles | None
    ) -> CheckedView:
        """A view of a picture with this alpha (H, W), and of its depth, which is 0 where nothing is."""
        mask = alpha > 127
        return cls(name, camera, mask if depth is None else mask & (depth > 0), depth)


def scaled(camera: Camera, factor: float) -> Camera:
    """The camera in other units, of which one of its own has `factor`."""
    x, y, z = (along * factor for along in camera.target)
    return replace(camera, width=camera.width * factor, radius=camera.radius * factor, target=(x, y, z))


def lift(camera: Camera, depth: Floats | Doubles) -> Doubles:
    """Points (H, W, 3) of a depth image (H, W) along the camera's axis."""
    rows, columns = np.indices(depth.shape)
    x, y = camera.principal_point
    if camera.fov_deg is None:
        units = np.full(depth.shape, camera.width / camera.size)
    else:
        units = depth / camera.focal_length
    right, up, forward = camera.basis()
    along = (columns + 0.5 - x) * units
    above = (y - rows - 0.5) * units
    seen = along[..., None] * right + above[..., None] * up + depth[..., None] * forward
    return np.asarray(camera.position() + seen)


def check_geometry(views: Sequence[CheckedView], longest: float, moving: bool) -> Iterator[str]:
    """Yield views that show nothing or have another shape than their cameras.

    Else, of a figure at rest, yield those whose silhouettes or, where all have it, depth contradict others.
    """
    sound = True
    for view in views:
        (height, width), camera = view.mask.shape, view.camera
        if (height, width) != (camera.height, camera.size):
            yield f"{view.name} has {width} x {height} pixels, not {camera.size} x {camera.height}"
        elif not view.mask.any():
            yield f"{view.name} shows nothing"
        else:
            continue
        sound = False
    if sound and not moving:
        yield from check_silhouettes(views, longest)
        if all(view.depth is not None for view in views):
            yield from check_depth(views, longest)


def check_depth(views: Sequence[CheckedView], longest: float) -> Iterator[str]:
    """Yield views whose points, by their depth, contradict the silhouette or the depth of the next view."""
    tolerance = _TOLERANCE * longest
    for view, other in zip(views, (*views[1:], views[0]), strict=True):
        assert view.depth is not None and other.depth is not None
        points = lift(view.camera, view.depth)[scipy.ndimage.binary_erosion(view.mask)]
        points = points[:: max(1, len(points) // _MOST_POINTS)]
        if not len(points) or other is view:
            continue
        place = _pixels(other, points)
        away = (points - other.camera.position()) @ other.camera.basis()[2]
        near = scipy.ndimage.binary_dilation(other.mask, np.ones((3, 3), bool), iterations=2)
        # The nearest surface within two pixels, so that a step in depth is no error.
        surface = scipy.ndimage.minimum_filter(np.where(other.mask, other.depth, np.inf), 5)
        off = float((~_at(near, place, False) | (away < _at(surface, place, np.inf) - tolerance)).mean())
        if off > _MOST_OFF:
            yield f"{view.name} does not agree with {other.name}: {off:.0%} of its points by depth are off"


def check_normals(view: CheckedView, normals: Doubles) -> Iterator[str]:
    """Yield a view whose normals (H, W, 3) of the frame are not those of its depth."""
    assert view.depth is not None
    points = np.where(view.mask[..., None], lift(view.camera, view.depth), np.nan)
    across = points[1:-1, 2:] - points[1:-1, :-2]
    down = points[2:, 1:-1] - points[:-2, 1:-1]
    own = np.cross(down, across)
    length = np.linalg.norm(own, axis=-1)
    sound = scipy.ndimage.binary_erosion(view.mask, iterations=3)[1:-1, 1:-1] & (length > 0)
    if np.count_nonzero(sound) < _LEAST_PIXELS:
        return
    own, given = own[sound] / length[sound][:, None], normals[1:-1, 1:-1][sound]
    given = given / np.maximum(np.linalg.norm(given, axis=1), 1e-6)[:, None]
    degrees = np.rad2deg(np.median(np.arccos(np.clip((own * given).sum(axis=1), -1, 1))))
    if degrees > _MOST_DEGREES:
        yield f"{view.name} has normals that differ from its depth by {degrees:.0f} degrees in the median"


def check_facing(view: CheckedView, normals: Doubles) -> Iterator[str]:
    """Yield a view whose normals (H, W, 3) of the frame have another length than 1, or point away from it."""
    sound = scipy.ndimage.binary_erosion(view.mask, iterations=2)
    if np.count_nonzero(sound) < _LEAST_PIXELS:
        return
    length = np.median(np.linalg.norm(normals[sound], axis=1))
    if not 0.9 < length < 1.1:
        yield f"{view.name} has normals of a length of {length:.2f} in the median"
    towards = -view.camera.basis()[2]
    if view.camera.fov_deg is not None:
        away = lift(view.camera, np.ones(view.mask.shape, np.float32))[sound] - view.camera.position()
        towards = -away / np.linalg.norm(away, axis=1, keepdims=True)
    share = float(((normals[sound] * towards).sum(axis=1) < _AWAY).mean())
    if share > _MOST_AWAY:
        yield f"{view.name} has normals, {share:.0%} of which point away from its camera"


def check_silhouettes(views: Sequence[CheckedView], longest: float) -> Iterator[str]:
    """Yield views whose silhouette the shape that all views have in common does not fill."""
    views = views[:: -(-len(views) // _MOST_VIEWS)]
    reach = 0.55 * longest
    axis = (np.arange(_CELLS) + 0.5) / _CELLS * 2 * reach - reach
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    places, kept = [], np.ones(len(points), bool)
    for view in views:
        radius = int(np.ceil(reach / _CELLS * view.camera.pixels_per_unit))
        place = _pixels(view, points)
        kept &= _at(_grown(view.mask, radius), place, False)
        places.append((place, radius + 1))
    for view, (place, radius) in zip(views, places, strict=True):
        shadow = np.zeros(view.mask.shape, bool)
        rows, columns = place[:, kept]
        shadow[rows, columns] = True
        filled = float((_grown(shadow, radius) & view.mask).sum() / max(1, view.mask.sum()))
        if filled < _LEAST_FILLED:
            yield f"{view.name} does not agree with its camera: other views leave {filled:.0%} of its figure"


def _grown(mask: Mask, radius: int) -> Mask:
    """A mask with all pixels that many rows and columns around it."""
    return np.asarray(scipy.ndimage.maximum_filter(mask, 2 * radius + 1))


def _pixels(view: CheckedView, points: Doubles) -> np.ndarray:
    """Rows and columns (2, N) of points, which may lie outside of the picture."""
    seen = view.camera.project(points)
    return np.floor(np.clip(seen[:, 1::-1], -1, max(view.mask.shape))).astype(np.int64).T


def _at(image: np.ndarray, place: np.ndarray, outside: float) -> np.ndarray:
    """Values of an image (H, W) at rows and columns (2, N), and `outside` beyond its borders."""
    rows, columns = place
    height, width = image.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    values = image[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    return np.where(inside, values, outside)
