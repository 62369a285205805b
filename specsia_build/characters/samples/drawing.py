"""The character's own frontal drawing: softly shaded, with a dark contour on white."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build import frame
from specsia_build.jit import compiled

SIZE = 512
"""Width and height of a drawing in pixels."""

_LINE = 3


@dataclass(frozen=True)
class Layer:
    """A mesh to draw, OBJ axes.

    Attributes:
        vertices, normals: (V, 3).
        quads: (Q, 4).
        uv: (Q, 4, 2) in texels, row 0 at the top.
        image: (S, S, 3) uint8.
    """

    vertices: NDArray[np.float64]
    normals: NDArray[np.float64]
    quads: NDArray[np.int64]
    uv: NDArray[np.float64]
    image: NDArray[np.uint8]


@compiled
def _draw(
    points: NDArray[np.float64],
    light: NDArray[np.float64],
    quads: NDArray[np.int64],
    uv: NDArray[np.float64],
    image: NDArray[np.uint8],
    depth: NDArray[np.float64],
    colour: NDArray[np.float64],
) -> None:
    size, texels = depth.shape[0], image.shape[0]
    for q in range(len(quads)):
        for half in range(2):
            a, b, c = 0, 1 + half, 2 + half
            pa, pb, pc = points[quads[q, a]], points[quads[q, b]], points[quads[q, c]]
            area = (pb[0] - pa[0]) * (pc[1] - pa[1]) - (pb[1] - pa[1]) * (pc[0] - pa[0])
            if area > -1e-12:
                continue
            top, bottom = min(pa[1], pb[1], pc[1]), max(pa[1], pb[1], pc[1])
            left, right = min(pa[0], pb[0], pc[0]), max(pa[0], pb[0], pc[0])
            for row in range(max(0, math.ceil(top - 0.5)), min(size - 1, math.floor(bottom - 0.5)) + 1):
                y = row + 0.5
                for col in range(max(0, math.ceil(left - 0.5)), min(size - 1, math.floor(right - 0.5)) + 1):
                    x = col + 0.5
                    wb = ((x - pa[0]) * (pc[1] - pa[1]) - (y - pa[1]) * (pc[0] - pa[0])) / area
                    wc = ((pb[0] - pa[0]) * (y - pa[1]) - (pb[1] - pa[1]) * (x - pa[0])) / area
                    wa = 1.0 - wb - wc
                    if wa < 0.0 or wb < 0.0 or wc < 0.0:
                        continue
                    z = wa * pa[2] + wb * pb[2] + wc * pc[2]
                    if z >= depth[row, col]:
                        continue
                    depth[row, col] = z
                    u = wa * uv[q, a, 0] + wb * uv[q, b, 0] + wc * uv[q, c, 0]
                    v = wa * uv[q, a, 1] + wb * uv[q, b, 1] + wc * uv[q, c, 1]
                    r, k = min(max(int(v), 0), texels - 1), min(max(int(u), 0), texels - 1)
                    shade = wa * light[quads[q, a]] + wb * light[quads[q, b]] + wc * light[quads[q, c]]
                    for channel in range(3):
                        colour[row, col, channel] = image[r, k, channel] * shade


def _grown(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    out = mask.copy()
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if 0 < dx * dx + dy * dy <= radius * radius:
                out |= np.roll(mask, (dy, dx), (0, 1))
    return out


def draw_front(layers: list[Layer]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture and its mask.

    Args:
        layers: meshes in OBJ axes, in any units.

    Returns:
        picture: (SIZE, SIZE, 3) uint8 on white.
        mask: (SIZE, SIZE) uint8, 255 where the character is, without its contour.
    """
    camera = frame.Camera(0.0, SIZE)
    up = frame.up_rotation("+y").T
    together = np.concatenate([layer.vertices for layer in layers]) @ up
    fit = frame.normalise(together, (camera,), _LINE + 1)
    depth, colour = np.full((SIZE, SIZE), np.inf), np.full((SIZE, SIZE, 3), 255.0)
    toward = np.array([-0.35, 0.55, 0.75]) / np.linalg.norm([-0.35, 0.55, 0.75])
    for layer in layers:
        points = camera.project((layer.vertices @ up - np.array(fit.centre)) * fit.scale)
        seen = layer.normals @ up @ camera.basis().T * [1.0, 1.0, -1.0]
        light = np.where(seen @ toward > 0.18, 1.0, 0.84)
        _draw(points, light, layer.quads, layer.uv, layer.image, depth, colour)
    mask = np.isfinite(depth)
    far = np.where(mask, depth, 9.0)
    step = np.zeros_like(mask)
    for axis in (0, 1):
        for way in (1, -1):
            step |= mask & (np.roll(far, way, axis) - far > 0.06)
    colour[step] *= 0.35
    colour[_grown(mask, _LINE) & ~mask] = (34.0, 26.0, 32.0)
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8), np.where(mask, 255, 0).astype(np.uint8)
