"""Looks of drawings for what `relief` is trained on: painted, cel-shaded, inked, line art, pixel art."""

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.rendering.layers import HALF_COVERED

# Least difference of neighbours in depth (pixels) and in colour (levels) that a line is drawn at
_JUMP, _EDGE = 2.5, 45
_SMOOTH = 1.5  # Standard deviation in pixels of the blur of depth whose slopes are shaded


def in_a_look(
    front: Pixels, back: Pixels, heights: Floats, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """Front and back of a figure as an artist may draw them; two in five stay as they are.

    The back has neither light nor lines, so that its colours are those of the figure.

    Args:
        front, back: (H, W, 4) uint8, straight alpha.
        heights: (H, W) of the front towards the viewer in pixels.
    """
    style, shown = rng.random(), front[..., 3] >= HALF_COVERED
    if style < 0.4 or not shown.any():
        return front, back
    if style < 0.46:
        return _in_squares(front, int(rng.integers(2, 5))), back
    if style < 0.65:
        return _shaded(front, heights, shown, rng), back
    lines = _lines(front, heights, shown)
    if style < 0.75:
        paper = rng.uniform(200, 255, 3)
        return _inked(_plain(front, paper), lines, rng), _plain(back, paper)
    if style < 0.86:
        front = _shaded(front, heights, shown, rng)
    return _inked(front, lines, rng), back


def _plain(picture: Pixels, colour: NDArray[np.float64]) -> Pixels:
    out = picture.copy()
    out[..., :3] = colour.round()
    return out


def _lines(front: Pixels, heights: Floats, shown: Mask) -> Mask:
    """Pixels (H, W) of a figure beside which depth or colour jump."""
    deep = np.where(shown, heights, 0).astype(np.float32)
    light = front[..., :3].astype(np.int16)
    lines = np.zeros_like(shown)
    for axis in (0, 1):
        first, second = (np.swapaxes(shown, 0, axis)[at] for at in (slice(-1), slice(1, None)))
        jumps = (np.abs(np.diff(deep, axis=axis)) > _JUMP) | (
            np.abs(np.diff(light, axis=axis)).max(axis=2) > _EDGE
        )
        np.swapaxes(lines, 0, axis)[1:] |= np.swapaxes(jumps, 0, axis) & first & second
    return lines


def _inked(front: Pixels, lines: Mask, rng: np.random.Generator) -> Pixels:
    """Draw lines in one dark colour, as thick as a pixel or two, some of them faint or left out."""
    drawn = scipy.ndimage.binary_dilation(lines) if rng.random() < 0.3 else lines
    strength = drawn * rng.uniform(0.5, 1.0)
    if rng.random() < 0.5:
        strength *= _clouds(lines.shape, 6, rng) > -0.4
    ink = rng.random(3) ** 2 * 140
    out = front.copy()
    out[..., :3] = (front[..., :3] * (1 - strength[..., None]) + ink * strength[..., None]).round()
    return out


def _in_squares(front: Pixels, side: int) -> Pixels:
    """Pixel art: squares of `side` pixels in one colour each, fully covered or not at all."""
    rows, columns = (np.minimum(np.arange(n) // side * side + side // 2, n - 1) for n in front.shape[:2])
    out = front[rows[:, None], columns]
    out[..., 3] = np.where(out[..., 3] >= HALF_COVERED, 255, 0)
    return np.asarray(out)


def _shaded(front: Pixels, heights: Floats, shown: Mask, rng: np.random.Generator) -> Pixels:
    """Light and shade by the slopes of a figure, smooth or in two tones, with uneven paint and grain."""
    weight = scipy.ndimage.gaussian_filter(shown.astype(np.float32), _SMOOTH)
    smooth = scipy.ndimage.gaussian_filter(np.where(shown, heights, 0).astype(np.float32), _SMOOTH)
    down, across = np.gradient(smooth / np.maximum(weight, 1e-3))
    normals = np.stack([-across, -down, np.ones_like(down)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    light = np.array([rng.normal(0, 0.6), rng.normal(-0.6, 0.4), 0.7])
    bright = normals @ (light / np.linalg.norm(light))
    if rng.random() < 0.35:
        border = np.quantile(bright[shown], rng.uniform(0.15, 0.5))
        tones = np.where(bright > border, 1.0, rng.uniform(0.55, 0.85))
    else:
        tones = 1 + rng.uniform(0.15, 0.6) * (bright - bright[shown].mean())
    tones = tones * (1 + rng.uniform(0, 0.12) * _clouds(shown.shape, 8, rng))
    grain = rng.normal(0, rng.uniform(0, 12), (*shown.shape, 3)) if rng.random() < 0.5 else 0.0
    out = front.copy()
    out[..., :3] = np.clip(front[..., :3] * tones[..., None] + grain, 0, 255).round()
    return out


def _clouds(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth noise (H, W), about -1.5 to 1.5, of `count` bumps along each side."""
    rough = rng.normal(size=(count, count)).clip(-1.5, 1.5)
    return np.asarray(scipy.ndimage.zoom(rough, np.divide(shape, count), order=1))
