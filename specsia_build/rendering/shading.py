"""Compiled shading: the colour and the position of a face at a point of the screen."""

from __future__ import annotations

import numpy as np
from numba import njit

from specsia_build.rendering.colour import DECODE, DECODE_STEPS
from specsia_build.rendering.textures import sample

LIGHTS = np.array(
    [
        [-0.40, -0.75, 0.53, 0.55],
        [0.75, -0.50, 0.43, 0.25],
        [0.10, 0.95, 0.30, 0.30],
    ],
    np.float32,
)
"""The light set of `--look lit`, fixed to the character whatever the view: rows of direction towards the light (x, y, z
in the frame) and linear intensity. A key from the front and its right, a fill from its left, a rim from behind."""

LIGHTS[:, :3] /= np.linalg.norm(LIGHTS[:, :3], axis=1, keepdims=True)

AMBIENT = np.float32(0.45)
"""Linear light from everywhere; with the key head on, a surface shows its full colour."""

MOST_TAPS = 4
"""Look-ups along one side of a pixel, beyond which a coarser mip level is used."""

NEAREST_TAPS = 4
"""Look-ups along each side of a pixel where texels have hard borders."""

# Rows of a face's plane table: a quantity's value at screen (0, 0), per pixel right, per pixel down. Red, green, blue
# and alpha are factor x vertex colour; GLOW holds the emitted red, green and blue instead of a plane.
WA, WB, WC, U, V, PX, PY, PZ, RED, GREEN, BLUE, ALPHA, NX, NY, NZ, GLOW, PLANES = range(17)

# Entries of a face's integers: whether its texture is rough, look-ups along x and y, whether a texel is shown as it
# is, light (0 none, 1 on the outside, -1 on the inside), then offset, width, height, wrap u, wrap v and nearest of its
# texture and of its emissive texture.
ROUGH, TAPS_X, TAPS_Y, QUICK, LIT, TEXTURE, GLOW_TEXTURE, FACTS = 0, 1, 2, 3, 4, 5, 11, 17
NEAREST = TEXTURE + 5
NO_TEXTURE = -1


@njit(cache=True, nogil=True, inline="always")
def _plane(planes, k, a, b, c):  # type: ignore[no-untyped-def]
    for j in range(3):
        planes[k, j] = a * planes[WA, j] + b * planes[WB, j] + c * planes[WC, j]


@njit(cache=True, nogil=True, inline="always")
def at(planes, k, x, y):  # type: ignore[no-untyped-def]
    """Value of plane `k` at screen point x, y in pixels."""
    return planes[k, 0] + planes[k, 1] * x + planes[k, 2] * y


@njit(cache=True, nogil=True, inline="always")
def _load_texture(facts, k, texture, level, textures):  # type: ignore[no-untyped-def]
    if texture < 0:
        facts[k] = NO_TEXTURE
    else:
        for j in range(3):
            facts[k + j] = textures.levels[texture, level, j]
        facts[k + 3] = textures.wrap[texture, 0]
        facts[k + 4] = textures.wrap[texture, 1]
        facts[k + 5] = textures.nearest[texture]


@njit(cache=True, nogil=True, inline="always")
def load_face(f, sx, sy, surface, textures, planes, facts):  # type: ignore[no-untyped-def]
    """Fill `planes` (PLANES, 3) float64 and `facts` (FACTS,) int64 with all that shading face `f` needs."""
    a, b, c = surface.faces[f, 0], surface.faces[f, 1], surface.faces[f, 2]
    m = surface.material[f]
    ax, ay = sx[a] / 256.0, sy[a] / 256.0
    bx, by = sx[b] / 256.0, sy[b] / 256.0
    cx, cy = sx[c] / 256.0, sy[c] / 256.0
    inverse = 1.0 / ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    planes[WA, 1], planes[WA, 2] = (by - cy) * inverse, (cx - bx) * inverse
    planes[WB, 1], planes[WB, 2] = (cy - ay) * inverse, (ax - cx) * inverse
    planes[WC, 1], planes[WC, 2] = (ay - by) * inverse, (bx - ax) * inverse
    planes[WA, 0] = -(planes[WA, 1] * bx + planes[WA, 2] * by)
    planes[WB, 0] = -(planes[WB, 1] * cx + planes[WB, 2] * cy)
    planes[WC, 0] = -(planes[WC, 1] * ax + planes[WC, 2] * ay)
    p = surface.positions
    _plane(planes, PX, p[a, 0], p[b, 0], p[c, 0])
    _plane(planes, PY, p[a, 1], p[b, 1], p[c, 1])
    _plane(planes, PZ, p[a, 2], p[b, 2], p[c, 2])
    for k in range(4):
        factor = np.float64(surface.base[m, k])
        if len(surface.colors) > 0:
            q = surface.colors
            _plane(planes, RED + k, factor * q[f, 0, k], factor * q[f, 1, k], factor * q[f, 2, k])
        else:
            planes[RED + k, 0], planes[RED + k, 1], planes[RED + k, 2] = factor, 0.0, 0.0
    for k in range(3):
        planes[GLOW, k] = surface.emissive[m, k]
    lit = len(surface.normals) > 0 and not surface.unlit[m]
    facts[LIT] = (1 if inverse < 0 else -1) if lit else 0
    if facts[LIT]:
        n = surface.normals
        for k in range(3):
            _plane(planes, NX + k, n[f, 0, k], n[f, 1, k], n[f, 2, k])
    texture = surface.texture[m]
    level, taps_x, taps_y = 0, 1, 1
    if texture >= 0 or surface.glow[m] >= 0:
        uv = surface.uv
        _plane(planes, U, uv[f, 0, 0], uv[f, 1, 0], uv[f, 2, 0])
        _plane(planes, V, uv[f, 0, 1], uv[f, 1, 1], uv[f, 2, 1])
    finest = texture if texture >= 0 else surface.glow[m]
    if finest >= 0 and surface.rough[f]:
        w, h = textures.levels[finest, 0, 1], textures.levels[finest, 0, 2]
        along_x = np.sqrt((planes[U, 1] * w) ** 2 + (planes[V, 1] * h) ** 2)
        along_y = np.sqrt((planes[U, 2] * w) ** 2 + (planes[V, 2] * h) ** 2)
        if max(along_x, along_y) > 1.0:
            last = textures.last[finest]
            while level < last and (
                min(along_x, along_y) > 2.0 or (max(along_x, along_y) > MOST_TAPS and min(along_x, along_y) > 1.0)
            ):
                level += 1
                along_x *= 0.5
                along_y *= 0.5
        # A look-up stands for half a texel either way at most, and two for one texel.
        taps_x = min(4 * MOST_TAPS, max(1, int(np.ceil(along_x + 0.49))))
        taps_y = min(4 * MOST_TAPS, max(1, int(np.ceil(along_y + 0.49))))
        if textures.nearest[finest]:
            taps_x, taps_y = max(taps_x, NEAREST_TAPS), max(taps_y, NEAREST_TAPS)
    facts[ROUGH], facts[TAPS_X], facts[TAPS_Y] = surface.rough[f], taps_x, taps_y
    facts[QUICK] = surface.plain[m] and taps_x * taps_y == 1 and not facts[LIT]
    _load_texture(facts, TEXTURE, texture, level, textures)
    glow = surface.glow[m]
    _load_texture(facts, GLOW_TEXTURE, glow, min(level, textures.last[glow]) if glow >= 0 else 0, textures)


