"""A seeded model of the errors of a multi-view diffusion network in one view.

Lengths are pixels of a `VIEW_SIZE` image, colours are sRGB-encoded 0-1. The constants hold at strength 1; every one
that is an amplitude grows in proportion to the strength. They are set by eye against pictures that Wonder3D, and the
drawing tools built on it, publish, and so that the fused figures keep a novel-view IoU of 0.90.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.backends.fusion.noise import signed_distance, smooth_noise, smooth_vectors, warped
from specsia_build.backends.fusion.views import BACK, FRONT, VIEW_SIZE, Floats, Views

FRONT_SHARE = 0.5
"""Share of the damage that the front view gets: the network has seen it."""

TURN_DEG, ROLL_DEG, SCALE, SHIFT = 1.2, 0.3, 0.004, 0.35
"""Standard deviations of a view's yaw, its turn in its plane, its relative size and its shift."""

BEND, BEND_WAVE = 0.38, 56.0
"""Smooth displacement of all that a view shows, its silhouette included."""

SPLIT, WANDER, WANDER_WAVE, FADE = 2.5, 1.5, 22.0, 0.45
"""Width of the Gaussian that parts a picture into colours and detail; displacement of the detail alone, and relative
change of its contrast over `PATCH_WAVE`."""

GHOST_SHIFT, GHOST_WAVE, GHOST, PATCH_WAVE = 11.0, 70.0, 0.55, 34.0
"""Invented detail: the picture's own, from so far away, at that contrast, in patches."""

MOTTLE, MOTTLE_WAVES, MOTTLE_FLOOR, MOTTLE_HUE = 0.5, (5.0, 11.0), 0.012, 0.25
"""Invented texture: noise in proportion to the local contrast and at least the floor, and the share of it that differs
between R, G and B."""

LIGHT, LIGHT_FIELD, LIGHT_WAVE = 0.040, 0.055, 80.0
TINT, TINT_FIELD = 0.018, 0.022
"""Drift of a view's brightness, relative, and of its two colour differences, as a whole and over the picture."""

SOFT, SOFT_FRONT, SOFT_BACK = 0.8, 0.45, 1.1
"""Blur of a view: it comes out of a decoder that never saw a drawn line this thin."""

BACK_DETAIL, BACK_BLUR, BACK_SHIFT, BACK_WAVE = 0.4, 4.0, 9.0, 60.0
"""Contrast of the detail that is left on the back, and the blur and shift of its colours, which are unknown."""

CLOSE, OPEN, MASK_WAVE = 2.0, 0.6, 48.0
"""Mean radii of what fuses (gaps between legs) and of what is lost (thin parts), and over what they vary."""

EDGE, EDGE_WAVES = 0.28, (26.0, 9.0)
"""Displacement of the outline outwards and inwards."""

NEARER, DEPTH_BLUR, DEPTH, DEPTH_WAVE = (3, 3), 1.5, 0.0035, 44.0
"""Pixels over which the nearest depth counts; blur of the depth, and its error in units."""


def turns(generator: np.random.Generator, strength: float) -> tuple[float, ...]:
    """Degrees by which each of the six views is seen from beside its camera; the front is as given."""
    drawn = generator.normal(0.0, TURN_DEG * strength, 6)
    drawn[FRONT] = 0.0
    return tuple(float(turn) for turn in drawn)


def damaged(
    color: Floats, coverage: Floats, depth: Floats, which: int, generator: np.random.Generator, strength: float
) -> Views:
    """Draw one of `true_views` as the network would: the front is close to the picture, the back mostly made up.

    What is drawn from the generator, which is this view's alone, does not depend on the strength.
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
    """The colours with detail moved, faded and made up, and with drift; (H, H, 3) encoded 0-1."""
    s = np.float32(strength * (FRONT_SHARE if which == FRONT else 1.0))
    base = _blurred(color, SPLIT)
    detail = color - base
    wander = smooth_vectors(generator, VIEW_SIZE, WANDER_WAVE) * (s * np.float32(WANDER))
    contrast = np.clip(1 + s * np.float32(FADE) * smooth_noise(generator, VIEW_SIZE, PATCH_WAVE), 0, 1.5)
    strange = warped(detail, smooth_vectors(generator, VIEW_SIZE, GHOST_WAVE) * (s * np.float32(GHOST_SHIFT)))
    patches = np.clip(smooth_noise(generator, VIEW_SIZE, PATCH_WAVE), 0, 1)
    lost = smooth_vectors(generator, VIEW_SIZE, BACK_WAVE) * (s * np.float32(BACK_SHIFT))
    if which == BACK:
        blend = min(1.0, strength)
        base = base + np.float32(blend) * (_blurred(warped(base, lost), BACK_BLUR * strength) - base)
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
