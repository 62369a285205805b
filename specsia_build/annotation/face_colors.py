"""Colours of faces without light: mean, variance, and jumps at edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, ready, uncounted
from specsia_build.rendering.colour import DECODE, DECODE_STEPS
from specsia_build.rendering.fast.prepare import Prepared
from specsia_build.rendering.fast.textures import sample
from specsia_build.rendering.mesh import Mesh

CUTS = 6
"""Parts of each side: a face is sampled in the middle of CUTS² equal triangles."""

ALONG = 4
"""Points of an edge at which colours are compared."""

SPAN = 1.5
"""Texels between samples beyond which a coarser mip level is read."""


@inlined
def _bent(t):  # type: ignore[no-untyped-def]
    return t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116


@inlined
def _lab(red, green, blue):  # type: ignore[no-untyped-def]
    """CIE L*a*b* of linear sRGB, white D65, with the constants of `skimage.color`."""
    x = _bent((0.412453 * red + 0.357580 * green + 0.180423 * blue) / 0.95047)
    y = _bent(0.212671 * red + 0.715160 * green + 0.072169 * blue)
    z = _bent((0.019334 * red + 0.119193 * green + 0.950227 * blue) / 1.08883)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@uncounted
def _texel(t, reach, u, v, textures):  # type: ignore[no-untyped-def]
    """Linear RGB and opacity of texture `t`, at a level with about one texel between samples `reach` apart."""
    levels, wrap = textures.levels, textures.wrap
    level, side = 0, reach * np.sqrt(np.float64(levels[t, 0, 1]) * levels[t, 0, 2])
    while level < textures.last[t] and side > SPAN:
        level, side = level + 1, 0.5 * side
    offset, w, h = levels[t, level, 0], levels[t, level, 1], levels[t, level, 2]
    r, g, b, a = sample(textures.texels, offset, w, h, wrap[t, 0], wrap[t, 1], textures.nearest[t], u, v)
    return (
        np.float64(DECODE[int(r * DECODE_STEPS + 0.5)]),
        np.float64(DECODE[int(g * DECODE_STEPS + 0.5)]),
        np.float64(DECODE[int(b * DECODE_STEPS + 0.5)]),
        np.float64(a) / 255,
    )


@uncounted
def _shown(f, wb, wc, surface, textures):  # type: ignore[no-untyped-def]
    """L*, a*, b* and opacity of a face at the weights `wb` and `wc` of its second and third corner."""
    m, uv, colors, base, emissive = surface.material[f], surface.uv, surface.colors, surface.base, surface.emissive
    wa = 1 - wb - wc
    red, green, blue = np.float64(base[m, 0]), np.float64(base[m, 1]), np.float64(base[m, 2])
    alpha = np.float64(base[m, 3])
    if len(colors) > 0:
        red *= wa * colors[f, 0, 0] + wb * colors[f, 1, 0] + wc * colors[f, 2, 0]
        green *= wa * colors[f, 0, 1] + wb * colors[f, 1, 1] + wc * colors[f, 2, 1]
        blue *= wa * colors[f, 0, 2] + wb * colors[f, 1, 2] + wc * colors[f, 2, 2]
        alpha *= wa * colors[f, 0, 3] + wb * colors[f, 1, 3] + wc * colors[f, 2, 3]
    au, av = np.float64(uv[f, 0, 0]), np.float64(uv[f, 0, 1])
    bu, bv, cu, cv = uv[f, 1, 0] - au, uv[f, 1, 1] - av, uv[f, 2, 0] - au, uv[f, 2, 1] - av
    u, v, reach = au + wb * bu + wc * cu, av + wb * bv + wc * cv, np.sqrt(abs(bu * cv - bv * cu)) / CUTS
    if surface.texture[m] >= 0:
        r, g, b, a = _texel(surface.texture[m], reach, u, v, textures)
        red, green, blue, alpha = red * r, green * g, blue * b, alpha * a
    more_red, more_green, more_blue = emissive[m, 0] * 1.0, emissive[m, 1] * 1.0, emissive[m, 2] * 1.0
    if surface.glow[m] >= 0:
        r, g, b, _ = _texel(surface.glow[m], reach, u, v, textures)
        more_red, more_green, more_blue = more_red * r, more_green * g, more_blue * b
    light, a, b = _lab(
        min(1.0, max(0.0, red + more_red)),
        min(1.0, max(0.0, green + more_green)),
        min(1.0, max(0.0, blue + more_blue)),
    )
    return light, a, b, alpha


@compiled
def _face_colors(surface, textures, opaque):  # type: ignore[no-untyped-def]
    count = len(surface.faces)
    mean, variance = np.empty((count, 3)), np.empty(count)
    for f in range(count):
        m = surface.material[f]
        flat = surface.texture[m] < 0 and surface.glow[m] < 0 and len(surface.colors) == 0
        cuts = 1 if flat else CUTS
        total, light, red, yellow, square = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(cuts):
            for j in range(cuts - i):
                for turned in range(2 if i + j < cuts - 1 else 1):
                    middle = (1 + turned) / 3
                    x, y, z, alpha = _shown(f, (i + middle) / cuts, (j + middle) / cuts, surface, textures)
                    # Transparent samples count only if there are no others.
                    weight = 1.0 if opaque[f] else max(alpha, 1e-6)
                    total += weight
                    light, red, yellow = light + weight * x, red + weight * y, yellow + weight * z
                    square += weight * (x * x + y * y + z * z)
        light, red, yellow = light / total, red / total, yellow / total
        mean[f, 0], mean[f, 1], mean[f, 2] = light, red, yellow
        variance[f] = max(0.0, square / total - light * light - red * red - yellow * yellow)
    return mean, variance


@compiled
def _jumps(halves, surface, textures):  # type: ignore[no-untyped-def]
    out = np.zeros((len(halves), 3))
    for e in range(len(halves)):
        for side in range(2):
            f, corner = halves[e, side] // 3, halves[e, side] % 3
            sign = (1.0 - 2.0 * side) / ALONG
            for n in range(ALONG):
                t = (n + 0.5) / ALONG
                wb = 1 - t if corner == 1 else t if corner == 0 else 0.0
                wc = 1 - t if corner == 2 else t if corner == 1 else 0.0
                light, red, yellow, _ = _shown(f, wb, wc, surface, textures)
                out[e, 0] += sign * light
                out[e, 1] += sign * red
                out[e, 2] += sign * yellow
    return out


def face_colors(mesh: Mesh, prepared: Prepared) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute colours of faces without light: texture x factor x vertex colour + emission.

    Args:
        mesh: with F faces.
        prepared: the same mesh, with all mip levels of its textures.

    Returns:
        Means (F, 3) in CIE L*a*b*, and variances (F,), the mean squared distance from them.
    """
    opaque = np.array([m.alpha_mode == "opaque" for m in mesh.materials])[mesh.face_material]
    mean, variance = _face_colors(prepared.surface, prepared.textures, opaque)
    return mean, variance


def jumps(prepared: Prepared, halves: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean jump of CIE L*a*b* across edges (E, 3): the first side less the second.

    Args:
        prepared: see `face_colors`.
        halves: (E, 2), half-edges of each edge, see `rendering.topology.Topology`.
    """
    jump: NDArray[np.float64] = _jumps(ready(halves, np.int64), prepared.surface, prepared.textures)
    return jump