@njit(cache=True, nogil=True, inline="always")
def texel_at(x, y, k, planes, facts, texels):  # type: ignore[no-untyped-def]
    """Encoded RGBA 0-255 of the loaded face's texture (`k`: TEXTURE or GLOW_TEXTURE) at a screen point."""
    return sample(
        texels,
        facts[k],
        facts[k + 1],
        facts[k + 2],
        facts[k + 3],
        facts[k + 4],
        facts[k + 5],
        at(planes, U, x, y),
        at(planes, V, x, y),
    )


@njit(cache=True, nogil=True)
def _light_at(x, y, planes, side):  # type: ignore[no-untyped-def]
    """Linear light that falls on the loaded face at a screen point, at most 1; `side` -1 looks at its inside."""
    nx, ny, nz = at(planes, NX, x, y), at(planes, NY, x, y), at(planes, NZ, x, y)
    length = np.sqrt(nx * nx + ny * ny + nz * nz)
    total = np.float64(AMBIENT)
    if length > 0:
        # The side that is seen decides, not the bent normal: a surface point has the same light in every view.
        length *= side
        for k in range(len(LIGHTS)):
            total += LIGHTS[k, 3] * max(0.0, (nx * LIGHTS[k, 0] + ny * LIGHTS[k, 1] + nz * LIGHTS[k, 2]) / length)
    return np.float32(min(1.0, total))


@njit(cache=True, nogil=True)
def color_at(x, y, planes, facts, texels):  # type: ignore[no-untyped-def]
    """Linear RGB and opacity, each 0-1, of the loaded face at a screen point."""
    red, green = np.float32(at(planes, RED, x, y)), np.float32(at(planes, GREEN, x, y))
    blue, alpha = np.float32(at(planes, BLUE, x, y)), np.float32(at(planes, ALPHA, x, y))
    half = np.float32(0.5)
    if facts[TEXTURE] != NO_TEXTURE:
        r, g, b, a = texel_at(x, y, TEXTURE, planes, facts, texels)
        red *= DECODE[int(r * DECODE_STEPS + half)]
        green *= DECODE[int(g * DECODE_STEPS + half)]
        blue *= DECODE[int(b * DECODE_STEPS + half)]
        alpha *= a / np.float32(255)
    if facts[LIT]:
        light = _light_at(x, y, planes, facts[LIT])
        red, green, blue = red * light, green * light, blue * light
    glow_red, glow_green = np.float32(planes[GLOW, 0]), np.float32(planes[GLOW, 1])
    glow_blue = np.float32(planes[GLOW, 2])
    if facts[GLOW_TEXTURE] != NO_TEXTURE:
        r, g, b, _ = texel_at(x, y, GLOW_TEXTURE, planes, facts, texels)
        glow_red *= DECODE[int(r * DECODE_STEPS + half)]
        glow_green *= DECODE[int(g * DECODE_STEPS + half)]
        glow_blue *= DECODE[int(b * DECODE_STEPS + half)]
    one, zero = np.float32(1), np.float32(0)
    return (
        min(one, max(zero, red + glow_red)),
        min(one, max(zero, green + glow_green)),
        min(one, max(zero, blue + glow_blue)),
        min(one, max(zero, alpha)),
    )


@njit(cache=True, nogil=True)
def opacity_at(f, x, y, sx, sy, surface, textures):  # type: ignore[no-untyped-def]
    """Opacity 0-1 of a face at a screen point: texture x factor x vertex colour."""
    a, b, c = surface.faces[f, 0], surface.faces[f, 1], surface.faces[f, 2]
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
        texel = sample(textures.texels, size[0], size[1], size[2], wrap[0], wrap[1], textures.nearest[t], u, v)
        alpha *= texel[3] / 255.0
    if len(surface.colors) > 0:
        q = surface.colors
        alpha *= wa * q[f, 0, 3] + wb * q[f, 1, 3] + wc * q[f, 2, 3]
    return alpha
