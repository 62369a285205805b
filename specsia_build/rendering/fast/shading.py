"""Compiled shading: the colour and the position of a face at a point of the screen."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import inlined, uncounted
from specsia_build.rendering.colour import DECODE, DECODE_STEPS
from specsia_build.rendering.fast.lookups import bilinear
from specsia_build.rendering.fast.textures import (
    MOST_LOOKS,
    MOST_TAPS,
    SampledImage,
    ShadedSurface,
    TextureTable,
    sample,
)
from specsia_build.rendering.light import AMBIENT, LIGHTS
from specsia_build.rendering.vectors import triple

NEAREST_TAPS = 4  # Look-ups along each side of a pixel where texels have hard borders

# Rows of a face's plane table: a quantity's value at the face's origin, per pixel right, per pixel down.
# ORIGIN holds screen x and y of that origin, a corner: from farther away, float32 would lose digits. X, Y and
# Z are the position attribute; red, green, blue and alpha are factor x vertex colour; GLOW holds the emitted
# red, green and blue instead of a plane. Faces whose texels are shown as they are need only the first
# `PLAIN_PLANES`.
ORIGIN, U, V, X, Y, Z, RED, _GREEN, _BLUE, ALPHA, NX, NY, NZ, GLOW, PLANES = range(15)
PLAIN_PLANES = RED

# Entries of a face's integers: whether its texture is rough, look-ups along x and y, whether texels are shown
# as they are (the rows from RED on are then not filled), light (0 none, 1 on the outside, -1 on the inside),
# then offset, width, height, wrap u, wrap v and nearest of its texture and of its emissive texture.
ROUGH = 0
TAPS_X = 1
TAPS_Y = 2
PLAIN = 3
LIT = 4
TEXTURE = 5
GLOW_TEXTURE = 11
FACTS = 17
NEAREST = TEXTURE + 5
NO_TEXTURE = -1

NO_ROW, ASKED_FOR = -1, -2  # A face without a row in the tables, and one that is about to have one


class Loaded(NamedTuple):
    """Data of the N faces seen in a view, for shading, in two tables."""

    row: NDArray[np.int32]  # (F,), a face's row in the tables or -1
    faces: NDArray[np.int32]  # (N,), the face of each row
    planes: NDArray[np.float32]  # (N, PLAIN_PLANES or PLANES, 3)
    facts: NDArray[np.int32]  # (N, FACTS)


class Shading(NamedTuple):
    """The arrays of a view's `Loaded`, and the texels of all textures."""

    row: NDArray[np.int32]
    faces: NDArray[np.int32]
    planes: NDArray[np.float32]
    facts: NDArray[np.int32]
    texels: NDArray[np.uint8]


class Shown(NamedTuple):
    """Vertices on the screen of a view, with the faces and textures between them."""

    x: NDArray[np.int32]  # (V,), in 1/256 pixel
    y: NDArray[np.int32]
    surface: ShadedSurface
    textures: TextureTable


@inlined
def at(planes, i, k, x, y):  # type: ignore[no-untyped-def]
    """Value of plane `k` of row `i` at screen point x, y in pixels, float32."""
    right, down = np.float32(x) - planes[i, ORIGIN, 0], np.float32(y) - planes[i, ORIGIN, 1]
    return planes[i, k, 0] + planes[i, k, 1] * right + planes[i, k, 2] * down


@inlined
def _plane(planes, i, k, corners, slopes):  # type: ignore[no-untyped-def]
    """Fill plane `k` of row `i` from a quantity's values at the corners of a face."""
    at_a, at_b, at_c = corners
    to_b, to_c = np.float64(at_b) - at_a, np.float64(at_c) - at_a
    planes[i, k, 0] = at_a
    planes[i, k, 1] = to_b * slopes[0] + to_c * slopes[2]
    planes[i, k, 2] = to_b * slopes[1] + to_c * slopes[3]


