"""The search: scale and translation by area and centroid of silhouettes for each pitch of a grid, then steps.

Gauss-Newton steps on outline distances refine the best fit, with a light mesh, then with the whole one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.frame import Camera
from specsia_build.registration.descent import NOISE, Similarity, TrueSilhouettes, descend, ious, masks_of
from specsia_build.registration.masks import lighter, moments, shrink
from specsia_build.registration.outline import Shape, shape_of
from specsia_build.rendering.layers import iou
from specsia_build.rendering.mesh import Mesh

REGISTRATION_VERSION = 6

COARSE_SIZE = 64  # Pixels of the coarse search
MIDDLE_SIZE, FINE_SIZE = 128, 256  # Pixels of light steps and of full steps at most
SHARP_SIZE = 512  # Pixels of the last steps: outlines of thin parts lie 0.1 pixels off in smaller images
SHARP_FROM, SHARP_REACH = 0.98, 0.008  # Mean IoU from which that matters, and units between outlines then
COARSE_CELLS, LIGHT_CELLS = 24, 48  # Cells along the longest side for merging vertices: search, first steps
LIGHT_FACES = 9_000  # Most faces of a mesh that is not simplified for the first steps

COARSE_PITCHES = (-24.0, -12.0, 0.0, 12.0, 24.0)
COARSE_YAWS = tuple(15.0 * k for k in range(-12, 12))

TRIAL_STEPS, LIGHT_STEPS = 5, 10
FULL_STEPS, SHARP_STEPS = 12, 4

_MIRRORED = 0.99  # IoU from which one silhouette is the mirror image of another
FRONTAL_LOSS = 0.02  # IoU of the frontal view that registration may give up for a better mean
PLAUSIBLE = 0.5  # Least mean IoU at which the reconstruction's own place is a start
POOR = 0.6  # Mean IoU below which all starts are refined: outlines are too far apart for the steps


@dataclass(frozen=True)
class Registration:
    """A similarity, and the IoU of the frontal view of the reconstruction before it, at pixel centres."""

    similarity: Similarity
    frontal_iou_before: float


def _distinct(masks: Pixels, cameras: Sequence[Camera]) -> int:
    """Count the views to use: half if each later one is its opposite's mirror image, else all."""
    half = len(cameras) // 2
    if len(cameras) == 0 or len(cameras) % 2:
        return len(cameras)
    for k in range(half):
        turned = (cameras[k + half].yaw_deg - cameras[k].yaw_deg) % 360
        if abs(turned - 180) > 1e-6 or iou(masks[k], masks[k + half, :, ::-1]) < _MIRRORED:
            return len(cameras)
    return half


def _closed_form(shape: Shape, truth: TrueSilhouettes, pitch: float, yaw: float) -> tuple[float, Similarity]:
    """Mean IoU, and the scale and translation that match area and centroids, at a given turn."""
    low, high = shape.vertices.min(axis=1), shape.vertices.max(axis=1)
    guess = Similarity(1.0 / max(float((high - low).max()), 1e-30), pitch, yaw)
    centre = guess.apply(((low + high) / 2)[None])[0]
    guess = guess.changed(0, 0, 0, -centre)
    theirs = moments(truth.masks)
    for _ in range(2):
        ours = moments(masks_of(shape, guess, truth))
        visible = (ours[:, 0] > 0) & (theirs[:, 0] > 0)
        if not visible.any():
            return 0.0, guess
        grow = float(np.sqrt(theirs[visible, 0].sum() / ours[visible, 0].sum()))
        # Pixels from the middle of the picture, onto which the origin falls.
        offsets = theirs[visible, 1:] - truth.size / 2 - grow * (ours[visible, 1:] - truth.size / 2)
        move, *_ = np.linalg.lstsq(truth.axes[visible].reshape(-1, 3), offsets.ravel(), rcond=None)
        guess = guess.changed(float(np.log(grow)), 0, 0, (grow - 1) * np.array(guess.translation) + move)
    return float(ious(shape, guess, truth).mean()), guess


