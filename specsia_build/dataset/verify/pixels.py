"""Checks of the images of one pair: functions of pixels that return sentences, none if nothing is wrong."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specsia_build.dataset.images import edge_image
from specsia_build.dataset.pairs import background
from specsia_build.frame import POSITION_AXES, Camera, decode_position
from specsia_build.jit import compiled
from specsia_build.registration import iou
from specsia_build.rendering.contour import draw_contour

Pixels = NDArray[np.uint8]

_PLAIN_CHUNKS = (b"IHDR", b"IDAT", b"IEND")

LANDING_PX, LANDING_SIZE = 1.5, 512
"""Largest median distance of a position from its own pixel, in an image of up to so many pixels; in a larger one a step
of the 8-bit colours spans more pixels, and the bound grows with it."""

DRIFT_PX = 0.6
"""Largest median signed distance along rows or columns: rounding leaves none, a shifted image all of its shift."""

MOST_STRAYS = 0.002
"""Share of fully covered pixels that may land further than twice `LANDING_PX`."""

FEW_PIXELS = 64
"""Fully covered pixels below which a median means nothing."""

MOST_OFF_GREY, GREY_TOLERANCE = 0.05, 16
"""Share of the contour's pixels that may be off its grey by more than so many levels."""

MOVED = 0.8
"""Share of the misfit of contour and silhouette that a step of one pixel must leave for it to be the cause."""

LEAST_INK, MOST_INK = 0.2, 4.0
"""Ink of the contour against one drawn anew around `gt_mask`. Wide, as renderers differ in how they draw a line and it
follows the surface where that is transparent."""

MOST_OTHER_EDGES = 1e-4
"""Share of pixels whose edge may differ, for a gradient at the threshold on another kind of processor."""

IOU_TOLERANCE = 1e-6

MOST_BARE = 0.002
"""Share of a composited picture that `mask` may cover though nothing is drawn there."""


def extra_chunks(data: bytes) -> list[str]:
    """Names of a PNG's chunks beyond header, pixels and end; `trailing bytes` for what follows the end.

    Of a broken file, those up to where it breaks.
    """
    found, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        at += 12 + length
        if kind not in _PLAIN_CHUNKS:
            found.append(kind.decode("latin-1"))
        if kind == b"IEND":
            if at < len(data):
                found.append("trailing bytes")
            break
    return found


@compiled
def _alpha_counts(rgba, mask):  # type: ignore[no-untyped-def]
    other, coloured = 0, 0
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            if rgba[y, x, 3] != mask[y, x]:
                other += 1
            if rgba[y, x, 3] == 0 and (rgba[y, x, 0] | rgba[y, x, 1] | rgba[y, x, 2]) != 0:
                coloured += 1
    return other, coloured


def check_alpha(color: Pixels, mask: Pixels, pos: Pixels) -> list[str]:
    """Check that `mask` is the alpha of `color` and `pos`, and their RGB is 0 where alpha is."""
    found = []
    for name, image in (("color", color), ("pos", pos)):
        other, coloured = _alpha_counts(image, mask)
        if other:
            found.append(f"mask differs from the alpha of {name} in {other} pixels")
        if coloured:
            found.append(f"{name} has colour in {coloured} pixels whose alpha is 0")
    return found


@compiled
def _contour_counts(gt, gt_mask, drawn, grey, tolerance):  # type: ignore[no-untyped-def]
    bare, coloured, outside, off, ink, expected = 0, 0, 0, 0, 0, 0
    for y in range(gt_mask.shape[0]):
        for x in range(gt_mask.shape[1]):
            alpha, own = np.int64(gt[y, x, 3]), np.int64(gt_mask[y, x])
            if alpha < own:
                bare += 1
            if own != 0:
                continue
            if alpha == 0:
                if (gt[y, x, 0] | gt[y, x, 1] | gt[y, x, 2]) != 0:
                    coloured += 1
            else:
                outside += 1
                ink += alpha  # type: ignore[assignment]
                for k in range(3):
                    if abs(np.int64(gt[y, x, k]) - grey) > tolerance:
                        off += 1
                        break
            expected += drawn[y, x, 3]
    return bare, coloured, outside, off, ink, expected


@compiled
def _misfit(alpha, drawn, gt_mask, dy, dx):  # type: ignore[no-untyped-def]
    """Distance of alpha from silhouette and contour together, both moved by (dy, dx)."""
    height, width = gt_mask.shape
    total = 0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            v, u = y - dy, x - dx
            wanted = np.int64(gt_mask[v, u]) + np.int64(drawn[v, u, 3])
            total += abs(np.int64(alpha[y, x]) - min(255, wanted))  # type: ignore
    return total


def _moved(gt: Pixels, drawn: Pixels, gt_mask: Pixels) -> str | None:
    alpha = np.ascontiguousarray(gt[..., 3])
    still = _misfit(alpha, drawn, gt_mask, 0, 0)
    for dy, dx, way in ((0, 1, "right"), (0, -1, "left"), (1, 0, "down"), (-1, 0, "up")):
        if _misfit(alpha, drawn, gt_mask, dy, dx) < MOVED * still:
            return way
    return None


