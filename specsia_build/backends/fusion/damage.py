"""A seeded model of the errors of a multi-view diffusion network in one view.

Lengths are pixels of a `VIEW_SIZE` image, colours are sRGB-encoded 0-1. The constants hold at strength 1;
every one that is an amplitude grows in proportion to the strength. They are set by eye against pictures that
Wonder3D and drawing tools built on it publish, and so that the fused figures keep a novel-view IoU of 0.90.
"""

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Floats
from specsia_build.backends.fusion.views import BACK_VIEW, FRONT_VIEW, VIEW_SIZE, DrawnViews, between, blended
from specsia_build.jit import compiled
from specsia_build.pictures.masks import continued

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


def turns(generator: np.random.Generator, strength: float) -> NDArray[np.float64]:
    """Degrees (6,) by which each view is turned from its camera; 0 for the front."""
    degrees = generator.normal(0.0, TURN_DEG * strength, 6)
    degrees[FRONT_VIEW] = 0.0
    return degrees


def damaged(
    pixels: Floats, depth: Floats, which: int, generator: np.random.Generator, strength: float
) -> DrawnViews:
    """Damage one of `true_views` as the network would: the front is near the picture, the back made up.

    Draws from the generator, which is only for this view, do not depend on the strength.
    """
    share = strength * (FRONT_SHARE if which == FRONT_VIEW else 1.0)
    bend = _similarity(generator, share)
    bend += smooth_vectors(generator, BEND_WAVE) * np.float32(BEND * share)
    # The nearer surface wins at a step in depth: else blurring and resampling would eat thin parts.
    nearer = scipy.ndimage.grey_erosion(continued(depth, pixels[..., 3] >= 0.5), _NEARER)
    moved = warped(np.dstack([pixels, nearer]), bend)
    alpha = moved[..., 3]
    known = alpha >= 0.5
    whole = continued(moved[..., :3] / np.maximum(alpha, 1e-3)[..., None], known)
    blurred = _blurred(moved[..., 4], DEPTH_BLUR * strength)
    return DrawnViews(
        _repainted(whole, known, which, generator, strength),
        _recut(alpha, generator, share),
        blurred + smooth_noise(generator, DEPTH_WAVE) * np.float32(_DEPTH * strength),
    )


def _similarity(generator: np.random.Generator, strength: float) -> Floats:
    """A small turn, growth and shift about the image's centre, as a displacement (2, H, H)."""
    roll, growth, across, down = generator.standard_normal(4) * strength
    angle, scale = np.deg2rad(ROLL_DEG * roll), _SCALE * growth
    y, x = np.mgrid[:VIEW_SIZE, :VIEW_SIZE] - (VIEW_SIZE - 1) / 2
    moves = np.stack([x * scale - y * angle + SHIFT * across, y * scale + x * angle + SHIFT * down])
    return moves.astype(np.float32)


def _blurred(image: Floats, width: float) -> Floats:
    return np.asarray(scipy.ndimage.gaussian_filter(image, width, mode="nearest", truncate=3.0, axes=(0, 1)))


def _repainted(
    color: Floats, known: NDArray[np.bool_], which: int, generator: np.random.Generator, strength: float
) -> Floats:
    """Move, fade and invent detail of the colours, and let them drift; (H, H, 3) encoded 0-1."""
    s = np.float32(strength * (FRONT_SHARE if which == FRONT_VIEW else 1.0))
    base = _blurred(color, SPLIT)
    detail = color - base
    wander = smooth_vectors(generator, WANDER_WAVE) * (s * np.float32(WANDER))
    contrast = np.clip(1 + s * np.float32(FADE) * smooth_noise(generator, PATCH_WAVE), 0, 1.5)
    strange = warped(detail, smooth_vectors(generator, GHOST_WAVE) * (s * np.float32(GHOST_SHIFT)))
    patches = np.clip(smooth_noise(generator, PATCH_WAVE), 0, 1)
    back_shift = smooth_vectors(generator, BACK_WAVE) * (s * np.float32(BACK_SHIFT))
    if which == BACK_VIEW:
        blend = min(1.0, strength)
        base = base + np.float32(blend) * (_blurred(warped(base, back_shift), BACK_BLUR * strength) - base)
        contrast = contrast * np.float32(1 - blend * (1 - BACK_DETAIL))
    painted = base + warped(detail, wander) * contrast[..., None]
    painted += strange * (s * np.float32(GHOST) * patches)[..., None]
    painted += _mottle(detail, known, generator, float(s))
    softness = {FRONT_VIEW: SOFT_FRONT, BACK_VIEW: SOFT_BACK}.get(which, _SOFT)
    return np.clip(_blurred(_drifted(painted, generator, strength), softness * strength), 0, 1)


