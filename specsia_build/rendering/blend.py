"""Layers of translucent faces, peeled from front to back at every sample and averaged in linear light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined
from specsia_build.rendering.close import Close, next_close
from specsia_build.rendering.fragments import SAMPLE_X, SAMPLE_Y, SAMPLES, Fragments, at_samples
from specsia_build.rendering.lanes import LANES
from specsia_build.rendering.prepare import BLEND, Prepared
from specsia_build.rendering.raster import (
    HALF,
    NO_FACE,
    SUBPIXEL,
    SUBPIXEL_BITS,
    Drawn,
    corners_of,
    depth_of,
    reaches,
    touched,
)
from specsia_build.rendering.resolve import encode
from specsia_build.rendering.shading import Loaded, color_at, place

MOST_LAYERS = 64
"""Translucent layers that are told apart behind one another; further ones are opaque anyway for any opacity seen."""

LEAST_SEEN = 1 / 255
"""Opacity from which a surface counts as there, for coverage and for position."""

LEAST_LIGHT = 1 / 8192
"""Share of light below which what lies behind cannot change a byte: the steepest one is 1 / 3295 of linear light."""


@inlined
def _owned(dx, minus_dy):  # type: ignore[no-untyped-def]
    """0 if points on an edge of that direction are the face's, 1 if the neighbour's, who walks it the other way."""
    return 0 if minus_dy > 0 or (minus_dy == 0 and dx > 0) else 1


@compiled
def _draw_layer(drawn, alpha_class, close, floor, nearest, ids):  # type: ignore[no-untyped-def]
    """Draw the translucent faces that lie behind `floor` at all samples of the close pixels.

    `floor`, `nearest` (S, LANES) float32 and `ids` (S, LANES) int32; the last two are updated where a face is nearer.
    A sample on the edge between two faces hits only one of them; it would else count as two layers.
    """
    slots, rows = close.slots, close.rows
    size = slots.shape[0]
    # One-dimensional, because a row of a matrix costs more to take than to look at.
    near, who, back = nearest.reshape(-1), ids.reshape(-1), floor.reshape(-1)
    fx, fy = SAMPLE_X.astype(np.float32), SAMPLE_Y.astype(np.float32)
    face = drawn.face
    for n in range(len(face)):
        f = face[n]
        if alpha_class[f] != BLEND:
            continue
        ax, ay, bx, by, cx, cy = corners_of(drawn, n)
        x0, x1, y0, y1 = touched(ax, ay, bx, by, cx, cy, size)
        started = False
        for y in range(y0, y1 + 1):
            py = (y << SUBPIXEL_BITS) + HALF
            x = x0 - 1
            while True:
                x = next_close(rows, y, x + 1, x1)
                if x > x1:
                    break
                slot = slots[y, x]
                if not started:
                    started = True
                    reach_ab, reach_bc, reach_ca = reaches(ax, ay, bx, by, cx, cy)
                    za, zb, zc, zx, zy = depth_of(drawn, n, ax, ay, bx, by, cx, cy)
                    u_ab, v_ab = np.int32(ay - by), np.int32(bx - ax)
                    u_bc, v_bc = np.int32(by - cy), np.int32(cx - bx)
                    u_ca, v_ca = np.int32(cy - ay), np.int32(ax - cx)
                    own_ab, own_bc, own_ca = _owned(v_ab, u_ab), _owned(v_bc, u_bc), _owned(v_ca, u_ca)
                px = (x << SUBPIXEL_BITS) + HALF
                e_ab = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
                if e_ab < -reach_ab:
                    continue
                e_bc = (cx - bx) * (py - by) - (cy - by) * (px - bx)
                if e_bc < -reach_bc:
                    continue
                e_ca = (ax - cx) * (py - cy) - (ay - cy) * (px - cx)
                if e_ca < -reach_ca:
                    continue
                z = np.float32(za * e_bc + zb * e_ca + zc * e_ab)
                # Beyond its reach an edge function is positive at all samples, so it may be cut to 32 bits.
                i_ab = np.int32(min(e_ab, reach_ab) - own_ab)
                i_bc = np.int32(min(e_bc, reach_bc) - own_bc)
                i_ca = np.int32(min(e_ca, reach_ca) - own_ca)
                base = slot * LANES
                for s in range(LANES):
                    s_ab = i_ab + u_ab * SAMPLE_X[s] + v_ab * SAMPLE_Y[s]
                    s_bc = i_bc + u_bc * SAMPLE_X[s] + v_bc * SAMPLE_Y[s]
                    s_ca = i_ca + u_ca * SAMPLE_X[s] + v_ca * SAMPLE_Y[s]
                    zs = z + zx * fx[s] + zy * fy[s]
                    if (s_ab | s_bc | s_ca) >= 0 and back[base + s] < zs < near[base + s]:
                        near[base + s] = zs
                        who[base + s] = f


@compiled
def _accumulate(  # type: ignore[no-untyped-def]
    pixels, ids, seen, through, light, rows, planes, facts, texels, size, opaque
):
    """Add one layer's light behind what `through` (S, LANES) still lets pass; returns whether any sample was hit.

    `seen` (S, LANES) takes the face where none that can be seen lies in front.
    """
    any_hit = False
    for slot in range(len(pixels)):
        row, column = pixels[slot] // size, pixels[slot] % size
        for s in range(SAMPLES):
            f = ids[slot, s]
            if f < 0 or through[slot, s] < LEAST_LIGHT:
                continue
            any_hit = True
            i = rows[f]
            x = column + 0.5 + SAMPLE_X[s] / SUBPIXEL
            y = row + 0.5 + SAMPLE_Y[s] / SUBPIXEL
            r, g, b, a = color_at(i, x, y, planes, facts, texels)
            if opaque:
                a = np.float32(1)
            if seen[slot, s] < 0 and a >= LEAST_SEEN:
                seen[slot, s] = f
            part = through[slot, s] * a
            light[slot, 0] += part * r
            light[slot, 1] += part * g
            light[slot, 2] += part * b
            through[slot, s] -= part
    return any_hit


@compiled
def _place(  # type: ignore[no-untyped-def]
    pixels, touched, seen, rows, planes, size, through, light, color, coverage, position
):
    """Write the touched pixels: mean light over mean opacity, and the nearest surface's position."""
    for slot in range(len(pixels)):
        if not touched[slot]:
            continue
        row, column = pixels[slot] // size, pixels[slot] % size
        opacity, hits, closest = 0.0, 0, -1
        for s in range(SAMPLES):
            if seen[slot, s] >= 0:
                hits += 1
                if closest < 0:
                    closest = s
            opacity += 1.0 - through[slot, s]
        alpha = int(opacity / SAMPLES * 255 + 0.5)
        coverage[row, column] = (hits * 255 * 2 + SAMPLES) // (2 * SAMPLES)
        color[row, column, 3] = alpha
        if alpha == 0 or closest < 0:
            color[row, column, 3] = 0
            for c in range(3):
                color[row, column, c] = 0
                position[row, column, c] = 0
            continue
        for c in range(3):
            color[row, column, c] = encode(np.float32(min(1.0, light[slot, c] / opacity)))
        i = rows[seen[slot, closest]]
        x = column + 0.5 + SAMPLE_X[closest] / SUBPIXEL
        y = row + 0.5 + SAMPLE_Y[closest] / SUBPIXEL
        place(i, x, y, planes, position, row, column)


