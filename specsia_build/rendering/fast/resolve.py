"""Compiled conversion of visibility to layers: every pixel's colour, coverage and position."""

import numpy as np

from specsia_build.jit import inlined, uncounted
from specsia_build.rendering.colour import DECODE, DECODE_STEPS, encode
from specsia_build.rendering.fast.fragments import (
    FULL,
    NO_FRAGMENT,
    PIXEL_SAMPLES,
    SAMPLE_X,
    SAMPLE_Y,
    sample_sums,
)
from specsia_build.rendering.fast.lookups import LOOKS, look_along, look_row, mean_row
from specsia_build.rendering.fast.raster import HALF, JUMP, NO_FACE, OUTLINE
from specsia_build.rendering.fast.rows import (
    ROW,
    contrasting,
    differing,
    first_bits,
    lowest,
    marked_as,
    place_row,
)
from specsia_build.rendering.fast.shading import (
    NEAREST,
    NO_TEXTURE,
    PLAIN,
    ROUGH,
    TAPS_X,
    TAPS_Y,
    TEXTURE,
    U,
    V,
    X,
    at,
    color_at,
    place,
    plain_look,
    texel_at,
)
from specsia_build.rendering.fast.textures import EVEN
from specsia_build.rendering.layers import SUBPIXEL
from specsia_build.rendering.vectors import triple

_CONTRAST = 24  # Step between neighbouring pixels in 8-bit levels from which both are sampled closely
ROUGH_CONTRAST = 64  # The same where both are of rough textures, which are averaged over the pixel anyway
JUMP_CONTRAST = 16  # Range of levels among a pixel and its neighbours up to which a jump of colour is ignored
_ROUNDED = 1 / 64  # Texels by which a look-up may be rounded, in a texture of 16384


@inlined
def _place_run(i, row, first, end, planes, position):  # type: ignore[no-untyped-def]
    """Positions of the face in row `i` of `planes` over the pixels [first, end) of a row of the picture."""
    x, y = first + 0.5, row + 0.5
    start = (
        np.float32(at(planes, i, X, x, y)),
        np.float32(at(planes, i, X + 1, x, y)),
        np.float32(at(planes, i, X + 2, x, y)),
    )
    steps = planes[i, X, 1], planes[i, X + 1, 1], planes[i, X + 2, 1]
    for column in range(first, end, ROW):
        on = np.float32(column - first)
        here = start[0] + steps[0] * on, start[1] + steps[1] * on, start[2] + steps[2] * on
        place_row(position, row * position.shape[1] + column, np.int32(end - column), here, steps)


@inlined
def _lies_inside(low, high, size):  # type: ignore[no-untyped-def]
    """Whether look-ups from texel `low` to `high`, however rounded between, have both neighbours."""
    return low >= _ROUNDED and high < size - 1 - _ROUNDED


@inlined
def _light_of(looks, n, c):  # type: ignore[no-untyped-def]
    """Byte of the mean in linear light of channel `c` of `n` look-ups."""
    light = np.float32(0)
    for k in range(n):
        light += DECODE[np.uint32(looks[k, c] * DECODE_STEPS + np.float32(0.5))]
    return encode(light / np.float32(n))


@inlined
def _mean_level(looks, n, c):  # type: ignore[no-untyped-def]
    """The same; of the levels as they are encoded where they hardly differ."""
    low, high = looks[0, c], looks[0, c]
    total = np.float32(0)
    for k in range(n):
        low, high = min(low, looks[k, c]), max(high, looks[k, c])
        total += looks[k, c]
    if high - low <= EVEN:
        return np.uint8(total / np.float32(n) + np.float32(0.5))
    return _light_of(looks, n, c)


