"""The damage model's noise, displacement and distance beside formulas and scipy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from specsia_build.backends.fusion import damage
from specsia_build.backends.fusion.damage import LIGHT, LIGHT_FIELD, signed_distance, smooth_noise, warped
from specsia_build.backends.fusion.views import VIEW_SIZE


@pytest.mark.parametrize("step", [2.5, 11.0])
def test_spline_keeps_planes(step: float) -> None:
    rows, columns = np.mgrid[:40, :40].astype(np.float32)
    y, x = np.mgrid[:64, :64] / step + 1
    assert_allclose(damage._spline(3 + 2 * rows - columns, 64, step), 3 + 2 * y - x, atol=1e-4)


def test_noise_deviation_and_wavelength() -> None:
    noise = np.stack([smooth_noise(np.random.default_rng(seed), 12.0) for seed in range(30)])
    assert noise.mean() == pytest.approx(0, abs=0.03)
    assert noise.std() == pytest.approx(1, abs=0.03)
    power = (np.abs(np.fft.rfft(noise * np.hanning(VIEW_SIZE), axis=-1)) ** 2).mean(axis=(0, 1))
    assert power[VIEW_SIZE // 6 :].sum() < 0.01 * power.sum()


def test_bilinear_warp_repeats_border() -> None:
    rng = np.random.default_rng(3)
    image = rng.random((VIEW_SIZE, VIEW_SIZE, 3), dtype=np.float32)
    shift = rng.normal(0, 9, (2, VIEW_SIZE, VIEW_SIZE)).astype(np.float32)
    y, x = np.mgrid[:VIEW_SIZE, :VIEW_SIZE]
    places = [y + shift[1], x + shift[0]]
    wanted = [ndimage.map_coordinates(image[..., k], places, order=1, mode="nearest") for k in range(3)]
    assert_allclose(warped(image, shift), np.stack(wanted, axis=-1), atol=1e-4)


def test_signed_distance_to_a_circle() -> None:
    y, x = np.mgrid[:96, :96]
    wanted = 30.3 - np.hypot(x - 47.2, y - 50.6)
    # A level that is no distance, with the same zero contour.
    near = np.abs(wanted) < 20
    assert_allclose(signed_distance(wanted * (2 + np.cos(x / 9)))[near], wanted[near], atol=0.35)


def test_brightness_drift() -> None:
    grey = np.full((VIEW_SIZE, VIEW_SIZE, 3), 0.5, np.float32)
    drifted = np.stack([damage._drifted(grey, np.random.default_rng(seed), 1.0) for seed in range(60)])
    light = drifted @ (0.299, 0.587, 0.114) / 0.5 - 1
    assert light.std() == pytest.approx(np.hypot(LIGHT, LIGHT_FIELD), rel=0.15)
    assert light.mean(axis=(1, 2)).std() == pytest.approx(LIGHT, rel=0.35)
