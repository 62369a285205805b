"""Input of shading, laid out for compiled code: surfaces, and textures with mip levels in one array."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, ready, uncounted
from specsia_build.rendering.colour import DECODE, DECODE_STEPS, ENCODE, ENCODE_STEPS
from specsia_build.rendering.fast.lookups import HALVED, halve_row
from specsia_build.rendering.mesh import Texture
from specsia_build.rendering.vectors import cross, minus, triple, triple64

EVEN = 8  # Range of levels up to which their mean as they are is that in linear light, to a third of a level

_WRAPS = {"repeat": 0, "clamp": 1, "mirror": 2}

ALPHA_BLOCK = 8  # Texels on a side of the blocks whose opacity range `texel_range` looks at
SMOOTH_BEND = 6  # Second difference of texels in 8-bit levels up to which one look-up stands for a pixel
# Texels along a pixel's side beyond which a coarser level is taken, if half a texel remains across
MOST_TAPS = 4
MOST_LOOKS = 4 * MOST_TAPS  # Look-ups along one side of a pixel at most


class ShadedSurface(NamedTuple):
    """Arrays of F faces and M materials that shading reads."""

    faces: NDArray[np.int32]  # (F, 3)
    material: NDArray[np.int32]  # (F,)
    uv: NDArray[np.float32]  # (F, 3, 2), in 0-1 texture space
    colors: NDArray[np.float32]  # (F, 3, 4), linear, or empty
    normals: NDArray[np.float32]  # (F, 3, 3), or empty
    positions: NDArray[np.float32]  # (V, 3), the attribute that position images show
    base: NDArray[np.float32]  # (M, 4), linear
    emissive: NDArray[np.float32]  # (M, 3), linear
    texture: NDArray[np.int32]  # (M,), index into the texture table, or -1
    glow: NDArray[np.int32]  # (M,), the same
    cutoff: NDArray[np.float32]  # (M,)
    unlit: NDArray[np.bool_]  # (M,)
    plain: NDArray[np.bool_]  # (M,), whether a texel is shown as it is: no factor, no emission
    # (F,), whether the texture is not locally linear: a pixel of several texels then needs several look-ups
    rough: NDArray[np.bool_]


class TextureTable(NamedTuple):
    """All texels of T textures and their mip levels, and the settings of their samplers."""

    texels: NDArray[np.uint8]  # (N, 4), sRGB
    # (T, L, 3), offset, width and height of each level; missing ones repeat the last
    levels: NDArray[np.int64]
    last: NDArray[np.int32]  # (T,), the highest level
    wrap: NDArray[np.int32]  # (T, 2)
    nearest: NDArray[np.bool_]  # (T,)


@uncounted
def _halve_into(image, out):  # type: ignore[no-untyped-def]
    rows, columns = image.shape[0], image.shape[1]
    for y in range(out.shape[0]):
        y0, y1 = min(2 * y, rows - 1), min(2 * y + 1, rows - 1)
        done = 0
        for x in range(out.shape[1]):
            if x == done and 2 * (x + HALVED) <= columns:
                upper, lower = y0 * columns + 2 * x, y1 * columns + 2 * x
                if halve_row(image, out, upper, lower, y * out.shape[1] + x, EVEN):
                    done = x + HALVED
            if x < done:
                continue
            done = x + 1
            x0, x1 = min(2 * x, columns - 1), min(2 * x + 1, columns - 1)
            a0, a1 = np.int32(image[y0, x0, 3]), np.int32(image[y0, x1, 3])
            a2, a3 = np.int32(image[y1, x0, 3]), np.int32(image[y1, x1, 3])
            total = a0 + a1 + a2 + a3
            if total == 0:
                a0 = a1 = a2 = a3 = np.int32(1)
            weight = np.float32(1.0) / np.float32(a0 + a1 + a2 + a3)
            for c in range(3):
                light = (
                    a0 * DECODE[image[y0, x0, c] * DECODE_STEPS]
                    + a1 * DECODE[image[y0, x1, c] * DECODE_STEPS]
                    + a2 * DECODE[image[y1, x0, c] * DECODE_STEPS]
                    + a3 * DECODE[image[y1, x1, c] * DECODE_STEPS]
                ) * weight
                out[y, x, c] = ENCODE[int(light * ENCODE_STEPS + 0.5)]
            out[y, x, 3] = (total + 2) // 4


def halve(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Next mip level: linear means of 2 x 2 texels, weighted by opacity: hidden colours stay hidden."""
    out = np.empty((max(1, image.shape[0] // 2), max(1, image.shape[1] // 2), 4), np.uint8)
    _halve_into(image, out)
    return out


@compiled
def _texels_per_unit(vertices, faces, uv, which, width, height):  # type: ignore[no-untyped-def]
    """How many texels of one direction lie on a unit of each of the faces `which`."""
    out = np.zeros(len(which))
    for i in range(len(which)):
        f = which[i]
        a, b, c = triple(faces, f)
        origin = triple64(vertices, a)
        nx, ny, nz = cross(minus(triple(vertices, b), origin), minus(triple(vertices, c), origin))
        area = np.sqrt(nx * nx + ny * ny + nz * nz)
        u, v = np.float64(uv[f, 0, 0]), np.float64(uv[f, 0, 1])
        bu, bv = uv[f, 1, 0] - u, uv[f, 1, 1] - v
        cu, cv = uv[f, 2, 0] - u, uv[f, 2, 1] - v
        if area > 1e-12:
            out[i] = np.sqrt(abs(bu * cv - bv * cu) * width * height / area)
    return out


def pack_textures(
    images: Sequence[Texture], vertices: NDArray[np.float32], surface: ShadedSurface, pixels_per_unit: float
) -> TextureTable:
    """Pack textures with as many mip levels as a camera of that sharpness can need."""
    if not images:
        return TextureTable(
            texels=np.zeros((1, 4), np.uint8),
            levels=np.zeros((1, 1, 3), np.int64),
            last=np.zeros(0, np.int32),
            wrap=np.zeros((0, 2), np.int32),
            nearest=np.zeros(0, np.bool_),
        )
    last: list[int] = []
    chunks: list[NDArray[np.uint8]] = []
    rows: list[list[tuple[int, int, int]]] = []
    offset = 0
    for i, image in enumerate(images):
        faces = np.flatnonzero(((surface.texture == i) | (surface.glow == i))[surface.material])
        height, width = image.pixels.shape[:2]
        densities = _texels_per_unit(vertices, surface.faces, surface.uv, faces, width, height)
        last.append(_last_level(float(densities.max(initial=0.0)) / pixels_per_unit, max(height, width)))
        rows.append([])
        for level in _levels(image, last[-1]):
            rows[-1].append((offset, level.shape[1], level.shape[0]))
            chunks.append(level.reshape(-1, 4))
            offset += len(chunks[-1])
    most = max(last)
    return TextureTable(
        texels=np.concatenate(chunks) if len(chunks) > 1 else chunks[0],
        levels=np.array([own + own[-1:] * (most + 1 - len(own)) for own in rows]),
        last=np.array(last, np.int32),
        wrap=np.array([(_WRAPS[image.wrap[0]], _WRAPS[image.wrap[1]]) for image in images], np.int32),
        nearest=np.array([image.nearest for image in images], np.bool_),
    )


def _levels(image: Texture, last: int) -> list[NDArray[np.uint8]]:
    """A texture and its mip levels up to `last`, computed once, as characters are drawn several times."""
    levels = [*image.kept.get("levels", [ready(image.pixels)])]
    while len(levels) <= last:
        levels.append(halve(levels[-1]))
    # Replaced as a whole, as threads may draw the same mesh.
    image.kept["levels"] = levels
    return levels[: last + 1]


def _last_level(density: float, longest: int) -> int:
    """The coarsest level that an image needs, by texels along its longer side and those across a pixel."""
    level = 0
    while density > MOST_TAPS and longest >> level > 1:
        level, density = level + 1, density / 2
    return level


@inlined
def _wrapped(i, n, mode):  # type: ignore[no-untyped-def]
    if 0 <= i < n:
        return i
    if mode == 1:
        return 0 if i < 0 else n - 1
    if mode == 0:
        return i % n
    j = i % (2 * n)
    return j if j < n else 2 * n - 1 - j


class SampledImage(NamedTuple):
    """Where the texels of an image lie in `TextureTable`, and how they are looked up."""

    offset: int  # Of its first texel
    width: int
    height: int
    wrap_u: int
    wrap_v: int
    nearest: bool


@uncounted
def sample(texels, image, u, v):  # type: ignore[no-untyped-def]
    """Bilinear sRGB-encoded RGBA 0-255 of an image's texels; u, v are 0-1 over it, v down."""
    offset, w, h, wrap_u, wrap_v, nearest = image
    if nearest:
        k = offset + _wrapped(int(np.floor(v * h)), h, wrap_v) * w + _wrapped(int(np.floor(u * w)), w, wrap_u)
        return (
            np.float32(texels[k, 0]),
            np.float32(texels[k, 1]),
            np.float32(texels[k, 2]),
            np.float32(texels[k, 3]),
        )
    x = np.float32(u * w - 0.5)
    y = np.float32(v * h - 0.5)
    fx, fy = np.floor(x), np.floor(y)
    ix, iy = int(fx), int(fy)
    ax, ay = x - fx, y - fy
    x0, x1 = _wrapped(ix, w, wrap_u), _wrapped(ix + 1, w, wrap_u)
    r0, r1 = offset + _wrapped(iy, h, wrap_v) * w, offset + _wrapped(iy + 1, h, wrap_v) * w
    w11 = ax * ay
    w10 = ay - w11
    w01 = ax - w11
    w00 = np.float32(1) - ax - w10
    k00 = r0 + x0
    k01 = r0 + x1
    k10 = r1 + x0
    k11 = r1 + x1
    return (
        w00 * texels[k00, 0] + w01 * texels[k01, 0] + w10 * texels[k10, 0] + w11 * texels[k11, 0],
        w00 * texels[k00, 1] + w01 * texels[k01, 1] + w10 * texels[k10, 1] + w11 * texels[k11, 1],
        w00 * texels[k00, 2] + w01 * texels[k01, 2] + w10 * texels[k10, 2] + w11 * texels[k11, 2],
        w00 * texels[k00, 3] + w01 * texels[k01, 3] + w10 * texels[k10, 3] + w11 * texels[k11, 3],
    )


@compiled
def _block_range(table, texture):  # type: ignore[no-untyped-def]
    """Smallest and largest alpha of each block of the finest level."""
    offset, w, h = table.levels[texture, 0]
    bw, bh = (w + ALPHA_BLOCK - 1) // ALPHA_BLOCK, (h + ALPHA_BLOCK - 1) // ALPHA_BLOCK
    low = np.full((bh, bw), 255, np.uint8)
    high = np.zeros((bh, bw), np.uint8)
    for y in range(h):
        for x in range(w):
            a = table.texels[offset + y * w + x, 3]
            by, bx = y // ALPHA_BLOCK, x // ALPHA_BLOCK
            low[by, bx] = min(low[by, bx], a)
            high[by, bx] = max(high[by, bx], a)
    return low, high


@compiled
def _rough_blocks(table, texture, level):  # type: ignore[no-untyped-def]
    """255 for each block of a level in which some texel is far from the mean of its neighbours, else 0."""
    offset, w, h = table.levels[texture, level]
    wrap_u, wrap_v = table.wrap[texture]
    flat = table.texels.reshape(-1)
    blocks = np.zeros(((h + ALPHA_BLOCK - 1) // ALPHA_BLOCK, (w + ALPHA_BLOCK - 1) // ALPHA_BLOCK), np.uint8)
    # A row with its neighbours on both sides, and the largest bend of each column in this row of blocks.
    padded, worst = np.empty(4 * w + 8, np.int16), np.empty(4 * w, np.int16)
    first, last = 4 * _wrapped(-1, w, wrap_u), 4 * _wrapped(w, w, wrap_u)
    for y in range(h):
        here = flat[4 * (offset + y * w) :][: 4 * w]
        above = flat[4 * (offset + _wrapped(y - 1, h, wrap_v) * w) :][: 4 * w]
        below = flat[4 * (offset + _wrapped(y + 1, h, wrap_v) * w) :][: 4 * w]
        for c in range(4):
            padded[c], padded[4 * w + 4 + c] = here[first + c], here[last + c]
        for i in range(4 * w):
            padded[i + 4] = here[i]
        if y % ALPHA_BLOCK == 0:
            worst[:] = 0
        for i in range(4 * w):
            # In 16 bits throughout, which `abs` would widen: twice as many then fit a register.
            twice = np.int16(2 * padded[i + 4])
            down = np.int16(np.int16(above[i]) + np.int16(below[i]) - twice)
            across = np.int16(padded[i] + padded[i + 8] - twice)
            worst[i] = max(worst[i], max(max(down, np.int16(-down)), max(across, np.int16(-across))))
        if (y + 1) % ALPHA_BLOCK == 0 or y + 1 == h:
            for block in range(blocks.shape[1]):
                most = np.int16(0)
                for i in range(4 * ALPHA_BLOCK * block, min(4 * w, 4 * ALPHA_BLOCK * (block + 1))):
                    most = max(most, worst[i])
                if most > SMOOTH_BEND:
                    blocks[y // ALPHA_BLOCK, block] = 255
    return blocks


class _Blocks(NamedTuple):
    """Bounds of a level's texels, block by block, and of all of them."""

    low: NDArray[np.uint8]
    high: NDArray[np.uint8]
    least: np.uint8
    most: np.uint8


@uncounted
def _range_of_faces(faces, uv, size, modes, blocks, out):  # type: ignore[no-untyped-def]
    w, h = size
    mode_u, mode_v = modes
    low, high = out
    for i in range(len(faces)):
        f = faces[i]
        u0, u1 = min(uv[f, 0, 0], uv[f, 1, 0], uv[f, 2, 0]), max(uv[f, 0, 0], uv[f, 1, 0], uv[f, 2, 0])
        v0, v1 = min(uv[f, 0, 1], uv[f, 1, 1], uv[f, 2, 1]), max(uv[f, 0, 1], uv[f, 1, 1], uv[f, 2, 1])
        x0, x1 = int(np.floor(u0 * w - 0.5)), int(np.floor(u1 * w + 0.5))
        y0, y1 = int(np.floor(v0 * h - 0.5)), int(np.floor(v1 * h + 0.5))
        if x1 - x0 >= w or y1 - y0 >= h:
            low[i], high[i] = blocks.least, blocks.most
            continue
        least, most = 255, 0
        y = y0
        while True:
            by = _wrapped(y, h, mode_v) // ALPHA_BLOCK
            x = x0
            while True:
                bx = _wrapped(x, w, mode_u) // ALPHA_BLOCK
                least = min(least, blocks.low[by, bx])
                most = max(most, blocks.high[by, bx])
                if x == x1:
                    break
                x = min(x + ALPHA_BLOCK // 2, x1)
            if y == y1:
                break
            y = min(y + ALPHA_BLOCK // 2, y1)
        low[i], high[i] = least, most


def _block_bounds(
    faces: NDArray[np.int64],
    uv: NDArray[np.float32],
    table: TextureTable,
    image: tuple[int, int],
    low: NDArray[np.uint8],
    high: NDArray[np.uint8],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least of `low` and the most of `high` over the blocks that each given face touches.

    `image` is the number of a texture and its level.
    """
    _, w, h = table.levels[image]
    ranges = np.empty(len(faces)), np.empty(len(faces))
    mode_u, mode_v = table.wrap[image[0]]
    blocks = _Blocks(low, high, low.min(), high.max())
    _range_of_faces(faces, uv, (w, h), (mode_u, mode_v), blocks, ranges)
    return ranges


def rough_faces(
    surface: ShadedSurface, table: TextureTable, vertices: NDArray[np.float32], pixels_per_unit: float
) -> NDArray[np.bool_]:
    """Which faces (F,) carry texture that is not locally linear, at any level that their pixels may span."""
    rough = np.zeros(len(surface.faces), np.bool_)
    for kind in (surface.texture, surface.glow):
        for texture in np.unique(kind):
            if texture < 0:
                continue
            faces = np.flatnonzero((kind == texture)[surface.material])
            _, w, h = table.levels[texture, 0]
            density = _texels_per_unit(vertices, surface.faces, surface.uv, faces, w, h) / pixels_per_unit
            # What is smooth from texel to texel may still be rough over the many texels of one pixel.
            for level in range(int(table.last[texture]) + 1):
                left = faces[~rough[faces] & ((level == 0) | (density >= 2.0**level))]
                if len(left) == 0:
                    continue
                blocks = _rough_blocks(table, int(texture), level)
                image = int(texture), level
                rough[left] = _block_bounds(left, surface.uv, table, image, blocks, blocks)[1] > 0
    return rough


def texel_range(
    faces: NDArray[np.int64], surface: ShadedSurface, table: TextureTable
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of the opacity (0-1) on each of the given faces: texture x factor x vertex colour."""
    material = surface.material[faces]
    low, high = np.full(len(faces), 255.0), np.full(len(faces), 255.0)
    for texture in np.unique(surface.texture[material]):
        if texture < 0:
            continue
        which = np.flatnonzero(surface.texture[material] == texture)
        block_low, block_high = _block_range(table, int(texture))
        bounds = _block_bounds(faces[which], surface.uv, table, (int(texture), 0), block_low, block_high)
        low[which], high[which] = bounds
    factor = surface.base[material, 3].astype(np.float64)
    if len(surface.colors):
        corner = surface.colors[faces, :, 3]
        return low / 255 * factor * corner.min(axis=1), high / 255 * factor * corner.max(axis=1)
    return low / 255 * factor, high / 255 * factor
