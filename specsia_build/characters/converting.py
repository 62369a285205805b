"""The programs that convert files of a format to GLB, from standard input to standard output."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.arrays import Doubles
from specsia_build.errors import CostError
from specsia_build.files.glb import GlbWriter

REFUSED, EXHAUSTED = 3, 4  # Exit codes of the programs: the file is at fault, or memory ran out
_JOINTS_PER_SET = 4  # Joints of a vertex in each of glTF's attributes


def serve(
    convert: Callable[[bytes], bytes],
    refused: tuple[type[Exception], ...],
    exhausted: tuple[type[Exception], ...] = (MemoryError, CostError),
) -> int:
    """Convert standard input to standard output; returns the exit code.

    The process's one argument is the number of bytes that it may use. Errors of the kinds `refused` mean that
    the file cannot be read, and are the last line of standard error; `exhausted`, that memory ran out.
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
    """Slots and weights of each of `count` vertices, (count, K), K a multiple of four.

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
    width = -(-int(totals.max(initial=1)) // _JOINTS_PER_SET) * _JOINTS_PER_SET
    slots, weights = np.zeros((count, width), np.int64), np.zeros((count, width))
    slots[vertex, place], weights[vertex, place] = slot, weight[order]
    return slots, weights


def add_influences(glb: GlbWriter, slots: NDArray[np.integer], weights: NDArray[Any]) -> dict[str, int]:
    """Add slots and weights (V, K) of vertices, see `influences`; returns accessors by attribute."""
    accessors = {}
    for number in range(slots.shape[1] // _JOINTS_PER_SET):
        own = slice(number * _JOINTS_PER_SET, (number + 1) * _JOINTS_PER_SET)
        accessors[f"JOINTS_{number}"] = glb.accessor(slots[:, own].astype("<u2"))
        accessors[f"WEIGHTS_{number}"] = glb.accessor(weights[:, own].astype("<f4"))
    return accessors