@uncounted
def number_faces(ids, rows, faces, filled):  # type: ignore[no-untyped-def]
    """Give a row of `Loaded` to each face of `ids` (N, M) without one, in their own order; how many rows."""
    low, high = len(rows), -1
    for y in range(len(ids)):
        for x in range(ids.shape[1]):
            f = ids[y, x]
            if f >= 0 and rows[f] == NO_ROW:
                rows[f] = ASKED_FOR
                low, high = min(low, f), max(high, f)
    count = filled
    for f in range(low, high + 1):
        if rows[f] == ASKED_FOR:
            rows[f] = count
            faces[count] = f
            count += 1
    return count


@uncounted
def load_faces(start, end, shown, loaded):  # type: ignore[no-untyped-def]
    """Fill the rows from `start` to `end` of `loaded` with all that shading their faces needs."""
    sx, sy, surface, textures = shown
    uv = surface.uv
    positions = surface.positions
    colors = surface.colors
    normals = surface.normals
    levels = textures.levels
    planes, facts = loaded.planes, loaded.facts
    for i in range(start, end):
        f = loaded.faces[i]
        a, b, c = triple(surface.faces, f)
        m = surface.material[f]
        ax, ay = sx[a] / 256.0, sy[a] / 256.0
        bx, by = sx[b] / 256.0 - ax, sy[b] / 256.0 - ay
        cx, cy = sx[c] / 256.0 - ax, sy[c] / 256.0 - ay
        inverse = 1.0 / (bx * cy - by * cx)
        planes[i, ORIGIN, 0], planes[i, ORIGIN, 1] = ax, ay
        # How the weights of the second and third corner grow per pixel.
        slopes = (cy * inverse, -cx * inverse, -by * inverse, bx * inverse)
        for k in range(3):
            _plane(planes, i, X + k, (positions[a, k], positions[b, k], positions[c, k]), slopes)
        lit = len(normals) > 0 and not surface.unlit[m]
        plain = surface.plain[m] and not lit
        facts[i, LIT] = (1 if inverse < 0 else -1) if lit else 0
        facts[i, PLAIN] = plain
        if not plain:
            for k in range(4):
                factor = np.float64(surface.base[m, k])
                if len(colors) > 0:
                    at_a = factor * colors[f, 0, k]
                    at_b = factor * colors[f, 1, k]
                    at_c = factor * colors[f, 2, k]
                    _plane(planes, i, RED + k, (at_a, at_b, at_c), slopes)
                else:
                    planes[i, RED + k, 0] = factor
                    planes[i, RED + k, 1] = 0.0
                    planes[i, RED + k, 2] = 0.0
            for k in range(3):
                planes[i, GLOW, k] = surface.emissive[m, k]
                if lit:
                    _plane(planes, i, NX + k, (normals[f, 0, k], normals[f, 1, k], normals[f, 2, k]), slopes)
        texture, glow = surface.texture[m], surface.glow[m]
        level = 0
        taps_x, taps_y = 1, 1
        if texture >= 0 or glow >= 0:
            _plane(planes, i, U, (uv[f, 0, 0], uv[f, 1, 0], uv[f, 2, 0]), slopes)
            _plane(planes, i, V, (uv[f, 0, 1], uv[f, 1, 1], uv[f, 2, 1]), slopes)
        finest = texture if texture >= 0 else glow
        if finest >= 0 and surface.rough[f]:
            w, h = levels[finest, 0, 1], levels[finest, 0, 2]
            ux = planes[i, U, 1] * w
            uy = planes[i, U, 2] * w
            vx = planes[i, V, 1] * h
            vy = planes[i, V, 2] * h
            along_x, along_y = np.sqrt(ux * ux + vx * vx), np.sqrt(uy * uy + vy * vy)
            most, least = max(along_x, along_y), min(along_x, along_y)
            while level < textures.last[finest] and most > 1.01 * MOST_TAPS and least > 1.0:
                level += 1
                most, least = 0.5 * most, 0.5 * least
                along_x, along_y = 0.5 * along_x, 0.5 * along_y
            # A look-up stands for half a texel either way at most, and two for one texel.
            taps_x = min(MOST_LOOKS, max(1, int(np.ceil(along_x + 0.49))))
            taps_y = min(MOST_LOOKS, max(1, int(np.ceil(along_y + 0.49))))
            if textures.nearest[finest]:
                taps_x, taps_y = max(taps_x, NEAREST_TAPS), max(taps_y, NEAREST_TAPS)
        facts[i, ROUGH] = surface.rough[f]
        facts[i, TAPS_X] = taps_x
        facts[i, TAPS_Y] = taps_y
        for k, t in ((TEXTURE, texture), (GLOW_TEXTURE, np.int32(NO_TEXTURE) if plain else glow)):
            facts[i, k] = NO_TEXTURE
            if t >= 0:
                for j in range(3):
                    facts[i, k + j] = levels[t, min(level, textures.last[t]), j]
                facts[i, k + 3] = textures.wrap[t, 0]
                facts[i, k + 4] = textures.wrap[t, 1]
                facts[i, k + 5] = textures.nearest[t]


