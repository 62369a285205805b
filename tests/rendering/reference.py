"""Reference renderers for the fast one, as simple as possible: opaque faces, and translucent layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import Camera
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.fast.fragments import PIXEL_SAMPLES, SAMPLE_X, SAMPLE_Y
from specsia_build.rendering.fast.stacks import MOST_LAYERS
from specsia_build.rendering.mesh import Mesh, Texture

GRID = 16  # Samples along one side of a pixel


@dataclass(frozen=True)
class Picture:
    """`coverage` (H, W) 0-1, `color` (H, W, 3) encoded 0-255, not rounded, 0 where nothing is covered."""

    coverage: NDArray[np.float64]
    color: NDArray[np.float64]


def reference(mesh: Mesh, camera: Camera) -> Picture:
    """Opaque picture of a mesh coloured by materials and vertex colours; textures are not looked at."""
    fine = camera.size * GRID
    at = (np.arange(fine) + 0.5) / GRID
    screen = camera.project(mesh.vertices)
    base = np.array([m.base_color[:3] for m in mesh.materials])
    nearest = np.full((fine, fine), np.inf)
    light = np.zeros((fine, fine, 3))
    for f, face in enumerate(mesh.faces):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = screen[face]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-12:
            continue
        columns = slice(*np.searchsorted(at, [min(ax, bx, cx), max(ax, bx, cx)]))
        rows = slice(*np.searchsorted(at, [min(ay, by, cy), max(ay, by, cy)]))
        x, y = np.meshgrid(at[columns], at[rows])
        wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
        wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
        wc = 1 - wa - wb
        depth = wa * az + wb * bz + wc * cz
        hit = (wa >= 0) & (wb >= 0) & (wc >= 0) & (depth < nearest[rows, columns])
        color = np.broadcast_to(base[mesh.face_material[f]], (*x.shape, 3))
        if mesh.colors is not None:
            ca, cb, cc = mesh.colors[f, :, :3].astype(np.float64)
            color = color * (wa[..., None] * ca + wb[..., None] * cb + wc[..., None] * cc)
        nearest[rows, columns] = np.where(hit, depth, nearest[rows, columns])
        light[rows, columns] = np.where(hit[..., None], color, light[rows, columns])
    inside = np.isfinite(nearest)
    shape = (camera.size, GRID, camera.size, GRID)
    coverage = inside.reshape(shape).mean(axis=(1, 3))
    total = (light * inside[..., None]).reshape(*shape, 3).mean(axis=(1, 3))
    mean = np.divide(total, coverage[..., None], out=np.zeros_like(total), where=coverage[..., None] > 0)
    return Picture(np.asarray(coverage), linear_to_srgb(mean) * 255)


Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_LIGHT = 1 / 8192


@dataclass(frozen=True)
class Layered:
    """`color` (H, W, 4) 0-255 and `coverage` (H, W) 0-255, neither rounded, `position` (H, W, 3), and
    `touched` (H, W), where a translucent face is in front of what is opaque."""

    color: Floats
    coverage: Floats
    position: Floats
    touched: NDArray[np.bool_]


@dataclass(frozen=True)
class _Hits:
    """N samples that a face is met at: their number, depth, RGBA and position."""

    sample: Ints
    depth: NDArray[np.float32]
    rgba: Floats
    position: Floats

    def __getitem__(self, which: NDArray[np.bool_] | Ints) -> _Hits:
        return _Hits(self.sample[which], self.depth[which], self.rgba[which], self.position[which])


def _texel(texture: Texture, uv: Floats) -> Floats:
    """Linear RGB and alpha, 0-1, between the texels of a clamped texture."""
    h, w = texture.pixels.shape[:2]
    x, y = uv[:, 0] * w - 0.5, uv[:, 1] * h - 0.5
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    level = np.zeros((len(uv), 4))
    for i in (0, 1):
        for j in (0, 1):
            weight = np.abs(1 - i - (x - x0)) * np.abs(1 - j - (y - y0))
            level += weight[:, None] * texture.pixels[np.clip(y0 + j, 0, h - 1), np.clip(x0 + i, 0, w - 1)]
    return np.concatenate([srgb_to_linear(level[:, :3] / 255), level[:, 3:] / 255], axis=1)


def _met(mesh: Mesh, f: int, corners: Ints, depth: NDArray[np.float32], size: int) -> _Hits | None:
    """The samples that a face is met at; those on an edge belong to one of the two faces beside it."""
    order = [0, 1, 2]
    (ax, ay), (bx, by), (cx, cy) = corners
    if (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) < 0:
        order = [0, 2, 1]
    (ax, ay), (bx, by), (cx, cy) = corners[order]
    z, area = depth[order], (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    low, high = corners.min(axis=0) >> 8, corners.max(axis=0) >> 8
    (x0, y0), (x1, y1) = np.maximum(low, 0), np.minimum(high, size - 1)
    if area == 0 or x1 < x0 or y1 < y0:
        return None
    rows, columns = (a.ravel()[:, None] for a in np.mgrid[y0 : y1 + 1, x0 : x1 + 1])
    px, py = columns * 256 + 128, rows * 256 + 128
    right, down = SAMPLE_X[:PIXEL_SAMPLES].astype(np.int64), SAMPLE_Y[:PIXEL_SAMPLES].astype(np.int64)
    translucent = mesh.materials[mesh.face_material[f]].alpha_mode == "blend"
    inside = np.ones((len(rows), PIXEL_SAMPLES), np.bool_)
    centre = []
    for px0, py0, px1, py1 in ((ax, ay, bx, by), (bx, by, cx, cy), (cx, cy, ax, ay)):
        step_x, step_y = py0 - py1, px1 - px0
        owned = step_x > 0 or (step_x == 0 and step_y > 0) or not translucent
        edge = step_y * (py - py0) + step_x * (px - px0)
        centre.append(edge)
        inside &= edge + step_x * right + step_y * down >= (0 if owned else 1)
    ab, bc, ca = centre
    inverse = 1.0 / area
    za, zb, zc = (np.float64(d) * inverse for d in z)
    z_x = np.float32(za * (by - cy) + zb * (cy - ay) + zc * (ay - by))
    z_y = np.float32(za * (cx - bx) + zb * (ax - cx) + zc * (bx - ax))
    at_centre = (za * bc + zb * ca + zc * ab).astype(np.float32)
    deep = at_centre + z_x * right.astype(np.float32) + z_y * down.astype(np.float32)
    pixel, s = np.nonzero(inside)
    x, y = px[pixel, 0] + right[s], py[pixel, 0] + down[s]
    wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
    wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
    weights = np.stack([1 - wb - wc, wb, wc], axis=1)
    material = mesh.materials[mesh.face_material[f]]
    rgba = np.broadcast_to(np.array(material.base_color), (len(s), 4))
    if mesh.colors is not None:
        rgba = rgba * (weights @ mesh.colors[f][order])
    if material.texture is not None:
        assert mesh.uv is not None
        rgba = rgba * _texel(material.texture, weights @ mesh.uv[f][order])
    if not translucent:
        rgba = np.concatenate([rgba[:, :3], np.ones((len(s), 1))], axis=1)
    flat = (rows[pixel, 0] * size + columns[pixel, 0]) * PIXEL_SAMPLES + s
    return _Hits(flat, deep[pixel, s], rgba, weights @ mesh.vertices[mesh.faces[f][order]])


def _joined(hits: list[_Hits]) -> _Hits:
    """All hits, by sample and then by depth; of those that are equally deep, the first face's first."""
    parts = [(h.sample, h.depth, h.rgba, h.position) for h in hits]
    if not parts:
        return _Hits(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros((0, 4)), np.zeros((0, 3)))
    sample, depth, rgba, position = (np.concatenate(part) for part in zip(*parts, strict=True))
    return _Hits(sample, depth, rgba, position)[np.lexsort((depth, sample))]


