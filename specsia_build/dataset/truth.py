"""Columns of the surface of Y*, which `build --layers` adds, as PNGs that loaders read exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.arrays import Doubles, Pixels
from specsia_build.dataset.layers import LABEL, LAYERS
from specsia_build.frame import Camera

if TYPE_CHECKING:
    from specsia_build.rendering.surface import SurfaceView

_LEVELS = 32768  # Levels of a depth or position in a unit
_MOST_OFF = 0.02  # Largest share of pixels that may disagree, as those at rims do
_LANDING_PX = 1.0  # Largest distance of a position from its own pixel


def _levels(values: NDArray[np.floating], shown: NDArray[np.bool_]) -> bytes:
    """A PNG of 16 bits of values of at least -1, each plus one; 0 where nothing is shown."""
    levels = np.clip(np.rint((values + 1) * _LEVELS), 1, 65535).astype(np.uint16)
    return png.encode(np.where(shown, levels, np.uint16(0)))


def encode_truth(name: str, view: SurfaceView, seed: int) -> bytes:
    """PNG of a layer of a view by its name; the seed is that of the light of `lit`.

    `depth`: along the camera's axis, 16 bits, (depth - radius + 1) * 32768 in units; 0 where nothing is.
    `normal`: RGBA, x, y, z of the frame from -1 to 1 as 0 to 255. `position`: 16 bits, each of x, y, z as
    (value + 1) * 32768. `part`, `material`: numbers plus one in 24 bits, red most significant. `albedo`: the
    colours without contour or light, RGBA; `lit`: the same under three lights.
    """
    match name:
        case "depth":
            return _levels(view.depth - np.float32(view.camera.radius), view.shown)
        case "normal":
            return png.encode(view.normal_picture())
        case "position":
            return _levels(view.layers.position, view.shown[..., None])
        case "part" | "material":
            return LAYERS[LABEL].encode(view.part if name == "part" else view.material)
        case "albedo":
            return png.encode(view.layers.color)
        case "lit":
            return png.encode(view.lit(seed))
    raise KeyError(name)


def decode_depth(levels: NDArray[np.uint16], radius: float) -> Doubles:
    """Depths (H, W) in units along the axis of a camera `radius` away; 0 where nothing is."""
    return np.where(levels > 0, levels / _LEVELS - 1 + radius, 0.0)


def decode_points(levels: NDArray[np.uint16]) -> Doubles:
    """Points (..., 3) in units."""
    return np.asarray(levels / _LEVELS - 1)


def landing(camera: Camera, points: Doubles, x: NDArray[np.intp], y: NDArray[np.intp]) -> Doubles:
    """(N, 2), how far to the right and down points (N, 3) land from the middles of pixels, in pixels."""
    return np.asarray(camera.project(points)[:, :2] - np.stack([x, y], axis=1) - 0.5)


def check_depth(camera: Camera, depth: NDArray[np.uint16], mask: Pixels) -> Iterator[str]:
    """Check that depths are those of a figure about the origin, and have its silhouette (H, W)."""
    yield from _silhouette("gt_depth", depth > 0, mask)
    shown = decode_depth(depth, camera.radius)[depth > 0]
    if len(shown) and not abs(float(np.median(shown)) - camera.radius) < 1:
        yield f"gt_depth is {np.median(shown):.2f} from a camera that is {camera.radius:.2f} from the origin"


def check_normal(camera: Camera, normal: Pixels, mask: Pixels) -> Iterator[str]:
    """Check that normals have length 1, face the camera, and have the figure's silhouette (H, W)."""
    shown = normal[..., 3] > 0
    yield from _silhouette("gt_normal", shown, mask)
    vectors = normal[shown][:, :3] / 127.5 - 1
    if not len(vectors):
        return
    if np.mean(np.abs(np.linalg.norm(vectors, axis=1) - 1) > 0.05) > _MOST_OFF:
        yield "gt_normal holds vectors that are not of length 1"
    elif float(np.median(vectors @ camera.basis()[2])) > 0:
        yield "gt_normal points away from the camera"


def check_points(camera: Camera, position: NDArray[np.uint16], mask: Pixels) -> Iterator[str]:
    """Check that positions land on their own pixels, and have the figure's silhouette (H, W)."""
    shown = np.asarray(position.any(axis=2))
    yield from _silhouette("gt_position", shown, mask)
    y, x = np.nonzero(shown)
    off = np.hypot(*landing(camera, decode_points(position[y, x]), x, y).T) > _LANDING_PX
    if len(off) and off.mean() > _MOST_OFF:
        yield f"gt_position lands beside its own pixel in {int(off.sum())} of {len(off)} pixels"


def _silhouette(name: str, shown: NDArray[np.bool_], mask: Pixels) -> Iterator[str]:
    if count := int(np.count_nonzero(shown != (mask > 0))):
        yield f"{name} has another silhouette than gt_mask in {count} pixels"


LAYER_CHECKS: Mapping[str, Callable[[Camera, Any, Pixels], Iterator[str]]] = {
    "gt_depth": check_depth,
    "gt_normal": check_normal,
    "gt_position": check_points,
}
"""Check of a column, given the row's camera and `gt_mask`."""
