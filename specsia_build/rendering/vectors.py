"""Compiled functions of three numbers, inlined into their callers."""

import numpy as np

from specsia_build.jit import inlined


@inlined
def triple(rows, i):  # type: ignore[no-untyped-def]
    """The three numbers in row `i` of an array (N, 3)."""
    return rows[i, 0], rows[i, 1], rows[i, 2]


@inlined
def triple64(rows, i):  # type: ignore[no-untyped-def]
    """The same as float64."""
    return np.float64(rows[i, 0]), np.float64(rows[i, 1]), np.float64(rows[i, 2])


@inlined
def minus(a, b):  # type: ignore[no-untyped-def]
    """Difference of two triples."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@inlined
def cross(a, b):  # type: ignore[no-untyped-def]
    """Cross product of two triples."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@inlined
def put(rows, i, values):  # type: ignore[no-untyped-def]
    """Write three numbers into row `i` of an array (N, 3)."""
    rows[i, 0] = values[0]
    rows[i, 1] = values[1]
    rows[i, 2] = values[2]
