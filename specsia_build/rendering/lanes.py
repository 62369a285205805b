"""Sixty-four samples of a pixel at once: where linear functions are not negative, as the bits of one integer.

Numba's own loops over a mask's bits compile to eight times as many instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

LANES = 64
"""Bits of a mask."""

_FLOATS = ir.VectorType(ir.FloatType(), LANES)


def _spread(builder: Any, value: Any) -> Any:
    """A number in every lane."""
    index = ir.IntType(32)
    empty = ir.Constant(_FLOATS, ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(index, 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(index, LANES), [0] * LANES))


def half_plane(offset_x: NDArray[np.int32], offset_y: NDArray[np.int32]) -> Any:
    """A compiled function of (at, step_x, step_y) float32: the lanes, as uint64, at which at + step_x * x + step_y * y
    is not negative, for offsets x, y (LANES,) of samples from the centre.

    Products and sums are rounded one by one, the same on every machine.
    """
    lanes_x = ir.Constant(_FLOATS, [float(x) for x in offset_x])
    lanes_y = ir.Constant(_FLOATS, [float(y) for y in offset_y])
    zero = ir.Constant(_FLOATS, [0.0] * LANES)

    @intrinsic
    def not_negative(typing: Any, at: Any, step_x: Any, step_y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            start, right, down = (_spread(builder, argument) for argument in arguments)
            across = builder.fadd(start, builder.fmul(right, lanes_x))
            value = builder.fadd(across, builder.fmul(down, lanes_y))
            return builder.bitcast(builder.fcmp_ordered(">=", value, zero), ir.IntType(LANES))

        return types.uint64(types.float32, types.float32, types.float32), generate

    return not_negative
