"""Scores against what is known of drawn figures, and against scikit-image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from specsia_build.dravie.metrics import contour_f1, contour_lines, on_white, region, view_scores
from specsia_build.errors import SpecsiaError
from specsia_build.rendering.contour import draw_contour
from tests.dravie.drawn import coloured, disc, drawn_pair


def test_a_perfect_result() -> None:
    pair = drawn_pair(shift=3)
    scores = view_scores(pair.gt, pair)
    assert scores["l1"] == scores["l1_black"] == scores["l1_interior"] == 0
    assert scores["psnr"] == 100
    assert scores["ssim"] == pytest.approx(1)
    assert scores["contour_f1"] == 1


def test_the_interior_leaves_out_the_contour() -> None:
    clean = replace(drawn_pair(shift=0), z=coloured(disc()))
    scores = view_scores(clean.z, clean)
    assert scores["l1_interior"] < 0.001 < scores["l1"]
    published = replace(drawn_pair(shift=0, thickness=3), gt_mask=None)
    assert view_scores(published.z, published)["l1_interior"] < view_scores(published.z, published)["l1"] / 2


def test_region_scores_equal_the_whole_frames() -> None:
    pair = drawn_pair(shift=5)
    scores = view_scores(pair.z, pair)
    seen, wanted, where = on_white(pair.z), on_white(pair.gt), region(pair)
    assert scores["l1"] == pytest.approx(np.abs(seen - wanted).mean(axis=2)[where].mean())
    assert scores["psnr"] == pytest.approx(peak_signal_noise_ratio(wanted[where], seen[where], data_range=1))
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, full = structural_similarity(seen, wanted, channel_axis=2, full=True, **settings)
    assert scores["ssim"] == pytest.approx(full.mean(axis=2)[where].mean(), abs=1e-6)


def test_white_paint_beyond_the_region_is_seen_on_black() -> None:
    pair = drawn_pair()
    result = pair.gt.copy()
    result[:10, :10] = (255, 255, 255, 51)
    scores = view_scores(result, pair)
    assert scores["l1"] == 0
    assert scores["l1_black"] == pytest.approx(0.2 * 100 / region(pair).sum())


def test_contour_needs_a_line_at_its_place() -> None:
    pair = drawn_pair(shift=0)
    assert contour_f1(pair.z, pair) == 0
    assert contour_f1(draw_contour(pair.z, pair.z[..., 3], 2, 0), pair) == 1
    far = drawn_pair(shift=12)
    missed = contour_f1(draw_contour(far.z, far.z[..., 3], 2, 0), far)
    assert missed is not None and 0.1 < missed < 0.7


def test_a_thin_line_is_found_and_dark_clothes_are_no_fault() -> None:
    thin = drawn_pair(thickness=1)
    lines = contour_lines(thin)
    assert lines is not None and lines.sum() > 100
    dark = drawn_pair(colour=(30, 20, 60))
    assert contour_f1(dark.gt, dark) == 1


def test_the_published_schema_has_no_silhouette() -> None:
    pair = replace(drawn_pair(shift=0, thickness=3), gt_mask=None)
    assert contour_f1(pair.gt, pair) == 1
    assert contour_f1(pair.z, pair) == 0
    found = contour_f1(draw_contour(pair.z, pair.z[..., 3], 3, 0), pair)
    assert found is not None and found > 0.9


def test_an_empty_view_is_an_error() -> None:
    pair = drawn_pair()
    empty = np.zeros_like(pair.z)
    with pytest.raises(SpecsiaError, match="disc_00"):
        view_scores(empty, replace(pair, z=empty, gt=empty))
