"""Scores of drawn figures with known errors, flicker, intervals over characters, paired differences."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from specsia_build.dravie import metrics
from specsia_build.dravie.evaluate.methods import Method
from specsia_build.dravie.evaluate.scores import NOVEL, Evaluation, Score
from specsia_build.dravie.evaluate.statistics import bootstrap
from specsia_build.dravie.evaluate.summary import Difference, differences, summarise, to_markdown
from specsia_build.dravie.metrics import contour_f1, levels_on_white, region, view_scores
from specsia_build.dravie.runs import SeenCharacters
from specsia_build.errors import SpecsiaError
from specsia_build.rendering.contour import draw_contour
from tests.dravie.pairs import coloured, disc, drawn_pair, make_pair


def test_perfect_result() -> None:
    pair = drawn_pair(shift=3)
    best: dict[str, object] = {"l1": 0, "l1_black": 0, "l1_interior": 0, "psnr": 100, "contour_f1": 1}
    best |= {"ssim": pytest.approx(1), "ssim_frame": pytest.approx(1)}
    assert view_scores(pair.gt, pair) == best


def test_interior_excludes_contour() -> None:
    clean = replace(drawn_pair(shift=0), z=coloured(disc()))
    scores = view_scores(clean.z, clean)
    assert scores["l1_interior"] < 0.001 < scores["l1"]
    published = replace(drawn_pair(shift=0, thickness=3), gt_mask=None)
    assert view_scores(published.z, published)["l1_interior"] < view_scores(published.z, published)["l1"] / 2


def test_region_scores_equal_whole_frames() -> None:
    pair = drawn_pair(shift=5)
    scores = view_scores(pair.z, pair)
    seen, wanted, where = levels_on_white(pair.z), levels_on_white(pair.gt), region(pair)
    assert scores["l1"] == pytest.approx(np.abs(seen - wanted).mean(axis=2)[where].mean())
    assert scores["psnr"] == pytest.approx(peak_signal_noise_ratio(wanted[where], seen[where], data_range=1))
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, full = structural_similarity(seen, wanted, channel_axis=2, full=True, **settings)
    assert scores["ssim"] == pytest.approx(full.mean(axis=2)[where].mean(), abs=1e-6)
    assert scores["ssim_frame"] == pytest.approx(full.mean(), abs=1e-6)


def test_stray_white_shows_on_black() -> None:
    pair = drawn_pair()
    result = pair.gt.copy()
    result[:10, :10] = (255, 255, 255, 51)
    scores = view_scores(result, pair)
    assert scores["l1"] == 0
    assert scores["l1_black"] == pytest.approx(0.2 * 100 / region(pair).sum())


def test_contour_needs_a_line() -> None:
    pair = drawn_pair(shift=0)
    assert contour_f1(pair.z, pair) == 0
    assert contour_f1(draw_contour(pair.z, pair.z[..., 3], 2, 0), pair) == 1
    far = drawn_pair(shift=12)
    missed = contour_f1(draw_contour(far.z, far.z[..., 3], 2, 0), far)
    assert missed is not None and 0.1 < missed < 0.7


def test_thin_line_against_dark_clothes() -> None:
    thin = drawn_pair(thickness=1)
    lines = metrics.contour_lines(thin)
    assert lines is not None and lines.sum() > 100
    dark = drawn_pair(colour=(30, 20, 60))
    assert contour_f1(dark.gt, dark) == 1


def test_published_schema_without_silhouette() -> None:
    pair = replace(drawn_pair(shift=0, thickness=3), gt_mask=None)
    assert contour_f1(pair.gt, pair) == 1
    assert contour_f1(pair.z, pair) == 0
    score = contour_f1(draw_contour(pair.z, pair.z[..., 3], 3, 0), pair)
    assert score is not None and score > 0.9


def test_empty_view_is_an_error() -> None:
    pair = drawn_pair()
    empty = np.zeros_like(pair.z)
    with pytest.raises(SpecsiaError, match="disc_00"):
        view_scores(empty, replace(pair, z=empty, gt=empty))


SIDE = 48


def board(left: int, top: int, levels: float = 3.0, depth: int = 40) -> NDArray[np.uint8]:
    """Zpos of a square of 24 pixels whose colours run along it."""
    pos = np.zeros((SIDE, SIDE, 4), np.uint8)
    along = np.floor(np.arange(24) * levels).astype(np.uint8)
    square = np.stack(np.broadcast_arrays(along[None], along[:, None], np.uint8(depth), np.uint8(255)), -1)
    pos[top : top + 24, left : left + 24] = square
    return pos


@pytest.mark.parametrize(("levels", "off"), [(3.0, 0), (0.5, 1)])
def test_points_are_tracked(levels: float, off: int) -> None:
    step = metrics.follow(board(4, 10, levels), board(15, 7, levels))
    assert len(step.here) == 24 * 24
    here, there = np.divmod(step.here, SIDE), np.divmod(step.there, SIDE)
    rows, columns = np.subtract(there, here)
    assert np.abs(columns - 11).max() <= off and np.abs(rows + 3).max() <= off


def test_covered_points_are_not_tracked() -> None:
    here, there = board(4, 10), board(4, 10)
    there[10:34, 20:40] = board(20, 10, depth=200)[10:34, 20:40]
    step = metrics.follow(here, there)
    columns = step.here % SIDE
    # What is covered next to what is not is taken for that, a pixel away.
    assert set(range(4, 20)) <= set(columns.tolist()) <= set(range(4, 21))
    assert (step.here == step.there)[columns < 20].all()


def test_partial_pixels_have_no_points() -> None:
    here = board(4, 10)
    here[10, :, 3] //= 2
    assert len(metrics.follow(here, board(4, 10)).here) == 23 * 24
    for before, after in ((here, np.zeros_like(here)), (np.zeros_like(here), here)):
        assert len(metrics.follow(before, after).here) == 0


def test_steps_within_a_clip() -> None:
    pair = replace(make_pair(0, SIDE), pos=board(4, 10))
    frames = [replace(pair, clip="walk", frame=number) for number in (0, 1, 3)]
    assert [len(step.here) for step in metrics.steps_between(frames)] == [24 * 24, 0]
    assert metrics.steps_between([pair, pair]) == []


def test_flicker_beyond_the_truth() -> None:
    rng = np.random.default_rng(0)
    first = np.full((8, 8, 4), 255, np.uint8)
    first[..., :3] = rng.integers(0, 200, (8, 8, 3))
    moved = np.roll(first, 2, axis=1)
    here = np.arange(64, dtype=np.int32).reshape(8, 8)
    step = metrics.PixelMatch(here[:, :6].ravel(), here[:, 2:].ravel())
    truths = [first, moved]
    assert metrics.clip_flicker(truths, truths, [step]) == 0
    assert metrics.clip_flicker([np.full_like(first, 9)] * 2, truths, [step]) == pytest.approx(0, abs=1e-7)
    assert metrics.clip_flicker(
        [first, moved + np.uint8(51) * np.array([1, 1, 1, 0], np.uint8)], truths, [step]
    ) == pytest.approx(0.2)
    still = metrics.clip_flicker([first, first], truths, [step])
    assert still is not None and still > 0.1
    nothing = np.zeros(0, np.int32)
    assert metrics.clip_flicker(truths, truths, [metrics.PixelMatch(nothing, nothing)]) is None


Scored = tuple[Method, NDArray[np.float64]]

LEVELS = np.linspace(0.05, 0.15, 12)
"""L1 of as many characters: they differ more than methods do."""

NOISE = np.random.default_rng(3).normal(0, 0.001, 12)


def method(label: str, repeat: int = 0) -> Method:
    ours = label.startswith("DraViE")
    return Method(label, lambda _: lambda view: view.z, repeat, SeenCharacters() if ours else None)


def evaluation(*values: Scored, score: str = "l1") -> Evaluation:
    """One novel view of each character."""
    each = [(m, number, float(value)) for m, of in values for number, value in enumerate(of)]
    scores = [Score("fat", m.label, m.repeat, f"c{k}", 1, k, {score: value}) for m, k, value in each]
    return Evaluation("somewhere", "test", ("fat",), tuple(m for m, _ in values), tuple(scores))


def test_interval_width() -> None:
    values = np.random.default_rng(0).normal(1, 0.5, 400)
    low, high = bootstrap(values.tolist())
    assert low is not None and high is not None
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert bootstrap(values.tolist()) == (low, high)
    assert bootstrap([0.5] * 4) == (0.5, 0.5)
    assert bootstrap([0.5]) == bootstrap([]) == (None, None)


def test_deviation_and_interval() -> None:
    two = [(method("DraViE", repeat=k), LEVELS + 0.002 * k) for k in (0, 1)]
    summary = summarise(evaluation(*two))
    value = summary["fat", "DraViE", NOVEL, "l1"]
    assert value.low is not None and value.high is not None
    assert value.mean == pytest.approx(0.101)
    assert value.deviation == pytest.approx(0.002 / np.sqrt(2))
    assert value.low < 0.09 and value.high > 0.11
    assert f"0.1010 ± 0.0014 [{value.low:.4f}, {value.high:.4f}]" in to_markdown(evaluation(*two), summary)


def found(*values: Scored, score: str = "l1") -> list[Difference]:
    measured = evaluation(*values, score=score)
    return list(differences(measured, summarise(measured)))


@pytest.mark.parametrize(("gain", "verdict"), [(-0.004, "better"), (0.004, "worse"), (0, "not significant")])
def test_verdict_on_paired_difference(gain: float, verdict: str) -> None:
    noise = NOISE - NOISE.mean()
    (down,) = found((method("line"), LEVELS), (method("DraViE"), LEVELS + gain + noise))
    assert (down.verdict, down.baseline, len(down.value.characters)) == (verdict, "line", 12)
    assert down.value.mean == pytest.approx(gain, abs=1e-9)
    (up,) = found((method("line"), LEVELS), (method("DraViE"), LEVELS - gain + noise), score="ssim")
    assert up.verdict == verdict


@pytest.mark.parametrize(("count", "verdict"), [(5, "too few characters"), (6, "better")])
def test_too_few_characters_decide_nothing(count: int, verdict: str) -> None:
    (difference,) = found((method("line"), LEVELS[:count]), (method("DraViE"), LEVELS[:count] - 0.01))
    high = difference.value.high
    assert high is not None and high < 0 and difference.verdict == verdict


def test_compared_with_best_baseline() -> None:
    off = {"raw": 0.02, "line": 0, "look-up": -0.01, "DraViE without adaptation": -0.005, "DraViE": -0.015}
    whole, adapted = found(*((method(label), LEVELS + by) for label, by in off.items()))
    assert (whole.method, whole.baseline, whole.verdict) == ("DraViE without adaptation", "look-up", "worse")
    assert (adapted.method, adapted.baseline, adapted.verdict) == ("DraViE", "look-up", "better")
