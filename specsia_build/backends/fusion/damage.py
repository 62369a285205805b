"""A seeded model of the errors of a multi-view diffusion network in one view.

Lengths are pixels of a `VIEW_SIZE` image, colours are sRGB-encoded 0-1. The constants hold at strength 1;
every one that is an amplitude grows in proportion to the strength. They are set by eye against pictures that
Wonder3D and drawing tools built on it publish, and so that the fused figures keep a novel-view IoU of 0.90.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.random import Generator

from specsia_build.arrays import Doubles, Floats, Mask
from specsia_build.backends.fusion.views import BACK_VIEW, FRONT_VIEW, VIEW_SIZE, DrawnViews, blended
from specsia_build.jit import compiled
from specsia_build.pictures.masks import box_around, continued

_WHOLE = (slice(0, VIEW_SIZE), slice(0, VIEW_SIZE))
_AROUND = 16  # Pixels around the figure that are computed; distances count up to half of that
FRONT_SHARE = 0.5  # Share of the damage that the front view gets: the network has seen it
TURN_DEG, ROLL_DEG = 1.2, 0.3  # Deviations of yaw and of the turn in the plane
_SCALE, SHIFT = 0.004, 0.35  # Deviations of scale and shift
BEND, BEND_WAVE = 0.38, 56.0  # Smooth displacement of all that a view shows, its silhouette included
SPLIT = 2.5  # Width of the Gaussian that separates colours from detail
WANDER, WANDER_WAVE = 1.5, 22.0  # Displacement of the detail
FADE = 0.45  # Its change of contrast by `PATCH_WAVE`
GHOST_SHIFT, GHOST_WAVE = 11.0, 70.0  # Detail from elsewhere
GHOST, PATCH_WAVE = 0.55, 34.0  # Its contrast, in patches
MOTTLE, MOTTLE_WAVES = 0.5, (5.0, 11.0)  # Noise in proportion to the local contrast plus a floor
MOTTLE_FLOOR = 0.012
MOTTLE_HUE = 0.25  # Its share that differs between R, G and B
LIGHT = 0.040  # Relative drift of brightness of the whole view
LIGHT_FIELD, LIGHT_WAVE = 0.055, 80.0  # The same by place
TINT, TINT_FIELD = 0.018, 0.022  # Drift of two colour differences, whole and by place
_SOFT = 0.8  # Blur of a view
SOFT_FRONT, SOFT_BACK = 0.45, 1.1  # Blur of the frontal one and of the back
BACK_DETAIL = 0.4  # Contrast of detail
BACK_BLUR = 4.0  # Blur of colours
BACK_SHIFT, BACK_WAVE = 9.0, 60.0  # Shift of colours
CLOSE, OPEN = 2.0, 0.6  # Mean radii of gaps that fuse and of parts that are lost
MASK_WAVE = 48.0  # Their variation
_EDGE, EDGE_WAVES = 0.28, (26.0, 9.0)  # Displacement of the outline outwards and inwards
_NEARER, DEPTH_BLUR = (3, 3), 1.5  # Erosion and blur of the depth
_DEPTH, DEPTH_WAVE = 0.0035, 44.0  # Its error in units
SPREAD = 0.479  # Deviation of a bicubic B-spline with coefficients of deviation 1: 151/315 per axis


def turns(generator: Generator, strength: float) -> Doubles:
    """Degrees (6,) by which each view is turned from its camera; 0 for the front."""
    degrees = generator.normal(0.0, TURN_DEG * strength, 6)
    degrees[FRONT_VIEW] = 0.0
    return degrees


@dataclass(frozen=True)
class Noise:
    """Random numbers of one view, and the rows and columns of it that are computed."""

    generator: Generator
    window: tuple[slice, slice] = _WHOLE

    def smooth(self, wavelength: float) -> Floats:
        """Noise (h, w) float32, mean 0 and standard deviation 1, with no detail below a wavelength in pixels.

        The coefficients, of the whole view, lie half a wavelength apart.
        """
        step = wavelength / 2
        count = int((VIEW_SIZE - 1) / step) + 4
        coefficients = self.generator.standard_normal((count, count), dtype=np.float32)
        (top, bottom), (left, right) = ((side.start, side.stop) for side in self.window)
        across = _spline(np.ascontiguousarray(_spline(coefficients, top, bottom, step).T), left, right, step)
        return np.asarray(across.T / np.float32(SPREAD), np.float32, order="C")

    def vectors(self, wavelength: float) -> Floats:
        """Two independent fields of `smooth`, (2, h, w) float32: across and down."""
        return np.stack([self.smooth(wavelength) for _ in range(2)])


def damaged(pixels: Floats, depth: Floats, which: int, generator: Generator, strength: float) -> DrawnViews:
    """Damage one of `true_views` as the network would: the front is near the picture, the back made up.

    Draws from the generator, which is only for this view, do not depend on the strength.
    """
    covered = pixels[..., 3] > 0
    noise = Noise(generator, box_around(covered, _AROUND) if covered.any() else _WHOLE)
    pixels, depth = pixels[noise.window], depth[noise.window]
    share = strength * (FRONT_SHARE if which == FRONT_VIEW else 1.0)
    bend = _similarity(noise, share)
    bend += noise.vectors(BEND_WAVE) * np.float32(BEND * share)
    # The nearer surface wins at a step in depth: else blurring and resampling would eat thin parts.
    nearer = scipy.ndimage.grey_erosion(continued(depth, pixels[..., 3] >= 0.5), _NEARER)
    moved = warped(np.dstack([pixels, nearer]), bend)
    alpha = moved[..., 3]
    known = alpha >= 0.5
    whole = continued(moved[..., :3] / np.maximum(alpha, 1e-3)[..., None], known)
    blurred = _blurred(moved[..., 4], DEPTH_BLUR * strength)
    around = [(side.start, VIEW_SIZE - side.stop) for side in noise.window]
    return DrawnViews(
        np.pad(_repainted(whole, known, which, noise, strength), [*around, (0, 0)], "edge"),
        np.pad(_recut(alpha, noise, share), around, "edge"),
        np.pad(blurred + noise.smooth(DEPTH_WAVE) * np.float32(_DEPTH * strength), around, "edge"),
    )


def _similarity(noise: Noise, strength: float) -> Floats:
    """A small turn, growth and shift about the image's centre, as a displacement (2, h, w)."""
    roll, growth, across, down = noise.generator.standard_normal(4) * strength
    angle, scale = np.deg2rad(ROLL_DEG * roll), _SCALE * growth
    y, x = np.mgrid[noise.window] - (VIEW_SIZE - 1) / 2
    right, below = x * scale - y * angle + SHIFT * across, y * scale + x * angle + SHIFT * down
    return np.stack([right, below]).astype(np.float32)


