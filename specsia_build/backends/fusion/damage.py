"""A seeded model of the errors of a multi-view diffusion network in one view.

Lengths are pixels of a `VIEW_SIZE` image, colours are sRGB-encoded 0-1. The constants hold at strength 1; every one
that is an amplitude grows in proportion to the strength. They are set by eye against pictures that Wonder3D, and the
drawing tools built on it, publish, and so that the fused figures keep a novel-view IoU of 0.90.
"""

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.backends.fusion.views import BACK, FRONT, VIEW_SIZE, Floats, Views
from specsia_build.jit import compiled

FRONT_SHARE = 0.5  # Share of the damage that the front view gets: the network has seen it
TURN_DEG, ROLL_DEG, SCALE, SHIFT = 1.2, 0.3, 0.004, 0.35  # Deviations of yaw, turn in the plane, scale and shift
BEND, BEND_WAVE = 0.38, 56.0  # Smooth displacement of all that a view shows, its silhouette included
SPLIT = 2.5  # Width of the Gaussian that separates colours from detail
WANDER, WANDER_WAVE, FADE = 1.5, 22.0, 0.45  # Displacement of the detail, and its change of contrast by `PATCH_WAVE`
GHOST_SHIFT, GHOST_WAVE, GHOST, PATCH_WAVE = 11.0, 70.0, 0.55, 34.0  # Detail from elsewhere, its contrast, in patches
MOTTLE, MOTTLE_WAVES, MOTTLE_FLOOR = 0.5, (5.0, 11.0), 0.012  # Noise in proportion to the local contrast plus a floor
MOTTLE_HUE = 0.25  # Its share that differs between R, G and B

LIGHT, LIGHT_FIELD, LIGHT_WAVE = 0.040, 0.055, 80.0  # Relative drift of brightness, whole and by place
TINT, TINT_FIELD = 0.018, 0.022  # Drift of two colour differences, whole and by place
SOFT, SOFT_FRONT, SOFT_BACK = 0.8, 0.45, 1.1  # Blur of a view
BACK_DETAIL = 0.4  # Contrast of detail
BACK_BLUR, BACK_SHIFT, BACK_WAVE = 4.0, 9.0, 60.0  # Blur and shift of colours
CLOSE, OPEN, MASK_WAVE = 2.0, 0.6, 48.0  # Mean radii of gaps that fuse and of parts that are lost, and their variation
EDGE, EDGE_WAVES = 0.28, (26.0, 9.0)  # Displacement of the outline outwards and inwards
NEARER, DEPTH_BLUR, DEPTH, DEPTH_WAVE = (3, 3), 1.5, 0.0035, 44.0  # Erosion, blur and error in units of the depth
SPREAD = 0.479  # Deviation of a bicubic B-spline with coefficients of deviation 1: 151/315 per axis


def turns(generator: np.random.Generator, strength: float) -> tuple[float, ...]:
    """Degrees by which each of the six views is turned from its camera; 0 for the front."""
    degrees = generator.normal(0.0, TURN_DEG * strength, 6)
    degrees[FRONT] = 0.0
    return tuple(float(turn) for turn in degrees)


def damaged(
    color: Floats, coverage: Floats, depth: Floats, which: int, generator: np.random.Generator, strength: float
) -> Views:
    """Damage one of `true_views` as the network would: the front is close to the picture, the back mostly made up.

    Draws from the generator, which is only for this view, do not depend on the strength.
    """
    share = FRONT_SHARE if which == FRONT else 1.0
    bend = _similarity(generator, strength * share)
    bend += smooth_vectors(generator, VIEW_SIZE, BEND_WAVE) * np.float32(BEND * strength * share)
    moved = warped(np.dstack([color, coverage]), bend)
    # The nearer surface wins at a step in depth: blurring and resampling would else eat thin parts from behind.
    nearer = scipy.ndimage.grey_erosion(_continued(depth[..., None], coverage >= 0.5)[..., 0], NEARER)
    bent = warped(np.ascontiguousarray(nearer[..., None]), bend)[..., 0]
    alpha = moved[..., 3]
    known = alpha >= 0.5
    whole = _continued(moved[..., :3] / np.maximum(alpha, 1e-3)[..., None], known)
    blurred = _blurred(bent[..., None], DEPTH_BLUR * strength)[..., 0]
    return Views(
        _repainted(whole, known, which, generator, strength),
        _recut(alpha, generator, strength * share),
        np.asarray(blurred + smooth_noise(generator, VIEW_SIZE, DEPTH_WAVE) * np.float32(DEPTH * strength), np.float32),
    )


