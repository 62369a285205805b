"""Connected components of members joined by links."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray


def joined(one: NDArray[np.integer], other: NDArray[np.integer], count: int) -> NDArray[np.int32]:
    """The group of each of so many things, (count,), numbered in the order of their first members.

    Args:
        one, other: (L,) the things that each link joins; a link may be there several times, and join a thing to itself.
        count: how many things there are; what no link joins is a group of its own.
    """
    links = scipy.sparse.coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(count, count))
    groups: NDArray[np.int32] = scipy.sparse.csgraph.connected_components(links, directed=False)[1]
    return groups