def compose(
    prepared: Prepared,
    drawn: Drawn,
    close: Close,
    fragments: Fragments,
    loaded: Loaded,
    load: Callable[[NDArray[np.int32]], None],
    color: NDArray[np.uint8],
    coverage: NDArray[np.uint8],
    position: NDArray[np.float32],
) -> None:
    """Put the translucent faces of `prepared` over an opaque picture, in place; `load` loads the faces it is given."""
    textures, classes = prepared.textures, prepared.alpha_class
    size, pixels = color.shape[0], close.pixels
    opaque_depth, opaque_ids = at_samples(fragments)
    through = np.ones((len(pixels), LANES), np.float32)
    light = np.zeros((len(pixels), 3), np.float64)
    behind = np.full((len(pixels), LANES), -np.inf, np.float32)
    touched = np.zeros(len(pixels), np.bool_)
    seen = np.full((len(pixels), LANES), NO_FACE, np.int32)
    shading = (loaded.row, loaded.planes, loaded.facts, textures.texels, size)
    for _ in range(MOST_LAYERS):
        ids = np.full((len(pixels), LANES), NO_FACE, np.int32)
        depth = opaque_depth.copy()
        _draw_layer(drawn, classes, close, behind, depth, ids)
        touched |= (ids[:, :SAMPLES] >= 0).any(axis=1)
        load(ids)
        if not _accumulate(pixels, ids, seen, through, light, *shading, False):
            break
        behind = depth
        behind[ids < 0] = np.inf
    _accumulate(pixels, opaque_ids, seen, through, light, *shading, True)
    _place(pixels, touched, seen, loaded.row, loaded.planes, size, through, light, color, coverage, position)
