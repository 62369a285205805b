"""Data of a mesh that do not depend on the view, laid out for compiled code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import inlined, ready, uncounted
from specsia_build.rendering.fast.textures import (
    SampledImage,
    ShadedSurface,
    TextureTable,
    pack_textures,
    rough_faces,
    sample,
    texel_range,
)
from specsia_build.rendering.light import lit_normals
from specsia_build.rendering.mesh import Mesh, Texture, finite, place_of
from specsia_build.rendering.topology import topology

ALPHA_OPAQUE = 0
ALPHA_MASK = 1
ALPHA_BLEND = 2
INVISIBLE = 3

SMALL_JUMP = 6.0  # Encoded levels up to which the colours of two faces along their edge count as continuous
SAME_NORMAL = 0.998  # Cosine between the normals of two faces, from which their light counts as continuous
FARTHEST_UV = 2.0**20  # Texture coordinates are cut at this; a float32 has no fraction of a texel left there


class Edges(NamedTuple):
    """Welded edges, E of them."""

    ends: NDArray[np.int32]  # (E, 2), vertices
    sides: NDArray[np.int32]  # (E, 2), adjacent faces; -1 for none, `CROWDED` for several
    jump: NDArray[np.bool_]  # (E,), whether the surface's colour may jump across the edge


@dataclass(frozen=True)
class Prepared:
    """A mesh ready to be drawn from any number of views."""

    vertices: NDArray[np.float32]
    surface: ShadedSurface
    textures: TextureTable
    alpha_class: NDArray[np.int8]  # (F,), OPAQUE, MASK, BLEND or INVISIBLE
    kinds: frozenset[int]  # Those of them that occur
    # (F,), never seen from the back: the material is not double-sided, or the face is of a closed opaque part
    one_sided: NDArray[np.bool_]
    part: NDArray[np.int32]  # (F,), connected part of the surface
    edges: Edges

    def moved(self, mesh: Mesh, lit: bool) -> Prepared:
        """Return the preparation of this surface with other vertices, and other normals where it is lit."""
        surface = self.surface._replace(normals=lit_normals(mesh)) if lit else self.surface
        return replace(self, vertices=ready(mesh.vertices, np.float32), surface=surface)


@inlined
def _encoded(level, factor):  # type: ignore[no-untyped-def]
    """Approximate encoded level of a level times a linear factor."""
    return level if factor == 1.0 else level * min(1.0, max(0.0, factor)) ** (1 / 2.2)


@uncounted
def _color_between(f, i, j, t, surface, textures):  # type: ignore[no-untyped-def]
    """Encoded RGBA of a face at the fraction `t` between its corners i and j."""
    m = surface.material[f]
    texture, base = surface.texture[m], surface.base
    level = (np.float32(255), np.float32(255), np.float32(255), np.float32(255))
    if texture >= 0:
        u = surface.uv[f, i, 0] * (1 - t) + surface.uv[f, j, 0] * t
        v = surface.uv[f, i, 1] * (1 - t) + surface.uv[f, j, 1] * t
        size, wrap = textures.levels[texture, 0], textures.wrap[texture]
        image = SampledImage(size[0], size[1], size[2], wrap[0], wrap[1], textures.nearest[texture])
        level = sample(textures.texels, image, u, v)
    red = np.float64(base[m, 0])
    green = np.float64(base[m, 1])
    blue = np.float64(base[m, 2])
    alpha = base[m, 3]
    colors = surface.colors
    if len(colors) > 0:
        red *= colors[f, i, 0] * (1 - t) + colors[f, j, 0] * t
        green *= colors[f, i, 1] * (1 - t) + colors[f, j, 1] * t
        blue *= colors[f, i, 2] * (1 - t) + colors[f, j, 2] * t
        alpha *= colors[f, i, 3] * (1 - t) + colors[f, j, 3] * t
    return (
        _encoded(level[0], red),
        _encoded(level[1], green),
        _encoded(level[2], blue),
        _encoded(level[3], alpha),
    )


@inlined
def _same_colors(colors, edge, opposite):  # type: ignore[no-untyped-def]
    """Whether two faces have the same vertex colours at both ends of their edge."""
    f, i, j = edge
    f2, i2, j2 = opposite
    same = True
    for k in range(4):
        same &= colors[f, i, k] == colors[f2, i2, k] and colors[f, j, k] == colors[f2, j2, k]
    return same


@uncounted
def _mark_jumps(halves, opposed, surface, textures, rough, jump):  # type: ignore[no-untyped-def]
    """Set `jump` (E,), all true, to whether the colour may change across an edge within a pixel.

    Where texture coordinates part, a look-up that spans several texels would also reach over the seam, so a
    rough texture counts as a change.
    """
    for e in range(len(halves)):
        if not opposed[e]:
            continue
        h, g = halves[e, 0], halves[e, 1]
        f = h // 3
        i = h % 3
        j = (h % 3 + 1) % 3
        f2 = g // 3
        i2 = (g % 3 + 1) % 3
        j2 = g % 3
        m, m2 = surface.material[f], surface.material[f2]
        if m != m2 and (
            surface.unlit[m] != surface.unlit[m2]
            or surface.glow[m] != surface.glow[m2]
            or surface.emissive[m, 0] != surface.emissive[m2, 0]
            or surface.emissive[m, 1] != surface.emissive[m2, 1]
            or surface.emissive[m, 2] != surface.emissive[m2, 2]
        ):
            continue
        if len(surface.normals) > 0 and not surface.unlit[m]:
            same_i, same_j = 0.0, 0.0
            for k in range(3):
                same_i += surface.normals[f, i, k] * surface.normals[f2, i2, k]
                same_j += surface.normals[f, j, k] * surface.normals[f2, j2, k]
            if min(same_i, same_j) < SAME_NORMAL:
                continue
        parted = False
        for k in range(2):
            if (
                abs(surface.uv[f, i, k] - surface.uv[f2, i2, k]) > 1e-5
                or abs(surface.uv[f, j, k] - surface.uv[f2, j2, k]) > 1e-5
            ):
                parted = True
        if parted and (rough[f] or rough[f2]):
            continue
        colored = len(surface.colors) > 0
        jump[e] = False
        if m == m2 and not parted and (not colored or _same_colors(surface.colors, (f, i, j), (f2, i2, j2))):
            continue
        for t in (0.02, 0.5, 0.98):
            red, green, blue, alpha = _color_between(f, i, j, t, surface, textures)
            red2, green2, blue2, alpha2 = _color_between(f2, i2, j2, t, surface, textures)
            if max(abs(red - red2), abs(green - green2), abs(blue - blue2), abs(alpha - alpha2)) > SMALL_JUMP:
                jump[e] = True
                break


def alpha_classes(mesh: Mesh, surface: ShadedSurface, textures: TextureTable) -> NDArray[np.int8]:
    """(F,) int8: faces whose opacity cannot matter are drawn opaque, those nowhere visible not at all."""
    modes = {"opaque": ALPHA_OPAQUE, "mask": ALPHA_MASK, "blend": ALPHA_BLEND}
    of_material = np.array([modes[m.alpha_mode] for m in mesh.materials], dtype=np.int8)
    classes = of_material[mesh.face_material]
    unclear = np.flatnonzero(classes != ALPHA_OPAQUE)
    if len(unclear) == 0:
        return classes
    low, high = texel_range(unclear, surface, textures)
    cutoff = surface.cutoff[surface.material[unclear]]
    masked = classes[unclear] == ALPHA_MASK
    opaque = np.where(masked, low >= cutoff, low >= 254.5 / 255)
    gone = np.where(masked, high < cutoff, high < 0.5 / 255)
    classes[unclear] = np.where(opaque, ALPHA_OPAQUE, np.where(gone, INVISIBLE, classes[unclear]))
    return classes


def _near_uv(mesh: Mesh, textured: Sequence[tuple[Texture | None, Texture | None]]) -> NDArray[np.float32]:
    """Texture coordinates (F, 3, 2) moved towards 0, for digits, by whole periods that change nothing."""
    if mesh.uv is None:
        return np.zeros((len(mesh.faces), 3, 2), np.float32)
    if mesh.uv.min() >= -2 and mesh.uv.max() <= 2:
        return ready(mesh.uv, np.float32)
    uv = np.clip(np.nan_to_num(mesh.uv), -FARTHEST_UV, FARTHEST_UV).astype(np.float32)
    periodic = np.array([_is_periodic(pair) for pair in textured])
    shift = 2 * np.floor(uv.min(axis=1) / 2)
    shift[~periodic[mesh.face_material]] = 0
    return np.asarray(uv - shift[:, None, :])


def _is_periodic(textures: Iterable[Texture | None]) -> tuple[bool, bool]:
    """Whether none of a material's textures is clamped, by axis."""
    wraps = [texture.wrap for texture in textures if texture is not None]
    return all(wrap[0] != "clamp" for wrap in wraps), all(wrap[1] != "clamp" for wrap in wraps)