def _blurred(image: Floats, width: float) -> Floats:
    return np.asarray(scipy.ndimage.gaussian_filter(image, width, mode="nearest", truncate=3.0, axes=(0, 1)))


def _repainted(color: Floats, known: Mask, which: int, noise: Noise, strength: float) -> Floats:
    """Move, fade and invent detail of the colours, and let them drift; (h, w, 3) encoded 0-1."""
    s = np.float32(strength * (FRONT_SHARE if which == FRONT_VIEW else 1.0))
    base = _blurred(color, SPLIT)
    detail = color - base
    wander = noise.vectors(WANDER_WAVE) * (s * np.float32(WANDER))
    contrast = np.clip(1 + s * np.float32(FADE) * noise.smooth(PATCH_WAVE), 0, 1.5)
    strange = warped(detail, noise.vectors(GHOST_WAVE) * (s * np.float32(GHOST_SHIFT)))
    patches = np.clip(noise.smooth(PATCH_WAVE), 0, 1)
    back_shift = noise.vectors(BACK_WAVE) * (s * np.float32(BACK_SHIFT))
    if which == BACK_VIEW:
        blend = min(1.0, strength)
        base = base + np.float32(blend) * (_blurred(warped(base, back_shift), BACK_BLUR * strength) - base)
        contrast = contrast * np.float32(1 - blend * (1 - BACK_DETAIL))
    painted = base + warped(detail, wander) * contrast[..., None]
    painted += strange * (s * np.float32(GHOST) * patches)[..., None]
    painted += _mottle(detail, known, noise, float(s))
    softness = {FRONT_VIEW: SOFT_FRONT, BACK_VIEW: SOFT_BACK}.get(which, _SOFT)
    return np.clip(_blurred(_drifted(painted, noise, strength), softness * strength), 0, 1)


def _mottle(detail: Floats, known: Mask, noise: Noise, strength: float) -> Floats:
    """Texture where the picture has some already, most of it in brightness; (h, w, 3)."""
    busy = np.abs(detail).max(axis=2) * known
    local = scipy.ndimage.gaussian_filter(busy, 4.0, truncate=2.5) + np.float32(MOTTLE_FLOOR)
    grain = np.zeros_like(detail)
    for wavelength in MOTTLE_WAVES:
        grain += noise.smooth(wavelength)[..., None]
        hues = [noise.smooth(2 * wavelength) for _ in range(3)]
        grain += np.dstack(hues) * np.float32(MOTTLE_HUE)
    return np.asarray(grain * (local * np.float32(MOTTLE * strength))[..., None], np.float32)


def _drifted(color: Floats, noise: Noise, strength: float) -> Floats:
    """Brightness and hue that differ from view to view and over each view."""
    whole = noise.generator.standard_normal(3).astype(np.float32)
    light = LIGHT * whole[0] + LIGHT_FIELD * noise.smooth(LIGHT_WAVE)
    red = TINT * whole[1] + TINT_FIELD * noise.smooth(LIGHT_WAVE)
    blue = TINT * whole[2] + TINT_FIELD * noise.smooth(LIGHT_WAVE)
    # Weights that leave the luma of Rec. 601 as it is.
    tint = np.dstack([red, -0.509 * red - 0.194 * blue, blue])
    lit = color * (1 + np.float32(strength) * light[..., None])
    return np.asarray(lit + np.float32(strength) * tint, np.float32)


