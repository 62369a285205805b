"""Compiled resolution of visibility into layers: every pixel's colour, coverage and position."""

from __future__ import annotations

import numpy as np

from specsia_build.jit import compiled, inlined
from specsia_build.rendering.colour import DECODE, DECODE_STEPS, ENCODE, ENCODE_STEPS
from specsia_build.rendering.raster import LANES, NO_FACE, SAMPLE_X, SAMPLE_Y, SAMPLES, SUBPIXEL
from specsia_build.rendering.shading import (
    CORNERS,
    FACTS,
    NEAREST,
    NO_TEXTURE,
    PLAIN,
    PLANES,
    ROUGH,
    TAPS_X,
    TAPS_Y,
    TEXTURE,
    WA,
    WB,
    WC,
    U,
    V,
    at,
    color_at,
    load_face,
    plain_mean,
    texel_at,
)
from specsia_build.rendering.textures import sample

CONTRAST, ROUGH_CONTRAST = 24, 64
"""Step between neighbouring pixels, in 8-bit levels, from which both are sampled closely; the second where a rough
texture, which is averaged over the pixel anyway, explains smaller ones."""

MOST_LOOKS = 32
"""Look-ups within a pixel where texels have hard borders."""


@inlined
def encode(value):  # type: ignore[no-untyped-def]
    """sRGB byte of linear light 0-1."""
    return ENCODE[int(value * np.float32(ENCODE_STEPS) + np.float32(0.5))]


@inlined
def _place_run(row, first, end, planes, facts, positions, position):  # type: ignore[no-untyped-def]
    """Positions of the loaded face over the pixels [first, end) of a row: each coordinate is linear along it."""
    x, y = first + 0.5, row + 0.5
    wa, wb, wc = at(planes, WA, x, y), at(planes, WB, x, y), at(planes, WC, x, y)
    da, db, dc = planes[WA, 1], planes[WB, 1], planes[WC, 1]
    a, b, c = facts[CORNERS], facts[CORNERS + 1], facts[CORNERS + 2]
    for k in range(3):
        start = wa * positions[a, k] + wb * positions[b, k] + wc * positions[c, k]
        step = da * positions[a, k] + db * positions[b, k] + dc * positions[c, k]
        for column in range(first, end):
            position[row, column, k] = start + step * (column - first)


@inlined
def _look_along_run(row, first, end, planes, facts, texels, color):  # type: ignore[no-untyped-def]
    """Colours of the loaded face, plain and with one look-up a pixel, over the pixels [first, end) of a row."""
    offset, w, h = facts[TEXTURE], facts[TEXTURE + 1], facts[TEXTURE + 2]
    x, y, half = first + 0.5, row + 0.5, np.float32(0.5)
    u0, v0 = np.float32(at(planes, U, x, y) * w - 0.5), np.float32(at(planes, V, x, y) * h - 0.5)
    du, dv = np.float32(planes[U, 1] * w), np.float32(planes[V, 1] * h)
    last = np.float32(end - 1 - first)
    u1, v1 = u0 + du * last, v0 + dv * last
    inside = min(u0, u1, v0, v1) >= 0 and max(u0, u1) < w - 1 and max(v0, v1) < h - 1
    if inside and not facts[NEAREST]:
        for column in range(first, end):
            i = np.float32(column - first)
            u, v = u0 + du * i, v0 + dv * i
            iu, iv = int(u), int(v)
            au, av = u - np.float32(iu), v - np.float32(iv)
            w11 = au * av
            w10, w01 = av - w11, au - w11
            w00 = np.float32(1) - au - w10
            k = offset + iv * w + iu
            m = k + w
            for c in range(3):
                level = w00 * texels[k, c] + w01 * texels[k + 1, c] + w10 * texels[m, c] + w11 * texels[m + 1, c]
                color[row, column, c] = int(level + half)
    else:
        for column in range(first, end):
            r, g, b, _ = texel_at(column + 0.5, y, TEXTURE, planes, facts, texels)
            color[row, column, 0] = int(r + half)
            color[row, column, 1] = int(g + half)
            color[row, column, 2] = int(b + half)


@compiled
def resolve_centres(ids, sx, sy, surface, textures, box, color, coverage, position):  # type: ignore[no-untyped-def]
    """Shade every pixel as if the face at its centre covered all of it."""
    planes, facts = np.empty((PLANES, 3), np.float64), np.empty(FACTS, np.int64)
    texels = textures.texels
    loaded = NO_FACE
    for row in range(box[0], box[1]):
        first = box[2]
        while first < box[3]:
            f = ids[row, first]
            end = first + 1
            while end < box[3] and ids[row, end] == f:
                end += 1
            if f >= 0:
                if f != loaded:
                    loaded = f
                    load_face(f, sx, sy, surface, textures, planes, facts)
                nx, ny = facts[TAPS_X], facts[TAPS_Y]
                if facts[PLAIN] and nx * ny == 1:
                    _look_along_run(row, first, end, planes, facts, texels, color)
                else:
                    for column in range(first, end):
                        red, green, blue = np.float32(0), np.float32(0), np.float32(0)
                        if facts[PLAIN]:
                            red, green, blue = plain_mean(column, row, planes, facts, texels)
                        else:
                            share = np.float32(1.0 / (nx * ny))
                            for j in range(ny):
                                for i in range(nx):
                                    x, y = column + (i + 0.5) / nx, row + (j + 0.5) / ny
                                    r, g, b, _ = color_at(x, y, planes, facts, texels)
                                    red += r * share
                                    green += g * share
                                    blue += b * share
                        color[row, column, 0] = encode(red)
                        color[row, column, 1] = encode(green)
                        color[row, column, 2] = encode(blue)
                for column in range(first, end):
                    color[row, column, 3] = 255
                    coverage[row, column] = 255
                _place_run(row, first, end, planes, facts, surface.positions, position)
            first = end