@inlined
def place(i, x, y, planes, out, pixel):  # type: ignore[no-untyped-def]
    """Write the position of the face in row `i` at a screen point into `out` (H, W, 3) at a pixel."""
    row, column = pixel
    for k in range(3):
        out[row, column, k] = at(planes, i, X + k, x, y)


@inlined
def texel_at(i, x, y, k, shading):  # type: ignore[no-untyped-def]
    """RGBA 0-255, encoded, of texture `k` (TEXTURE or GLOW_TEXTURE) of row `i`'s face at a screen point."""
    facts, planes = shading.facts, shading.planes
    image = SampledImage(
        facts[i, k], facts[i, k + 1], facts[i, k + 2], facts[i, k + 3], facts[i, k + 4], facts[i, k + 5]
    )
    return sample(shading.texels, image, at(planes, i, U, x, y), at(planes, i, V, x, y))


@inlined
def plain_look(i, x, y, shading):  # type: ignore[no-untyped-def]
    """Linear RGB of the plain face in row `i` at a screen point."""
    facts, planes = shading.facts, shading.planes
    w, h = facts[i, TEXTURE + 1], facts[i, TEXTURE + 2]
    half = np.float32(0.5)
    u, v = np.float32(at(planes, i, U, x, y) * w - 0.5), np.float32(at(planes, i, V, x, y) * h - 0.5)
    if 0 <= u < w - 1 and 0 <= v < h - 1 and not facts[i, NEAREST]:
        r, g, b, _ = bilinear(shading.texels, facts[i, TEXTURE], w, u, v)
    else:
        r, g, b, _ = texel_at(i, x, y, TEXTURE, shading)
    return (
        DECODE[np.uint32(r * DECODE_STEPS + half)],
        DECODE[np.uint32(g * DECODE_STEPS + half)],
        DECODE[np.uint32(b * DECODE_STEPS + half)],
    )


@inlined
def _light_at(i, x, y, planes, side):  # type: ignore[no-untyped-def]
    """Linear light on the face in row `i` at a screen point, at most 1; `side` -1 looks at its inside."""
    nx, ny = at(planes, i, NX, x, y), at(planes, i, NY, x, y)
    nz = at(planes, i, NZ, x, y)
    length = np.sqrt(nx * nx + ny * ny + nz * nz)
    total = np.float64(AMBIENT)
    if length > 0:
        # The side that is seen decides, not the bent normal: a surface point has equal light in all views.
        length *= side
        for k in range(len(LIGHTS)):
            total += LIGHTS[k, 3] * max(
                0.0, (nx * LIGHTS[k, 0] + ny * LIGHTS[k, 1] + nz * LIGHTS[k, 2]) / length
            )
    return np.float32(min(1.0, total))


