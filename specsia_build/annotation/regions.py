"""Regions: the parts of a character's surface that an artist would fill with one flat colour each."""

import hashlib
from dataclasses import dataclass

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.annotation import merging
from specsia_build.annotation.merging import Links, Patches, merged, without_specks
from specsia_build.arrays import Doubles, Pixels
from specsia_build.errors import CharacterError
from specsia_build.jit import compiled, inlined, ready, uncounted
from specsia_build.rendering.colour import DECODE, DECODE_STEPS
from specsia_build.rendering.fast.prepare import Prepared, prepare
from specsia_build.rendering.fast.textures import SampledImage, sample
from specsia_build.rendering.mesh import Material, Mesh, Texture
from specsia_build.rendering.topology import linked_groups, weld
from specsia_build.rendering.vectors import put, triple64

LEAST_SIDE = 1 / 128
"""Side of the smallest square that is a region, as a share of the character's extent: 4 of 512 pixels."""

_NEAR = 4  # Parts that a speck without neighbours is compared with
_COARSE = 1e-3  # Pixels a unit at which all mip levels are made

CUTS = 6  # Parts of each side: a face is sampled in the middle of CUTS² equal triangles
_ALONG = 4  # Points of an edge at which colours are compared
_SPAN = 1.5  # Texels between samples beyond which a coarser mip level is read


@dataclass(frozen=True)
class SurfaceRegions:
    """The region of each face (F,), the largest first, and the flat sRGB colours of regions (R, 3)."""

    of_face: NDArray[np.int32]
    colors: Pixels


def regions(mesh: Mesh) -> SurfaceRegions:
    """Divide a character into connected parts of its surface of one material and one colour.

    Faces are connected by common edges; vertices at one place count as one. The colour of a face is its mean
    without light, so that details within a face are lost, and a border painted across faces runs along their
    edges. A gradient is one region unless its halves are two colours (`merging.MOST_APART`). Specks join a
    near region. Raises CharacterError if the mesh, which is at rest and finite, has no faces.
    """
    if len(mesh.faces) == 0:
        raise CharacterError("the mesh has no faces to divide into regions")
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = mesh.doubled_areas / 2
    # Faces without area have a colour, too, but hardly any weight.
    weight = area + 1e-9 * (area.mean() or 1.0)
    low, high = mesh.bounds()
    extent, middle = float((high - low).max()), corners.mean(axis=1)
    least = (LEAST_SIDE * extent) ** 2
    prepared = prepare(mesh, _COARSE, lit=False)
    opaque = np.array([material.alpha_mode == "opaque" for material in mesh.materials])[mesh.face_material]
    # Without light: texture x factor x vertex colour + emission.
    mean, variance = _face_colors(prepared.surface, prepared.textures, opaque)
    faces = Patches(
        of_face=np.arange(len(area)),
        area=weight,
        color=mean * weight[:, None],
        square=((mean**2).sum(axis=1) + variance) * weight,
        material=_numbers_of(mesh.materials)[mesh.face_material],
    )
    across = merging.straddling(variance, weight, extent)
    links = merging.with_borders(_links(mesh, prepared, corners), faces, middle, across, extent)
    beside = _near(middle, weight, links.faces, least)
    none = np.zeros((len(beside), 3))
    near = Links._make(map(np.concatenate, zip(links, (beside, none[:, 0], none), strict=True)))
    within = ~across[links.faces].any(axis=1)
    patches = merged(faces, Links._make(field[within] for field in links))
    patches = merged(merging.shared_out(patches, links, across), links)
    # Some patches were separated by specks only.
    patches = merged(without_specks(patches, near, least), links)
    patches = without_specks(merging.straightened(faces, patches, links, across), near, least)
    order = np.argsort(-patches.area, kind="stable")
    of_face = np.argsort(order).astype(np.int32)[patches.of_face]
    # Faces across a border have hardly any weight in the colours on its two sides.
    say = np.where(across, 1e-6, 1.0) * weight
    sums = np.stack([np.bincount(of_face, say * mean[:, k]) for k in range(3)], axis=1)
    flat = sums / np.bincount(of_face, say)[:, None]
    return SurfaceRegions(of_face, np.round(skimage.color.lab2rgb(flat) * 255).astype(np.uint8))