def _mottle(
    detail: Floats, known: NDArray[np.bool_], generator: np.random.Generator, strength: float
) -> Floats:
    """Texture where the picture has some already, most of it in brightness; (H, H, 3)."""
    busy = np.abs(detail).max(axis=2) * known
    local = scipy.ndimage.gaussian_filter(busy, 4.0, truncate=2.5) + np.float32(MOTTLE_FLOOR)
    grain = np.zeros_like(detail)
    for wavelength in MOTTLE_WAVES:
        grain += smooth_noise(generator, wavelength)[..., None]
        hues = [smooth_noise(generator, 2 * wavelength) for _ in range(3)]
        grain += np.dstack(hues) * np.float32(MOTTLE_HUE)
    return np.asarray(grain * (local * np.float32(MOTTLE * strength))[..., None], np.float32)


def _drifted(color: Floats, generator: np.random.Generator, strength: float) -> Floats:
    """Brightness and hue that differ from view to view and over each view."""
    whole = generator.standard_normal(3).astype(np.float32)
    light = LIGHT * whole[0] + LIGHT_FIELD * smooth_noise(generator, LIGHT_WAVE)
    red = TINT * whole[1] + TINT_FIELD * smooth_noise(generator, LIGHT_WAVE)
    blue = TINT * whole[2] + TINT_FIELD * smooth_noise(generator, LIGHT_WAVE)
    # Weights that leave the luma of Rec. 601 as it is.
    tint = np.dstack([red, -0.509 * red - 0.194 * blue, blue])
    brightness = 1 + np.float32(strength) * light[..., None]
    return np.asarray(color * brightness + np.float32(strength) * tint, np.float32)


def _recut(coverage: Floats, generator: np.random.Generator, strength: float) -> Floats:
    """The silhouette as the network cuts it: narrow gaps fused, thin parts lost, the outline moved."""
    close = np.clip(CLOSE * (1 + 0.5 * smooth_noise(generator, MASK_WAVE)), 0, None) * strength
    opened = np.clip(OPEN * (1 + 0.6 * smooth_noise(generator, MASK_WAVE)), 0, None) * strength
    shift = sum(smooth_noise(generator, wavelength) for wavelength in EDGE_WAVES) * _EDGE * strength
    inside = signed_distance(coverage.astype(np.float64) - 0.5)
    if strength > 0:
        inside = signed_distance(inside + close) - close
        inside = signed_distance(inside - opened) + opened + shift
    return np.asarray(inside, np.float32)


@compiled
def _spline(grid, size, step):  # type: ignore[no-untyped-def]
    """Cubic B-spline of coefficients (n, n) float32, `step` pixels apart: (size, size) float32."""
    for _ in range(2):
        out = np.empty((grid.shape[1], size), np.float32)
        for i in range(size):
            first = int(i / step)
            t = i / step - first
            a, b = np.float32((1 - t) ** 3 / 6), np.float32((3 * t**3 - 6 * t**2 + 4) / 6)
            c, d = np.float32((-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6), np.float32(t**3 / 6)
            for j in range(grid.shape[1]):
                low = a * grid[first, j] + b * grid[first + 1, j]
                out[j, i] = low + c * grid[first + 2, j] + d * grid[first + 3, j]
        grid = out
    return grid


def smooth_noise(generator: np.random.Generator, wavelength: float) -> Floats:
    """Noise (H, H) float32, mean 0 and standard deviation 1, without detail finer than a wavelength (pixels).

    The coefficients lie half a wavelength apart.
    """
    step = wavelength / 2
    count = int((VIEW_SIZE - 1) / step) + 4
    coefficients = generator.standard_normal((count, count), dtype=np.float32)
    return np.asarray(_spline(coefficients, VIEW_SIZE, step) / np.float32(SPREAD))


def smooth_vectors(generator: np.random.Generator, wavelength: float) -> Floats:
    """Two independent fields of `smooth_noise`, (2, H, H) float32: across and down."""
    return np.stack([smooth_noise(generator, wavelength) for _ in range(2)])


@compiled
def warped(image, shift):  # type: ignore[no-untyped-def]
    """Bilinear image(p + shift(p)), border repeated: (H, H, C) float32; shift (2, H, H) pixels, x and y."""
    out = np.empty_like(image)
    for y in range(VIEW_SIZE):
        for x in range(VIEW_SIZE):
            i, s = between(x + 0.5 + shift[0, y, x])
            j, t = between(y + 0.5 + shift[1, y, x])
            for c in range(image.shape[2]):
                out[y, x, c] = blended(image[..., c], j, i, t, s)
    return out


def signed_distance(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each node to the zero contour of a bilinear function, in nodes, positive where `level` is.

    Nodes beside the contour measure it along the lattice's lines; the rest follows by fast sweeping of the
    eikonal equation (Zhao, "A fast sweeping method for Eikonal equations", Math. Comp. 74, 2005). Without
    both signs it is the width of `level` (h, w), or minus that.
    """
    inside = level > 0
    if inside.all() or not inside.any():
        return np.where(inside, float(len(level)), -float(len(level)))
    distance: NDArray[np.float64] = _crossings(np.pad(level, 1, mode="edge"))
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
