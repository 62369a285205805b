"""Checks of the images of one pair: functions of pixels that return sentences, none if nothing is wrong."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specsia_build.dataset.images import edge_image, window_of
from specsia_build.frame import Camera, decode_position
from specsia_build.registration import iou
from specsia_build.rendering.contour import MOST_THICKNESS, draw_contour

Pixels = NDArray[np.uint8]

Box = tuple[Sequence[float], Sequence[float]]
"""Smallest and largest x, y, z, in units."""

LANDING_PX, LANDING_SIZE = 1.5, 512
"""Largest median distance of a position from its own pixel, in an image of up to so many pixels; in a larger one a step
of the 8-bit colours spans more pixels, and the bound grows with it."""

DRIFT_PX = 0.6
"""Largest median signed distance along rows or columns: rounding leaves none, a shifted image all of its shift."""

MOST_STRAYS, FEW_PIXELS = 0.002, 64
"""Share of fully covered pixels that may land further than twice `LANDING_PX`, and their least number for a check."""

MOST_OFF_GREY, GREY_TOLERANCE = 0.05, 16
"""Share of the contour's pixels that may be off its grey by more than so many levels."""

LEAST_INK, MOST_INK = 0.2, 4.0
"""Ink of the contour against one drawn anew around `gt_mask`. Wide, as renderers differ in how they draw a line and it
follows the surface where that is transparent."""

MOVED = 0.8
"""`gt` is shifted if a step of one pixel leaves at most this share of its misfit with silhouette and contour."""

MOST_OTHER_EDGES = 1e-4
"""Share of pixels whose edge may differ, for a gradient at the threshold on another kind of processor."""

IOU_TOLERANCE = 1e-6

_STEPS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}


def extra_chunks(data: bytes) -> list[str]:
    """Names of a PNG's chunks beyond header, pixels and end; `trailing bytes` for what follows the end.

    Of a broken file, those up to where it breaks.
    """
    extra: list[str] = []
    at = 8
    while at + 12 <= len(data):
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        at += 12 + length
        if kind == b"IEND":
            return [*extra, "trailing bytes"] if at < len(data) else extra
        if kind not in (b"IHDR", b"IDAT"):
            extra.append(kind.decode("latin-1"))
    return extra


def _coloured_outside(rgba: Pixels) -> int:
    """Number of pixels of (H, W, 4) that have colour though their alpha is 0."""
    return int(np.count_nonzero((rgba.view(np.uint32)[..., 0] != 0) & (rgba[..., 3] == 0)))


def check_alpha(color: Pixels, mask: Pixels, pos: Pixels) -> list[str]:
    """Check that `mask` is the alpha of `color` and `pos`, and their RGB is 0 where alpha is."""
    problems = []
    for name, image in (("color", color), ("pos", pos)):
        if other := int(np.count_nonzero(image[..., 3] != mask)):
            problems.append(f"mask differs from the alpha of {name} in {other} pixels")
        if coloured := _coloured_outside(image):
            problems.append(f"{name} has colour in {coloured} pixels whose alpha is 0")
    return problems


def check_contour(gt: Pixels, gt_mask: Pixels, thickness: int, grey: int) -> list[str]:
    """Check that `gt` covers `gt_mask` and has a contour of about the thickness and grey around it."""
    if not gt_mask.any():
        return ["gt_mask is empty"]
    if not 0 <= grey <= 255 or not 1 <= thickness <= MOST_THICKNESS:
        return [f"a contour of {thickness} px and grey {grey} cannot be"]
    problems = []
    if coloured := _coloured_outside(gt):
        problems.append(f"gt has colour in {coloured} pixels whose alpha is 0")
    window = window_of((gt[..., 3] | gt_mask) > 0, thickness + 2)
    gt, gt_mask = gt[window], np.ascontiguousarray(gt_mask[window])
    alpha, outside = gt[..., 3], gt_mask == 0
    line = draw_contour(np.zeros_like(gt), gt_mask, float(thickness), grey)[..., 3]
    if bare := int(np.count_nonzero(alpha < gt_mask)):
        problems.append(f"gt does not cover gt_mask in {bare} pixels")
    ink, expected_ink = int((alpha * outside).sum()), int((line * outside).sum())
    if expected_ink and not LEAST_INK <= ink / expected_ink <= MOST_INK:
        problems.append(f"gt has {ink / expected_ink:.2f} times the contour that a thickness of {thickness} px gives")
    levels = gt[outside & (alpha > 0), :3].astype(np.int16)
    off = int(np.count_nonzero((abs(levels - grey) > GREY_TOLERANCE).any(axis=-1)))
    if off > MOST_OFF_GREY * len(levels):
        problems.append(f"{off} of {len(levels)} pixels of gt outside of gt_mask are not of the contour's grey {grey}")
    expected = np.minimum(gt_mask.astype(np.int16) + line, 255)
    misfit = _misfit(alpha, expected, 0, 0)
    shifts = [way for way, step in _STEPS.items() if _misfit(alpha, expected, *step) < MOVED * misfit]
    if shifts:
        problems.append(f"gt fits gt_mask better one pixel further: it seems to be shifted {shifts[0]}")
    return problems