def _similarity(generator: np.random.Generator, strength: float) -> Floats:
    """A small turn, growth and shift about the image's centre, as a displacement (2, H, H)."""
    roll, growth, across, down = generator.standard_normal(4) * strength
    angle, scale = np.deg2rad(ROLL_DEG * roll), SCALE * growth
    y, x = np.mgrid[:VIEW_SIZE, :VIEW_SIZE] - (VIEW_SIZE - 1) / 2
    return np.stack([x * scale - y * angle + SHIFT * across, y * scale + x * angle + SHIFT * down]).astype(np.float32)


def _continued(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Values (H, H, C) with each unknown pixel taking the nearest known one's; as they are where none is known."""
    if not known.any():
        return values
    nearest = scipy.ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])


def _blurred(image: Floats, width: float) -> Floats:
    if width <= 0:
        return image
    return np.asarray(scipy.ndimage.gaussian_filter(image, (width, width, 0), mode="nearest", truncate=3.0), np.float32)


def _repainted(
    color: Floats, known: NDArray[np.bool_], which: int, generator: np.random.Generator, strength: float
) -> Floats:
    """Move, fade and invent detail of the colours, and let them drift; (H, H, 3) encoded 0-1."""
    s = np.float32(strength * (FRONT_SHARE if which == FRONT else 1.0))
    base = _blurred(color, SPLIT)
    detail = color - base
    wander = smooth_vectors(generator, VIEW_SIZE, WANDER_WAVE) * (s * np.float32(WANDER))
    contrast = np.clip(1 + s * np.float32(FADE) * smooth_noise(generator, VIEW_SIZE, PATCH_WAVE), 0, 1.5)
    strange = warped(detail, smooth_vectors(generator, VIEW_SIZE, GHOST_WAVE) * (s * np.float32(GHOST_SHIFT)))
    patches = np.clip(smooth_noise(generator, VIEW_SIZE, PATCH_WAVE), 0, 1)
    back_shift = smooth_vectors(generator, VIEW_SIZE, BACK_WAVE) * (s * np.float32(BACK_SHIFT))
    if which == BACK:
        blend = min(1.0, strength)
        base = base + np.float32(blend) * (_blurred(warped(base, back_shift), BACK_BLUR * strength) - base)
        contrast = contrast * np.float32(1 - blend * (1 - BACK_DETAIL))
    painted = base + warped(detail, wander) * contrast[..., None]
    painted += strange * (s * np.float32(GHOST) * patches)[..., None]
    painted += _mottle(detail, known, generator, float(s))
    softness = {FRONT: SOFT_FRONT, BACK: SOFT_BACK}.get(which, SOFT)
    return np.clip(_blurred(_drifted(painted, generator, strength), softness * strength), 0, 1)


