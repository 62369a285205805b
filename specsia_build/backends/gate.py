"""Conditions that a generated mesh must meet.

A generator may return nothing, a speck, a sheet turned inside out, a cloud of crumbs, or another figure. `likeness` and
the self-test look for mirrors and turns.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.backends.likeness import SIZE, fitted
from specsia_build.errors import CharacterError, LowQualityError
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import glance
from specsia_build.rendering.layers import HALF_COVERED, iou
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import Topology, topology

LEAST_EXTENT, MOST_EXTENT = 0.05, 20.0
"""Units of the largest side of the bounding box. A backend that knows no scale gives about 1 or 2."""

FARTHEST = 1e6
"""Coordinates beyond this leave too few float32 digits for a surface."""

PART = 0.05
"""Share of the surface from which a connected piece is a part of a figure, such as a wing; less is a crumb."""

WHOLE = 0.5
"""Minimum share of the surface in parts, times the share of the silhouette that its largest piece holds: a figure that
is drawn in pieces may be reconstructed in as many."""

MARK = 0.01
"""Share of the silhouette's area below which a separate part is a stray mark."""

LEAST_FRONTAL_IOU = 0.5
"""Bad reconstructions still keep 0.6; a figure in T-pose seen from its side has 0.3."""

YAW_STEP = 15
"""Degrees between the turns about Z that are tried where a mesh may have any."""


def check_mesh(mesh: Mesh) -> None:
    """Check that a mesh has faces, finite coordinates of a usable size and finite colours; a CharacterError if not."""
    if len(mesh.faces) == 0:
        raise CharacterError("the mesh is empty")
    for name in ("vertices", "colors", "uv", "normals"):
        values = getattr(mesh, name)
        if values is not None and not np.isfinite(values).all():
            raise CharacterError(f"the mesh is not finite: {np.count_nonzero(~np.isfinite(values))} of its {name}")
    low, high = mesh.bounds()
    if not float(np.max(high - low)) > 0:
        raise CharacterError("the mesh has no size: all of its vertices lie at one place")
    if float(max(-low.min(), high.max())) > FARTHEST:
        raise CharacterError(f"the mesh has coordinates beyond {FARTHEST:,.0f}")


def check_generated(mesh: Mesh, image: NDArray[np.uint8], *, any_yaw: bool = False) -> None:
    """Check that a generated mesh may be what the picture shows.

    Args:
        mesh: in the axes of the frame, in any place; without vertices that no face uses.
        image: (S, S, 4) uint8, straight alpha: the picture that it was made from.
        any_yaw: whether it may be turned about Z, which registration then undoes.

    Raises:
        CharacterError: naming the first that fails of `check_mesh`, size, volume, share of crumbs and frontal IoU;
            a `LowQualityError` without pictures for the last two.
    """
    check_mesh(mesh)
    low, high = mesh.bounds()
    extent = float(np.max(high - low))
    if not LEAST_EXTENT <= extent <= MOST_EXTENT:
        raise CharacterError(f"the mesh is {extent:.3g} units large, not {LEAST_EXTENT:g} to {MOST_EXTENT:g}")
    parts = topology(mesh)
    volume = closed_volume(parts)
    if volume is not None and volume <= 0:
        raise CharacterError(
            f"the mesh is inside out: its closed parts have a volume of {volume:.3g}; reverse the order of each face's "
            "corners, which a mirror turns round"
        )
    share, least = share_of_parts(parts), WHOLE * _largest_piece(image)
    if share < least:
        reason = f"larger parts hold {share:.0%} of its surface, and this picture needs {least:.0%}"
        raise LowQualityError(f"the mesh is all crumbs: {reason}", {})
    best = 0.0
    for yaw in range(0, 360 if any_yaw else 1, YAW_STEP):
        best = max(best, _frontal_iou(mesh.rotated(Camera(float(yaw), SIZE).turn()) if yaw else mesh, image))
        if best >= LEAST_FRONTAL_IOU:
            return
    reason = f"its frontal silhouette has an IoU of {best:.2f}, and {LEAST_FRONTAL_IOU:.2f} is needed"
    raise LowQualityError(f"the mesh does not look like the picture: {reason}", {})


def closed_volume(parts: Topology) -> float | None:
    """Signed volume of the parts without a border, in cubic units, positive where faces turn outwards; None without."""
    closed = parts.volumes[~np.isnan(parts.volumes)]
    return float(closed.sum()) if len(closed) else None


def share_of_parts(parts: Topology) -> float:
    """Share 0-1 of the surface in connected parts of at least `PART` of it."""
    shares = parts.areas / max(parts.areas.sum(), 1e-300)
    return float(shares[shares >= PART].sum())


def _largest_piece(image: NDArray[np.uint8]) -> float:
    """Share 0-1 of the silhouette's area that its largest connected part holds."""
    labels, count = scipy.ndimage.label(image[..., 3] >= HALF_COVERED, structure=np.ones((3, 3)))
    if count == 0:
        return 0.0
    areas = np.bincount(labels.ravel())[1:].astype(np.float64)
    areas = areas[areas >= MARK * areas.sum()]
    return float(areas.max() / areas.sum())


def _frontal_iou(mesh: Mesh, image: NDArray[np.uint8]) -> float:
    """IoU 0-1 of the frontal silhouettes of a mesh and the picture: small, in the picture's pixels for thin lines, or
    with the mesh brought to the height and the centre of the figure, whichever first suffices, else the best."""
    alpha = Image.fromarray(np.ascontiguousarray(image[..., 3]))
    small = np.asarray(alpha.resize((SIZE, SIZE), Image.Resampling.BOX)) >= HALF_COVERED
    best = 0.0
    for target in (small, image[..., 3] >= HALF_COVERED):
        best = max(best, iou(_silhouette(mesh, len(target)), target, empty=0.0))
        if best >= LEAST_FRONTAL_IOU:
            return best
    return max(best, iou(_silhouette(fitted(mesh, small), SIZE), small, empty=0.0)) if small.any() else best


def _silhouette(mesh: Mesh, size: int) -> NDArray[np.bool_]:
    try:
        return np.asarray(np.isfinite(glance(mesh, [Camera(0.0, size)])[0]))
    except CharacterError:
        # Too far outside of the frame to be drawn there.
        return np.zeros((size, size), np.bool_)