def laid_out(mesh: Mesh, finest_pixels_per_unit: float, lit: bool) -> tuple[ShadedSurface, TextureTable]:
    """Appearance of a mesh, every face treated as rough; arguments as those of `prepare`."""
    materials = mesh.materials
    images: list[Texture] = []

    def places(textures: Iterable[Texture | None]) -> NDArray[np.int32]:
        indices = (place_of(texture, images) for texture in textures)
        return np.array([-1 if place is None else place for place in indices], np.int32)

    texture_index = places(m.texture for m in materials)
    glow_index = places(m.emissive_texture for m in materials)
    base = np.array([m.base_color for m in materials], np.float32)
    emissive = np.array([m.emissive for m in materials], np.float32)
    plain = (base == 1).all(axis=1) & (emissive == 0).all(axis=1) & (texture_index >= 0)
    empty = np.empty((0, 3, 4), np.float32)
    surface = ShadedSurface(
        faces=ready(mesh.faces, np.int32),
        material=ready(mesh.face_material, np.int32),
        uv=_near_uv(mesh, [(m.texture, m.emissive_texture) for m in materials]),
        colors=empty if mesh.colors is None else finite(mesh.colors),
        normals=lit_normals(mesh) if lit else np.empty((0, 3, 3), np.float32),
        positions=ready(mesh.vertices if mesh.rest is None else mesh.rest, np.float32),
        base=base,
        emissive=emissive,
        texture=texture_index,
        glow=glow_index,
        cutoff=np.array([m.alpha_cutoff for m in materials], np.float32),
        unlit=np.array([m.unlit for m in materials], np.bool_),
        plain=plain if mesh.colors is None else np.zeros_like(plain),
        rough=np.ones(len(mesh.faces), np.bool_),
    )
    return surface, pack_textures(images, ready(mesh.vertices, np.float32), surface, finest_pixels_per_unit)