def layered(mesh: Mesh, camera: Camera) -> Layered:
    """Unlit picture of a mesh of opaque and translucent faces.

    Where no translucent face lies, colours are means of all samples, too, unlike those of the renderer.
    """
    size = camera.size
    screen = camera.project(mesh.vertices.astype(np.float64))
    corners = np.floor(screen[:, :2] * 256 + 0.5).astype(np.int64)
    depth = screen[:, 2].astype(np.float32)
    translucent: list[_Hits] = []
    opaque: list[_Hits] = []
    for f, face in enumerate(mesh.faces):
        hits = _met(mesh, f, corners[face], depth[face], size)
        if hits is not None:
            blend = mesh.materials[mesh.face_material[f]].alpha_mode == "blend"
            (translucent if blend else opaque).append(hits)
    samples = size * size * PIXEL_SAMPLES
    behind = _joined(opaque)
    behind = behind[np.unique(behind.sample, return_index=True)[1]]
    wall = np.full(samples, np.inf, np.float32)
    wall[behind.sample] = behind.depth
    layers = _joined(translucent)
    layers = layers[layers.depth < wall[layers.sample]]
    again = (layers.sample[1:] == layers.sample[:-1]) & (layers.depth[1:] == layers.depth[:-1])
    layers = layers[np.concatenate([[True], ~again])[: len(layers.sample)]]
    rank = np.arange(len(layers.sample)) - np.searchsorted(layers.sample, layers.sample)
    layers, rank = layers[rank < MOST_LAYERS], rank[rank < MOST_LAYERS]
    touched = np.zeros(samples, np.bool_)
    touched[layers.sample] = True

    through, light = np.ones(samples), np.zeros((samples, 3))
    seen, position = np.zeros(samples, np.bool_), np.zeros((samples, 3))
    ranked, ends = layers[np.argsort(rank, kind="stable")], np.cumsum(np.bincount(rank))
    for hits in (*(ranked[np.arange(*span)] for span in zip([0, *ends[:-1]], ends, strict=False)), behind):
        lit = hits[through[hits.sample] >= LEAST_LIGHT]
        part = through[lit.sample] * lit.rgba[:, 3]
        fresh = lit[~seen[lit.sample] & (lit.rgba[:, 3] >= 1 / 255)]
        seen[fresh.sample], position[fresh.sample] = True, fresh.position
        light[lit.sample] += part[:, None] * lit.rgba[:, :3]
        through[lit.sample] -= part

    shape = (size, size, PIXEL_SAMPLES)
    opacity = 1 - through.reshape(shape).mean(axis=2)
    mean = light.reshape(*shape, 3).mean(axis=2)
    straight = np.divide(mean, opacity[..., None], out=np.zeros_like(mean), where=opacity[..., None] > 0)
    there: NDArray[np.bool_] = seen.reshape(shape)
    first = there.argmax(axis=2)
    at = np.take_along_axis(position.reshape(*shape, 3), first[..., None, None], axis=2)[:, :, 0]
    shown = np.any(there, axis=2)
    rgba = np.concatenate([linear_to_srgb(straight) * 255, opacity[..., None] * 255], axis=2)
    return Layered(
        np.where(shown[..., None], rgba, 0),
        there.mean(axis=2) * 255,
        np.where(shown[..., None], at, 0),
        np.any(touched.reshape(shape), axis=2),
    )