def _fits(shape: Shape, truth: TrueSilhouettes, yaw: float) -> list[Similarity]:
    """The closed-form fits at a yaw, the best first."""
    fits = [_closed_form(shape, truth, pitch, yaw) for pitch in COARSE_PITCHES]
    return [similarity for _, similarity in sorted(fits, key=lambda fit: -fit[0])]


def register(mesh: Mesh, masks: Pixels, cameras: Sequence[Camera], with_yaw: bool = False) -> Registration:
    """Find the similarity with the best mean IoU over all views.

    Of those found, it loses at most `FRONTAL_LOSS` of the frontal view's IoU against the better of the
    reconstruction as it came and the closed-form fit.

    Args:
        mesh: the reconstruction, in the axes of the frame and in any units; finite.
        masks: (V, H, H) uint8 coverage of the ground truth in the V views, the frontal one first.
        with_yaw: also search the turn about Z.
    """
    views = _distinct(masks, cameras)
    masks, cameras = masks[:views], cameras[:views]
    small = shrink(masks, min(FINE_SIZE, masks.shape[-1]))
    coarse = TrueSilhouettes.of(small, cameras, COARSE_SIZE, reach=0)
    middle = TrueSilhouettes.of(small, cameras, MIDDLE_SIZE)
    fine = TrueSilhouettes.of(small, cameras, FINE_SIZE)
    light_mesh = mesh if len(mesh.faces) <= LIGHT_FACES else lighter(mesh, LIGHT_CELLS)
    full, light = shape_of(mesh), shape_of(light_mesh)
    lightest = shape_of(lighter(light_mesh, COARSE_CELLS))

    identity = Similarity()
    yaws: tuple[float, ...] = (0.0,)
    if with_yaw:
        yaw = max(COARSE_YAWS, key=lambda y: _closed_form(lightest, coarse, 0.0, y)[0])
        # From front and back an upright character looks alike.
        yaws = (yaw, yaw - math.copysign(180.0, yaw))
    fits = [_fits(lightest, coarse, yaw) for yaw in yaws]
    starts = [best for best, *_ in fits]
    if ious(lightest, identity, coarse).mean() > PLAUSIBLE:
        starts.append(identity)
    fronts = [(float(ious(full, s, fine.first())[0]), s) for s in (identity, *starts)]
    least, front = max(fronts, key=lambda fit: fit[0])

    def tried(start: Similarity) -> tuple[float, Similarity, bool]:
        return descend(light, middle, start, with_yaw, TRIAL_STEPS)

    def refined(trial: tuple[float, Similarity, bool]) -> tuple[float, Similarity]:
        _, place, rested = trial
        if not rested:
            _, place, _ = descend(light, middle, place, with_yaw, LIGHT_STEPS)
        return descend(full, fine, place, with_yaw, FULL_STEPS, least - FRONTAL_LOSS)[:2]

    found_iou, best = refined(max((tried(start) for start in starts), key=lambda fit: fit[0]))
    if found_iou < POOR:
        everywhere = (refined(tried(start)) for start in (identity, *chain.from_iterable(fits)))
        found_iou, best = max(((found_iou, best), *everywhere), key=lambda fit: fit[0])
    if ious(full, front, fine).mean() > found_iou + NOISE:
        best = front
    elif found_iou > SHARP_FROM and masks.shape[-1] > fine.size:
        sharp = TrueSilhouettes.of(masks, cameras, SHARP_SIZE, SHARP_REACH)
        _, best, _ = descend(full, sharp, best, with_yaw, SHARP_STEPS, least - FRONTAL_LOSS)
    exact = TrueSilhouettes.of(masks[:1], cameras[:1], masks.shape[-1], reach=0)
    return Registration(best, float(ious(full, identity, exact)[0]))