def _recut(coverage: Floats, noise: Noise, strength: float) -> Floats:
    """The silhouette as the network cuts it: narrow gaps fused, thin parts lost, the outline moved."""
    close = np.clip(CLOSE * (1 + 0.5 * noise.smooth(MASK_WAVE)), 0, None) * strength
    opened = np.clip(OPEN * (1 + 0.6 * noise.smooth(MASK_WAVE)), 0, None) * strength
    shift = sum(noise.smooth(wavelength) for wavelength in EDGE_WAVES) * _EDGE * strength
    inside = signed_distance(coverage.astype(np.float64) - 0.5)
    if strength > 0:
        inside = signed_distance(inside + close) - close
        inside = signed_distance(inside - opened) + opened + shift
    return np.asarray(inside, np.float32)


@compiled
def _spline(grid, first, last, step):  # type: ignore[no-untyped-def]
    """Cubic B-spline of coefficients (n, m) float32 at rows `first` to `last`, `step` pixels apart."""
    out = np.empty((last - first, grid.shape[1]), np.float32)
    for row in range(first, last):
        i = int(row / step)
        t = row / step - i
        a, b = np.float32((1 - t) ** 3 / 6), np.float32((3 * t**3 - 6 * t**2 + 4) / 6)
        c, d = np.float32((-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6), np.float32(t**3 / 6)
        for j in range(grid.shape[1]):
            low = a * grid[i, j] + b * grid[i + 1, j]
            out[row - first, j] = low + c * grid[i + 2, j] + d * grid[i + 3, j]
    return out


@compiled
def warped(image, shift):  # type: ignore[no-untyped-def]
    """Bilinear image(p + shift(p)), border repeated: (h, w, C) float32; shift (2, h, w) pixels, x and y."""
    out = np.empty_like(image)
    height, width = image.shape[:2]
    for y in range(height):
        for x in range(width):
            across = min(max(x + shift[0, y, x], 0.0), width - 1.0)
            down = min(max(y + shift[1, y, x], 0.0), height - 1.0)
            i, j = min(int(across), width - 2), min(int(down), height - 2)
            s, t = across - i, down - j
            for c in range(image.shape[2]):
                out[y, x, c] = blended(image[..., c], j, i, t, s)
    return out


def signed_distance(level: Doubles) -> Doubles:
    """Distance in nodes from each to the zero contour of a bilinear function, positive where `level` > 0.

    Nodes beside the contour measure it along the lattice's lines; the rest follows by fast sweeping of the
    eikonal equation (Zhao, "A fast sweeping method for Eikonal equations", Math. Comp. 74, 2005). Without
    both signs it is the width of `level` (h, w), or minus that.
    """
    inside = level > 0
    if inside.all() or not inside.any():
        return np.where(inside, float(len(level)), -float(len(level)))
    distance: Doubles = _crossings(np.pad(level, 1, mode="edge"))
    _sweep(distance)
    return np.where(inside, distance[1:-1, 1:-1], -distance[1:-1, 1:-1])


@compiled
def _crossings(level):  # type: ignore[no-untyped-def]
    """Distance of nodes beside the zero contour of `level` (h, w); infinity at other nodes and the border."""
    distance = np.full(level.shape, np.inf)
    for r in range(1, level.shape[0] - 1):
        for c in range(1, level.shape[1] - 1):
            here = level[r, c]
            along_row = along_column = np.inf
            for step in (-1, 1):
                if (level[r, c + step] > 0) != (here > 0):
                    along_row = min(along_row, here / (here - level[r, c + step]))
                if (level[r + step, c] > 0) != (here > 0):
                    along_column = min(along_column, here / (here - level[r + step, c]))
            distance[r, c] = 1 / np.sqrt(1 / along_row**2 + 1 / along_column**2)
    return distance


@compiled
def _sweep(distance):  # type: ignore[no-untyped-def]
    """Fill in place the infinite distances (h, w) but those at the border, from all four corners twice."""
    height, width = distance.shape
    is_fixed = distance < np.inf
    for sweep in range(8):
        step = 1 if sweep & 2 else -1
        for i in range(1, height - 1):
            r = i if sweep & 1 else height - 1 - i
            row, beside = distance[r], np.minimum(distance[r - 1], distance[r + 1])
            # The distance of the previous node, which need not be read again.
            before = np.inf
            for j in range(1, width - 1):
                c = j if step > 0 else width - 1 - j
                here = row[c]
                a = min(before, row[c + step])
                b = beside[c]
                before = here
                low, high = min(a, b), max(a, b)
                # A new distance exceeds the nearer neighbour's by the root of a half at least.
                if is_fixed[r, c] or low + 0.7071 >= here:
                    continue
                new = low + 1.0
                if high < new:
                    new = 0.5 * (low + high + np.sqrt(2.0 - (high - low) ** 2))
                if new < here:
                    row[c] = before = new