def _mottle(detail: Floats, known: NDArray[np.bool_], generator: np.random.Generator, strength: float) -> Floats:
    """Texture where the picture has some already, most of it in brightness; (H, H, 3)."""
    busy = np.abs(detail).max(axis=2) * known
    local = scipy.ndimage.gaussian_filter(busy, 4.0, truncate=2.5) + np.float32(MOTTLE_FLOOR)
    grain = np.zeros_like(detail)
    for wavelength in MOTTLE_WAVES:
        grain += smooth_noise(generator, VIEW_SIZE, wavelength)[..., None]
        grain += np.stack([smooth_noise(generator, VIEW_SIZE, 2 * wavelength) for _ in range(3)], axis=2) * np.float32(
            MOTTLE_HUE
        )
    return np.asarray(grain * (local * np.float32(MOTTLE * strength))[..., None], np.float32)


def _drifted(color: Floats, generator: np.random.Generator, strength: float) -> Floats:
    """Brightness and hue that differ from view to view and over each view."""
    whole = generator.standard_normal(3).astype(np.float32)
    light = LIGHT * whole[0] + LIGHT_FIELD * smooth_noise(generator, VIEW_SIZE, LIGHT_WAVE)
    red = TINT * whole[1] + TINT_FIELD * smooth_noise(generator, VIEW_SIZE, LIGHT_WAVE)
    blue = TINT * whole[2] + TINT_FIELD * smooth_noise(generator, VIEW_SIZE, LIGHT_WAVE)
    # Weights that leave the luma of Rec. 601 as it is.
    tint = np.dstack([red, -0.509 * red - 0.194 * blue, blue])
    return np.asarray(color * (1 + np.float32(strength) * light[..., None]) + np.float32(strength) * tint, np.float32)


def _recut(coverage: Floats, generator: np.random.Generator, strength: float) -> Floats:
    """The silhouette as the network cuts it: narrow gaps fused, thin parts lost, the outline moved."""
    close = np.clip(CLOSE * (1 + 0.5 * smooth_noise(generator, VIEW_SIZE, MASK_WAVE)), 0, None) * strength
    opened = np.clip(OPEN * (1 + 0.6 * smooth_noise(generator, VIEW_SIZE, MASK_WAVE)), 0, None) * strength
    shift = sum(smooth_noise(generator, VIEW_SIZE, wavelength) for wavelength in EDGE_WAVES) * EDGE * strength
    inside = signed_distance(coverage.astype(np.float64) - 0.5)
    if strength > 0:
        inside = signed_distance(inside + close) - close
        inside = signed_distance(inside - opened) + opened + shift
    return np.asarray(inside, np.float32)


