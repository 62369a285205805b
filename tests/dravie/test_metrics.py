"""Scores against what is known of drawn figures, and against scikit-image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from specsia_build.dravie.metrics import (
    PARTS,
    contour_lines,
    contour_scores,
    on_white,
    regions,
    view_scores,
)
from specsia_build.errors import SpecsiaError
from specsia_build.rendering.contour import draw_contour
from tests.dravie.drawn import coloured, disc, drawn_pair


def test_a_perfect_result() -> None:
    pair = drawn_pair(shift=3)
    scores = view_scores(pair.gt, pair)
    assert scores["l1"] == scores["outside"] == 0
    assert scores["psnr"] == 100
    assert scores["ssim"] == scores["ssim_frame"] == pytest.approx(1)
    assert scores["contour_recall"] == scores["contour_precision"] == scores["contour_f1"] == 1


def test_parts_are_disjoint_and_add_up() -> None:
    pair = drawn_pair(shift=6)
    found = regions(pair)
    together = np.stack([getattr(found, part) for part in PARTS]).sum(axis=0)
    assert (together[found.region] == 1).all() and not together[~found.region].any()
    scores = view_scores(pair.z, pair)
    assert sum(scores[f"part_{part}"] for part in PARTS) == pytest.approx(scores["l1"])
    assert scores["outside"] == 0


def test_each_fault_is_found_in_its_part() -> None:
    pair = drawn_pair(shift=0)
    assert view_scores(pair.z, pair)["part_silhouette"] < 0.002
    without_speckle = replace(pair, z=coloured(disc()))
    clean = view_scores(without_speckle.z, without_speckle)
    assert clean["l1_interior"] < 0.001 and clean["l1_line"] > 0.5
    moved = drawn_pair(shift=8)
    assert view_scores(moved.z, moved)["part_silhouette"] > 0.05


def test_region_scores_equal_the_whole_frames() -> None:
    pair = drawn_pair(shift=5)
    scores = view_scores(pair.z, pair)
    seen, wanted, region = on_white(pair.z), on_white(pair.gt), regions(pair).region
    assert scores["l1"] == pytest.approx(np.abs(seen - wanted).mean(axis=2)[region].mean())
    assert scores["psnr"] == pytest.approx(peak_signal_noise_ratio(wanted[region], seen[region], data_range=1))
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, full = structural_similarity(seen, wanted, channel_axis=2, full=True, **settings)
    assert scores["ssim_frame"] == pytest.approx(full.mean(), abs=1e-6)
    assert scores["ssim"] == pytest.approx(full.mean(axis=2)[region].mean(), abs=1e-6)


def test_paint_beyond_the_region_is_counted_apart() -> None:
    pair = drawn_pair()
    result = pair.gt.copy()
    result[:10, :10] = (0, 0, 0, 255)
    scores = view_scores(result, pair)
    assert scores["l1"] == 0
    assert scores["outside"] == pytest.approx(100 / regions(pair).region.sum())
    assert scores["ssim_frame"] < 1


def test_white_paint_is_seen_on_black() -> None:
    pair = drawn_pair()
    assert view_scores(pair.gt, pair)["l1_black"] == 0
    result = pair.gt.copy()
    result[:10, :10] = (255, 255, 255, 51)
    scores = view_scores(result, pair)
    assert scores["l1"] == scores["outside"] == 0
    assert scores["l1_black"] == pytest.approx(0.2 * 100 / regions(pair).region.sum())


def test_contour_needs_a_line_at_its_place() -> None:
    pair = drawn_pair(shift=0)
    drawn = draw_contour(pair.z, pair.z[..., 3], 2, 0)
    assert contour_scores(pair.z, pair) == {"contour_recall": 0, "contour_precision": 0, "contour_f1": 0}
    assert contour_scores(drawn, pair)["contour_f1"] == 1
    far = drawn_pair(shift=12)
    missed = contour_scores(draw_contour(far.z, far.z[..., 3], 2, 0), far)
    assert 0.1 < missed["contour_recall"] < 0.7 and 0.1 < missed["contour_precision"] < 0.7


def test_a_thin_line_is_found_and_dark_clothes_are_no_fault() -> None:
    thin = drawn_pair(thickness=1)
    lines = contour_lines(thin)
    assert lines is not None and lines.sum() > 100
    dark = drawn_pair(colour=(30, 20, 60))
    assert contour_scores(dark.gt, dark)["contour_precision"] == 1


def test_the_published_schema_has_no_silhouette() -> None:
    pair = replace(drawn_pair(shift=0, thickness=3), gt_mask=None)
    scores = view_scores(pair.z, pair)
    assert scores["l1_line"] > 3 * scores["l1_interior"]
    assert contour_scores(pair.gt, pair)["contour_f1"] == 1
    assert contour_scores(pair.z, pair)["contour_f1"] == 0
    assert contour_scores(draw_contour(pair.z, pair.z[..., 3], 3, 0), pair)["contour_f1"] > 0.9


def test_an_empty_view_is_told() -> None:
    pair = drawn_pair()
    empty = np.zeros_like(pair.z)
    with pytest.raises(SpecsiaError, match="disc_00 is all background"):
        view_scores(empty, replace(pair, z=empty, gt=empty))
