"""Compiled resolution of visibility into layers: every pixel's colour, coverage and position."""

from __future__ import annotations

import numpy as np

from specsia_build.jit import compiled, inlined
from specsia_build.rendering.colour import ENCODE, ENCODE_STEPS
from specsia_build.rendering.raster import LANES, NO_FACE, SAMPLE_X, SAMPLE_Y, SAMPLES, SUBPIXEL
from specsia_build.rendering.shading import (
    FACTS,
    NEAREST,
    NO_TEXTURE,
    PLAIN,
    PLANES,
    ROUGH,
    TAPS_X,
    TAPS_Y,
    TEXTURE,
    U,
    V,
    color_at,
    load_face,
    place_position,
    plain_mean,
    texel_at,
)

CONTRAST, ROUGH_CONTRAST = 24, 64
"""Step between neighbouring pixels, in 8-bit levels, from which both are sampled closely; the second where a rough
texture, which is averaged over the pixel anyway, explains smaller ones."""

MOST_LOOKS = 32
"""Look-ups within a pixel where texels have hard borders."""


@inlined
def encode(value):  # type: ignore[no-untyped-def]
    """sRGB byte of linear light 0-1."""
    return ENCODE[int(value * np.float32(ENCODE_STEPS) + np.float32(0.5))]


@compiled
def resolve_centres(ids, sx, sy, surface, textures, color, coverage, position):  # type: ignore[no-untyped-def]
    """Shade every pixel as if the face at its centre covered all of it."""
    size = ids.shape[0]
    planes, facts = np.empty((PLANES, 3), np.float64), np.empty(FACTS, np.int64)
    texels = textures.texels
    last = NO_FACE
    for row in range(size):
        y = row + 0.5
        for column in range(size):
            f = ids[row, column]
            if f < 0:
                continue
            if f != last:
                last = f
                load_face(f, sx, sy, surface, textures, planes, facts)
            x = column + 0.5
            nx, ny = facts[TAPS_X], facts[TAPS_Y]
            if facts[PLAIN] and nx * ny == 1:
                r, g, b, _ = texel_at(x, y, TEXTURE, planes, facts, texels)
                color[row, column, 0] = int(r + np.float32(0.5))
                color[row, column, 1] = int(g + np.float32(0.5))
                color[row, column, 2] = int(b + np.float32(0.5))
            else:
                red, green, blue = np.float32(0), np.float32(0), np.float32(0)
                if facts[PLAIN]:
                    red, green, blue = plain_mean(column, row, planes, facts, texels)
                else:
                    for j in range(ny):
                        for i in range(nx):
                            r, g, b, _ = color_at(column + (i + 0.5) / nx, row + (j + 0.5) / ny, planes, facts, texels)
                            red += r
                            green += g
                            blue += b
                    share = np.float32(1.0 / (nx * ny))
                    red, green, blue = red * share, green * share, blue * share
                color[row, column, 0] = encode(red)
                color[row, column, 1] = encode(green)
                color[row, column, 2] = encode(blue)
            color[row, column, 3] = 255
            coverage[row, column] = 255
            place_position(x, y, planes, facts, surface.positions, position, row, column)


@compiled
def mark_contrast(ids, part, rough, color, marked):  # type: ignore[no-untyped-def]
    """Mark neighbours that belong to different parts of the surface or differ much in colour."""
    size = ids.shape[0]
    for y in range(size):
        for x in range(size):
            f = ids[y, x]
            for k in range(2):
                y2, x2 = (y, x + 1) if k == 0 else (y + 1, x)
                if y2 >= size or x2 >= size or (marked[y, x] and marked[y2, x2]):
                    continue
                g = ids[y2, x2]
                if f == g:
                    continue
                differs = f < 0 or g < 0 or part[f] != part[g]
                if not differs:
                    most = ROUGH_CONTRAST if rough[f] and rough[g] else CONTRAST
                    for c in range(3):
                        if abs(np.int32(color[y, x, c]) - np.int32(color[y2, x2, c])) > most:
                            differs = True
                if differs:
                    marked[y, x] = True
                    marked[y2, x2] = True