@inlined
def _plain_run(i, run, shading, looks, color):  # type: ignore[no-untyped-def]
    """Colours of a plain face with one look-up a pixel or several over the pixels of a row."""
    row, first, end = run
    _, _, planes, facts, texels = shading
    nx, ny = facts[i, TAPS_X], facts[i, TAPS_Y]
    offset = facts[i, TEXTURE]
    w, h = facts[i, TEXTURE + 1], facts[i, TEXTURE + 2]
    # In texels, less half of one: the whole part is the upper left neighbour, the rest its weight.
    du, dv = np.float32(planes[i, U, 1] * w), np.float32(planes[i, V, 1] * h)
    u_x, v_x = du / np.float32(nx), dv / np.float32(nx)
    u_y, v_y = np.float32(planes[i, U, 2] * w / ny), np.float32(planes[i, V, 2] * h / ny)
    x, y = first + 0.5 / nx, row + 0.5 / ny
    u0, v0 = np.float32(at(planes, i, U, x, y) * w - 0.5), np.float32(at(planes, i, V, x, y) * h - 0.5)
    right, down = np.float32((end - first) * nx - 1), np.float32(ny - 1)
    u1, v1 = u0 + u_x * right, v0 + v_x * right
    u2, v2 = u0 + u_y * down, v0 + v_y * down
    u3, v3 = u1 + u_y * down, v1 + v_y * down
    inside = _lies_inside(min(u0, u1, u2, u3), max(u0, u1, u2, u3), w)
    inside &= _lies_inside(min(v0, v1, v2, v3), max(v0, v1, v2, v3), h)
    inside &= facts[i, NEAREST] == 0
    if inside and nx * ny == 1:
        for column in range(first, end, LOOKS):
            step = np.float32(column - first)
            at_u, at_v = u0 + du * step, v0 + dv * step
            to = row * color.shape[1] + column
            look_row(
                texels, color, to, np.int32(end - column), np.int32(offset), np.int32(w), at_u, at_v, du, dv
            )
    elif inside:
        for column in range(first, end, LOOKS):
            room, n = np.int32(end - column), 0
            for j in range(ny):
                for q in range(nx):
                    u = u0, du, u_x * np.float32(q), u_y * np.float32(j)
                    v = v0, dv, v_x * np.float32(q), v_y * np.float32(j)
                    look_along(
                        texels,
                        looks,
                        n,
                        room,
                        np.int32(offset),
                        np.int32(w),
                        u,
                        v,
                        np.float32(column - first),
                    )
                    n += 1
            uneven = mean_row(looks, n, color, row * color.shape[1] + column, room, np.float32(EVEN))
            uneven &= (np.int64(1) << 4 * min(int(room), LOOKS)) - 1
            while uneven != 0:
                c = lowest(uneven)
                uneven &= uneven - 1
                color[row, column + (c >> 2), c & 3] = _light_of(looks, n, c)
    else:
        for column in range(first, end):
            for n in range(nx * ny):
                x, y = column + (n % nx + 0.5) / nx, row + (n // nx + 0.5) / ny
                looks[n, 0], looks[n, 1], looks[n, 2], _ = texel_at(i, x, y, TEXTURE, shading)
            for c in range(3):
                color[row, column, c] = _mean_level(looks, nx * ny, c)


@inlined
def _average_along_run(i, run, shading, color):  # type: ignore[no-untyped-def]
    """Colours of a face that is not plain over the pixels of a row of the picture."""
    row, first, end = run
    facts = shading.facts
    nx, ny = facts[i, TAPS_X], facts[i, TAPS_Y]
    share = np.float32(1.0 / (nx * ny))
    for column in range(first, end):
        red = np.float32(0)
        green = np.float32(0)
        blue = np.float32(0)
        for down in range(ny):
            for right in range(nx):
                x, y = column + (right + 0.5) / nx, row + (down + 0.5) / ny
                r, g, b, _ = color_at(i, x, y, shading)
                red += r * share
                green += g * share
                blue += b * share
        color[row, column, 0] = encode(red)
        color[row, column, 1] = encode(green)
        color[row, column, 2] = encode(blue)


@uncounted
def resolve_centres(runs, shading, looks, out):  # type: ignore[no-untyped-def]
    """Shade every pixel of `runs` as if the face at its centre covered all of it; all faces must be loaded.

    `looks` (MOST_LOOKS * MOST_LOOKS, 4 * LOOKS) float32 is overwritten, and the `PaddedPicture` `out` filled.
    """
    color, coverage, position, seen, sample = out
    rows, _, planes, facts, _ = shading
    for n in range(len(runs)):
        row = runs[n, 0]
        first, end = runs[n, 1], runs[n, 2]
        f = runs[n, 3]
        i = rows[f]
        if facts[i, PLAIN]:
            _plain_run(i, (row, first, end), shading, looks, color)
        else:
            _average_along_run(i, (row, first, end), shading, color)
        for column in range(first, end):
            color[row, column, 3] = 255
            coverage[row, column] = 255
            seen[row, column] = f
            sample[row, column] = 0
        _place_run(i, row, first, end, planes, position)


@inlined
def _fills(f, x, y, sx, sy, faces):  # type: ignore[no-untyped-def]
    """Whether a face covers a whole pixel."""
    px, py = x * SUBPIXEL + HALF, y * SUBPIXEL + HALF
    a, b, c = triple(faces, f)
    sign = 1 if (sx[b] - sx[a]) * (sy[c] - sy[a]) - (sy[b] - sy[a]) * (sx[c] - sx[a]) > 0 else -1
    for k in range(3):
        p, q = (a, b) if k == 0 else ((b, c) if k == 1 else (c, a))
        dx, dy = sx[q] - sx[p], sy[q] - sy[p]
        if sign * (dx * (py - sy[p]) - dy * (px - sx[p])) < (abs(dx) + abs(dy)) * HALF:
            return False
    return True


@inlined
def _is_even(x, y, ids, color):  # type: ignore[no-untyped-def]
    """Whether a pixel and its neighbours are all covered and nearly of one colour."""
    size = ids.shape[0]
    if x == 0 or y == 0 or x == size - 1 or y == size - 1:
        return False
    for v in range(y - 1, y + 2):
        for u in range(x - 1, x + 2):
            if ids[v, u] < 0:
                return False
    for c in range(3):
        low, high = np.uint8(255), np.uint8(0)
        for v in range(y - 1, y + 2):
            for u in range(x - 1, x + 2):
                low, high = min(low, color[v, u, c]), max(high, color[v, u, c])
        if np.int32(high) - np.int32(low) > JUMP_CONTRAST:
            return False
    return True


@inlined
def _step(color, y, x, y2, x2):  # type: ignore[no-untyped-def]
    """Largest difference between the RGB levels of two pixels."""
    red = abs(np.int32(color[y, x, 0]) - np.int32(color[y2, x2, 0]))
    green = abs(np.int32(color[y, x, 1]) - np.int32(color[y2, x2, 1]))
    return max(red, green, abs(np.int32(color[y, x, 2]) - np.int32(color[y2, x2, 2])))


@uncounted
def mark_contrast(ids, shown, part, color, box, marked):  # type: ignore[no-untyped-def]
    """Mark neighbours of different parts or much different colours, and the jumps that show; all `padded`."""
    sx, sy = shown.x, shown.y
    faces = shown.surface.faces
    rough = shown.surface.rough
    size = ids.shape[0]
    bottom, right = box[1] - 1, box[3] - 1
    for y in range(box[0], box[1]):
        for start in range(box[2], box[3], ROW):
            at = y * size + start
            jumps = marked_as(marked, at, JUMP) & first_bits(right + 1 - start)
            while jumps != 0:
                x = start + lowest(jumps)
                jumps &= jumps - 1
                if not _is_even(x, y, ids, color):
                    marked[y, x] = OUTLINE
            for k in range(2):
                other = at + 1 if k == 0 else at + size
                if k == 1 and y == bottom:
                    continue
                pairs = differing(ids, at, other) & first_bits(right - start if k == 0 else right + 1 - start)
                if pairs == 0:
                    continue
                far = contrasting(color, at, other, _CONTRAST)
                while pairs != 0:
                    bit = pairs & -pairs
                    pairs ^= bit
                    x = start + lowest(bit)
                    y2, x2 = (y, x + 1) if k == 0 else (y + 1, x)
                    f, g = ids[y, x], ids[y2, x2]
                    if f < 0 or g < 0 or part[f] != part[g]:
                        marked[y, x] = OUTLINE
                        marked[y2, x2] = OUTLINE
                    elif far & bit != 0:
                        if rough[f] and rough[g] and _step(color, y, x, y2, x2) <= ROUGH_CONTRAST:
                            continue
                        if marked[y, x] != OUTLINE and not _fills(f, x, y, sx, sy, faces):
                            marked[y, x] = OUTLINE
                        if marked[y2, x2] != OUTLINE and not _fills(g, x2, y2, sx, sy, faces):
                            marked[y2, x2] = OUTLINE


@inlined
def _looked_at(i, planes, facts):  # type: ignore[no-untyped-def]
    """Stride of the samples at which a pixel looks up a face; smaller where its texture changes more."""
    if not facts[i, ROUGH] or facts[i, TEXTURE] == NO_TEXTURE:
        return PIXEL_SAMPLES
    if facts[i, NEAREST]:
        return 1
    along_u = max(abs(planes[i, U, 1]), abs(planes[i, U, 2])) * facts[i, TEXTURE + 1]
    along_v = max(abs(planes[i, V, 1]), abs(planes[i, V, 2])) * facts[i, TEXTURE + 2]
    texels = max(along_u, along_v)
    return PIXEL_SAMPLES if texels < 0.25 else (14 if texels < 0.5 else (4 if texels < 1.0 else 2))


@uncounted
def _shade_samples(i, pixel, mask, stride, shading):  # type: ignore[no-untyped-def]
    """Mean linear RGB of a face over every `stride`th of its samples in a pixel."""
    row, column = pixel
    facts = shading.facts
    red = np.float32(0)
    green = np.float32(0)
    blue = np.float32(0)
    taken = 0
    while mask != 0:
        s = lowest(np.int64(mask))
        x = column + 0.5 + SAMPLE_X[s] / SUBPIXEL
        y = row + 0.5 + SAMPLE_Y[s] / SUBPIXEL
        if facts[i, PLAIN]:
            r, g, b = plain_look(i, x, y, shading)
        else:
            r, g, b, _ = color_at(i, x, y, shading)
        red += r
        green += g
        blue += b
        taken += 1
        for _ in range(stride):
            mask &= mask - np.uint64(1)
    share = np.float32(1.0 / taken)
    return red * share, green * share, blue * share


@uncounted
def resolve_fragments(pixels, fragments, shading, out):  # type: ignore[no-untyped-def]
    """Set each numbered pixel of a `PaddedPicture` to its samples' linear mean; all faces must be loaded."""
    color, coverage, position, seen, sample = out
    size = color.shape[0]
    rows, _, planes, facts, _ = shading
    first, following = fragments.first, fragments.following
    face = fragments.face
    masks = fragments.mask
    for slot in range(len(pixels)):
        row, column = pixels[slot] // size, pixels[slot] % size
        g = first[slot]
        if g == NO_FRAGMENT:
            coverage[row, column] = 0
            seen[row, column] = NO_FACE
            for c in range(4):
                color[row, column, c] = 0
            for c in range(3):
                position[row, column, c] = 0
            continue
        if masks[g] == FULL:
            continue
        total = 0
        closest = FULL
        face_of_closest = np.int32(0)
        red = np.float32(0)
        green = np.float32(0)
        blue = np.float32(0)
        while g != NO_FRAGMENT:
            mask = masks[g]
            i = rows[face[g]]
            count, right, down = sample_sums(mask)
            stride = _looked_at(i, planes, facts)
            if count <= stride:
                x, y = column + right / (count * SUBPIXEL), row + down / (count * SUBPIXEL)
                if facts[i, PLAIN]:
                    r, g_, b = plain_look(i, x, y, shading)
                else:
                    r, g_, b, _ = color_at(i, x, y, shading)
            else:
                r, g_, b = _shade_samples(i, (row, column), mask, stride, shading)
            total += count
            red += count * r
            green += count * g_
            blue += count * b
            # Samples lie in the order of their distance from the centre, so the lowest bit is the nearest.
            nearest = mask & (~mask + np.uint64(1))
            if nearest < closest:
                closest, face_of_closest = nearest, face[g]
            g = following[g]
        alpha = (total * 255 * 2 + PIXEL_SAMPLES) // (2 * PIXEL_SAMPLES)
        coverage[row, column] = alpha
        color[row, column, 3] = alpha
        share = np.float32(1.0 / total)
        color[row, column, 0] = encode(red * share)
        color[row, column, 1] = encode(green * share)
        color[row, column, 2] = encode(blue * share)
        s = lowest(np.int64(closest))
        x = column + 0.5 + SAMPLE_X[s] / SUBPIXEL
        y = row + 0.5 + SAMPLE_Y[s] / SUBPIXEL
        place(rows[face_of_closest], x, y, planes, position, (row, column))
        seen[row, column] = face_of_closest
        sample[row, column] = s