@compiled
def _spline(grid, size, step):  # type: ignore[no-untyped-def]
    n = grid.shape[0]
    weights = np.empty((size, 4), np.float32)
    first = np.empty(size, np.int64)
    for i in range(size):
        at = i / step
        k = int(at)
        t = at - k
        first[i] = k
        weights[i, 0] = (1 - t) ** 3 / 6
        weights[i, 1] = (3 * t**3 - 6 * t**2 + 4) / 6
        weights[i, 2] = (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6
        weights[i, 3] = t**3 / 6
    out = np.empty((size, size), np.float32)
    row = np.empty(n, np.float32)
    for y in range(size):
        for j in range(n):
            total = np.float32(0)
            for k in range(4):
                total += weights[y, k] * grid[first[y] + k, j]
            row[j] = total
        for x in range(size):
            f = first[x]
            low = weights[x, 0] * row[f] + weights[x, 1] * row[f + 1]
            out[y, x] = low + weights[x, 2] * row[f + 2] + weights[x, 3] * row[f + 3]
    return out


def smooth_noise(generator: np.random.Generator, size: int, wavelength: float) -> Floats:
    """Noise (size, size) float32 of mean 0 and standard deviation 1, without detail finer than a wavelength in pixels.

    The coefficients lie half a wavelength apart.
    """
    step = wavelength / 2
    count = int((size - 1) / step) + 4
    coefficients = generator.standard_normal((count, count), dtype=np.float32)
    return np.asarray(_spline(coefficients, size, step) / np.float32(SPREAD))


def smooth_vectors(generator: np.random.Generator, size: int, wavelength: float) -> Floats:
    """Two independent fields of `smooth_noise`, (2, size, size) float32: across and down."""
    return np.stack([smooth_noise(generator, size, wavelength) for _ in range(2)])


@compiled
def warped(image, shift):  # type: ignore[no-untyped-def]
    """Bilinear image(p + shift(p)), the border repeated: (H, H, C) float32; shift (2, H, H) pixels, across and down."""
    size, channels = image.shape[0], image.shape[2]
    out = np.empty_like(image)
    last = np.float32(size - 1)
    for y in range(size):
        for x in range(size):
            u = min(max(x + shift[0, y, x], np.float32(0)), last)
            v = min(max(y + shift[1, y, x], np.float32(0)), last)
            i, j = min(int(u), size - 2), min(int(v), size - 2)
            s, t = u - i, v - j
            for c in range(channels):
                top = image[j, i, c] + s * (image[j, i + 1, c] - image[j, i, c])
                low = image[j + 1, i, c] + s * (image[j + 1, i + 1, c] - image[j + 1, i, c])
                out[y, x, c] = top + t * (low - top)
    return out


def signed_distance(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from each node to the zero contour of a bilinear function, in nodes, positive where `level` > 0.

    Nodes beside the contour measure it along the lattice's lines; the rest follows by fast sweeping of the eikonal
    equation (Zhao, "A fast sweeping method for Eikonal equations", Math. Comp. 74, 2005). Without both signs it is the
    width of `level` (h, w), or minus that.
    """
    if not (level > 0).any() or (level > 0).all():
        return np.full(level.shape, float(len(level)) if level[0, 0] > 0 else -float(len(level)))
    distance = np.full(level.shape, np.inf)
    _crossings(level, distance)
    _sweep(distance)
    return np.where(level > 0, distance, -distance)


@compiled
def _crossings(level: NDArray[np.float64], distance: NDArray[np.float64]) -> None:
    height, width = level.shape
    for r in range(height):
        for c in range(width):
            here = level[r, c]
            along_row = along_column = np.inf
            for step in (-1, 1):
                if 0 <= c + step < width and (level[r, c + step] > 0) != (here > 0):
                    along_row = min(along_row, here / (here - level[r, c + step]))
                if 0 <= r + step < height and (level[r + step, c] > 0) != (here > 0):
                    along_column = min(along_column, here / (here - level[r + step, c]))
            if along_row == 0.0 or along_column == 0.0:
                distance[r, c] = 0.0
            elif along_row < np.inf or along_column < np.inf:
                distance[r, c] = 1.0 / np.sqrt(1.0 / along_row**2 + 1.0 / along_column**2)


@compiled
def _sweep(distance: NDArray[np.float64]) -> None:
    height, width = distance.shape
    fixed = distance < np.inf
    beside = np.full((2, width), np.inf)
    for sweep in range(8):
        step = 1 if sweep & 2 else -1
        for i in range(height):
            r = i if sweep & 1 else height - 1 - i
            row, is_fixed, nearest = distance[r], fixed[r], beside[0]
            above = distance[r - 1] if r > 0 else beside[1]
            below = distance[r + 1] if r + 1 < height else beside[1]
            for c in range(width):
                nearest[c] = min(above[c], below[c])
            first = 0 if step > 0 else width - 1
            # The previous value, which saves a look-up.
            before = np.inf
            for j in range(width):
                c = first + step * j
                here, b = row[c], nearest[c]
                after = row[c + step] if j + 1 < width else np.inf
                a = min(before, after)
                before = here
                low, high = min(a, b), max(a, b)
                # A new distance exceeds the nearer neighbour's by the root of a half at least.
                if is_fixed[c] or low + 0.7071 >= here or low == np.inf:
                    continue
                new = low + 1.0
                if high < new:
                    new = 0.5 * (low + high + np.sqrt(2.0 - (high - low) ** 2))
                if new < here:
                    row[c] = before = new
