"""What of a silhouette is covered, and what part of it is lost."""

from __future__ import annotations

import numpy as np
import pytest

from specsia_build.registration import LOST, lost_part, recall


def figure(size: int) -> np.ndarray:
    """A body with two arms, (size, size) uint8."""
    mask = np.zeros((size, size), np.uint8)
    unit = size // 64
    mask[16 * unit : 56 * unit, 24 * unit : 40 * unit] = 255
    mask[24 * unit : 28 * unit, 8 * unit : 56 * unit] = 255
    return mask


@pytest.mark.parametrize("size", [64, 192, 512])
def test_a_lost_arm_is_told_from_a_thinner_outline(size: int) -> None:
    whole, unit = figure(size), size // 64
    amputated = whole.copy()
    amputated[:, 40 * unit :] = 0
    area = 16 * 40 + 2 * 16 * 4
    assert recall(amputated, whole) == pytest.approx(1 - 64 / area)
    assert lost_part(amputated, whole) == pytest.approx(64 / area, abs=0.01)
    thinner = np.roll(whole, unit // 2, axis=1) & whole
    assert lost_part(thinner, whole) < LOST < lost_part(amputated, whole)


def test_a_reconstruction_that_covers_nothing_lacks_everything() -> None:
    whole, nothing = figure(64), np.zeros((64, 64), np.uint8)
    assert (recall(nothing, whole), lost_part(nothing, whole)) == (0.0, 1.0)
    assert (recall(whole, nothing), lost_part(whole, nothing)) == (1.0, 0.0)