@compiled
def mark_contrast(ids, part, rough, color, box, marked):  # type: ignore[no-untyped-def]
    """Mark neighbours that belong to different parts of the surface or differ much in colour."""
    size = ids.shape[0]
    for y in range(box[0], box[1]):
        for x in range(box[2], box[3]):
            f = ids[y, x]
            for k in range(2):
                y2, x2 = (y, x + 1) if k == 0 else (y + 1, x)
                if y2 >= size or x2 >= size:
                    continue
                g = ids[y2, x2]
                if f == g or (marked[y, x] and marked[y2, x2]):
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
def _corner_weights(a, b, c, x, y, sx, sy):  # type: ignore[no-untyped-def]
    """Weights of the corners a, b, c of a face at a screen point."""
    px, py = x * 256.0, y * 256.0
    ax, ay, bx, by, cx, cy = sx[a], sy[a], sx[b], sy[b], sx[c], sy[c]
    inverse = 1.0 / np.float64((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    wb = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) * inverse
    wc = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) * inverse
    wa = 1.0 - wb - wc
    return wa, wb, wc


@inlined
def _quick_look(f, x, y, sx, sy, surface, textures):  # type: ignore[no-untyped-def]
    """Linear RGB of a plain, smooth face at a screen point, without its planes."""
    a, b, c = surface.faces[f, 0], surface.faces[f, 1], surface.faces[f, 2]
    wa, wb, wc = _corner_weights(a, b, c, x, y, sx, sy)
    uv = surface.uv
    u = wa * uv[f, 0, 0] + wb * uv[f, 1, 0] + wc * uv[f, 2, 0]
    v = wa * uv[f, 0, 1] + wb * uv[f, 1, 1] + wc * uv[f, 2, 1]
    t = surface.texture[surface.material[f]]
    offset, w, h = textures.levels[t, 0, 0], textures.levels[t, 0, 1], textures.levels[t, 0, 2]
    r, g, b_, _ = sample(textures.texels, offset, w, h, textures.wrap[t, 0], textures.wrap[t, 1], False, u, v)
    half = np.float32(0.5)
    return (
        DECODE[int(r * DECODE_STEPS + half)],
        DECODE[int(g * DECODE_STEPS + half)],
        DECODE[int(b_ * DECODE_STEPS + half)],
    )


@compiled
def _place_quickly(f, x, y, sx, sy, surface, position, row, column):  # type: ignore[no-untyped-def]
    """Write the position attribute of a face at a screen point into `position` at a pixel, without its planes."""
    a, b, c = surface.faces[f, 0], surface.faces[f, 1], surface.faces[f, 2]
    wa, wb, wc = _corner_weights(a, b, c, x, y, sx, sy)
    p = surface.positions
    for k in range(3):
        position[row, column, k] = wa * p[a, k] + wb * p[b, k] + wc * p[c, k]


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
def _shade_samples(row, column, who, base, f, count, wanted, planes, facts, texels):  # type: ignore[no-untyped-def]
    """Mean linear RGB of the loaded face `f` over about `wanted` of the `count` samples of a pixel that it won."""
    stride = max(1, count // wanted)
    red, green, blue = np.float32(0), np.float32(0), np.float32(0)
    seen, taken = 0, 0
    for s in range(SAMPLES):
        if who[base + s] != f:
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
def resolve_samples(pixels, ids, quick, sx, sy, surface, textures, color, coverage, position):  # type: ignore[no-untyped-def]
    """Replace each numbered pixel by the mean of its samples in linear light.

    `quick` (F,) says which faces are plain and smooth, so that a single look without planes will do.
    """
    size = color.shape[0]
    who = ids.reshape(-1)
    planes, facts = np.empty((PLANES, 3), np.float64), np.empty(FACTS, np.int64)
    texels = textures.texels
    distinct = np.empty(LANES, np.int32)
    counts = np.empty(LANES, np.int32)
    x_sums, y_sums = np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    for slot in range(len(pixels)):
        row, column = pixels[slot] // size, pixels[slot] % size
        base = slot * LANES
        same = True
        for s in range(1, SAMPLES):
            same &= who[base + s] == who[base]
        if same and who[base] >= 0:
            continue
        n, total, closest = 0, 0, -1
        for s in range(SAMPLES):
            f = who[base + s]
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
            x = column + 0.5 + x_sums[k] / (counts[k] * SUBPIXEL)
            y = row + 0.5 + y_sums[k] / (counts[k] * SUBPIXEL)
            if quick[f]:
                r, g, b = _quick_look(f, x, y, sx, sy, surface, textures)
            else:
                load_face(f, sx, sy, surface, textures, planes, facts)
                wanted = _wanted_looks(planes, facts)
                if wanted == 1:
                    r, g, b, _ = color_at(x, y, planes, facts, texels)
                else:
                    r, g, b = _shade_samples(row, column, who, base, f, counts[k], wanted, planes, facts, texels)
            red += counts[k] * r
            green += counts[k] * g
            blue += counts[k] * b
        x = column + 0.5 + SAMPLE_X[closest] / SUBPIXEL
        y = row + 0.5 + SAMPLE_Y[closest] / SUBPIXEL
        _place_quickly(who[base + closest], x, y, sx, sy, surface, position, row, column)
        share = np.float32(1.0 / total)
        color[row, column, 0] = encode(red * share)
        color[row, column, 1] = encode(green * share)
        color[row, column, 2] = encode(blue * share)
