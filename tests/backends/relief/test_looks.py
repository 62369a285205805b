"""Looks of pictures that `relief` is trained on."""

from typing import Any

import numpy as np
import pytest

from specsia_build.arrays import Pixels
from specsia_build.backends import selftest
from specsia_build.backends.relief import examples
from specsia_build.backends.relief.looks import in_a_look

SEEDS = range(60)


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Pixels, Pixels]]:
    front, back, heights = figure()
    return [in_a_look(front, back, heights, np.random.default_rng(seed)) for seed in SEEDS]


def figure() -> tuple[Pixels, Pixels, Any]:
    front, back, _, heights = examples._picture(selftest.figure())
    return front, back, heights[..., 0]


def test_looks_depend_on_the_seed_only(drawn: list[tuple[Pixels, Pixels]]) -> None:
    front, back, heights = figure()
    again = in_a_look(front, back, heights, np.random.default_rng(SEEDS[7]))
    assert all(np.array_equal(one, other) for one, other in zip(drawn[7], again, strict=True))
    same = sum(np.array_equal(one, front) for one, _ in drawn)
    assert 0.2 < same / len(drawn) < 0.6


def test_a_look_keeps_the_figure(drawn: list[tuple[Pixels, Pixels]]) -> None:
    """Silhouettes stay, but for the hard borders of pixel art; the back has no lines or light."""
    front, back, _ = figure()
    shown = front[..., 3] >= 128
    squares = 0
    for one, behind in drawn:
        is_squares = not np.array_equal(one[..., 3], front[..., 3])
        squares += is_squares
        if is_squares:
            assert set(np.unique(one[..., 3])) == {0, 255}
        assert np.mean((one[..., 3] >= 128) != shown) < 0.05
        assert np.array_equal(behind, back) or len(np.unique(behind[..., :3].reshape(-1, 3), axis=0)) == 1
    assert 0 < squares < 0.2 * len(drawn)


def test_line_art_has_lines_on_paper(drawn: list[tuple[Pixels, Pixels]]) -> None:
    """Where the back is bare paper, so is the front, but for lines in one colour, thin or faint in places."""
    _, back, _ = figure()
    papers = [(one, behind) for one, behind in drawn if not np.array_equal(behind, back)]
    assert 2 <= len(papers) <= 0.25 * len(drawn)
    for one, behind in papers:
        shown = one[..., 3] >= 128
        differs = (one[..., :3] != behind[..., :3]).any(axis=2)
        assert 0.01 < differs[shown].mean() < 0.5
        assert (one[differs][:, :3].max(axis=1) <= behind[differs][:, :3].max(axis=1)).all()
