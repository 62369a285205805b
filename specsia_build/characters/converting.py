"""The programs that convert files of a format to GLB, from standard input to standard output."""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.arrays import Doubles
from specsia_build.errors import CostError

REFUSED, EXHAUSTED = 3, 4  # Exit codes of the programs: the file is at fault, or memory ran out
JOINTS_PER_SET = 4  # Joints of a vertex in each of glTF's attributes


def serve(
    convert: Callable[[bytes], bytes],
    refused: tuple[type[Exception], ...],
    exhausted: tuple[type[Exception], ...] = (MemoryError, CostError),
) -> int:
    """Convert standard input to standard output; returns the exit code.

    The process's one argument is the number of bytes that it may use. Of an error of the kinds `refused`, the
    last line of standard error tells the reason; those of the kinds `exhausted` say that memory ran out.
    """
    memory.limit_process(int(sys.argv[1]))
    output = sys.stdout.buffer
    try:
        with np.errstate(all="ignore"):
            output.write(convert(sys.stdin.buffer.read()))
        output.flush()
    except exhausted:
        return EXHAUSTED
    except refused as error:
        sys.stderr.write(str(error) or type(error).__name__)
        sys.stderr.flush()
        return REFUSED
    return 0


def influences(
    vertex: NDArray[np.integer], slot: NDArray[np.integer], weight: Doubles, count: int
) -> tuple[NDArray[np.int64], Doubles]:
    """Slots and weights of each of `count` vertices, (count, K), K a multiple of `JOINTS_PER_SET`.

    Args:
        vertex, slot, weight: (N,) one influence each; those of weight 0 or less, or of a vertex or slot that
            is not there, are left out.
        count: of vertices.
    """
    valid = np.flatnonzero(
        (vertex >= 0) & (vertex < count) & (slot >= 0) & np.isfinite(weight) & (weight > 0)
    )
    order = valid[np.argsort(vertex[valid], kind="stable")]
    vertex, slot = vertex[order], slot[order]
    totals = np.bincount(vertex, minlength=count)
    place = np.arange(len(vertex)) - (np.cumsum(totals) - totals)[vertex]
    width = max(1, -(-int(totals.max(initial=1)) // JOINTS_PER_SET)) * JOINTS_PER_SET
    slots, weights = np.zeros((count, width), np.int64), np.zeros((count, width))
    slots[vertex, place], weights[vertex, place] = slot, weight[order]
    return slots, weights
