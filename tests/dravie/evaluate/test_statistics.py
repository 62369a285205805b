"""Intervals over characters and differences on the same characters, of scores made of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.dravie.evaluate.evaluate import NOVEL, Evaluation, Score
from specsia_build.dravie.evaluate.methods import Method
from specsia_build.dravie.evaluate.summary import Difference, bootstrap, differences, summarise, to_markdown
from specsia_build.dravie.runs import Seen

Scored = tuple[Method, NDArray[np.float64]]

LEVELS = np.linspace(0.05, 0.15, 12)
"""L1 of as many characters: they differ more than methods do."""

NOISE = np.random.default_rng(3).normal(0, 0.001, 12)


def method(label: str, repeat: int = 0) -> Method:
    ours = label.startswith("DraViE")
    return Method(label, lambda _: lambda view: view.z, repeat, Seen() if ours else None)


def evaluation(*values: Scored, score: str = "l1") -> Evaluation:
    """One novel view of each character."""
    scores = [
        Score("fat", m.label, m.repeat, f"c{number}", 1, number, {score: float(value)})
        for m, of in values
        for number, value in enumerate(of)
    ]
    return Evaluation("somewhere", "test", ("fat",), tuple(m for m, _ in values), tuple(scores))


def test_an_interval_is_as_wide_as_theory_has_it() -> None:
    values = np.random.default_rng(0).normal(1, 0.5, 400)
    low, high = bootstrap(values.tolist())
    assert low is not None and high is not None
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert bootstrap(values.tolist()) == (low, high)
    assert bootstrap([0.5] * 4) == (0.5, 0.5)
    assert bootstrap([0.5]) == bootstrap([]) == (None, None)


def test_deviation_is_of_repeats_and_interval_of_characters() -> None:
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


@pytest.mark.parametrize(("gain", "verdict"), [(-0.004, "better"), (0.004, "worse"), (0.0, "not significant")])
def test_a_difference_on_the_same_characters_is_told_apart(gain: float, verdict: str) -> None:
    (one,) = found((method("line"), LEVELS), (method("DraViE"), LEVELS + gain + NOISE - NOISE.mean()))
    assert (one.verdict, one.baseline, one.characters) == (verdict, "line", 12)
    assert one.mean == pytest.approx(gain, abs=1e-9)
    (up,) = found((method("line"), LEVELS), (method("DraViE"), LEVELS - gain + NOISE - NOISE.mean()), score="ssim")
    assert up.verdict == verdict


@pytest.mark.parametrize(("count", "verdict"), [(2, "too few characters"), (5, "too few characters"), (6, "better")])
def test_so_few_characters_that_chance_would_do_decide_nothing(count: int, verdict: str) -> None:
    (one,) = found((method("line"), LEVELS[:count]), (method("DraViE"), LEVELS[:count] - 0.01))
    assert one.high is not None and one.high < 0 and one.verdict == verdict


def test_the_best_baseline_is_the_one_compared_with() -> None:
    values = [
        (method("raw"), LEVELS + 0.02),
        (method("line"), LEVELS),
        (method("look-up"), LEVELS - 0.01),
        (method("DraViE without adaptation"), LEVELS - 0.005),
        (method("DraViE"), LEVELS - 0.015),
    ]
    whole, adapted = found(*values)
    assert (whole.method, whole.baseline, whole.verdict) == ("DraViE without adaptation", "look-up", "worse")
    assert (adapted.method, adapted.baseline, adapted.verdict) == ("DraViE", "look-up", "better")