def _numbers_of(materials: tuple[Material, ...]) -> NDArray[np.int64]:
    """Number the materials (M,); equal ones get one number."""
    numbers: dict[object, int] = {}
    pixels: dict[int, bytes] = {}
    keys: list[object] = []

    def content(texture: Texture | None) -> object:
        if texture is None:
            return None
        if id(texture) not in pixels:
            pixels[id(texture)] = hashlib.sha256(texture.pixels.tobytes()).digest()
        return texture.pixels.shape, pixels[id(texture)], texture.wrap, texture.nearest

    for m in materials:
        looks = m.name, m.base_color, m.emissive, m.alpha_mode, m.unlit
        keys.append((*looks, content(m.texture), content(m.emissive_texture)))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys])


def _links(mesh: Mesh, prepared: Prepared, corners: Doubles) -> Links:
    """Link faces that share an edge; of more than two, each with the next."""
    welded = weld(mesh.vertices)[mesh.faces].astype(np.int64)
    start, end = welded.ravel(), np.roll(welded, -1, axis=1).ravel()
    edge = np.minimum(start, end) * len(mesh.vertices) + np.maximum(start, end)
    edge[start == end] = -1
    order = np.argsort(edge, kind="stable")
    shared = np.flatnonzero((np.diff(edge[order]) == 0) & (edge[order][1:] >= 0))
    halves = np.stack([order[shared], order[shared + 1]], axis=1)
    face, corner = np.divmod(halves[:, 0], 3)
    length = np.linalg.norm(corners[face, corner] - corners[face, (corner + 1) % 3], axis=1)
    jump = _jumps(ready(halves, np.int64), prepared.surface, prepared.textures)
    return Links(halves // 3, length, jump)


def _near(middle: Doubles, area: Doubles, linked: NDArray[np.int64], least: float) -> NDArray[np.int64]:
    """Pairs (N, 2) of a face of each connected part smaller than `least`, and a face of another part near it.

    `middle` (F, 3) and `area` (F,) are of faces, `linked` (L, 2) are connected ones.
    """
    count = len(middle)
    part = linked_groups(linked[:, 0], linked[:, 1], count)
    total, first = np.bincount(part, area), np.unique(part, return_index=True)[1]
    small, rest = np.flatnonzero(total < least), np.flatnonzero(total[part] >= least)
    # A small part is represented by one place, a large one by all its faces.
    sums = np.stack([np.bincount(part, area * middle[:, k]) for k in range(3)], axis=1)
    centres = sums[small] / total[small, None]
    places, faces = np.concatenate([centres, middle[rest]]), np.concatenate([first[small], rest])
    nearest = min(_NEAR + 1, len(places))
    indices = scipy.spatial.cKDTree(places).query(centres, nearest)[1].reshape(len(small), nearest)
    pairs = np.stack([np.repeat(first[small], nearest), faces[indices].ravel()], axis=1)
    return np.asarray(pairs[pairs[:, 0] != pairs[:, 1]])


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
    """Linear RGB and opacity of texture `t`, at a level of about one texel between samples `reach` apart."""
    levels, wrap = textures.levels, textures.wrap
    level, side = 0, reach * np.sqrt(np.float64(levels[t, 0, 1]) * levels[t, 0, 2])
    while level < textures.last[t] and side > _SPAN:
        level, side = level + 1, 0.5 * side
    offset = levels[t, level, 0]
    w, h = levels[t, level, 1], levels[t, level, 2]
    image = SampledImage(offset, w, h, wrap[t, 0], wrap[t, 1], textures.nearest[t])
    r, g, b, a = sample(textures.texels, image, u, v)
    return (
        np.float64(DECODE[int(r * DECODE_STEPS + 0.5)]),
        np.float64(DECODE[int(g * DECODE_STEPS + 0.5)]),
        np.float64(DECODE[int(b * DECODE_STEPS + 0.5)]),
        np.float64(a) / 255,
    )


@uncounted
def _lab_of(f, wb, wc, surface, textures):  # type: ignore[no-untyped-def]
    """L*, a*, b* and opacity of a face at the weights `wb` and `wc` of its second and third corner."""
    m = surface.material[f]
    uv, colors = surface.uv, surface.colors
    base, emissive = surface.base, surface.emissive
    wa = 1 - wb - wc
    red, green, blue = triple64(base, m)
    alpha = np.float64(base[m, 3])
    if len(colors) > 0:
        red *= wa * colors[f, 0, 0] + wb * colors[f, 1, 0] + wc * colors[f, 2, 0]
        green *= wa * colors[f, 0, 1] + wb * colors[f, 1, 1] + wc * colors[f, 2, 1]
        blue *= wa * colors[f, 0, 2] + wb * colors[f, 1, 2] + wc * colors[f, 2, 2]
        alpha *= wa * colors[f, 0, 3] + wb * colors[f, 1, 3] + wc * colors[f, 2, 3]
    au, av = np.float64(uv[f, 0, 0]), np.float64(uv[f, 0, 1])
    bu, bv = uv[f, 1, 0] - au, uv[f, 1, 1] - av
    cu, cv = uv[f, 2, 0] - au, uv[f, 2, 1] - av
    u, v = au + wb * bu + wc * cu, av + wb * bv + wc * cv
    reach = np.sqrt(abs(bu * cv - bv * cu)) / CUTS
    if surface.texture[m] >= 0:
        r, g, b, a = _texel(surface.texture[m], reach, u, v, textures)
        red *= r
        green *= g
        blue *= b
        alpha *= a
    more_red = emissive[m, 0] * 1.0
    more_green = emissive[m, 1] * 1.0
    more_blue = emissive[m, 2] * 1.0
    if surface.glow[m] >= 0:
        r, g, b, _ = _texel(surface.glow[m], reach, u, v, textures)
        more_red *= r
        more_green *= g
        more_blue *= b
    light, a, b = _lab(
        min(1.0, max(0.0, red + more_red)),
        min(1.0, max(0.0, green + more_green)),
        min(1.0, max(0.0, blue + more_blue)),
    )
    return light, a, b, alpha


@compiled
def _face_colors(surface, textures, opaque):  # type: ignore[no-untyped-def]
    """Mean CIE L*a*b* of faces (F, 3), and variances (F,), the mean squared distance from it."""
    count = len(surface.faces)
    mean, variance = np.empty((count, 3)), np.empty(count)
    for f in range(count):
        m = surface.material[f]
        flat = surface.texture[m] < 0 and surface.glow[m] < 0 and len(surface.colors) == 0
        cuts = 1 if flat else CUTS
        total, square = 0.0, 0.0
        light, red = 0.0, 0.0
        yellow = 0.0
        for i in range(cuts):
            for j in range(cuts - i):
                for turned in range(2 if i + j < cuts - 1 else 1):
                    middle = (1 + turned) / 3
                    x, y, z, alpha = _lab_of(f, (i + middle) / cuts, (j + middle) / cuts, surface, textures)
                    # Transparent samples count only if there are no others.
                    weight = 1.0 if opaque[f] else max(alpha, 1e-6)
                    total += weight
                    light += weight * x
                    red += weight * y
                    yellow += weight * z
                    square += weight * (x * x + y * y + z * z)
        light /= total
        red /= total
        yellow /= total
        put(mean, f, (light, red, yellow))
        variance[f] = max(0.0, square / total - light * light - red * red - yellow * yellow)
    return mean, variance


@compiled
def _jumps(halves, surface, textures):  # type: ignore[no-untyped-def]
    """Mean jump of CIE L*a*b* across edges (E, 3), each given by two half-edges: first side less second."""
    out = np.zeros((len(halves), 3))
    for e in range(len(halves)):
        for side in range(2):
            f, corner = halves[e, side] // 3, halves[e, side] % 3
            sign = (1.0 - 2.0 * side) / _ALONG
            for n in range(_ALONG):
                t = (n + 0.5) / _ALONG
                wb = 1 - t if corner == 1 else t if corner == 0 else 0.0
                wc = 1 - t if corner == 2 else t if corner == 1 else 0.0
                light, red, yellow, _ = _lab_of(f, wb, wc, surface, textures)
                out[e, 0] += sign * light
                out[e, 1] += sign * red
                out[e, 2] += sign * yellow
    return out
