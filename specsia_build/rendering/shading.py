"""Compiled shading: the colour and the position of a face at a point of the screen."""

from __future__ import annotations

import numpy as np

from specsia_build.jit import compiled, inlined
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
WA, WB, WC, U, V, RED, GREEN, BLUE, ALPHA, NX, NY, NZ, GLOW, PLANES = range(14)

# Entries of a face's integers: whether its texture is rough, look-ups along x and y, whether texels are shown as they
# are (the rows from RED on are then not filled), light (0 none, 1 on the outside, -1 on the inside), then offset,
# width, height, wrap u, wrap v and nearest of its texture and of its emissive texture, and its corners.
ROUGH, TAPS_X, TAPS_Y, PLAIN, LIT, TEXTURE, GLOW_TEXTURE, CORNERS, FACTS = 0, 1, 2, 3, 4, 5, 11, 17, 20
NEAREST = TEXTURE + 5
NO_TEXTURE = -1


@inlined
def _plane(planes, k, a, b, c):  # type: ignore[no-untyped-def]
    for j in range(3):
        planes[k, j] = a * planes[WA, j] + b * planes[WB, j] + c * planes[WC, j]


@inlined
def at(planes, k, x, y):  # type: ignore[no-untyped-def]
    """Value of plane `k` at screen point x, y in pixels."""
    return planes[k, 0] + planes[k, 1] * x + planes[k, 2] * y


@inlined
def _load_texture(facts, k, texture, level, textures):  # type: ignore[no-untyped-def]
    if texture < 0:
        facts[k] = NO_TEXTURE
    else:
        for j in range(3):
            facts[k + j] = textures.levels[texture, level, j]
        facts[k + 3] = textures.wrap[texture, 0]
        facts[k + 4] = textures.wrap[texture, 1]
        facts[k + 5] = textures.nearest[texture]


@inlined
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
    facts[CORNERS], facts[CORNERS + 1], facts[CORNERS + 2] = a, b, c
    lit = len(surface.normals) > 0 and not surface.unlit[m]
    facts[LIT] = (1 if inverse < 0 else -1) if lit else 0
    facts[PLAIN] = surface.plain[m] and not lit
    if not facts[PLAIN]:
        for k in range(4):
            factor = np.float64(surface.base[m, k])
            if len(surface.colors) > 0:
                q = surface.colors
                _plane(planes, RED + k, factor * q[f, 0, k], factor * q[f, 1, k], factor * q[f, 2, k])
            else:
                planes[RED + k, 0], planes[RED + k, 1], planes[RED + k, 2] = factor, 0.0, 0.0
        for k in range(3):
            planes[GLOW, k] = surface.emissive[m, k]
        if lit:
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
        ux, uy, vx, vy = planes[U, 1] * w, planes[U, 2] * w, planes[V, 1] * h, planes[V, 2] * h
        along_x, along_y = np.sqrt(ux * ux + vx * vx), np.sqrt(uy * uy + vy * vy)
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
    _load_texture(facts, TEXTURE, texture, level, textures)
    glow = NO_TEXTURE if facts[PLAIN] else surface.glow[m]
    _load_texture(facts, GLOW_TEXTURE, glow, min(level, textures.last[glow]) if glow >= 0 else 0, textures)


@inlined
def place_position(x, y, planes, facts, positions, out, row, column):  # type: ignore[no-untyped-def]
    """Write the position attribute of the loaded face at a screen point into `out` (H, W, 3) at a pixel."""
    wa, wb, wc = at(planes, WA, x, y), at(planes, WB, x, y), at(planes, WC, x, y)
    a, b, c = facts[CORNERS], facts[CORNERS + 1], facts[CORNERS + 2]
    for k in range(3):
        out[row, column, k] = wa * positions[a, k] + wb * positions[b, k] + wc * positions[c, k]


@inlined
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