def _misfit(alpha: Pixels, expected: NDArray[np.int16], dy: int, dx: int) -> int:
    """Sum of differences between `alpha` and what is `expected`, moved by (dy, dx); both (H, W), without the border."""
    height, width = alpha.shape
    moved = expected[1 - dy : height - 1 - dy, 1 - dx : width - 1 - dx]
    return int(abs(alpha[1:-1, 1:-1] - moved).sum())


def check_edge(edge: Pixels, pos: Pixels) -> list[str]:
    """Check that `edge` is the edge image of `pos`."""
    other = int(np.count_nonzero(edge != edge_image(pos)))
    return [f"edge differs in {other} pixels from the edges of pos"] if other > MOST_OTHER_EDGES * edge.size else []


def landing_errors(pos: Pixels, camera: Camera, box: Box, pos_frame: str) -> NDArray[np.float32]:
    """Distance of each fully covered pixel's position, projected by the camera, from its own pixel.

    Args:
        pos: (H, W, 4) uint8.
        camera: of the view.
        box: that the colours span.
        pos_frame: `character`, or `view` where positions are taken after the view's turn (x right, y away, z up).

    Returns:
        (N, 2): along columns and along rows, in pixels.
    """
    corners = decode_position(np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8), *box)
    if pos_frame == "view":
        corners = corners @ camera.turn()
    origin, *ends = camera.project(corners)[:, :2]
    # Decoding and projection are affine, so that each channel moves a point by its own share of this.
    steps = ((np.array(ends) - origin) / 255).astype(np.float32)
    y, x = np.nonzero(pos[..., 3] == 255)
    errors = pos[y, x, :3].astype(np.float32) @ steps + (origin - 0.5).astype(np.float32)
    errors[:, 0] -= x
    errors[:, 1] -= y
    return np.asarray(errors)


def check_position(pos: Pixels, camera: Camera, box: Box, pos_frame: str) -> list[str]:
    """Check that positions, decoded and projected, land on the pixels that hold them."""
    errors = landing_errors(pos, camera, box, pos_frame)
    if len(errors) < FEW_PIXELS:
        return []
    grown = max(1.0, camera.size / LANDING_SIZE)
    limit, distance = LANDING_PX * grown, np.hypot(*errors.T)
    if (median := float(np.median(distance))) > limit:
        return [f"pos lands {median:.1f} px off its own pixel (median; at most {limit:.1f} px)"]
    right, down = (float(np.median(along)) for along in errors.T)
    if max(abs(right), abs(down)) > DRIFT_PX * grown:
        return [f"pos is shifted by {right:.1f} px to the right and {down:.1f} px down"]
    strays = int(np.count_nonzero(distance > 2 * limit))
    if strays > MOST_STRAYS * len(distance):
        return [f"pos lands more than {2 * limit:.1f} px off its own pixel in {strays} of {len(distance)} pixels"]
    return []


def check_iou(mask: Pixels, gt_mask: Pixels, stored: float) -> list[str]:
    """Check that the stored IoU is that of the masks."""
    actual = iou(mask, gt_mask)
    if abs(actual - stored) <= IOU_TOLERANCE:
        return []
    return [f"iou is {round(stored, 6)} but that of mask and gt_mask is {actual:.6f}"]
