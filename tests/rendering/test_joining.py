"""Groups of what links join."""

from __future__ import annotations

import numpy as np

from specsia_build.rendering.joining import joined


def test_groups_are_numbered_in_the_order_of_their_first_members() -> None:
    # 0-3 and 3-5, 1-4 many times over, which no count of links may hide, and 2 to itself.
    one, other = np.array([3, 0, 2, *[4] * 256]), np.array([5, 3, 2, *[1] * 256])
    assert joined(one, other, 6).tolist() == [0, 1, 2, 0, 1, 0]


def test_without_links_each_is_alone() -> None:
    none = np.zeros(0, np.int64)
    assert joined(none, none, 3).tolist() == [0, 1, 2]
    assert joined(none, none, 0).tolist() == []