def check_contour(gt: Pixels, gt_mask: Pixels, thickness: int, grey: int) -> list[str]:
    """Check that `gt` covers `gt_mask` and has a contour of about the thickness and grey around it."""
    if not gt_mask.any():
        return ["gt_mask is empty"]
    if not 0 <= grey <= 255 or not 1 <= thickness <= 16:
        return [f"a contour of {thickness} px and grey {grey} cannot be"]
    drawn = draw_contour(np.zeros((*gt_mask.shape, 4), np.uint8), gt_mask, float(thickness), grey)
    bare, coloured, outside, off, ink, expected = _contour_counts(gt, gt_mask, drawn, grey, GREY_TOLERANCE)
    found = []
    if bare:
        found.append(f"gt does not cover gt_mask in {bare} pixels")
    if coloured:
        found.append(f"gt has colour in {coloured} pixels whose alpha is 0")
    if expected and not LEAST_INK <= ink / expected <= MOST_INK:
        found.append(f"gt has {ink / expected:.2f} times the contour that a thickness of {thickness} px gives")
    if off > MOST_OFF_GREY * outside:
        found.append(f"{off} of {outside} pixels of gt outside of gt_mask are not of the contour's grey {grey}")
    way = _moved(gt, drawn, gt_mask)
    if way is not None:
        found.append(f"gt fits gt_mask better one pixel further: it seems to be shifted {way}")
    return found


def check_edge(edge: Pixels, pos: Pixels) -> list[str]:
    """Check that `edge` is the edge image of `pos`."""
    other = int(np.count_nonzero(edge != edge_image(pos)))
    return [f"edge differs in {other} pixels from the edges of pos"] if other > MOST_OTHER_EDGES * edge.size else []


@compiled
def _landing(pos, columns, rows):  # type: ignore[no-untyped-def]
    """Signed distances along columns and rows of every fully covered pixel from where its position lands."""
    height, width = pos.shape[0], pos.shape[1]
    count = 0
    for y in range(height):
        for x in range(width):
            count += pos[y, x, 3] == 255
    dx, dy = np.empty(count, np.float32), np.empty(count, np.float32)
    n = 0
    for y in range(height):
        for x in range(width):
            if pos[y, x, 3] == 255:
                u, v = 0.0, 0.0
                for c in range(3):
                    u += columns[c, pos[y, x, c]]
                    v += rows[c, pos[y, x, c]]
                dx[n], dy[n] = u - (x + 0.5), v - (y + 0.5)
                n += 1
    return dx, dy


def landing_errors(
    pos: Pixels, camera: Camera, box: tuple[Sequence[float], Sequence[float]], pos_frame: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distance of each fully covered pixel's position from its own pixel.

    Args:
        pos: (H, W, 4) uint8.
        camera: of the view.
        box: smallest and largest x, y, z that the colours span, in units.
        pos_frame: `character`, or `view` where positions are taken after the view's turn (x right, y away, z up).

    Returns:
        Along columns and along rows, each (N,) in pixels.
    """
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    codes = decode_position(levels, *box)
    axes = camera.turn() if pos_frame == "view" else np.eye(3)
    # Projection is affine: each axis adds its own share to the pixel of the origin.
    origin = camera.project(np.zeros(3))
    tables = np.stack([camera.project(codes[:, axis, None] * axes[axis]) - origin for axis in POSITION_AXES])
    tables[0] += origin
    dx, dy = _landing(pos, np.ascontiguousarray(tables[..., 0]), np.ascontiguousarray(tables[..., 1]))
    return dx, dy


def check_position(
    pos: Pixels, camera: Camera, box: tuple[Sequence[float], Sequence[float]], pos_frame: str
) -> list[str]:
    """Check that positions, decoded and projected, land on the pixels that hold them."""
    dx, dy = landing_errors(pos, camera, box, pos_frame)
    if len(dx) < FEW_PIXELS:
        return []
    grown = max(1.0, camera.size / LANDING_SIZE)
    distance = np.hypot(dx, dy)
    median, limit = float(np.median(distance)), LANDING_PX * grown
    if median > limit:
        return [f"pos lands {median:.1f} px off its own pixel (median; at most {limit:.1f} px)"]
    drift = float(np.median(dx)), float(np.median(dy))
    if max(abs(drift[0]), abs(drift[1])) > DRIFT_PX * grown:
        return [f"pos is shifted by {drift[0]:.1f} px to the right and {drift[1]:.1f} px down"]
    strays = int(np.count_nonzero(distance > 2 * limit))
    if strays > MOST_STRAYS * len(distance):
        return [f"pos lands more than {2 * limit:.1f} px off its own pixel in {strays} of {len(distance)} pixels"]
    return []


def check_iou(mask: Pixels, gt_mask: Pixels, stored: float | None) -> list[str]:
    """Check that the stored IoU is that of the masks."""
    found = iou(mask, gt_mask)
    if stored is not None and abs(found - stored) <= IOU_TOLERANCE:
        return []
    return [f"iou is {stored if stored is None else round(stored, 6)} but that of mask and gt_mask is {found:.6f}"]


def check_composited_mask(color: Pixels, mask: Pixels, pos: Pixels) -> list[str]:
    """Check that composited pictures are background where `mask` is 0, and drawn where it is 255."""
    found = []
    for name, image in (("color", color), ("pos", pos)):
        outside = int(np.count_nonzero(~background(image) & (mask == 0)))
        if outside:
            found.append(f"{name} is drawn in {outside} pixels outside of mask")
    bare = int(np.count_nonzero(background(color) & background(pos) & (mask == 255)))
    if bare > MOST_BARE * mask.size:
        found.append(f"mask covers {bare} pixels in which color and pos are the background")
    return found