def prepare(
    mesh: Mesh, finest_pixels_per_unit: float, lit: bool, bound: NDArray[np.int32] | None = None
) -> Prepared:
    """Lay a finite mesh out for drawing; `lit` says whether normals are needed.

    Args:
        finest_pixels_per_unit: of the sharpest camera that will look; decides which mip levels are made.
        bound: what moves each vertex, see `topology`; None where the mesh does not move.
    """
    vertices = ready(mesh.vertices, np.float32)
    surface, textures = laid_out(mesh, finest_pixels_per_unit, lit)
    surface = surface._replace(rough=rough_faces(surface, textures, vertices, finest_pixels_per_unit))
    connected = topology(mesh, bound)
    part = connected.part
    jump = np.ones(len(connected.halves), np.bool_)
    _mark_jumps(connected.halves, connected.opposed, surface, textures, surface.rough, jump)
    edges = Edges(connected.ends, connected.sides, jump)
    alpha_class = alpha_classes(mesh, surface, textures)
    see_through = np.zeros(int(part.max()) + 1, np.bool_)
    see_through[part[alpha_class != ALPHA_OPAQUE]] = True
    one_sided = (connected.closed & ~see_through[part]) | mesh.single_sided()
    kinds = frozenset(np.unique(alpha_class).tolist())
    return Prepared(vertices, surface, textures, alpha_class, kinds, one_sided, part, edges)