@inlined
def _wanted_looks(planes, facts):  # type: ignore[no-untyped-def]
    """Look-ups that a pixel's share of the loaded face deserves: more where its texture changes within the pixel."""
    if not facts[ROUGH] or facts[TEXTURE] == NO_TEXTURE:
        return 1
    if facts[NEAREST]:
        return MOST_LOOKS
    w, h = facts[TEXTURE + 1], facts[TEXTURE + 2]
    span = max(abs(planes[U, 1] * w), abs(planes[V, 1] * h), abs(planes[U, 2] * w), abs(planes[V, 2] * h))
    return 1 if span < 0.25 else (4 if span < 1.0 else 8)


@compiled
def _shade_samples(row, column, who, f, count, wanted, planes, facts, texels):  # type: ignore[no-untyped-def]
    """Mean linear RGB of the loaded face `f` over about `wanted` of the `count` samples of a pixel that it won."""
    stride = max(1, count // wanted)
    red, green, blue = np.float32(0), np.float32(0), np.float32(0)
    seen, taken = 0, 0
    for s in range(SAMPLES):
        if who[s] != f:
            continue
        if seen % stride == 0:
            x = column + 0.5 + SAMPLE_X[s] / SUBPIXEL
            y = row + 0.5 + SAMPLE_Y[s] / SUBPIXEL
            r, g, b, _ = color_at(x, y, planes, facts, texels)
            red += r
            green += g
            blue += b
            taken += 1
        seen += 1
    share = np.float32(1.0 / taken)
    return red * share, green * share, blue * share


@compiled
def resolve_samples(pixels, ids, sx, sy, surface, textures, color, coverage, position):  # type: ignore[no-untyped-def]
    """Replace each numbered pixel by the mean of its samples in linear light."""
    size = color.shape[0]
    planes, facts = np.empty((PLANES, 3), np.float64), np.empty(FACTS, np.int64)
    texels = textures.texels
    distinct = np.empty(LANES, np.int32)
    counts = np.empty(LANES, np.int32)
    x_sums, y_sums = np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    for slot in range(len(pixels)):
        row, column = pixels[slot] // size, pixels[slot] % size
        who = ids[slot]
        same = True
        for s in range(1, SAMPLES):
            same &= who[s] == who[0]
        if same and who[0] >= 0:
            continue
        n, total, closest = 0, 0, -1
        for s in range(SAMPLES):
            f = who[s]
            if f < 0:
                continue
            if closest < 0:
                closest = s
            total += 1
            k = 0
            while k < n and distinct[k] != f:
                k += 1
            if k == n:
                distinct[n] = f
                counts[n], x_sums[n], y_sums[n] = 0, 0, 0
                n += 1
            counts[k] += 1
            x_sums[k] += SAMPLE_X[s]
            y_sums[k] += SAMPLE_Y[s]
        alpha = (total * 255 * 2 + SAMPLES) // (2 * SAMPLES)
        coverage[row, column] = alpha
        color[row, column, 3] = alpha
        if total == 0:
            for c in range(3):
                color[row, column, c] = 0
                position[row, column, c] = 0
            continue
        red, green, blue = np.float32(0), np.float32(0), np.float32(0)
        for k in range(n):
            f = distinct[k]
            load_face(f, sx, sy, surface, textures, planes, facts)
            wanted = _wanted_looks(planes, facts)
            if wanted == 1:
                x = column + 0.5 + x_sums[k] / (counts[k] * SUBPIXEL)
                y = row + 0.5 + y_sums[k] / (counts[k] * SUBPIXEL)
                r, g, b, _ = color_at(x, y, planes, facts, texels)
            else:
                r, g, b = _shade_samples(row, column, who, f, counts[k], wanted, planes, facts, texels)
            red += counts[k] * r
            green += counts[k] * g
            blue += counts[k] * b
            if f == who[closest]:
                x = column + 0.5 + SAMPLE_X[closest] / SUBPIXEL
                y = row + 0.5 + SAMPLE_Y[closest] / SUBPIXEL
                place_position(x, y, planes, facts, surface.positions, position, row, column)
        share = np.float32(1.0 / total)
        color[row, column, 0] = encode(red * share)
        color[row, column, 1] = encode(green * share)
        color[row, column, 2] = encode(blue * share)