@inlined
def color_at(i, x, y, shading):  # type: ignore[no-untyped-def]
    """Linear RGB and opacity, each 0-1, of the face in row `i` at a screen point."""
    facts, planes = shading.facts, shading.planes
    if facts[i, PLAIN]:
        r, g, b, a = texel_at(i, x, y, TEXTURE, shading)
        return (
            DECODE[np.uint32(r * DECODE_STEPS + np.float32(0.5))],
            DECODE[np.uint32(g * DECODE_STEPS + np.float32(0.5))],
            DECODE[np.uint32(b * DECODE_STEPS + np.float32(0.5))],
            a / np.float32(255),
        )
    red, green = np.float32(at(planes, i, RED, x, y)), np.float32(at(planes, i, _GREEN, x, y))
    blue, alpha = np.float32(at(planes, i, _BLUE, x, y)), np.float32(at(planes, i, ALPHA, x, y))
    half = np.float32(0.5)
    if facts[i, TEXTURE] != NO_TEXTURE:
        r, g, b, a = texel_at(i, x, y, TEXTURE, shading)
        red *= DECODE[np.uint32(r * DECODE_STEPS + half)]
        green *= DECODE[np.uint32(g * DECODE_STEPS + half)]
        blue *= DECODE[np.uint32(b * DECODE_STEPS + half)]
        alpha *= a / np.float32(255)
    if facts[i, LIT]:
        light = _light_at(i, x, y, planes, facts[i, LIT])
        red *= light
        green *= light
        blue *= light
    glow_red, glow_green = np.float32(planes[i, GLOW, 0]), np.float32(planes[i, GLOW, 1])
    glow_blue = np.float32(planes[i, GLOW, 2])
    if facts[i, GLOW_TEXTURE] != NO_TEXTURE:
        r, g, b, _ = texel_at(i, x, y, GLOW_TEXTURE, shading)
        glow_red *= DECODE[np.uint32(r * DECODE_STEPS + half)]
        glow_green *= DECODE[np.uint32(g * DECODE_STEPS + half)]
        glow_blue *= DECODE[np.uint32(b * DECODE_STEPS + half)]
    one, zero = np.float32(1), np.float32(0)
    return (
        min(one, max(zero, red + glow_red)),
        min(one, max(zero, green + glow_green)),
        min(one, max(zero, blue + glow_blue)),
        min(one, max(zero, alpha)),
    )


@uncounted
def opacity_at(f, x, y, shown):  # type: ignore[no-untyped-def]
    """Opacity 0-1 of a face at a screen point: texture x factor x vertex colour."""
    sx, sy, surface, textures = shown
    a, b, c = triple(surface.faces, f)
    px, py = x * 256.0, y * 256.0
    area = np.float64((sx[b] - sx[a]) * (sy[c] - sy[a]) - (sy[b] - sy[a]) * (sx[c] - sx[a]))
    wb = ((px - sx[a]) * (sy[c] - sy[a]) - (py - sy[a]) * (sx[c] - sx[a])) / area
    wc = ((sx[b] - sx[a]) * (py - sy[a]) - (sy[b] - sy[a]) * (px - sx[a])) / area
    wa = 1.0 - wb - wc
    m = surface.material[f]
    alpha = np.float64(surface.base[m, 3])
    t = surface.texture[m]
    if t >= 0:
        uv = surface.uv
        u = wa * uv[f, 0, 0] + wb * uv[f, 1, 0] + wc * uv[f, 2, 0]
        v = wa * uv[f, 0, 1] + wb * uv[f, 1, 1] + wc * uv[f, 2, 1]
        size = textures.levels[t, 0]
        wrap = textures.wrap[t]
        image = SampledImage(size[0], size[1], size[2], wrap[0], wrap[1], textures.nearest[t])
        texel = sample(textures.texels, image, u, v)
        alpha *= texel[3] / 255.0
    if len(surface.colors) > 0:
        q = surface.colors
        alpha *= wa * q[f, 0, 3] + wb * q[f, 1, 3] + wc * q[f, 2, 3]
    return alpha
