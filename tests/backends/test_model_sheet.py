"""The backend `model-sheet`: a side and a back of the truth, as an artist draws them."""

import numpy as np
import pytest

from specsia_build.backends.base import Context
from specsia_build.backends.model_sheet import OFF, create, redrawn
from specsia_build.errors import CharacterError, UsageError
from specsia_build.pictures.masks import box_around
from tests.backends.drawings import iou, seen
from tests.backends.turnarounds import ANIMAL, drawn, mesh_of

SEEN = Context("7", 3, lambda: mesh_of(ANIMAL), framed=True)


def test_exact_sheet_is_better_than_one_with_errors() -> None:
    front, wanted = drawn(ANIMAL, 0), drawn(ANIMAL, 45)
    exact, drawn_badly = (create(text).reconstruct(front, SEEN) for text in ("0", "2"))
    first, second = (iou(seen(mesh, 45, 128), wanted) for mesh in (exact, drawn_badly))
    assert first > second > 0.7
    again = create("2").reconstruct(front, SEEN)
    assert np.array_equal(again.vertices, drawn_badly.vertices)


def test_errors_are_bounded_and_seeded() -> None:
    picture = drawn(ANIMAL, 90, 256)
    rows, _ = box_around(picture[..., 3] >= 128)
    pictures = [redrawn(picture, np.random.default_rng(seed), 1.0) for seed in (1, 1, 2)]
    assert np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[0], pictures[2])
    for changed in pictures[1:]:
        moved, _ = box_around(changed[..., 3] >= 128)
        most = 3 * OFF * (rows.stop - rows.start) + 2
        assert abs(moved.start - rows.start) < most and abs(moved.stop - rows.stop) < most
        assert 0.5 < iou(changed, picture) < 0.99
    assert np.array_equal(redrawn(picture, np.random.default_rng(1), 0.0), picture)


def test_lines_waver(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = drawn(ANIMAL, 90, 256)
    for name in ("OFF", "FEATURES"):
        monkeypatch.setattr(f"specsia_build.backends.model_sheet.{name}", 0.0)
    assert 0.9 < iou(redrawn(picture, np.random.default_rng(1), 2.0), picture) < 0.995


def test_it_says_that_it_sees_the_truth() -> None:
    assert create(None).sees_ground_truth
    with pytest.raises(CharacterError):
        create(None).reconstruct(drawn(ANIMAL, 0), Context("7", 1))


@pytest.mark.parametrize("argument", ["", "3", "-1", "nan", "much"])
def test_other_strengths_are_refused(argument: str) -> None:
    with pytest.raises(UsageError):
        create(argument)