@compiled
def plain_mean(column, row, planes, facts, texels):  # type: ignore[no-untyped-def]
    """Mean linear RGB of a plain face's texture over a pixel: a grid of bilinear look-ups."""
    nx, ny = facts[TAPS_X], facts[TAPS_Y]
    offset, w, h = facts[TEXTURE], facts[TEXTURE + 1], facts[TEXTURE + 2]
    half = np.float32(0.5)
    # In texels, less half of one: the whole part is the upper left neighbour, the rest its weight.
    u_x, v_x = np.float32(planes[U, 1] * w / nx), np.float32(planes[V, 1] * h / nx)
    u_y, v_y = np.float32(planes[U, 2] * w / ny), np.float32(planes[V, 2] * h / ny)
    x, y = column + 0.5 / nx, row + 0.5 / ny
    u0, v0 = np.float32(at(planes, U, x, y) * w - 0.5), np.float32(at(planes, V, x, y) * h - 0.5)
    u1, v1 = u0 + u_x * (nx - 1) + u_y * (ny - 1), v0 + v_x * (nx - 1) + v_y * (ny - 1)
    u2, v2 = u0 + u_x * (nx - 1), v0 + v_x * (nx - 1)
    u3, v3 = u0 + u_y * (ny - 1), v0 + v_y * (ny - 1)
    inside = (
        min(u0, u1, u2, u3) >= 0
        and max(u0, u1, u2, u3) < w - 1
        and min(v0, v1, v2, v3) >= 0
        and max(v0, v1, v2, v3) < h - 1
    )
    red, green, blue = np.float32(0), np.float32(0), np.float32(0)
    if inside and not facts[NEAREST]:
        for j in range(ny):
            for i in range(nx):
                u = u0 + u_x * np.float32(i) + u_y * np.float32(j)
                v = v0 + v_x * np.float32(i) + v_y * np.float32(j)
                iu, iv = int(u), int(v)
                au, av = u - np.float32(iu), v - np.float32(iv)
                w11 = au * av
                w10, w01 = av - w11, au - w11
                w00 = np.float32(1) - au - w10
                k = offset + iv * w + iu
                m = k + w
                r = w00 * texels[k, 0] + w01 * texels[k + 1, 0] + w10 * texels[m, 0] + w11 * texels[m + 1, 0]
                g = w00 * texels[k, 1] + w01 * texels[k + 1, 1] + w10 * texels[m, 1] + w11 * texels[m + 1, 1]
                b = w00 * texels[k, 2] + w01 * texels[k + 1, 2] + w10 * texels[m, 2] + w11 * texels[m + 1, 2]
                red += DECODE[int(r * DECODE_STEPS + half)]
                green += DECODE[int(g * DECODE_STEPS + half)]
                blue += DECODE[int(b * DECODE_STEPS + half)]
    else:
        for j in range(ny):
            for i in range(nx):
                x, y = column + (i + 0.5) / nx, row + (j + 0.5) / ny
                r, g, b, _ = texel_at(x, y, TEXTURE, planes, facts, texels)
                red += DECODE[int(r * DECODE_STEPS + half)]
                green += DECODE[int(g * DECODE_STEPS + half)]
                blue += DECODE[int(b * DECODE_STEPS + half)]
    share = np.float32(1.0 / (nx * ny))
    return red * share, green * share, blue * share


@compiled
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


@compiled
def color_at(x, y, planes, facts, texels):  # type: ignore[no-untyped-def]
    """Linear RGB and opacity, each 0-1, of the loaded face at a screen point."""
    if facts[PLAIN]:
        r, g, b, a = texel_at(x, y, TEXTURE, planes, facts, texels)
        return (
            DECODE[int(r * DECODE_STEPS + np.float32(0.5))],
            DECODE[int(g * DECODE_STEPS + np.float32(0.5))],
            DECODE[int(b * DECODE_STEPS + np.float32(0.5))],
            a / np.float32(255),
        )
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


@compiled
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
