"""Layers of translucent faces, peeled from front to back at every sample and averaged in linear light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled
from specsia_build.rendering import raster
from specsia_build.rendering.prepare import BLEND, Prepared
from specsia_build.rendering.raster import LANES, NO_FACE, SAMPLE_X, SAMPLE_Y, SAMPLES, SUBPIXEL
from specsia_build.rendering.resolve import encode
from specsia_build.rendering.shading import FACTS, PLANES, color_at, load_face, place_position

MOST_LAYERS = 64
"""Translucent layers that are told apart behind one another; further ones are opaque anyway for any opacity seen."""

LEAST_SEEN = 1 / 255
"""Opacity from which a surface counts as there, for coverage and for position."""

LEAST_LIGHT = 1 / 8192
"""Share of light below which what lies behind cannot change a byte: the steepest one is 1 / 3295 of linear light."""


@compiled
def _accumulate(pixels, ids, seen, through, light, sx, sy, surface, textures, size, opaque):  # type: ignore[no-untyped-def]
    """Add one layer's light behind what `through` (S, LANES) still lets pass; returns whether any sample was hit.

    `seen` (S, LANES) takes the face where none that can be seen lies in front.
    """
    planes, facts = np.empty((PLANES, 3), np.float64), np.empty(FACTS, np.int64)
    any_hit = False
    for slot in range(len(pixels)):
        row, column = pixels[slot] // size, pixels[slot] % size
        last = NO_FACE
        for s in range(SAMPLES):
            f = ids[slot, s]
            if f < 0 or through[slot, s] < LEAST_LIGHT:
                continue
            any_hit = True
            if f != last:
                last = f
                load_face(f, sx, sy, surface, textures, planes, facts)
            x = column + 0.5 + SAMPLE_X[s] / SUBPIXEL
            y = row + 0.5 + SAMPLE_Y[s] / SUBPIXEL
            r, g, b, a = color_at(x, y, planes, facts, textures.texels)
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
    pixels, touched, seen, sx, sy, surface, textures, size, through, light, color, coverage, position
):
    """Write the touched pixels: mean light over mean opacity, and the nearest surface's position."""
    planes, facts = np.empty((PLANES, 3), np.float64), np.empty(FACTS, np.int64)
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
        load_face(seen[slot, closest], sx, sy, surface, textures, planes, facts)
        x = column + 0.5 + SAMPLE_X[closest] / SUBPIXEL
        y = row + 0.5 + SAMPLE_Y[closest] / SUBPIXEL
        place_position(x, y, planes, facts, surface.positions, position, row, column)


def compose(
    prepared: Prepared,
    screen: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
    drawn: NDArray[np.int32],
    slots: NDArray[np.int32],
    pixels: NDArray[np.int32],
    opaque_depth: NDArray[np.float32],
    opaque_ids: NDArray[np.int32],
    color: NDArray[np.uint8],
    coverage: NDArray[np.uint8],
    position: NDArray[np.float32],
) -> None:
    """Put the translucent faces of `prepared` over an opaque picture, in place."""
    surface, textures, classes = prepared.surface, prepared.textures, prepared.alpha_class
    size = color.shape[0]
    through = np.ones((len(pixels), LANES), np.float32)
    light = np.zeros((len(pixels), 3), np.float64)
    behind = np.full((len(pixels), LANES), -np.inf, np.float32)
    touched = np.zeros(len(pixels), np.bool_)
    seen = np.full((len(pixels), LANES), NO_FACE, np.int32)
    state = (seen, through, light, *screen[:2], surface, textures, size)
    for _ in range(MOST_LAYERS):
        ids = np.full((len(pixels), LANES), NO_FACE, np.int32)
        depth = opaque_depth.copy()
        raster.draw_samples(*screen, surface, textures, classes, drawn, BLEND, slots, behind, depth, ids)
        touched |= (ids[:, :SAMPLES] >= 0).any(axis=1)
        if not _accumulate(pixels, ids, *state, False):
            break
        behind = depth
        behind[ids < 0] = np.inf
    _accumulate(pixels, opaque_ids, *state, True)
    _place(pixels, touched, seen, *screen[:2], surface, textures, size, through, light, color, coverage, position)
